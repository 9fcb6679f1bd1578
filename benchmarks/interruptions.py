"""Kill a build at random moments, go on each time, and compare what comes out in the end.

    python benchmarks/interruptions.py
    python benchmarks/interruptions.py --proposals 12 --per-proposal 2 --kills 4

Serves a simulated archive, builds a collection from it without interruption, then another one
that is killed (SIGKILL) again and again before it is let through. Both must hold the same rows
and the same files, and between the kills no file under its final name may be half written.
Exit status 1 if they differ.
"""

import argparse
import hashlib
import random
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from PIL import Image
from pyarrow import parquet

from astro_paperclip.index import open_store
from astro_paperclip.simulation import serve, write_archive

EARLIEST = 2.0
"""Time [s] that Python takes to import what a build needs."""

TABLES = ("proposals.parquet", "observations.parquet", "previews.parquet", "pairs.parquet")


def start_build(collection: Path, server: str, options: list[str]) -> subprocess.Popen:
    """Start ``astro-paperclip build`` in a process of its own."""
    command = [sys.executable, "-m", "astro_paperclip.cli.main", "build", str(collection)]
    command += ["--mast-server", server, "--quiet", *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish_build(collection: Path, server: str, options: list[str]) -> float:
    """Build to the end; return how long it took [s]."""
    start = time.perf_counter()
    process = start_build(collection, server, options)
    _, errors = process.communicate()
    if process.returncode:
        sys.exit(f"the build of {collection} failed:\n{errors}")
    return time.perf_counter() - start


def half_written(collection: Path) -> list[str]:
    """Return the files under their final names that cannot be read to the end."""
    found = []
    for path in (collection / "previews").rglob("[!.]*.jpg"):
        try:
            with Image.open(path) as image:
                image.load()
        except OSError as error:
            found.append(f"{path}: {error}")
    for name in TABLES:
        try:
            if (collection / name).exists():
                parquet.read_table(collection / name)
        except (OSError, ValueError) as error:
            found.append(f"{name}: {error}")
    return found


def contents(collection: Path) -> dict[str, object]:
    """Return what a collection holds: hashes of its files, and its points without vectors."""
    files = [collection / name for name in TABLES]
    files += sorted((collection / "previews").rglob("*.*"))
    held = {
        str(path.relative_to(collection)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
    with open_store(collection) as store:
        held |= {f"point {record.id}": record.payload for record in store.scroll()}
    return held


def main() -> None:
    """Build twice, once with interruptions, and say whether the outcome is the same."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--proposals", type=int, default=200)
    parser.add_argument("--per-proposal", type=int, default=10)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--size", type=int, default=128, help="side of a preview [pixel]")
    parser.add_argument("--latency", type=float, default=200.0, help="of the server [ms]")
    parser.add_argument("--encoder", default="compact")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    per_proposal = (arguments.per_proposal, arguments.per_proposal)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_archive(
            folder / "sky",
            proposals=arguments.proposals,
            images_per_proposal=per_proposal,
            size=arguments.size,
            seed=arguments.seed,
            progress=False,
        )
        ids = [str(90_001 + number) for number in range(arguments.proposals)]
        options = ["--encoder", arguments.encoder, "--proposal", *ids]
        with serve(folder / "sky", latency=arguments.latency / 1000) as server:
            took = finish_build(folder / "whole", server.url, options)
            print(f"uninterrupted: {took:.1f} s, {server.requests.total()} requests")
            server.requests.clear()
            moments = random.Random(arguments.seed)
            killed = 0
            while killed < arguments.kills:
                process = start_build(folder / "killed", server.url, options)
                # As many in each octave of time: the stages that use the network come first.
                moment = EARLIEST * (took / EARLIEST) ** moments.random()
                try:
                    process.wait(moment)
                except subprocess.TimeoutExpired:
                    process.kill()
                process.communicate()
                killed += 1
                if faults := half_written(folder / "killed"):
                    sys.exit(f"after {moment:.1f} s, half written: {faults}")
                there = len(list((folder / "killed").glob("previews/*/*.jpg")))
                print(f"kill {killed:2d} after {moment:5.1f} s: {there} previews")
            finish_build(folder / "killed", server.url, options)
            print(f"with {killed} kills: {server.requests.total()} requests in all")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            expected, found = contents(folder / "whole"), contents(folder / "killed")
    different = sorted(k for k in expected | found if expected.get(k) != found.get(k))
    print(f"{len(expected)} files and points, {len(different)} of them different")
    if different:
        sys.exit("\n".join(different[:20]))


if __name__ == "__main__":
    main()
