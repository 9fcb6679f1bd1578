"""Kill writers and builders of an index at random moments, and look for what was lost.

    python benchmarks/index_kills.py
    python benchmarks/index_kills.py --rounds 5 --points 4000

In the first rounds a writer stores batches of points, half of which replace earlier ones, and
notes each batch when it begins, and when it was acknowledged; it is killed (SIGKILL). In the next
rounds the graph of an index is built, and in turns the process that waits or the one that builds
is killed. After each kill the index is opened, in turns for reading and for writing, and every
point is compared. At last the index is filled on a disk of 400 MB until there is an error, where
this user may mount one in memory. Prints what was found; exit status 1 if anything was lost.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from astro_paperclip.exceptions import CollectionInterruptedWarning, DiskSpaceError
from astro_paperclip.index import finish_index, open_store, point_id

BATCH = 256
LONGEST_END = 30
"""How long a builder may take to end after the process that waited for it [s]."""

DISK = 400
"""Size of the small disk [MB]: 256 are the margin that the package keeps free."""

WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from index_kills import batch
from astro_paperclip.index import open_store
location, seed, n_points, dimension = sys.argv[2], *map(int, sys.argv[3:])
with open_store(location, mode="w", dimension=dimension) as store:
    print("ready", flush=True)
    for number in range(10**6):
        stamp, ids, vectors, payloads = batch(seed, number, n_points, dimension)
        print("begun", seed, number, flush=True)
        store.upsert(ids, vectors, payloads)
        print("done", seed, number, flush=True)
"""

BUILDER = """
import sys
from astro_paperclip.index import finish_index
print("ready", flush=True)
finish_index(sys.argv[1], progress=False, force=True)
"""


def batch(seed: int, number: int, n_points: int, dimension: int) -> tuple:
    """Return a batch that a writer stores: its stamp, ids, vectors and payloads."""
    rng = np.random.default_rng([seed, number])
    stamp = f"{seed}/{number}"
    rows = rng.choice(n_points, BATCH, replace=False)
    vectors = rng.normal(size=(BATCH, dimension)).astype(np.float32)
    payloads = [{"row": int(row), "stamp": stamp} for row in rows]
    return stamp, [point_id(str(row)) for row in rows], vectors, payloads


def contents(location: Path, mode: str) -> dict[str, tuple]:
    """Return the stamp and the vector of each point, by its id, and check that searches work."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollectionInterruptedWarning)
        store = open_store(location, mode=mode)
    with store:
        found = {
            record.id: (record.payload["stamp"], record.vector)
            for record in store.scroll(with_vectors=True)
        }
        for id_, (_, vector) in list(found.items())[:3]:
            assert id_ in {hit.id for hit in store.search(vector, limit=3)}, id_
    return found


def differences(found: dict, expected: dict) -> int:
    """Return how many points are not as expected: id to a list of stamps and vectors."""
    wrong = len(found.keys() - expected.keys())
    for id_, allowed in expected.items():
        stamp, vector = found.get(id_, (None, None))
        wrong += not any(
            stamp == one and (one is None or np.abs(vector - direction).max() < 1e-6)
            for one, direction in allowed
        )
    return wrong


def start(code: str, *arguments: object) -> subprocess.Popen:
    """Start Python code in a process of its own, and wait until it says that it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    if process.stdout.readline() != "ready\n":
        sys.exit("a process could not be started")
    return process


def kill_writers(location: Path, options: argparse.Namespace, moments: random.Random) -> int:
    """Kill writers; return how many points were lost or are wrong."""
    here, size = Path(__file__).parent, (options.points, options.dimension)
    expected, n_done, wrong = {}, 0, 0
    for seed in range(options.rounds):
        process = start(WRITER, here, location, seed, *size)
        time.sleep(moments.uniform(0.02, 1.5))
        process.kill()
        begun = {}
        # A line that was cut off is that of a batch that had not begun.
        for line in process.stdout.read().splitlines():
            word, *numbers = line.split()
            if len(numbers) != 2 or word not in ("begun", "done"):
                continue
            stamp, ids, vectors, _ = batch(*map(int, numbers), *size)
            units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
            begun = {id_: (stamp, unit) for id_, unit in zip(ids, units, strict=True)}
            if word == "done":
                n_done += len(ids)
                expected |= {id_: [pair] for id_, pair in begun.items()}
                begun = {}
        process.wait()
        # The batch in which it was killed may be there, or the points that it replaces.
        for id_, pair in begun.items():
            expected[id_] = [*expected.get(id_, [(None, None)]), pair]
        found = contents(location, "rw"[seed % 2])
        wrong += differences(found, expected)
        expected = {id_: [pair] for id_, pair in found.items()}
    print(
        f"{options.rounds} writers killed: {n_done} points acknowledged, {len(expected)} different "
        f"ones there, {wrong} lost or wrong",
        flush=True,
    )
    return wrong


def builders_of(process: subprocess.Popen) -> list[int]:
    """Return the ids of the processes that another one started (Linux)."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(text) for text in children.read_text().split()] if children.exists() else []


def is_alive(process_id: int) -> bool:
    """Return whether there is a process that has not ended."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def time_to_end(process_ids: list[int]) -> float:
    """Return how long processes go on (s), up to the longest that is waited for."""
    begin = time.perf_counter()
    while any(map(is_alive, process_ids)) and time.perf_counter() - begin < LONGEST_END:
        time.sleep(0.02)
    return time.perf_counter() - begin


def fill(location: Path, options: argparse.Namespace) -> dict[str, list]:
    """Store as many points as asked for; return what must be there."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(options.points, options.dimension)).astype(np.float32)
    ids = [point_id(str(row)) for row in range(options.points)]
    payloads = [{"row": row, "stamp": "0"} for row in range(options.points)]
    with open_store(location, mode="w") as store:
        store.upsert(ids, vectors, payloads)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return {id_: [("0", unit)] for id_, unit in zip(ids, units, strict=True)}


def kill_builders(location: Path, options: argparse.Namespace, moments: random.Random) -> int:
    """Kill those who build a graph, and those who wait for it; return how many points are wrong."""
    expected = fill(location, options)
    wrong, victims, longest = 0, {"waiting": 0, "building": 0, "too late": 0}, 0
    for number in range(options.rounds):
        process = start(BUILDER, location)
        time.sleep(moments.uniform(0.0, options.longest))
        builders = builders_of(process)
        if process.poll() is not None:
            victims["too late"] += 1
        elif number % 2 and builders:
            victims["building"] += 1
            os.kill(builders[0], signal.SIGKILL)
        else:
            victims["waiting"] += 1
            process.kill()
        process.communicate()
        longest = max(longest, time_to_end(builders))
        found = contents(location, "rw"[number // 2 % 2])
        wrong += differences(found, expected)
        state = json.loads((location / "index" / "manifest.json").read_text())["state"]
        wrong += state != "complete"
        wrong += (location / "index" / "shard" / "temp_segments").exists()
    finish_index(location, progress=False, force=True)
    wrong += differences(contents(location, "r"), expected)
    told = ", ".join(f"{count} {who}" for who, count in victims.items())
    print(
        f"{options.rounds} graphs, killed while {told}: {len(expected)} points, {wrong} lost or "
        f"wrong; no builder went on for more than {longest:.2f} s after the one that waited",
        flush=True,
    )
    return wrong + (longest >= LONGEST_END)


@contextmanager
def small_disk() -> Iterator[Path | None]:
    """Give a folder on a small disk in memory, or `None` where it cannot be mounted."""
    with tempfile.TemporaryDirectory() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "tmpfs", folder]
        try:
            done = subprocess.run(mount, capture_output=True, text=True, check=False)
        except OSError as error:
            done = subprocess.CompletedProcess(mount, 1, stderr=str(error))
        if done.returncode:
            print(f"no small disk: {done.stderr.strip()}")
            yield None
            return
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def fill_a_disk() -> int:
    """Store points until the disk is full; return how many were lost or are wrong."""
    with small_disk() as folder:
        if folder is None:
            return 0
        expected, message = {}, "no error"
        location = folder / "collection"
        try:
            with open_store(location, mode="w", dimension=512) as store:
                for number in range(10**6):
                    stamp, ids, vectors, payloads = batch(0, number, 10**7, 512)
                    store.upsert(ids, vectors, payloads)
                    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
                    expected |= {id_: [(stamp, unit)] for id_, unit in zip(ids, units, strict=True)}
        except DiskSpaceError as error:
            message = str(error)
        wrong = differences(contents(location, "w"), expected)
        print(f"{DISK} MB full: {len(expected)} points acknowledged, {wrong} lost or wrong")
        print(f"  {message}")
        try:
            finish_index(location, progress=False, force=True)
        except DiskSpaceError as error:
            print(f"  {error}")
        else:
            wrong += 1
        return wrong + differences(contents(location, "r"), expected)


def main() -> None:
    """Kill, look, and say what was lost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=50, help="of each kind")
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--dimension", type=int, default=64)
    parser.add_argument("--longest", type=float, default=6.0, help="until a builder is killed [s]")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    moments = random.Random(options.seed)
    wrong = fill_a_disk()
    with tempfile.TemporaryDirectory() as temporary:
        wrong += kill_writers(Path(temporary) / "written", options, moments)
        wrong += kill_builders(Path(temporary) / "built", options, moments)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
