"""What the ways of keeping vectors in a directory take on the disk, and what searches find.

    python benchmarks/vector_storage.py
    python benchmarks/vector_storage.py --points 100000 --dimension 768

Stores the same clustered vectors, most of whose variance is in a few directions, in single and in
half precision, each with and without a second copy with one byte a component, and builds the
graph. Prints the disk [byte] that the vectors and the graph take for each point, and for each way
to search the recall of the 20 nearest, against brute force in NumPy in double precision. "exact"
compares all vectors, "graph" follows the graph with ef = 256, "bytes" does so by the copy alone,
and "rescored" compares twice as many again with the vectors themselves.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import qdrant_edge

from astro_paperclip.index import Profile, Store, create_index, open_store, point_id
from astro_paperclip.index.embedded.packing import size_on_disk
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


def ways() -> dict[str, qdrant_edge.SearchParams]:
    """Return the ways to search."""
    quantization = qdrant_edge.QuantizationSearchParams
    search = qdrant_edge.SearchParams
    return {
        "exact": search(exact=True),
        "graph": search(hnsw_ef=256, quantization=quantization(ignore=True)),
        "bytes": search(hnsw_ef=256, quantization=quantization(rescore=False)),
        "rescored": search(hnsw_ef=256, quantization=quantization(rescore=True, oversampling=2.0)),
    }


def recall(
    store: Store, params: qdrant_edge.SearchParams, queries: np.ndarray, truth: list[set[str]]
) -> float:
    """Return the share [1] of the nearest points that a way to search finds."""
    hits = 0
    for query, expected in zip(queries, truth, strict=True):
        request = qdrant_edge.QueryRequest(
            query=qdrant_edge.Query.Nearest(query.tolist(), using=VECTOR),
            limit=NEAREST,
            params=params,
        )
        points = store._engine.call("query", request)
        hits += len({str(point.id) for point in points} & expected)
    return hits / (NEAREST * len(queries))


def bytes_of(part: str, location: Path, count: int) -> float:
    """Return what a part of the index takes on the disk for each of some points [byte]."""
    folders = location.rglob(f"{part}-{VECTOR}")
    return sum(map(size_on_disk, folders)) / count


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
    columns = ["vectors", "graph", *ways()]
    print(f"{arguments.points} x {arguments.dimension}".ljust(14), *(f"{c:>8s}" for c in columns))
    for name, profile in PROFILES.items():
        with tempfile.TemporaryDirectory() as temporary:
            location = Path(temporary)
            create_index(location, arguments.dimension, profile=profile)
            with open_store(location, mode="w") as store:
                store.upsert(ids, vectors, [{}] * len(ids))
                store.finish(False, force=True)
            sizes = [
                f"{bytes_of(part, location, len(ids)):8.0f}"
                for part in ("vector_storage", "vector_index")
            ]
            with open_store(location) as store:
                found = [
                    " " * 7 + "-"
                    if way in ("bytes", "rescored") and profile.quantization == "none"
                    else f"{recall(store, params, queries, truth):8.4f}"
                    for way, params in ways().items()
                ]
        print(name.ljust(14), *sizes, *found, flush=True)


if __name__ == "__main__":
    main()
