"""What every engine that stores vectors must do."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol, runtime_checkable

import numpy as np

from astro_paperclip.criteria import Filter
from astro_paperclip.index.planning import SearchPlan

__all__ = ["Hit", "Record", "Store", "in_pages"]


@dataclass(frozen=True)
class Hit:
    """A stored point that a search found.

    Attributes
    ----------
    id : str
        The point's UUID.
    score : float
        Cosine similarity with the searched vector.
    payload : dict
        The columns of the point's row.
    percentile : float
        Share [percent] of a bank of queries that the point fits less well than the one that found
        it; NaN where it has not been compared with any.
    """

    id: str
    score: float
    payload: dict[str, Any] = field(default_factory=dict)
    percentile: float = float("nan")


@dataclass(frozen=True)
class Record:
    """A stored point.

    Attributes
    ----------
    id : str
        The point's UUID.
    payload : dict
        The columns of the point's row.
    vector : `~numpy.ndarray` or None
        The unit vector, shape ``(dimension,)``, float32; `None` where it was not asked for, or
        the point has none of that name.
    """

    id: str
    payload: dict[str, Any] = field(default_factory=dict)
    vector: np.ndarray | None = None


@runtime_checkable
class Store(Protocol):
    """A set of points, each an id, a vector, others that joined it, and a payload.

    A store is a context manager: it closes at the end of the block. It must not be carried
    into a forked process; open it again there.
    """

    def upsert(
        self,
        ids: Sequence[str],
        vectors: np.ndarray,
        payloads: Sequence[Mapping[str, Any]],
        other_vectors: Mapping[str, Sequence[np.ndarray | None]] | None = None,
    ) -> None:
        """Store points; one whose id is there already is replaced as a whole.

        Parameters
        ----------
        ids : sequence of str
            UUIDs, as `~astro_paperclip.index.point_id` makes them.
        vectors : array_like
            Shape ``(n, dimension)``; finite, and none of length zero.
        payloads : sequence of mappings
            Columns of each point. Missing values (`None`, NaN, masked) are left out.
        other_vectors : mapping of str to sequence, optional
            Vectors for which `add_vector` made room, by name: one for each point, or `None` for
            one that has none. A point that is replaced keeps none that are not given here.
        """

    def add_vector(self, name: str, dimension: int, encoder: str | None = None) -> None:
        """Make room for another vector of each point, beside the main one.

        Parameters
        ----------
        name : str
            What it is called in `put_vectors` and `search`: letters, digits, underscores and
            hyphens.
        dimension : int
            Its length.
        encoder : str, optional
            Fingerprint of the encoder that makes it.
        """

    def put_vectors(self, name: str, ids: Sequence[str], vectors: np.ndarray) -> None:
        """Store vectors of points that are there, and leave all else of the points as it is.

        Parameters
        ----------
        name : str
            Name of the vector, for which `add_vector` made room, or of the main one.
        ids : sequence of str
            UUIDs of the points. Those that lack the vector are told by `missing`.
        vectors : array_like
            Shape ``(n, dimension)``; finite, and none of length zero.
        """

    def vector_of(self, encoder: str) -> str | None:
        """Return the name of the vector that an encoder made, by the encoder's fingerprint."""

    def search(
        self,
        vector: np.ndarray,
        where: Filter | None = None,
        limit: int = 10,
        offset: int = 0,
        exact: bool | None = None,
        using: str | None = None,
        *,
        max_per_group: int | None = None,
        group_by: str = "proposal_id",
    ) -> list[Hit]:
        """Return the points most similar to a vector.

        Parameters
        ----------
        vector : array_like
            Shape ``(dimension,)``.
        where : Filter, optional
            Only points that fit.
        limit, offset : int
            How many points to return, after how many better ones.
        exact : bool, optional
            Whether every vector that fits must be compared. By default the store decides; ``False``
            asks for the graph wherever there is one.
        using : str, optional
            Name of the vector that is searched. By default the main one.
        max_per_group : int, optional
            How many points with the same value of ``group_by`` there may be; the best are kept.
            Points without a value are not limited. By default all are returned.
        group_by : str
            The column.

        Returns
        -------
        list of Hit
            By falling score, equal scores by id. Points without the vector are not among them.

        Notes
        -----
        Where there is a graph and more than 150,000 points fit, the graph is searched, which finds
        nearly all of the nearest. It gives the first 128 points of the ranking, however many are
        asked for; then come all others that fit, compared one by one. So pages never overlap, and
        together they hold every point that fits. Every other search, and one for more than 128
        points, compares each vector that fits. Copies of a collection on several servers have
        graphs of their own, in which pages can differ.
        """

    def plan(self, where: Filter | None = None, exact: bool | None = None) -> SearchPlan:
        """Return how `search` would go about it: exactly or through the graph."""

    def search_words(
        self,
        text: str,
        where: Filter | None = None,
        limit: int = 10,
        offset: int = 0,
        *,
        max_per_group: int | None = None,
        group_by: str = "proposal_id",
    ) -> list[Hit]:
        """Return the points whose texts have the words of a text.

        Parameters
        ----------
        text : str
            Words to look for, in English: they are stemmed, and stop words are left out. Looked
            at are title, abstract, caption, summary and target.
        where : Filter, optional
            Only points that fit.
        limit, offset : int
            How many points to return, after how many better ones.
        max_per_group, group_by
            As in `search`.

        Returns
        -------
        list of Hit
            By falling BM25 score, equal scores by id; only points that have one of the words.
        """

    def retrieve(
        self, ids: Sequence[str], with_vectors: bool | str = False, *, with_payload: bool = True
    ) -> list[Record]:
        """Return the points with these ids, in this order, without those that are not there.

        They come with the main vector, or with that of a name; and without payload, which takes
        less time, where that is asked for.
        """

    def missing(self, ids: Sequence[str], using: str | None = None) -> list[str]:
        """Return those of the ids that no point has, or none with a vector, in this order."""

    def scroll(
        self,
        where: Filter | None = None,
        with_vectors: bool | str = False,
        *,
        with_payload: bool = True,
    ) -> Iterator[Record]:
        """Iterate over all points that fit, ordered by id.

        They come with the main vector, or with that of a name, and with payload or without.
        """

    def count(self, where: Filter | None = None) -> int:
        """Return the number of points that fit."""

    def facet(self, field: str) -> dict[Any, int]:
        """Return how many points have each value of a column, most frequent first."""

    def delete(self, where: Filter) -> int:
        """Remove the points that fit, and return how many they were."""

    def info(self) -> dict[str, Any]:
        """Return what the store is: engine, count, dimension, encoder, state, vectors."""

    def flush(self) -> None:
        """Make everything durable, and mark the store as complete."""

    def close(self) -> None:
        """Flush and release the store; closing again does nothing."""

    def __enter__(self) -> "Store": ...

    def __exit__(self, *exception: object) -> None: ...


def in_pages(records: Iterator[Record], size: int) -> Iterator[list[Record]]:
    """Iterate over records, some at a time."""
    while page := list(islice(records, size)):
        yield page
