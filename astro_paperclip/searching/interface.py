"""What a query needs of a collection, without a word of vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from astropy.table import Table

from astro_paperclip.criteria import Filter
from astro_paperclip.expressions import Like, Picture
from astro_paperclip.index import Hit

if TYPE_CHECKING:
    from astro_paperclip.vocabulary import Vocabulary

__all__ = ["Described", "Found", "SearchedCollection"]


@dataclass(frozen=True)
class Found:
    """What one expression found.

    Attributes
    ----------
    hits : list of Hit
        The observations, best first. A payload's ``image`` is where the picture is for whoever
        asks.
    notes : tuple of Warning
        What the user should know of the search.
    """

    hits: list[Hit]
    notes: tuple[Warning, ...] = ()


@dataclass(frozen=True)
class Described:
    """What a picture shows, in words.

    Attributes
    ----------
    table : `~astropy.table.Table`
        As of `astro_paperclip.evaluation.describe`.
    notes : tuple of Warning
        What the user should know of it.
    """

    table: Table
    notes: tuple[Warning, ...] = ()


@runtime_checkable
class SearchedCollection(Protocol):
    """A collection that is open for queries.

    Whoever stands behind it owns the encoder, so that users of a service need none.
    """

    def search(
        self,
        likes: Sequence[Like],
        where: Filter | None = None,
        *,
        limit: int,
        offset: int = 0,
        score_threshold: float | str | None = None,
        max_per_proposal: int | None = None,
    ) -> list[Found]:
        """Rank observations, once for each expression; all are encoded together.

        Parameters
        ----------
        likes : sequence of Like
            What is looked for.
        where : Filter, optional
            What all observations must fit. Those that an expression names do not.
        limit, offset : int
            How many observations to return for each, after how many better ones.
        score_threshold : float or str, optional
            What they must reach: a cosine similarity, or a percentile such as ``"99%"``. The notes
            say where not all that do are returned.
        max_per_proposal : int, optional
            How many there may be of one proposal; the best are kept.

        Returns
        -------
        list of Found
            One for each expression, in their order.

        Raises
        ------
        InvalidQueryError
            If there is no such column, the observations of an expression are not in the
            collection, or its parts cancel out.
        """

    def get(
        self,
        where: Filter | None = None,
        *,
        limit: int,
        offset: int = 0,
        max_per_proposal: int | None = None,
        nearest_to: tuple[float, float] | None = None,
    ) -> list[Hit]:
        """List observations without a ranking.

        Parameters
        ----------
        where : Filter, optional
            What they must fit.
        limit, offset : int
            How many to return, after how many others.
        max_per_proposal : int, optional
            How many there may be of one proposal.
        nearest_to : tuple of float, optional
            Right ascension and declination (ICRS, deg) of a place.

        Returns
        -------
        list of Hit
            With a score of NaN, in an order that does not change. With a place the nearest
            first, and their column ``distance`` (arcsec).

        Raises
        ------
        InvalidQueryError
            If there is no such column.
        """

    def count(self, where: Filter | None = None) -> int:
        """Return how many observations fit; raise InvalidQueryError if there is no such column."""

    def plan(self, where: Filter | None = None) -> Any:
        """Return how a search goes about it, for whoever wants to be told: it has a text."""

    def describe(self, picture: Picture, vocabulary: "Vocabulary", n: int) -> Described:
        """Return the labels of a vocabulary that suit a picture best, ``n`` of them."""

    def info(self) -> dict[str, Any]:
        """Return what is searched, for the provenance of a result: JSON-like values."""

    def close(self) -> None:
        """Let go of it; doing so again does nothing."""
