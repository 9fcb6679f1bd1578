"""Measure what percentiles of scores add to a query.

Makes a collection of random unit vectors, or takes one, and times a search of 50 rows, the same
with percentiles, and a threshold of percentiles that reads the whole ranking allowed::

    python benchmarks/calibration.py [COLLECTION] [--points 32000] [--dimension 512]
"""

import argparse
import tempfile
import time
from functools import partial
from statistics import median

import numpy as np

from astro_paperclip.calibration import Bank, best_matches, image_bank, score_percentiles
from astro_paperclip.index import Hit, open_store, point_id

REPEATS = 20


def make(folder: str, count: int, dimension: int) -> None:
    """Store random unit vectors."""
    rng = np.random.default_rng(1)
    with open_store(folder, mode="w", dimension=dimension) as store:
        for start in range(0, count, 4000):
            rows = range(start, min(start + 4000, count))
            vectors = rng.normal(size=(len(rows), dimension)).astype(np.float32)
            payloads = [{"obsid": str(row), "proposal_id": str(row // 8)} for row in rows]
            store.upsert([point_id(str(row)) for row in rows], vectors, payloads)


def milliseconds(call, repeats: int = REPEATS) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return median(times)


def calibrated(store, bank: Bank, name: str, hits: list[Hit]) -> list[Hit]:
    """Give hits percentiles, as a query does."""
    found = store.retrieve([hit.id for hit in hits], with_vectors=True, with_payload=False)
    vectors = np.array([record.vector for record in found])
    ids = [record.id for record in found]
    scores = [hit.score for hit in hits]
    percentiles = score_percentiles(scores, vectors, [(1.0, name)], {name: bank}, ids)
    rows = zip(hits, percentiles.tolist(), strict=True)
    return [Hit(hit.id, hit.score, hit.payload, percentile) for hit, percentile in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("collection", nargs="?")
    parser.add_argument("--points", type=int, default=32_000)
    parser.add_argument("--dimension", type=int, default=512)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        location = args.collection or folder
        if args.collection is None:
            make(folder, args.points, args.dimension)
        with open_store(location) as store:
            measure(store)


def measure(store) -> None:
    """Print the times."""
    dimension = store.info()["dimension"]
    rng = np.random.default_rng(2)
    query = rng.normal(size=dimension)
    texts = rng.normal(size=(370, dimension))
    banks = {
        "text": Bank(texts / np.linalg.norm(texts, axis=1, keepdims=True)),
        "image": image_bank(store),
    }
    search = partial(store.search, query)
    print(f"{store.count()} points of {dimension} components; medians of {REPEATS}")
    print(f"bank of pictures, once     {milliseconds(lambda: image_bank(store), 3):8.1f} ms")
    print(f"search, 50 rows            {milliseconds(lambda: search(limit=50)):8.1f} ms")
    hits = search(limit=50)
    for name, bank in banks.items():
        taken = milliseconds(lambda name=name, bank=bank: calibrated(store, bank, name, hits))
        print(f"percentiles, {name:<6} 50 rows{taken:8.1f} ms")
    calibrate = partial(calibrated, store, banks["text"], "text")
    options = {"limit": 50, "offset": 0, "threshold": "100%"}
    taken = milliseconds(lambda: best_matches(search, calibrate, **options), 3)
    depth = best_matches(search, calibrate, **options).depth
    print(f"threshold of 100%, 50 rows {taken:8.1f} ms (depth: {depth or 'as far as needed'})")
    options["limit"] = store.count()
    taken = milliseconds(lambda: best_matches(search, calibrate, **options), 3)
    depth = best_matches(search, calibrate, **options).depth
    print(f"threshold, all rows        {taken:8.1f} ms (depth: {depth})")


if __name__ == "__main__":
    main()
