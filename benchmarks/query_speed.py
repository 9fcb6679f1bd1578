"""Time of queries in a process that stays, of their parts, and of the import.

    python benchmarks/query_speed.py FOLDER [--points 32000] [--queries 40]

FOLDER keeps the collection, of random unit vectors with rows as MAST has them, which is made once.
``later`` are queries of texts that were not asked before, ``repeated`` one that was. The parts are
measured in the same queries, by a clock round each. The last column is the time on the processor,
all threads together, which other work on the machine disturbs less. An import is timed in fresh
processes, in turns with ``import astroquery.mast``. Set ``OMP_NUM_THREADS`` to the number of cores
that may be used.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np

from astro_paperclip import Like, PaperclipMast, PaperclipResult
from astro_paperclip.collection import Collection
from astro_paperclip.index import open_store, point_id
from astro_paperclip.searching import IndexedCollection

AT_ONCE = 4000
SUBJECTS = ("spiral galaxy", "planetary nebula", "globular cluster", "protostellar outflow")
DETAILS = ("with a dust lane", "seen edge-on", "in the ultraviolet", "with a companion", "at z=1")
LIMIT = 50
IMPORTS = ("astro_paperclip", "from astro_paperclip import PaperclipMast", "astroquery.mast")


def make_collection(path: Path, encoder, count: int) -> None:
    """Store random unit vectors with as many columns as an observation of MAST has."""
    if (path / "complete").exists():
        return
    about = {"encoder_fingerprint": encoder.fingerprint, "dimension": encoder.dim}
    Collection.create(path, encoder_name=encoder.name, views="whole", **about)
    rng = np.random.default_rng(1)
    with open_store(path, mode="w", dimension=encoder.dim, encoder=encoder.fingerprint) as store:
        for start in range(0, count, AT_ONCE):
            rows = [make_row(row, rng) for row in range(start, min(start + AT_ONCE, count))]
            vectors = rng.normal(size=(len(rows), encoder.dim))
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            store.upsert([point_id(row["image"]) for row in rows], vectors, rows)
    (path / "complete").touch()


def make_row(number: int, rng) -> dict:
    """Return a row with the columns of MAST's observations, and an abstract."""
    # MAST's numbers have up to 15 digits.
    ra, dec = round(rng.uniform(0, 360), 10), round(rng.uniform(-90, 90), 10)
    begun = round(rng.uniform(48_000, 60_000), 8)
    return {
        "image": f"previews/{10_000 + number // 20}/hst_{number}_total.jpg",
        "obsid": str(24_000_000 + number),
        "obs_id": f"hst_{10_000 + number // 20}_{number:06d}_acs_wfc_total",
        "target_name": f"NGC-{number % 7840}",
        "obs_collection": "HST",
        "proposal_id": str(10_000 + number // 20),
        "proposal_pi": f"Author {number % 500}",
        "instrument_name": "ACS/WFC",
        "filters": "F606W;F814W",
        "dataproduct_type": "image",
        "calib_level": 3,
        "wavelength_region": "Optical",
        "s_ra": ra,
        "s_dec": dec,
        "s_region": f"CIRCLE ICRS {ra:.6f} {dec:.6f} 0.05",
        "t_min": begun,
        "t_max": begun + 0.5,
        "t_exptime": round(rng.uniform(100, 5000), 3),
        "em_min": 470.0,
        "em_max": 960.0,
        "obs_title": f"A survey of nearby galaxies, part {number % 50}",
        "t_obs_release": 59_000.0,
        "target_classification": "GALAXY;SPIRAL",
        "title": f"The structure and evolution of nearby galaxies, part {number % 50}",
        "text": "We propose to observe a sample of nearby galaxies in two bands. " * 12,
        "category": "Galaxies",
        "srcDen": round(rng.uniform(0, 1000), 3),
        "mtFlag": False,
    }


class Clock:
    """Adds up how long parts of a query take."""

    def __init__(self) -> None:
        self.times = defaultdict(lambda: Times([], []))

    @contextmanager
    def around(self, name: str, home: object, attribute: str):
        """Measure the calls of a function while the block lasts."""
        function = getattr(home, attribute)

        def measured(*args, **kwargs):
            began, spent = time.perf_counter(), time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.times[name].wall.append(time.perf_counter() - began)
                self.times[name].processor.append(time.process_time() - spent)

        # A class method is bound already.
        is_bound = isinstance(home, type) and hasattr(function, "__self__")
        with patch.object(home, attribute, staticmethod(measured) if is_bound else measured):
            yield


@dataclass
class Times:
    """Wall-clock and processor times of some calls [s]."""

    wall: list[float]
    processor: list[float]


def timed(ask, questions: list) -> Times:
    """Return how long each question takes."""
    times = Times([], [])
    for question in questions:
        began, spent = time.perf_counter(), time.process_time()
        ask(question)
        times.wall.append(time.perf_counter() - began)
        times.processor.append(time.process_time() - spent)
    return times


def say(name: str, times: Times, share: int = 1) -> None:
    """Print the shortest, the median and the longest time, and the median on the processor."""
    wall = (1e3 * f(times.wall) / share for f in (min, statistics.median, max))
    processor = 1e3 * statistics.median(times.processor) / share
    print(f"{name:36s} {' '.join(f'{value:8.2f}' for value in (*wall, processor))}")


def time_imports(runs: int) -> dict[str, float]:
    """Return the shortest time of each import in fresh processes [s]."""
    taken = defaultdict(list)
    for _ in range(runs):
        for name in IMPORTS:
            statement = name if name.startswith("from") else f"import {name}"
            code = (
                f"import time; b = time.perf_counter(); {statement}; print(time.perf_counter()-b)"
            )
            done = subprocess.run(
                [sys.executable, "-c", code], check=True, capture_output=True, text=True
            )
            taken[name].append(float(done.stdout.splitlines()[-1]))
    return {name: min(times) for name, times in taken.items()}


def main() -> None:
    """Print all times."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--points", type=int, default=32_000)
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--imports", type=int, default=5, help="runs of each import")
    arguments = parser.parse_args()

    from astro_paperclip import encoders

    encoder = encoders.load("compact", device="cpu")
    path = arguments.folder / f"random-{arguments.points}"
    make_collection(path, encoder, arguments.points)
    texts = [f"{SUBJECTS[n % 4]} {DETAILS[n % 5]}, number {n}" for n in range(arguments.queries)]
    with PaperclipMast(collection=path, encoder=encoder) as paperclip:

        def ask(text):
            return paperclip.query_text(text, limit=LIMIT)

        print(f"{arguments.points} points, {LIMIT} rows of {len(make_row(0, np.random))} columns")
        print(f"{'[ms]':36s} {'shortest':>8s} {'median':>8s} {'longest':>8s} {'CPU':>8s}")
        say("first query, the encoder loaded", timed(ask, ["a first question"]))
        say("later queries", timed(ask, texts))
        say("a repeated query", timed(ask, texts[:1] * arguments.queries))
        expressions = [Like(text) - 0.5 * Like(f"not {text}") for text in texts]
        say("two terms, one of them new", timed(ask, expressions))
        batches = timed(ask, [[f"{text}, in a list" for text in texts]])
        say(f"a list of {len(texts)}, each", batches, share=len(texts))
        clock = Clock()
        store = paperclip._open(str(path.absolute())).store
        with (
            clock.around("  encode the text", encoder, "encode_texts"),
            clock.around("  count its tokens for the warning", encoder, "count_tokens"),
            clock.around("  search the index", store, "search"),
            clock.around("  make the table", PaperclipResult, "from_hits"),
            clock.around("  provenance: info of the collection", IndexedCollection, "info"),
        ):
            say("later queries, with clocks", timed(ask, [f"{text}?" for text in texts]))
        for name, times in clock.times.items():
            say(name, times)
    shortest = time_imports(arguments.imports)
    for name, seconds in shortest.items():
        ratio = seconds / shortest["astroquery.mast"]
        print(f"{name:44s} {seconds:.3f} s, {ratio:.2f} of import astroquery.mast")


if __name__ == "__main__":
    main()
