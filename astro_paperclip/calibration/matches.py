"""The part of a ranking that is returned, with percentiles, above a threshold of either kind."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from astro_paperclip.calibration.threshold import percentile_of
from astro_paperclip.index import Hit
from astro_paperclip.index.ranking import thinned

__all__ = ["LARGEST_DEPTH", "Matches", "best_matches"]

LARGEST_DEPTH = 10_000
"""How many rows of a ranking are compared with a percentile at most: a second or two."""

_LEAST_PAGE = 128

_Search = Callable[..., list[Hit]]
"""Takes ``limit``, ``offset`` and ``max_per_group``, and gives a part of a ranking."""

_Calibrate = Callable[[list[Hit]], list[Hit]]
"""Gives hits their percentiles."""


@dataclass(frozen=True)
class Matches:
    """A part of a ranking.

    Attributes
    ----------
    hits : list of Hit
        With percentiles, by falling score.
    is_cut : bool
        Whether more of the ranking reaches the threshold.
    depth : int or None
        How many rows were compared with a threshold, where that was given up before the end.
    """

    hits: list[Hit]
    is_cut: bool = False
    depth: int | None = None


def best_matches(
    search: _Search,
    calibrate: _Calibrate,
    *,
    limit: int,
    offset: int,
    threshold: float | str | None = None,
    max_per_proposal: int | None = None,
) -> Matches:
    """Return the best matches with their percentiles.

    Parameters
    ----------
    search : callable
        Takes ``limit``, ``offset`` and ``max_per_group``, as
        `astro_paperclip.index.Store.search` does, and gives that part of one ranking.
    calibrate : callable
        Takes hits and gives them percentiles.
    limit, offset : int
        How many matches to return, after how many better ones.
    threshold : float or str, optional
        What matches must reach, as `checked_threshold` gave it.
    max_per_proposal : int, optional
        Largest number of matches of one proposal; those with a higher score are kept.

    Returns
    -------
    Matches

    Notes
    -----
    Percentiles do not fall steadily with the score. So with a threshold of them the ranking is
    read on until there are enough matches, or it ends, or `LARGEST_DEPTH` rows have been compared.
    """
    if percentile_of(threshold) is not None:
        return _above_percentile(
            search, calibrate, limit, offset, percentile_of(threshold), max_per_proposal
        )
    # One more than asked for tells whether the limit cuts a set of matches short.
    wanted = limit if threshold is None else limit + 1
    hits = search(limit=wanted, offset=offset, max_per_group=max_per_proposal)
    if threshold is not None:
        hits = [hit for hit in hits if hit.score >= threshold]
    return Matches(calibrate(hits[:limit]), is_cut=len(hits) > limit)


def _above_percentile(
    search: _Search,
    calibrate: _Calibrate,
    limit: int,
    offset: int,
    percentile: float,
    max_per_proposal: int | None,
) -> Matches:
    end = offset + limit + 1
    ranking = _Ranking(search, calibrate, first_page=max(2 * end, _LEAST_PAGE))
    # What a match lacks in percentile must not keep another of its proposal out.
    reaching = (hit for hit in ranking if hit.percentile >= percentile)
    if max_per_proposal is not None:
        reaching = thinned(reaching, max_per_proposal, "proposal_id")
    hits = list(islice(reaching, offset, end))
    is_cut = len(hits) > limit
    return Matches(hits[:limit], is_cut, None if is_cut else ranking.given_up)


class _Ranking:
    """A ranking that is read in pages of growing size, as far as `LARGEST_DEPTH`.

    ``given_up`` is that depth, once it is reached before the end.
    """

    def __init__(self, search: _Search, calibrate: _Calibrate, first_page: int):
        self._search = search
        self._calibrate = calibrate
        self._page = first_page
        self.given_up = None

    def __iter__(self) -> Iterator[Hit]:
        start = 0
        while start < LARGEST_DEPTH:
            size = min(self._page, LARGEST_DEPTH - start)
            hits = self._search(limit=size, offset=start, max_per_group=None)
            yield from self._calibrate(hits)
            if len(hits) < size:
                return
            start += size
            self._page *= 2
        if self._search(limit=1, offset=start, max_per_group=None):
            self.given_up = start
