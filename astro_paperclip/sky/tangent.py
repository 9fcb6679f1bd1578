"""Figures that are given by their size in the tangent plane of a position."""

import math

import numpy as np

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.sky.spherical import positions, unit_vectors

__all__ = ["rectangle"]


def rectangle(
    ra: float, dec: float, width: float, height: float, angle: float = 0.0
) -> list[tuple[float, float]]:
    """Return the corners of a rectangle whose sides are great circles.

    The sides cross the two axes of the rectangle at right angles, half a width and half a
    height from the centre: in the tangent plane of the centre it is a plane rectangle.

    Parameters
    ----------
    ra, dec : float
        Centre [deg].
    width, height : float
        Angular size along the parallel and along the meridian [deg], less than 180.
    angle : float, optional
        By how much both are turned [deg], anticlockwise on the sky with east to the left.

    Returns
    -------
    corners : list of (float, float)
        Longitudes and latitudes [deg] of the four corners, in order.

    Raises
    ------
    InvalidQueryError
        If there is no such rectangle.
    """
    if not (0 < width < 180 and 0 < height < 180 and abs(dec) <= 90 and math.isfinite(ra)):
        raise InvalidQueryError(
            f"There is no rectangle of {width} by {height} deg at ({ra}, {dec}) deg: sides are "
            "more than 0 and less than 180 deg, declinations go from -90 to 90 deg."
        )
    turn, azimuth = math.radians(angle), math.radians(ra)
    center = unit_vectors(ra, dec)
    west = np.array([math.sin(azimuth), -math.cos(azimuth), 0.0])
    north = np.cross(west, center)
    along = math.tan(math.radians(width / 2)) * (math.cos(turn) * west + math.sin(turn) * north)
    across = math.tan(math.radians(height / 2)) * (math.cos(turn) * north - math.sin(turn) * west)
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    corners = positions(center + signs @ np.stack([along, across]))
    return list(zip(*(axis.tolist() for axis in corners), strict=True))
