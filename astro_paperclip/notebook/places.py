"""Where observations are: their footprints, or else their positions."""

from collections.abc import Sequence

import numpy as np
from astropy.coordinates import SkyCoord

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.sky import Circle, Shape, Union

__all__ = ["centre_of", "enclosing_circle"]

_POINT = 1e-6
"""Radius [deg] of the circle that stands for a position."""


def centre_of(shape: Shape | None, ra: float, dec: float) -> tuple[float, float]:
    """Return the position of an observation (ICRS, deg), or else the middle of its footprint."""
    if shape is None or (np.isfinite(ra) and np.isfinite(dec)):
        return ra, dec
    circle = shape.bounding_circle()
    return circle.ra, circle.dec


def enclosing_circle(shapes: Sequence[Shape | None], positions: SkyCoord) -> Circle:
    """Return a circle that holds all observations.

    Parameters
    ----------
    shapes : sequence of (Shape or None)
        Footprint of each.
    positions : `~astropy.coordinates.SkyCoord`
        Position of each; NaN where it is not known.

    Returns
    -------
    circle : `~astro_paperclip.sky.Circle`

    Raises
    ------
    InvalidQueryError
        If no observation has a footprint or a position.
    """
    known = [shape for shape in shapes if shape is not None]
    has_no_shape = np.array([shape is None for shape in shapes], dtype=bool)
    is_alone = has_no_shape & np.isfinite(positions.ra.deg)
    alone = positions.icrs[is_alone]
    degrees = zip(alone.ra.deg.tolist(), alone.dec.deg.tolist(), strict=True)
    known += [Circle(ra, dec, _POINT) for ra, dec in degrees]
    if not known:
        raise InvalidQueryError(
            "There is nothing to draw: no row has a footprint (s_region) or a position (s_ra, "
            "s_dec)."
        )
    return Union(tuple(known)).bounding_circle()
