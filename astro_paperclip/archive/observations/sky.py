"""Positions and footprints of observations."""

import math

import numpy as np
from astropy.coordinates import angular_separation
from astropy.table import Table

from astro_paperclip.criteria import Cone
from astro_paperclip.sky import Shape, observation_overlaps

__all__ = ["box", "overlapping", "separations", "surrounding"]


def separations(table: Table, ra: float, dec: float) -> np.ndarray:
    """Measure how far observations are from a point of the sky.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Columns ``s_ra`` and ``s_dec``.
    ra, dec : float
        The point [deg].

    Returns
    -------
    distances : `numpy.ndarray`, shape (n_rows,)
        [deg]; NaN where the position is not known.
    """
    place = [np.ma.filled(np.ma.asarray(table[name]), np.nan) for name in ("s_ra", "s_dec")]
    here, there = np.radians(place), np.radians([ra, dec])
    return np.degrees(angular_separation(*here, *there))


def box(cone: Cone) -> tuple[tuple[float, float], list[tuple[float, float]]]:
    """Return ranges of coordinates that hold a cone.

    Parameters
    ----------
    cone : `~astro_paperclip.criteria.Cone`
        The cone.

    Returns
    -------
    declinations : tuple of float
        From, to [deg].
    right_ascensions : list of tuple of float
        One range from, to [deg], or two where the cone lies across 0.
    """
    radius = cone.radius + 1e-9  # the rim belongs to the cone, whatever rounding does to it
    south, north = cone.dec - radius, cone.dec + radius
    if south <= -90 or north >= 90:
        return (max(south, -90.0), min(north, 90.0)), [(0.0, 360.0)]
    reach = math.sin(math.radians(radius)) / math.cos(math.radians(cone.dec))
    width = math.degrees(math.asin(min(1.0, reach)))
    low, high = (cone.ra - width) % 360, (cone.ra + width) % 360
    return (south, north), [(low, high)] if low <= high else [(0.0, high), (low, 360.0)]


def surrounding(region: Shape) -> Cone:
    """Return a cone that holds a region."""
    circle = region.bounding_circle()
    return Cone(circle.ra, circle.dec, circle.radius)


def overlapping(region: Shape, table: Table) -> np.ndarray:
    """Find the observations whose footprint shares a point with a region.

    Parameters
    ----------
    region : `~astro_paperclip.sky.Shape`
        The region.
    table : `~astropy.table.Table`
        Columns ``s_region``, ``s_ra`` and ``s_dec``. Where there is no footprint that can be
        read, the position counts for it.

    Returns
    -------
    mask : `numpy.ndarray` of bool, shape (n_rows,)
    """
    rows = zip(*(table[name].tolist() for name in ("s_region", "s_ra", "s_dec")), strict=True)
    return np.array([observation_overlaps(region, *row) for row in rows], dtype=bool)
