"""Observations that meet criteria, where nothing is said of what they show."""

from collections.abc import Iterable
from itertools import islice

import numpy as np
from astropy import units as u
from astropy.coordinates import angular_separation

from astro_paperclip.criteria import Filter
from astro_paperclip.index import Hit, Record, Store
from astro_paperclip.index.ranking import thinned
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
        records = _nearest_first(records, *centre)
    if max_per_proposal is not None:
        records = thinned(records, max_per_proposal, "proposal_id")
    chosen = islice(records, offset, offset + limit)
    return [Hit(record.id, float("nan"), record.payload) for record in chosen]


def _nearest_first(records: Iterable[Record], ra: float, dec: float) -> list[Record]:
    records = list(records)
    unknown = (np.nan, np.nan)
    places = np.array([position_of(record.payload) or unknown for record in records])
    places = np.radians(places.reshape(-1, 2))
    distances = angular_separation(*places.T, *np.radians([ra, dec]))
    for record, distance in zip(records, (distances * u.rad).to_value(u.arcsec), strict=True):
        if not np.isnan(distance):
            record.payload["distance"] = float(distance)
    # Those without a distance come last, as NaN does.
    order = np.lexsort((np.array([record.id for record in records]), distances))
    return [records[row] for row in order]
