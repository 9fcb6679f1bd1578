"""What a store asks of the engine that holds its points."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from astro_paperclip.index.dialect import Dialect
from astro_paperclip.index.store import Hit, Record
from astro_paperclip.index.words import WordWeights

__all__ = ["VECTOR", "Engine", "by_point"]

VECTOR = "image"
"""Name of the main vector, which every point has; others can join it."""


class Engine(Protocol):
    """Points in Qdrant, here or on a server.

    Filters are in the engine's own form, made with its ``dialect``; ids, vectors and payloads
    have been checked. All failures are `~astro_paperclip.exceptions.CollectionError`.
    """

    dialect: Dialect

    def nearest(
        self,
        vector: np.ndarray,
        where: Any,
        limit: int,
        using: str = VECTOR,
        *,
        exact: bool,
        payload: bool | list[str],
    ) -> list[Hit]:
        """Return the points whose vector of a name is most similar to one, by falling score.

        Every vector that fits is compared, or the graph is searched where there is one.
        """

    def nearest_words(
        self, words: WordWeights, where: Any, limit: int, *, payload: bool | list[str]
    ) -> list[Hit]:
        """Return the points whose words score highest by BM25, by falling score."""

    def retrieve(self, ids: Sequence[str], payload: bool, vector: str | None) -> Iterator[Record]:
        """Iterate over the points with these ids and their vector of a name, in any order."""

    def scroll(self, where: Any, payload: bool | list[str], vector: str | None) -> Iterator[Record]:
        """Iterate over the points that fit and their vector of a name, ordered by id."""

    def count(self, where: Any) -> int:
        """Return the number of points that fit."""

    def estimate(self, where: Any) -> int:
        """Return about how many points fit, in no time; it can be wrong by much."""

    def graph_size(self) -> int:
        """Return about how many vectors are in a graph."""

    def facet(self, field: str, limit: int) -> dict[str, int]:
        """Return how many points have each value of an indexed text field."""

    def upsert(
        self,
        ids: Sequence[str],
        vectors: Mapping[str, Sequence[np.ndarray | None]],
        payloads: Sequence[dict],
    ) -> None:
        """Store points, in the place of those that have the same ids.

        Of each name there is a vector or `None` for each point.
        """

    def put_vectors(self, name: str, ids: Sequence[str], vectors: np.ndarray) -> None:
        """Store the vectors of a name of points that are there, and leave all else of them."""

    def delete(self, where: Any) -> None:
        """Remove the points that fit."""

    def remove_former_indexes(self) -> None:
        """Remove the indexes of fields that only earlier versions of the package made."""


def by_point(vectors: Mapping[str, Sequence[np.ndarray | None]]) -> Iterator[dict[str, list]]:
    """Iterate over the vectors of each point by name, without those that it lacks."""
    for row in zip(*vectors.values(), strict=True):
        named = zip(vectors, row, strict=True)
        yield {name: vector.tolist() for name, vector in named if vector is not None}
