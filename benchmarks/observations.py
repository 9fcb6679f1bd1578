"""Observations of many proposals: one query by TAP against one call of astroquery for each.

    python benchmarks/observations.py --proposals 500 --latency 50

Also prints the peak memory of a process that takes 100 000 rows through the stage, by either
route. The simulated server answers; the clients are processes of their own.
"""

import argparse
import json
import subprocess
import sys

import numpy as np
import pyarrow as pa

from astro_paperclip.simulation import Holdings, serve

FIRST_PROPOSAL = 10_001

CLIENT = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
from astropy.table import vstack
from astro_paperclip.archive import Mast
from astro_paperclip.archive.observations.query import query_observations
url, way, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
proposals = [str(first + number) for number in range(count)]
mast = Mast(url)
mast.observations
start = time.perf_counter()
if way == "astroquery":
    ask = mast.observations.query_criteria
    tables = [ask(obs_collection="HST", proposal_id=proposal) for proposal in proposals]
    table = vstack(tables, metadata_conflicts="silent")
else:
    table = query_observations(proposal_id=proposals, route=way, mast=mast, progress=False)
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([len(table), seconds, peak, mast.traffic.requests]))
"""


def make_holdings(proposals: int, rows: int, seed: int = 0) -> Holdings:
    """Make up observations with texts as long as those of MAST."""
    rng = np.random.default_rng(seed)
    number = np.arange(rows)
    proposal = FIRST_PROPOSAL + number % proposals
    ra, dec = rng.uniform(0, 360, rows), rng.uniform(-80, 80, rows)
    corners = np.array([[-0.03, -0.03], [0.03, -0.03], [0.03, 0.03], [-0.03, 0.03], [-0.03, -0.03]])
    regions = [
        "POLYGON ICRS " + " ".join(f"{value:.8f}" for value in (corners + place).ravel())
        for place in zip(ra, dec, strict=True)
    ]
    roots = [f"hst_{p}_{n % 97:02d}_acs_wfc_total_j{n:06x}" for n, p in enumerate(proposal)]
    start = rng.uniform(52_000, 60_000, rows)
    constants = {
        "obs_collection": "HST",
        "intentType": "science",
        "instrument_name": "ACS/WFC",
        "filters": "F606W;F814W",
        "project": "HST",
        "provenance_name": "CALACS",
        "wavelength_region": "OPTICAL",
        "target_classification": "GALAXY;INTERACTING GALAXY;STARBURST;SPIRAL GALAXY",
        "proposal_pi": "Somebody",
        "proposal_type": "GO",
        "dataproduct_type": "image",
        "dataRights": "PUBLIC",
    }
    columns = {
        "obsid": [str(2_000_000_000 + n) for n in number],
        "objID": [str(3_000_000_000 + n) for n in number],
        "obs_id": roots,
        "proposal_id": [str(p) for p in proposal],
        "target_name": [f"TARGET-{p}-{n % 5}" for n, p in enumerate(proposal)],
        "obs_title": [f"A survey of star formation in galaxies, part {p}" for p in proposal],
        "jpegURL": [f"mast:HST/product/{root}_drc.jpg" for root in roots],
        "dataURL": [f"mast:HST/product/{root}_drc.fits" for root in roots],
        "s_region": regions,
        "s_ra": ra,
        "s_dec": dec,
        "t_min": start,
        "t_max": start + 0.02,
        "t_exptime": rng.uniform(100, 2000, rows),
        "t_obs_release": start + 365,
        "em_min": np.full(rows, 470.0),
        "em_max": np.full(rows, 960.0),
        "calib_level": np.full(rows, 3),
        "sequence_number": number % 97,
        "mtFlag": np.zeros(rows, dtype=bool),
    } | {name: [value] * rows for name, value in constants.items()}
    return Holdings(
        pa.table({"proposal_id": sorted(set(columns["proposal_id"]))}), pa.table(columns)
    )


def ask(url: str, way: str, proposals: int) -> tuple[int, float, float, int]:
    """Ask in a process of its own; return rows, seconds, peak memory [MiB], requests."""
    command = [sys.executable, "-c", CLIENT, url, way, str(FIRST_PROPOSAL), str(proposals)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows, seconds, peak, requests = json.loads(done.stdout)
    print(
        f"{way:>10}: {rows:7d} rows of {proposals} proposals, {requests:4d} requests, "
        f"{seconds:7.2f} s, peak {peak:5.0f} MiB",
        flush=True,
    )
    return rows, seconds, peak, requests


def main() -> None:
    """Print the ratio of times, then the peak memory for many rows."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--proposals", type=int, default=500)
    parser.add_argument("--rows", type=int, default=10_000, help="rows for the comparison of times")
    parser.add_argument("--latency", type=float, default=50.0, help="of the server [ms]")
    parser.add_argument("--memory-rows", type=int, default=100_000, help="rows for the memory")
    arguments = parser.parse_args()
    with serve(
        make_holdings(arguments.proposals, arguments.rows), latency=arguments.latency / 1000
    ) as server:
        times = {
            w: ask(server.url, w, arguments.proposals)[1] for w in ("astroquery", "portal", "tap")
        }
        ask(server.url, "tap", 1)  # what the process itself takes
    for way in ("portal", "tap"):
        print(f"{way} is {times['astroquery'] / times[way]:.1f} times faster")
    with serve(make_holdings(arguments.proposals, arguments.memory_rows)) as server:
        for way in ("portal", "tap"):
            ask(server.url, way, arguments.proposals)


if __name__ == "__main__":
    main()
