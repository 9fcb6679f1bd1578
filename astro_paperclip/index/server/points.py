"""Points on a Qdrant server."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from qdrant_client import models

from astro_paperclip.index.engine import VECTOR, by_point
from astro_paperclip.index.planning import OVERSAMPLING, graph_effort
from astro_paperclip.index.schema import FORMER_FIELDS, from_payload
from astro_paperclip.index.server.connection import Connection
from astro_paperclip.index.server.dialect import ServerDialect
from astro_paperclip.index.store import Hit, Record
from astro_paperclip.index.words import WORDS, WordWeights, row_words

__all__ = ["ServerPoints"]

_POINTS_PER_PAGE = 500
_POINTS_PER_UPSERT = 256
_STREAMS = 4
"""Qdrant's guide to bulk upload advises batches of 64 to 256 points in 2 to 4 streams."""

_KEPT = 60.0
"""For how long [s] the size of the graph is taken to be what it was."""

_HAS_WORDS = models.Filter(must=[models.HasVectorCondition(has_vector=WORDS)])
_EXACTLY = models.SearchParams(exact=True)


class ServerPoints:
    """The points of a collection: an `~astro_paperclip.index.engine.Engine` over the network.

    Parameters
    ----------
    connection : Connection
        How the server is called.
    collection : str
        Name of the collection there.
    """

    dialect = ServerDialect()

    def __init__(self, connection: Connection, collection: str):
        self._connection = connection
        self._collection = collection
        self._graph_size = 0
        self._graph_size_until = 0.0

    def nearest(
        self,
        vector: np.ndarray,
        where: models.Filter | None,
        limit: int,
        using: str = VECTOR,
        *,
        exact: bool,
        payload: bool | list[str],
    ) -> list[Hit]:
        """Return the points whose vector of a name is most similar to one, by falling score."""
        return self._best(
            query=vector.tolist(),
            using=using,
            query_filter=where,
            limit=limit,
            search_params=_EXACTLY if exact else _in_graph(where),
            with_payload=payload,
        )

    def nearest_words(
        self,
        words: WordWeights,
        where: models.Filter | None,
        limit: int,
        *,
        payload: bool | list[str],
    ) -> list[Hit]:
        """Return the points whose words score highest, by falling score."""
        return self._best(
            query=_sparse(words),
            using=WORDS,
            query_filter=where,
            limit=limit,
            search_params=_EXACTLY,
            with_payload=payload,
        )

    def _best(self, **options: Any) -> list[Hit]:
        answer = self._call("query_points", **options)
        return [
            Hit(str(point.id), point.score, from_payload(point.payload)) for point in answer.points
        ]

    def retrieve(self, ids: Sequence[str], payload: bool, vector: str | None) -> Iterator[Record]:
        """Iterate over the points with these ids and their vector of a name, in any order."""
        names = [vector] if vector else False
        for start in range(0, len(ids), _POINTS_PER_PAGE):
            page = list(ids[start : start + _POINTS_PER_PAGE])
            points = self._call("retrieve", ids=page, with_payload=payload, with_vectors=names)
            for point in points:
                yield _record(point, vector)

    def scroll(
        self, where: models.Filter | None, payload: bool | list[str], vector: str | None
    ) -> Iterator[Record]:
        """Iterate over the points that fit and their vector of a name, ordered by id.

        They come a page at a time.
        """
        offset = None
        while True:
            points, offset = self._call(
                "scroll",
                scroll_filter=where,
                offset=offset,
                limit=_POINTS_PER_PAGE,
                with_payload=payload,
                with_vectors=[vector] if vector else False,
            )
            for point in points:
                yield _record(point, vector)
            if offset is None:
                return

    def count(self, where: models.Filter | None) -> int:
        """Return the number of points that fit."""
        return self._call("count", count_filter=where, exact=True).count

    def estimate(self, where: models.Filter | None) -> int:
        """Return about how many points fit."""
        return self._call("count", count_filter=where, exact=False).count

    def graph_size(self) -> int:
        """Return about how many vectors are in a graph; asked once a minute at most."""
        if time.monotonic() > self._graph_size_until:
            # The server's number has the words in it, which always have an index.
            indexed = self._call("get_collection").indexed_vectors_count or 0
            self._graph_size = max(0, indexed - self.estimate(_HAS_WORDS))
            self._graph_size_until = time.monotonic() + _KEPT
        return self._graph_size

    def facet(self, field: str, limit: int) -> dict[str, int]:
        """Return how many points have each value of an indexed text field."""
        answer = self._call("facet", key=field, limit=limit, exact=True)
        return {hit.value: hit.count for hit in answer.hits}

    def upsert(
        self,
        ids: Sequence[str],
        vectors: Mapping[str, Sequence[np.ndarray | None]],
        payloads: Sequence[dict],
    ) -> None:
        """Store points; each batch is acknowledged by the server before this returns."""
        points = [
            models.PointStruct(id=point, vector=named | _words(payload), payload=payload)
            for point, named, payload in zip(ids, by_point(vectors), payloads, strict=True)
        ]
        self._send("upsert", points)

    def put_vectors(self, name: str, ids: Sequence[str], vectors: np.ndarray) -> None:
        """Store the vectors of a name of points that are there, as `upsert` stores points."""
        points = [
            models.PointVectors(id=point, vector={name: vector})
            for point, vector in zip(ids, vectors.tolist(), strict=True)
        ]
        self._send("update_vectors", points)

    def _send(self, method: str, points: list) -> None:
        """Call a method with all points, in batches, some at the same time."""
        batches = [
            points[start : start + _POINTS_PER_UPSERT]
            for start in range(0, len(points), _POINTS_PER_UPSERT)
        ]
        with ThreadPoolExecutor(_STREAMS) as pool:
            for _ in pool.map(lambda batch: self._call(method, points=batch, wait=True), batches):
                continue

    def delete(self, where: models.Filter) -> None:
        """Remove the points that fit."""
        selected = models.FilterSelector(filter=where)
        self._call("delete", points_selector=selected, wait=True)

    def remove_former_indexes(self) -> None:
        """Remove the indexes of fields that only earlier versions made."""
        for field in FORMER_FIELDS & self._call("get_collection").payload_schema.keys():
            self._call("delete_payload_index", field_name=field, wait=True)

    def _call(self, method: str, **options: Any) -> Any:
        return self._connection.call(method, self._collection, **options)


def _in_graph(where: models.Filter | None) -> models.SearchParams:
    """Return how the graph is searched."""
    return models.SearchParams(
        hnsw_ef=graph_effort(where),
        # The server's own limit on when ACORN is worthwhile trusts its estimate.
        acorn=None if where is None else models.AcornSearchParams(enable=True, max_selectivity=1.0),
        quantization=models.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING),
    )


def _words(payload: dict) -> dict[str, Any]:
    words = row_words(payload)
    return {WORDS: _sparse(words)} if words else {}


def _sparse(words: WordWeights) -> models.SparseVector:
    return models.SparseVector(indices=words.indices, values=words.values)


def _record(point: models.Record, name: str | None) -> Record:
    vector = (point.vector or {}).get(name)
    if vector is not None:
        vector = np.array(vector, dtype=np.float32)
    return Record(str(point.id), from_payload(point.payload), vector)
