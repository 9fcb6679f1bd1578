"""What the ways of keeping vectors in a directory take on the disk, and what searches find.

    python benchmarks/vector_storage.py
    python benchmarks/vector_storage.py --points 100000 --dimension 768

Stores the same clustered vectors, most of whose variance is in a few directions, in single and in
half precision, each with and without a second copy with one byte a component, and builds the
graph. Prints the disk that a point takes, all in all and for its vectors, the time to build, and
for each way to search the recall of the 20 nearest (against brute force in NumPy, in double
precision) with the median time of a query in one thread. "bytes" searches the graph by the copy
alone, "bytes, rescored" compares twice as many again with the vectors themselves.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import qdrant_edge

from astro_paperclip.index import Profile, create_index, open_store, point_id
from astro_paperclip.index.embedded.graph import size_on_disk
from astro_paperclip.index.engine import VECTOR

NEAREST = 20
PROFILES = {
    "float32": Profile(name="float32"),
    "float16": Profile(name="float16", datatype="float16"),
    "float32, int8": Profile(name="float32-int8", quantization="int8"),
    "float16, int8": Profile(name="float16-int8", datatype="float16", quantization="int8"),
}


def clustered(count: int, dimension: int, rng: np.random.Generator) -> np.ndarray:
    """Return vectors in clusters of different sizes, of fewer and fewer variance by component."""
    scale = 1 / np.sqrt(1 + np.arange(dimension))
    offset = 0.5 * scale * rng.normal(size=dimension)
    centres = scale * rng.normal(size=(count // 100, dimension))
    weights = rng.pareto(1.5, len(centres)) + 0.1
    which = rng.choice(len(centres), count, p=weights / weights.sum())
    spread = 0.6 * scale * rng.normal(size=(count, dimension))
    return (offset + centres[which] + spread).astype(np.float32)


def ways(has_bytes: bool) -> dict[str, qdrant_edge.SearchParams]:
    """Return the ways to search."""
    quantization = qdrant_edge.QuantizationSearchParams
    found = {
        "exact": qdrant_edge.SearchParams(exact=True),
        "graph": qdrant_edge.SearchParams(hnsw_ef=256, quantization=quantization(ignore=True)),
    }
    if has_bytes:
        found["bytes"] = qdrant_edge.SearchParams(
            hnsw_ef=256, quantization=quantization(rescore=False)
        )
        found["bytes, rescored"] = qdrant_edge.SearchParams(
            hnsw_ef=256, quantization=quantization(rescore=True, oversampling=2.0)
        )
    return found


def searched(store, params, queries: np.ndarray, truth: list[set[str]]) -> str:
    """Return recall and median time of a way to search, as text."""
    hits, times = 0, []
    for query, expected in zip(queries, truth, strict=True):
        request = qdrant_edge.QueryRequest(
            query=qdrant_edge.Query.Nearest(query.tolist(), using=VECTOR),
            limit=NEAREST,
            params=params,
        )
        begin = time.perf_counter()
        points = store._engine.call("query", request)
        times.append(time.perf_counter() - begin)
        hits += len({str(point.id) for point in points} & expected)
    recall = hits / (NEAREST * len(queries))
    return f"{recall:.4f} ({1000 * statistics.median(times):.1f} ms)"


def vector_bytes(location: Path) -> int:
    """Return what vectors take on the disk (bytes)."""
    return sum(size_on_disk(folder) for folder in location.rglob(f"vector_storage-{VECTOR}"))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    drawn = clustered(arguments.points + arguments.queries, arguments.dimension, rng)
    vectors, queries = np.split(drawn, [arguments.points])
    ids = [point_id(str(row)) for row in range(arguments.points)]
    unit = vectors / np.linalg.norm(vectors.astype(float), axis=1, keepdims=True)
    truth = [
        {ids[row] for row in np.argpartition(-(unit @ query), NEAREST)[:NEAREST]}
        for query in queries.astype(float)
    ]
    print(f"{arguments.points} x {arguments.dimension}; bytes of a point in all, of its vectors")
    for name, profile in PROFILES.items():
        with tempfile.TemporaryDirectory() as temporary:
            location = Path(temporary)
            create_index(location, arguments.dimension, profile=profile)
            with open_store(location, mode="w") as store:
                store.upsert(ids, vectors, [{}] * len(ids))
                begin = time.perf_counter()
                store.finish(False, force=True)
                took = time.perf_counter() - begin
            whole = size_on_disk(location) / len(ids)
            line = f"{name:14s} {whole:6.0f} {vector_bytes(location) / len(ids):6.0f}"
            with open_store(location) as store:
                found = {
                    way: searched(store, params, queries, truth)
                    for way, params in ways(profile.quantization != "none").items()
                }
            columns = "  ".join(f"{way} {text}" for way, text in found.items())
            print(f"{line}  built in {took:4.0f} s  {columns}", flush=True)


if __name__ == "__main__":
    main()
