"""Time, recall and memory of searches in an index, beside other ways to search vectors.

    python benchmarks/index_search.py FOLDER --counts 32000 200000 1000000
    python benchmarks/index_search.py FOLDER --counts 200000 --vectors real

FOLDER keeps points and indexes: what is there is not made again, so that an interrupted benchmark
goes on. Every step runs in a process of its own. An index of more than 300,000 points gets its
graph. Peers, in the same run: NumPy (which also gives the right answers), faiss where it is
installed (``pip install faiss-cpu``: HNSW, with filters by selected ids), and the local mode of
qdrant-client up to ``--local`` points. Where the user may, the system's file cache is emptied
before an index is opened, and filled before searches are timed. Needs Linux for the figures of
memory.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from index_points import FIRST_OBSID, Points, make_cases, make_points, make_queries

from astro_paperclip.index import finish_index, open_store

TOP = 20
PER_GROUP = 2
WARM_UP = 200
"""Searches for other vectors before the first that is timed."""


@dataclass
class Run:
    """What a step works with."""

    points: Points
    folder: Path
    count: int

    @cached_property
    def queries(self) -> np.ndarray:
        """The vectors that are searched."""
        return make_queries(self.points, self.count)


def timed(search: Callable, queries: np.ndarray) -> tuple[list, dict[str, float]]:
    """Return the answers to all queries, and the median and 95th percentile [ms]."""
    search(queries[0])
    answers, times = [], []
    for query in queries:
        began = time.perf_counter()
        answers.append(search(query))
        times.append(1e3 * (time.perf_counter() - began))
    return answers, {"p50": float(np.median(times)), "p95": float(np.percentile(times, 95))}


def right_rows(points, queries, mask, per_group=None) -> list[list[int]]:
    """Return the best rows for each query, by comparing all that fit."""
    rows = np.arange(len(points)) if mask is None else np.flatnonzero(mask)
    vectors = np.asarray(points.vectors) if mask is None else points.vectors[rows]
    return [_best(points, rows, vectors @ query, per_group) for query in queries]


def _best(points, rows, scores, per_group) -> list[int]:
    depth = TOP if per_group is None else TOP * 50
    depth = min(depth, len(rows))
    first = np.argpartition(-scores, depth - 1)[:depth]
    ranked = rows[first[np.argsort(-scores[first])]]
    if per_group is None:
        return ranked[:TOP].tolist()
    kept, seen = [], {}
    for row in ranked.tolist():
        group = points.proposal[row]
        seen[group] = seen.get(group, 0) + 1
        if seen[group] <= per_group:
            kept.append(row)
    return kept[:TOP]


def recall(found: list[list[int]], right: list[list[int]]) -> dict[str, float]:
    """Return the share of the right rows that were found, of all queries and of the worst."""
    pairs = zip(found, right, strict=True)
    shares = [len(set(a) & set(b)) / max(1, len(b)) for a, b in pairs]
    return {"recall": float(np.mean(shares)), "worst": min(shares)}


def ingest(run: Run) -> dict:
    """Store all points that are not there yet."""
    began, batch = time.perf_counter(), 4096
    with open_store(run.folder, mode="w", dimension=run.points.vectors.shape[1]) as store:
        present = store.count()
        for start in range(present, len(run.points), batch):
            stop = min(start + batch, len(run.points))
            store.upsert(
                run.points.ids(start, stop),
                run.points.vectors[start:stop],
                run.points.rows(start, stop),
            )
    seconds = time.perf_counter() - began
    return {
        "points": len(run.points) - present,
        "points_per_s": (len(run.points) - present) / seconds,
    }


def build(run: Run) -> dict:
    """Build the graph, where it is worth it."""
    began = time.perf_counter()
    message = finish_index(str(run.folder), progress=False)
    return {"seconds": time.perf_counter() - began, "built": bool(message)}


def search(run: Run) -> dict:
    """Search the index with every case."""
    is_cold = _empty_file_cache()
    began = time.perf_counter()
    with open_store(run.folder) as store:
        store.search(run.queries[0], limit=TOP)
        found = {"open_s": time.perf_counter() - began, "cold": is_cold}
        _fill_file_cache(run.folder)
        for vector in run.points.vectors[:: max(1, len(run.points) // WARM_UP)]:
            store.search(vector, limit=TOP)
        asked = []
        for name, where, mask in [*make_cases(run.points), ("grouped", None, None)]:
            options = {"max_per_group": PER_GROUP} if name == "grouped" else {}

            def ask(query, where=where, options=options):
                return store.search(query, where, limit=TOP, **options)

            asked.append((name, mask, *timed(ask, run.queries)))
        # Looked at before NumPy's answers need memory of their own.
        found["anonymous_mb"] = _anonymous_mb()
    found["cases"] = {}
    for name, mask, answers, times in asked:
        rows = [[int(hit.payload["obsid"]) - FIRST_OBSID for hit in hits] for hits in answers]
        per_group = PER_GROUP if name == "grouped" else None
        right = right_rows(run.points, run.queries, mask, per_group)
        matching = len(run.points) if mask is None else int(mask.sum())
        found["cases"][name] = times | recall(rows, right) | {"points": matching}
    return found


def search_numpy(run: Run) -> dict:
    """Compare all vectors that fit, memory-mapped."""
    cases = {}
    for name, _, mask in make_cases(run.points):
        rows = None if mask is None else np.flatnonzero(mask)

        def ask(query, rows=rows):
            vectors = run.points.vectors if rows is None else run.points.vectors[rows]
            scores = np.asarray(vectors) @ query
            best = np.argpartition(-scores, min(TOP, len(scores)) - 1)[:TOP]
            best = best[np.argsort(-scores[best])]
            return (best if rows is None else rows[best]).tolist()

        cases[name] = timed(ask, run.queries)[1]
    return {"cases": cases}


def search_faiss(run: Run) -> dict:
    """Build faiss's HNSW in memory, and search it with the ids that fit."""
    import faiss

    cases = {}
    began = time.perf_counter()
    index = faiss.IndexHNSWFlat(run.points.vectors.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = 128
    index.add(np.asarray(run.points.vectors))
    seconds = time.perf_counter() - began
    for name, _, mask in make_cases(run.points):
        options = {"efSearch": 256}
        if mask is not None:
            options["sel"] = faiss.IDSelectorBatch(np.flatnonzero(mask))
        parameters = faiss.SearchParametersHNSW(**options)

        def ask(query, parameters=parameters):
            return index.search(query[np.newaxis], TOP, params=parameters)[1][0].tolist()

        rows, times = timed(ask, run.queries)
        cases[name] = times | recall(rows, right_rows(run.points, run.queries, mask))
    return {"build_s": seconds, "cases": cases, "anonymous_mb": _anonymous_mb()}


def search_local(run: Run) -> dict:
    """Search qdrant-client's local mode in memory, with the filters that a server is sent."""
    import warnings

    from qdrant_client import QdrantClient, models

    from astro_paperclip.index.filters import translated
    from astro_paperclip.index.server.dialect import ServerDialect

    warnings.simplefilter("ignore")
    client = QdrantClient(":memory:")
    parameters = models.VectorParams(size=run.points.vectors.shape[1], distance="Cosine")
    client.create_collection("c", vectors_config={"image": parameters})
    began = time.perf_counter()
    for start in range(0, len(run.points), 4096):
        stop = min(start + 4096, len(run.points))
        batch = models.Batch(
            ids=list(range(start, stop)),
            vectors={"image": run.points.vectors[start:stop].tolist()},
            payloads=run.points.rows(start, stop),
        )
        client.upsert("c", batch)
    seconds, cases = time.perf_counter() - began, {}
    for name, where, mask in make_cases(run.points):
        if name in ("cone", "polygon"):
            continue
        query_filter = None if where is None else translated(where, ServerDialect())

        def ask(query, query_filter=query_filter):
            answer = client.query_points(
                "c", query.tolist(), using="image", query_filter=query_filter, limit=TOP
            )
            return [point.id for point in answer.points]

        rows, times = timed(ask, run.queries[:5])
        right = right_rows(run.points, run.queries[:5], mask)
        cases[name] = times | recall(rows, right)
    return {
        "points_per_s": len(run.points) / seconds,
        "cases": cases,
        "anonymous_mb": _anonymous_mb(),
    }


STEPS = {
    "ingest": ingest,
    "build": build,
    "search": search,
    "numpy": search_numpy,
    "faiss": search_faiss,
    "qdrant-client, local": search_local,
}


def _anonymous_mb(pid: int | str = "self") -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return 0.0


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def _empty_file_cache() -> bool:
    subprocess.run(["sync"], check=True)
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        return False
    return True


def _fill_file_cache(folder: Path) -> None:
    """Read all files: what is served has been read before."""
    for path in folder.rglob("*"):
        if path.is_file():
            path.read_bytes()


def in_own_process(step: str, arguments: argparse.Namespace, count: int) -> dict:
    """Run a step, and add the most anonymous memory that it and its children had [MB]."""
    command = [sys.executable, __file__, str(arguments.folder), "--counts", str(count)]
    command += ["--vectors", arguments.vectors, "--queries", str(arguments.queries), "--step", step]
    peak = 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            try:
                peak = max(peak, sum(map(_anonymous_mb, _family(process.pid))))
            except (FileNotFoundError, ProcessLookupError):
                continue
            finally:
                time.sleep(0.1)
        said = process.stdout.read()
    if process.returncode:
        raise SystemExit(f"{step} with {count} points failed: exit status {process.returncode}")
    return json.loads(said.splitlines()[-1]) | {"peak_anonymous_mb": peak}


def show(step: str, found: dict) -> None:
    """Print what a step found, on one line and one for each case."""
    cases = found.pop("cases", {})
    said = ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in found.items()
    )
    print(f"  {step}: {said}", flush=True)
    for name, values in cases.items():
        said = ", ".join(f"{key} {value:.4g}" for key, value in values.items())
        print(f"    {name:8s} {said}", flush=True)


def main() -> None:
    """Run all steps for each number of points."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--counts", type=int, nargs="+", default=[32_000, 200_000, 1_000_000])
    parser.add_argument("--vectors", choices=["clustered", "real"], default="clustered")
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--local", type=int, default=200_000, help="most points for local mode")
    parser.add_argument("--step", choices=list(STEPS), help="run one step, and print JSON")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for count in arguments.counts:
        points = make_points(arguments.folder, arguments.vectors, count)
        folder = arguments.folder / f"{arguments.vectors}-{count}"
        if arguments.step:
            print(json.dumps(STEPS[arguments.step](Run(points, folder, arguments.queries))))
            continue
        print(f"{count} points, {arguments.vectors} vectors", flush=True)
        for step in STEPS:
            if step == "faiss" and importlib.util.find_spec("faiss") is None:
                continue
            if step == "qdrant-client, local" and count > arguments.local:
                continue
            show(step, in_own_process(step, arguments, count))
        size = sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())
        print(f"  disk {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
