"""The one place where the engine, Qdrant Edge, is called."""

import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge

from astro_paperclip.exceptions import CollectionError, CollectionLockedError
from astro_paperclip.index.embedded.dialect import EdgeDialect
from astro_paperclip.index.engine import VECTOR, by_point
from astro_paperclip.index.manifest import how_to_index
from astro_paperclip.index.planning import OVERSAMPLING, graph_effort
from astro_paperclip.index.schema import FORMER_FIELDS, INDEXED_FIELDS, from_payload
from astro_paperclip.index.store import Hit, Record
from astro_paperclip.index.words import WORDS, WordWeights, row_words

__all__ = ["Shard", "engine_version"]

_SEGMENTS = "segments"
_CONFIGURATION = "edge_config.json"
_POINTS_PER_PAGE = 1000
_INDEX_PARAMETERS = {
    "keyword": qdrant_edge.KeywordIndexParams,
    # Packed points lie in the order of their times: those of a range are beside each other.
    "float": partial(qdrant_edge.FloatIndexParams, is_principal=True),
    "integer": partial(qdrant_edge.IntegerIndexParams, lookup=True, range=False),
}

_LOOKED_UP = frozenset({"instrument_name", "t_min"})
"""Fields whose index is kept in memory once the points are packed.

Filters ask it of many points, one by one, which takes twice as long in a file. The others give a
list of points, and would be most of what is read when an index is opened.
"""

_DISTANCE = qdrant_edge.Distance.Cosine
_DATATYPES = {
    "float32": qdrant_edge.VectorStorageDatatype.Float32,
    "float16": qdrant_edge.VectorStorageDatatype.Float16,
}

_PATIENCE = 10.0
"""How long to wait for a process that was killed and is not gone yet (s)."""

_SPARSE_VECTORS = {WORDS: qdrant_edge.EdgeSparseVectorParams(modifier=qdrant_edge.Modifier.Idf)}

_HAS_WORDS = qdrant_edge.Filter(must=[qdrant_edge.HasVectorCondition(WORDS)])
_EXACTLY = qdrant_edge.SearchParams(exact=True)


class Shard:
    """An open shard of Qdrant Edge: an `~astro_paperclip.index.engine.Engine` in a directory.

    Parameters
    ----------
    shard : `qdrant_edge.EdgeShard`
        The shard.
    folder : `~pathlib.Path`
        The index's folder, named in messages.
    view : `~pathlib.Path`, optional
        A temporary folder to remove when the shard is closed.

    Attributes
    ----------
    has_graph : bool
        Whether packed points are linked by a graph; the engine does not tell.
    """

    dialect = EdgeDialect()

    def __init__(self, shard: qdrant_edge.EdgeShard, folder: Path, view: Path | None = None):
        self._shard = shard
        self._folder = folder
        self._view = view
        self._process = os.getpid()
        self._lock = threading.Lock()
        self.has_graph = True
        self._packed_size = None

    @classmethod
    def create(cls, path: Path, folder: Path, dimension: int, datatype: str) -> "Shard":
        """Make a new shard with its payload indexes."""
        config = _edge_config({VECTOR: dimension}, datatype, wal_enabled=True)
        with _engine_errors(folder):
            shard = qdrant_edge.EdgeShard.create(str(path), config)
        created = cls(shard, folder)
        created.create_missing_indexes()
        return created

    @classmethod
    def load(cls, path: Path, folder: Path) -> "Shard":
        """Open a shard as its only user; what its log holds is brought in.

        Raises
        ------
        CollectionLockedError
            If another process has it open: one that builds its graph may outlive the one that
            held the index's lock.
        """
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                with _engine_errors(folder):
                    return cls(qdrant_edge.EdgeShard.load(str(path)), folder)
            except CollectionLockedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    @classmethod
    def load_shared(
        cls, path: Path, folder: Path, dimensions: Mapping[str, int], datatype: str
    ) -> "Shard":
        """Open the flushed segments of a shard beside other readers.

        The engine locks its write-ahead log, and refuses to open a shard that has one without
        it. A reader therefore opens a folder of its own, in which ``segments`` is a link. What
        the shard's own configuration says is told anew there: the length of each of its vectors.

        Raises
        ------
        OSError
            If the system does not let this user make links.
        """
        view = Path(tempfile.mkdtemp(prefix="astro-paperclip-"))
        try:
            (view / _SEGMENTS).symlink_to((path / _SEGMENTS).resolve(), target_is_directory=True)
            config = _edge_config(dimensions, datatype, wal_enabled=False)
            with _engine_errors(folder):
                return cls(qdrant_edge.EdgeShard.load(str(view), config), folder, view)
        except BaseException:
            shutil.rmtree(view, ignore_errors=True)
            raise

    def remove_former_indexes(self) -> None:
        """Remove the indexes of fields that only earlier versions made."""
        for field in FORMER_FIELDS & self.call("info").payload_schema.keys():
            self.call("update", qdrant_edge.UpdateOperation.delete_field_index(field))

    def create_missing_indexes(self) -> None:
        """Make those indexes of payload fields that are not there."""
        for field in INDEXED_FIELDS.keys() - self.call("info").payload_schema.keys():
            memory = qdrant_edge.Memory.Pinned if field in _LOOKED_UP else qdrant_edge.Memory.Cold
            # Links in a graph for each indexed value cost four times the build and still miss.
            parameters = _INDEX_PARAMETERS[INDEXED_FIELDS[field]](enable_hnsw=False, memory=memory)
            operation = qdrant_edge.UpdateOperation.create_field_index(field, parameters)
            self.call("update", operation)

    def make_room_for_words(self, path: Path) -> None:
        """Add the sparse vector of words to a shard that was made without it."""
        configuration = json.loads((path / _CONFIGURATION).read_text(encoding="utf-8"))
        if WORDS not in (configuration.get("sparse_vectors") or {}):
            idf = qdrant_edge.Modifier.Idf
            self.call("update", qdrant_edge.UpdateOperation.create_sparse_vector(WORDS, idf))

    def make_room_for(self, name: str, dimension: int, datatype: str) -> None:
        """Let points have another vector; where there is room for it, nothing is done."""
        operation = qdrant_edge.UpdateOperation.create_dense_vector(
            name, dimension, _DISTANCE, datatype=_DATATYPES[datatype]
        )
        self.call("update", operation)

    def call(self, method: str, *args: Any) -> Any:
        """Call a method of the engine's shard.

        Raises
        ------
        CollectionError
            Whatever goes wrong in the engine, its panics included.
        """
        if os.getpid() != self._process:
            # The engine's threads do not survive a fork: the call would never return.
            raise CollectionError(
                f"The index in {self._folder} was opened before this process was forked. Open it "
                "again here, or start processes with 'spawn'."
            )
        with _engine_errors(self._folder):
            return getattr(self._shard, method)(*args)

    def flush(self) -> None:
        """Bring all updates from the log into the segments, and those to the disk."""
        self.call("flush")

    def upsert(
        self,
        ids: list[str],
        vectors: Mapping[str, Sequence[np.ndarray | None]],
        payloads: list[dict],
    ) -> None:
        """Store points in one update of the engine."""
        points = [
            qdrant_edge.Point(point, named | _words(payload), payload)
            for point, named, payload in zip(ids, by_point(vectors), payloads, strict=True)
        ]
        self.call("update", qdrant_edge.UpdateOperation.upsert_points(points))

    def put_vectors(self, name: str, ids: list[str], vectors: np.ndarray) -> None:
        """Store the vectors of a name of points that are there in one update of the engine."""
        points = [
            qdrant_edge.PointVectors(point, {name: vector})
            for point, vector in zip(ids, vectors.tolist(), strict=True)
        ]
        self.call("update", qdrant_edge.UpdateOperation.update_vectors(points))

    def delete(self, where: qdrant_edge.Filter) -> None:
        """Remove the points that fit."""
        self.call("update", qdrant_edge.UpdateOperation.delete_points_by_filter(where))

    def nearest(
        self,
        vector: np.ndarray,
        where: qdrant_edge.Filter | None,
        limit: int,
        using: str = VECTOR,
        *,
        exact: bool,
        payload: bool | list[str],
    ) -> list[Hit]:
        """Return the points whose vector of a name is most similar to one, by falling score."""
        query = qdrant_edge.Query.Nearest(vector.tolist(), using=using)
        params = _EXACTLY if exact else _in_graph(where)
        return self._best(
            query=query, filter=where, limit=limit, params=params, with_payload=payload
        )

    def nearest_words(
        self,
        words: WordWeights,
        where: qdrant_edge.Filter | None,
        limit: int,
        *,
        payload: bool | list[str],
    ) -> list[Hit]:
        """Return the points whose words score highest, by falling score."""
        query = qdrant_edge.Query.Nearest(qdrant_edge.SparseVector(*words), using=WORDS)
        return self._best(
            query=query, filter=where, limit=limit, params=_EXACTLY, with_payload=payload
        )

    def _best(self, **request: Any) -> list[Hit]:
        points = self.call("query", qdrant_edge.QueryRequest(**request))
        return [Hit(str(point.id), point.score, from_payload(point.payload)) for point in points]

    def finds_a_vector(self, name: str, dimension: int) -> bool:
        """Return whether a search finds the first point that has a vector of a name.

        It must, unless vectors are lost.
        """
        having = qdrant_edge.Filter(must=[qdrant_edge.HasVectorCondition(name)])
        points, _ = self.call("scroll", qdrant_edge.ScrollRequest(limit=1, filter=having))
        first = {point.id for point in points}
        where = qdrant_edge.Filter(must=[qdrant_edge.HasIdCondition(first)])
        vector = np.ones(dimension, np.float32)
        found = self.nearest(vector, where, 1, name, exact=True, payload=False)
        return len(found) == 1

    def retrieve(self, ids: list[str], payload: bool, vector: str | None) -> Iterator[Record]:
        """Iterate over the points with these ids and their vector of a name, in any order."""
        names = [vector] if vector else False
        for start in range(0, len(ids), _POINTS_PER_PAGE):
            page = ids[start : start + _POINTS_PER_PAGE]
            for point in self.call("retrieve", page, payload, names):
                yield _record(point, vector)

    def scroll(
        self, where: qdrant_edge.Filter | None, payload: bool | list[str], vector: str | None
    ) -> Iterator[Record]:
        """Iterate over the points that fit and their vector of a name, ordered by id.

        They come a page at a time.
        """
        offset = None
        while True:
            request = qdrant_edge.ScrollRequest(
                offset=offset,
                limit=_POINTS_PER_PAGE,
                filter=where,
                with_payload=payload,
                with_vector=[vector] if vector else False,
            )
            points, offset = self.call("scroll", request)
            for point in points:
                yield _record(point, vector)
            if offset is None:
                return

    def count(self, where: qdrant_edge.Filter | None) -> int:
        """Return the number of points that fit."""
        return self.call("count", qdrant_edge.CountRequest(exact=True, filter=where))

    def estimate(self, where: qdrant_edge.Filter | None) -> int:
        """Return about how many points fit."""
        return self.call("count", qdrant_edge.CountRequest(exact=False, filter=where))

    def graph_size(self) -> int:
        """Return about how many vectors are in a graph."""
        return self.packed_size() if self.has_graph else 0

    def packed_size(self) -> int:
        """Return about how many vectors are in the form that is only read."""
        # Nothing is written to a view.
        if self._packed_size is None or self._view is None:
            # The engine's number has the words in it, which always have an index.
            words = self.estimate(_HAS_WORDS)
            self._packed_size = max(0, self.call("info").indexed_vectors_count - words)
        return self._packed_size

    def facet(self, field: str, limit: int) -> dict[str, int]:
        """Return how many points have each value of an indexed text field."""
        request = qdrant_edge.FacetRequest(key=field, limit=limit, exact=True)
        return {hit.value: hit.count for hit in self.call("facet", request)}

    def close(self) -> None:
        """Let go of the files; doing so again does nothing."""
        with self._lock:
            shard, self._shard = self._shard, None
        if shard is not None and os.getpid() == self._process:
            with suppress(CollectionError), _engine_errors(self._folder):
                shard.close()
            if self._view is not None:
                shutil.rmtree(self._view, ignore_errors=True)


def engine_version() -> str:
    """Return the version of Qdrant Edge."""
    return metadata.version("qdrant-edge-py")


def _edge_config(
    dimensions: Mapping[str, int], datatype: str, *, wal_enabled: bool
) -> qdrant_edge.EdgeConfig:
    """Return how a shard is made: the lengths of its vectors, and whether it keeps a log."""
    vectors = {
        name: qdrant_edge.EdgeVectorParams(
            size=size, distance=_DISTANCE, datatype=_DATATYPES[datatype]
        )
        for name, size in dimensions.items()
    }
    return qdrant_edge.EdgeConfig(
        vectors=vectors, sparse_vectors=_SPARSE_VECTORS, wal_enabled=wal_enabled
    )


def _in_graph(where: qdrant_edge.Filter | None) -> qdrant_edge.SearchParams:
    """Return how the graph is searched."""
    return qdrant_edge.SearchParams(
        hnsw_ef=graph_effort(where),
        # The engine's own limit on when ACORN is worthwhile trusts its estimate.
        acorn=None
        if where is None
        else qdrant_edge.AcornSearchParams(enable=True, max_selectivity=1.0),
        quantization=qdrant_edge.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING),
    )


def _words(payload: dict) -> dict:
    words = row_words(payload)
    return {WORDS: qdrant_edge.SparseVector(*words)} if words else {}


def _record(point: Any, name: str | None) -> Record:
    vector = (point.vector or {}).get(name)
    if vector is not None:
        vector = np.array(vector, dtype=np.float32)
    return Record(str(point.id), from_payload(point.payload), vector)


@contextmanager
def _engine_errors(folder: Path) -> Iterator[None]:
    """Turn what the engine raises into a `CollectionError`.

    The engine has no exception class of its own, and its panics are no `Exception` at all.
    """
    try:
        yield
    except (CollectionError, KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
        raise
    except BaseException as error:
        text = str(error)
        if "WouldBlock" in text:
            raise CollectionLockedError(
                f"The index in {folder} is open in another process, such as one that builds its "
                "graph. Wait until it has ended, then try again."
            ) from error
        if "Read-only" in text or "ermission denied" in text:
            advice = "An index needs a directory that can be written to, even for a search: copy it"
        else:
            advice = f"If it is damaged, remove it and index again: {how_to_index(folder.parent)}"
        raise CollectionError(f"The index in {folder} failed: {text}. {advice}") from error
