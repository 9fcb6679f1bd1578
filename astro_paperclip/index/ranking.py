"""Pages of a ranking: which of the points that answer a query are returned."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import index as whole_number
from typing import Any, TypeVar

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.index.filters import json_path
from astro_paperclip.index.planning import GRAPH_DEPTH
from astro_paperclip.index.store import Hit, Record

__all__ = ["ExactRanking", "GraphRanking", "Page", "thinned"]

Point = TypeVar("Point", Hit, Record)

_Find = Callable[[int], list[Hit]]
"""Gives so many of the points that answer a query, by falling score."""


class ExactRanking:
    """All points that answer a query, by falling score, equal scores by id.

    Parameters
    ----------
    find : callable
        Searches the engine for so many points, exactly.
    """

    def __init__(self, find: _Find):
        self._find = find

    def first(self, count: int) -> list[Hit]:
        """Return the first points."""
        wanted = count + 1
        hits = self._find(wanted)
        # Which of several equal points the engine returns is chance, unless it returns them all.
        while len(hits) == wanted and hits[-1].score == hits[count - 1].score:
            wanted *= 2
            hits = self._find(wanted)
        return _by_score(hits)[:count]


class GraphRanking:
    """What a graph finds first, then all others that answer a query.

    How good the answer of a graph is depends on how much it is asked for. It is asked for the
    same number always, so that all pages are parts of one ranking.

    Parameters
    ----------
    find : callable
        Searches the graph for so many points.
    others : ExactRanking
        The ranking that the rest is taken from, and all of it where the graph found too little.
    is_wrong : callable, optional
        Says of what the graph found whether it went astray; then all is taken from the others.
    """

    def __init__(
        self,
        find: _Find,
        others: ExactRanking,
        is_wrong: Callable[[list[Hit]], bool] | None = None,
    ):
        self._find = find
        self._others = others
        self._is_wrong = is_wrong

    @cached_property
    def _found(self) -> list[Hit]:
        """What the graph found; nothing where that will not do."""
        found = _by_score(self._find(GRAPH_DEPTH))
        is_wrong = len(found) < GRAPH_DEPTH or (self._is_wrong and self._is_wrong(found))
        return [] if is_wrong else found

    def first(self, count: int) -> list[Hit]:
        """Return the first points."""
        found = self._found
        if not found:
            return self._others.first(count)
        if count > GRAPH_DEPTH:
            known = {hit.id for hit in found}
            found = found + [hit for hit in self._others.first(count) if hit.id not in known]
        return found[:count]


@dataclass(frozen=True)
class Page:
    """Which part of a ranking is asked for.

    Attributes
    ----------
    limit, offset : int
        How many points to return, after how many better ones.
    max_per_group : int or None
        How many points with the same value of a column there may be.
    group_by : str
        The column.

    Raises
    ------
    InvalidQueryError
        If there is no such part.
    """

    limit: int
    offset: int
    max_per_group: int | None
    group_by: str

    def __post_init__(self) -> None:
        if not (_is_whole(self.limit, 1) and _is_whole(self.offset, 0)):
            raise InvalidQueryError(
                f"limit={self.limit!r}, offset={self.offset!r}: whole numbers are needed, the "
                "limit must be at least 1, the offset 0."
            )
        if not (self.max_per_group is None or _is_whole(self.max_per_group, 1)):
            raise InvalidQueryError(
                "max_per_group must be a whole number from 1, or None for no limit, not "
                f"{self.max_per_group!r}."
            )
        if not isinstance(self.group_by, str):
            raise InvalidQueryError(
                f"group_by must be the name of a column, not {self.group_by!r}."
            )
        json_path(self.group_by)

    @property
    def fields(self) -> list[str]:
        """What must be known of a point to tell whether it is on the page."""
        return [] if self.max_per_group is None else [json_path(self.group_by)]

    def of(self, ranking: ExactRanking | GraphRanking) -> list[Hit]:
        """Return the page, by falling score, equal scores by id."""
        end = self.offset + self.limit
        hits = ranking.first(end) if self.max_per_group is None else self._thinned(ranking, end)
        return _by_score(hits[self.offset : end])

    def _thinned(self, ranking: ExactRanking | GraphRanking, count: int) -> list[Hit]:
        """Return the first points of which not too many have the same value."""
        depth = max(count, GRAPH_DEPTH)
        while True:
            hits = ranking.first(depth)
            kept = list(thinned(hits, self.max_per_group, self.group_by))
            if len(kept) >= count or len(hits) < depth:
                return kept
            depth *= 2


def thinned(points: Iterable[Point], most: int, group_by: str) -> Iterator[Point]:
    """Iterate over points, of which not too many have the same value of a column.

    Parameters
    ----------
    points : iterable of Hit or Record
        The best first, with the column in their payloads. Those without a value have nothing in
        common.
    most : int
        How many points with the same value there may be.
    group_by : str
        The column.

    Yields
    ------
    Hit or Record
    """
    counts = Counter()
    for point in points:
        value = point.payload.get(group_by)
        group = point.id if value in (None, "", []) else repr(value)
        counts[group] += 1
        if counts[group] <= most:
            yield point


def _by_score(hits: Iterable[Hit]) -> list[Hit]:
    return sorted(hits, key=lambda hit: (-hit.score, hit.id))


def _is_whole(value: Any, least: int) -> bool:
    """Return whether a value is a whole number that is not less than another."""
    try:
        return not isinstance(value, bool) and whole_number(value) >= least
    except TypeError:
        return False
