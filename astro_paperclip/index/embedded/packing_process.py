"""Packs a shard and links its points by a graph: run as a script, in a process of its own.

The engine holds Python's lock while it does, so that a process that did this beside other
things would answer nothing for minutes, not even Ctrl-C. Only the engine is imported, so that the
process starts at once. It takes one argument, the settings that
`astro_paperclip.index.embedded.packing` makes, as JSON, and prints how many vectors it packed.
"""

import ctypes
import json
import os
import signal
import sys
from typing import Any

import qdrant_edge

__all__ = ["die_with", "pack"]

_DEATH_SIGNAL = 1
"""Linux's number of ``PR_SET_PDEATHSIG``."""

_INDEXED_FROM = 1
"""Size [KB] from which a segment is packed: the smallest that the engine knows."""

_NO_LIMIT = 2**40
"""Size [KB] that no segment reaches: one graph of all points is searched faster than several."""


def die_with(parent: int) -> None:
    """Let this process end when its parent does, even if that is killed; on Linux.

    Elsewhere it builds to the end alone, and the index is locked until then.

    Parameters
    ----------
    parent : int
        Id of the process that started this one.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(f"process {parent}, for which this one works, has ended")


def pack(settings: dict[str, Any]) -> int:
    """Write all points in the form that is only read, and bring everything to the disk.

    Parameters
    ----------
    settings : dict
        ``shard`` (path), ``words`` (name of the sparse vector), ``m``, the links of a point, 0
        for no graph, ``ef_construct``, ``full_scan_threshold`` [KB], and ``quantile`` of the copy
        with one byte a component, or `None` for no such copy.

    Returns
    -------
    int
        How many vectors are packed.
    """
    quantization = None
    if settings["quantile"] is not None:
        quantization = qdrant_edge.ScalarQuantizationConfig(
            qdrant_edge.ScalarType.Int8, quantile=settings["quantile"]
        )
    # The engine wants one kind of vector to be named, and takes the others from the shard.
    config = qdrant_edge.EdgeConfig(
        sparse_vectors={
            settings["words"]: qdrant_edge.EdgeSparseVectorParams(modifier=qdrant_edge.Modifier.Idf)
        },
        hnsw_config=qdrant_edge.HnswIndexConfig(
            m=settings["m"],
            ef_construct=settings["ef_construct"],
            full_scan_threshold=settings["full_scan_threshold"],
        ),
        quantization_config=quantization,
        optimizers=qdrant_edge.EdgeOptimizersConfig(
            indexing_threshold=_INDEXED_FROM,
            default_segment_number=1,
            max_segment_size=_NO_LIMIT,
        ),
        wal_enabled=True,
    )
    shard = qdrant_edge.EdgeShard.load(settings["shard"], config)
    while shard.optimize():
        pass
    # The engine's number has the words in it, which always have an index.
    having = qdrant_edge.Filter(must=[qdrant_edge.HasVectorCondition(settings["words"])])
    n_words = shard.count(qdrant_edge.CountRequest(exact=True, filter=having))
    n_packed = shard.info().indexed_vectors_count - n_words
    shard.flush()
    shard.close()
    return n_packed


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    # Ctrl-C reaches this process, too; the one that waits for it decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with(wanted["parent"])
    sys.stdout.write(json.dumps(pack(wanted)))
