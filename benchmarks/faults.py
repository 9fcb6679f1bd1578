"""Build with every fault of the simulated archive on, and compare the report with what it injected.

    python benchmarks/faults.py
    python benchmarks/faults.py --proposals 12 --per-proposal 2 --recipes default

Serves a simulated archive that spoils one reply in ten, with each of its faults, and builds a
collection by each recipe. What had to be asked for again must be reported as often as the server
injected it; and a collection by the default recipe, whose lists of observations lack a row for
each unusable obsid, must hold all the rest. Exit status 1 if anything differs.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from astro_paperclip.archive import Mast
from astro_paperclip.building import BuildReport, build
from astro_paperclip.simulation import serve, write_archive

SEEN_AS = {
    ("server error",): ("unavailable",),
    ("too many requests",): ("too_many_requests",),
    ("incomplete", "not an image"): ("reset", "truncated", "wrong_length", "not_a_jpeg"),
    ("unreadable",): ("html",),
    ("too slow",): ("trickle",),
}
"""What a build calls the faults after which it asks again, and what the server calls them. A
picture whose length is announced too short arrives cut, as one that is no picture."""

LEFT_OUT_AS = {
    "odd_obsids": "without an obsid",
    "no_products": "observations without a preview",
}
"""What a build calls the rows that wrong lists cost it. Rows listed twice cost it none."""


def compare(report: BuildReport, injected: Counter) -> list[str]:
    """Print what was injected beside what was reported; return what differs."""
    wrong = []
    for kinds, names in SEEN_AS.items():
        sent = sum(injected[name] for name in names)
        said = sum(report.faults.get(kind, 0) for kind in kinds)
        print(f"  {', '.join(names):48s} injected {sent:4d}, reported {said:4d}")
        if sent != said:
            wrong.append(f"{', '.join(names)}: {sent} injected, {said} reported")
    left_out = Counter()
    for stage in report.stages:
        left_out.update(stage.left_out)
    for name, reason in LEFT_OUT_AS.items():
        print(f"  {name:48s} injected {injected[name]:4d}, {left_out[reason]} {reason}")
    print(f"  {'duplicate_products':48s} injected {injected['duplicate_products']:4d}")
    if unknown := set(report.faults) - set().union(*SEEN_AS):
        wrong.append(f"reported, but never injected: {sorted(unknown)}")
    return wrong


def main() -> None:
    """Build by each recipe, and say whether the reports are right."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--proposals", type=int, default=200)
    parser.add_argument("--per-proposal", type=int, default=10)
    parser.add_argument("--size", type=int, default=64, help="side of a preview [pixel]")
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--recipes", nargs="+", default=["default", "paper"])
    parser.add_argument("--routes", nargs="+", default=["portal", "tap"])
    parser.add_argument("--timeout", type=float, default=1.0, help="of a reply [s]")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    n_observations = arguments.proposals * arguments.per_proposal
    # Later stages ask the archive for nothing.
    stages = ["proposals", "observations", "previews", "pairs"]
    wrong = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_archive(
            folder / "sky",
            proposals=arguments.proposals,
            images_per_proposal=(arguments.per_proposal, arguments.per_proposal),
            size=arguments.size,
            seed=arguments.seed,
            progress=False,
        )
        for recipe in arguments.recipes:
            for route in arguments.routes:
                faulty = {"fault_rate": arguments.rate, "seed": arguments.seed, "retry_after": 0}
                with serve(folder / "sky", **faulty) as server:
                    report = build(
                        folder / f"{recipe}_{route}",
                        proposal_id=[90_001 + number for number in range(arguments.proposals)],
                        mast=Mast(server.url, timeout=arguments.timeout),
                        recipe=recipe,
                        route=route,
                        stages=stages,
                        progress=False,
                    )
                    requests, injected = server.requests.total(), server.injected
                print(f"\n{recipe}, {route}\n{report.summary()}")
                found = compare(report, injected)
                if report.requests != requests:
                    found.append(f"{requests} requests came, {report.requests} reported")
                observations = report.stages[1]
                usable = n_observations - injected["odd_obsids"]
                if recipe == "default" and observations.kept != usable:
                    found.append(f"{observations.kept} observations instead of {usable}")
                wrong += [f"{recipe}, {route}: {difference}" for difference in found]
    print(f"\n{len(wrong)} numbers of the reports are wrong")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
