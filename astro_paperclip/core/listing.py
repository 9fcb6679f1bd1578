"""Observations that meet criteria, where nothing is said of what they show."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from astropy import units as u
from astropy.coordinates import angular_separation

from astro_paperclip.criteria import Filter
from astro_paperclip.index import Hit, Record, Store
from astro_paperclip.index.schema import position_of

__all__ = ["listed"]


def listed(
    store: Store,
    where: Filter | None,
    centre: tuple[float, float] | None,
    limit: int,
    offset: int,
    max_per_proposal: int | None,
) -> list[Hit]:
    """Return points that fit, without a ranking.

    Parameters
    ----------
    store : Store
        Where they are.
    where : Filter or None
        What they must fit.
    centre : tuple of float or None
        Right ascension and declination (ICRS, deg) of a place.
    limit, offset : int
        How many points to return, after how many others.
    max_per_proposal : int or None
        How many there may be of one proposal.

    Returns
    -------
    list of Hit
        With a score of NaN. With a centre the nearest first, and their column ``distance``
        (arcsec); points without a position come last. Else in the order of the store, which
        does not change.
    """
    records = store.scroll(where)
    if centre is not None:
        records = iter(_nearest_first(records, *centre))
    if max_per_proposal is not None:
        records = _thinned(records, max_per_proposal)
    chosen = islice(records, offset, offset + limit)
    return [Hit(record.id, float("nan"), record.payload) for record in chosen]


def _nearest_first(records: Iterable[Record], ra: float, dec: float) -> list[Record]:
    found = []
    for record in records:
        position = position_of(record.payload)
        if position is None:
            found.append((float("inf"), record))
            continue
        degrees = (*position, ra, dec)
        distance = angular_separation(*(value * u.deg for value in degrees)).to_value(u.arcsec)
        record.payload["distance"] = float(distance)
        found.append((float(distance), record))
    return [record for _, record in sorted(found, key=lambda item: (item[0], item[1].id))]


def _thinned(records: Iterable[Record], most: int) -> Iterator[Record]:
    counts = Counter()
    for record in records:
        proposal = record.payload.get("proposal_id")
        # Points without a proposal have nothing in common.
        counts[proposal] += proposal not in (None, "")
        if counts[proposal] <= most:
            yield record
