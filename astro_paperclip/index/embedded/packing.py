"""Packing a shard and building its graph, by a process of its own: starting and judging it.

A packed shard is written once more in the form that is only read. It opens faster, and filters take
less time (``benchmarks/index_search.py``). The points of a graph are packed, too.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

from astro_paperclip.exceptions import CollectionError, DiskSpaceError
from astro_paperclip.index.embedded import packing_process
from astro_paperclip.index.profiles import Profile
from astro_paperclip.index.words import WORDS

__all__ = [
    "is_worth_a_graph",
    "is_worth_packing",
    "pack",
    "remove_remains",
    "size_on_disk",
]

_MOST_WITHOUT_GRAPH = 300_000
"""Number of points up to which a search that compares all of them takes milliseconds."""

_MOST_UNPACKED = 50_000
"""Number of points up to which an index opens at once in the form that is written to."""

_LEAST_PACKED = 0.9
"""Share of points [1] that must be packed; the engine leaves away those of a small segment."""

_NO_GRAPH = {"m": 0, "ef_construct": 4, "quantile": None}
"""Settings with which points are packed and not linked; the engine knows no smaller numbers."""

_DEFAULT_M = 16
"""Links of a point where the profile has no graph: the engine's own default."""

_FULL_SCAN_THRESHOLD = 10_000
"""Size [KB] of vectors below which the engine compares all: its own default."""

_REMAINS = "temp_segments"
"""Where the engine packs a segment; it does not tidy up after a process that was killed."""

_PAUSE = 0.2
"""How long to wait between two looks at the process (s)."""


def is_worth_a_graph(count: int) -> bool:
    """Return whether there are so many points that comparing all of them takes long."""
    return count > _MOST_WITHOUT_GRAPH


def is_worth_packing(count: int) -> bool:
    """Return whether there are so many points that were not packed that it takes long to open."""
    return count > _MOST_UNPACKED


def pack(
    shard: Path, folder: Path, count: int, progress: bool, profile: Profile | None = None
) -> None:
    """Write a shard that nobody has open in the form that is only read, with or without a graph.

    Whatever happens to the process that does it, the shard holds all its points. Points that are
    added later are kept beside, in the form that is written to.

    Parameters
    ----------
    shard : `~pathlib.Path`
        The shard.
    folder : `~pathlib.Path`
        The index's folder, named in messages.
    count : int
        How many points there are.
    progress : bool
        Whether to show for how long it has run, and what it has written.
    profile : Profile, optional
        Links the points by a graph with its ``m`` and ``ef_construct``, and makes the copy of
        vectors that its ``quantization`` and ``quantile`` say. Default: no graph and no copy.

    Raises
    ------
    DiskSpaceError
        If the disk filled up meanwhile.
    CollectionError
        If the process failed or was killed, or left points away.
    """
    task, settings = "packing the points", _NO_GRAPH
    if profile is not None:
        task = "building the graph"
        settings = {
            "m": profile.m or _DEFAULT_M,
            "ef_construct": profile.ef_construct,
            "quantile": None if profile.quantization == "none" else profile.quantile,
        }
    common = {
        "shard": str(shard),
        "parent": os.getpid(),
        "words": WORDS,
        "full_scan_threshold": _FULL_SCAN_THRESHOLD,
    }
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-P", packing_process.__file__, json.dumps(common | settings)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        answer, errors = _watched(process, task, shard, progress)
    except BaseException:
        process.kill()
        process.communicate()
        raise
    finally:
        remove_remains(shard)
    if process.returncode:
        raise _failure(task, process.returncode, errors, folder)
    n_packed = json.loads(answer)
    if n_packed < _LEAST_PACKED * count:
        raise CollectionError(
            f"After {task} in {folder}, {n_packed} of {count} points are done. The others are "
            f"found, too, and slower: astro-paperclip index finish {folder.parent}"
        )


def remove_remains(shard: Path) -> None:
    """Remove what a process left that was killed while it packed.

    Parameters
    ----------
    shard : `~pathlib.Path`
        A shard that no other process has open.
    """
    shutil.rmtree(shard / _REMAINS, ignore_errors=True)


def size_on_disk(folder: Path) -> int:
    """Return what the files in a folder take on the disk (bytes), without their holes."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            # The engine renames and removes files while they are looked at.
            with suppress(FileNotFoundError):
                status = Path(parent, name).lstat()
                blocks = getattr(status, "st_blocks", None)
                total += status.st_size if blocks is None else blocks * 512
    return total


def _watched(process: subprocess.Popen, task: str, shard: Path, progress: bool) -> tuple[str, str]:
    """Return what a process printed, and its errors, when it has ended."""
    form = f"{task}: {{n_fmt}}B written, {{elapsed}}"
    before = size_on_disk(shard)
    with tqdm(bar_format=form, unit_scale=True, unit_divisor=1024, disable=not progress) as bar:
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.communicate(timeout=_PAUSE)
            if progress:
                bar.n = max(bar.n, size_on_disk(shard) - before)
                bar.refresh()


def _failure(task: str, status: int, errors: str, folder: Path) -> CollectionError:
    """Return what to say of a process that did not succeed."""
    rest = "All points are there, and are searched as before."
    again = f"then do it again: astro-paperclip index finish {folder.parent}"
    if status == -getattr(signal, "SIGBUS", 0) or "No space left" in errors:
        return DiskSpaceError(
            f"The disk filled up while {task} in {folder}. {rest} Make room, {again}"
        )
    if status < 0:
        return CollectionError(
            f"The process that was {task} in {folder} was ended by signal {-status} "
            f"({signal.strsignal(-status)}); systems that run out of memory do this. {rest} Make "
            f"memory free, {again}"
        )
    last = (errors.strip().splitlines() or [f"exit status {status}"])[-1]
    return CollectionError(
        f"The process that was {task} in {folder} failed: {last}. {rest} Look at the index with: "
        f"astro-paperclip index check {folder.parent}"
    )
