"""Rectangles, by astropy's offsets from their centre."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.sky.tangent import rectangle


@pytest.mark.parametrize(("ra", "dec"), [(0, 0), (359.9, 60), (100, -89.99), (0, 90)])
@pytest.mark.parametrize(("width", "height"), [(1e-4, 2e-4), (1, 2), (100, 20)])
@pytest.mark.parametrize("angle", [0, 25, -100])
def test_corners(ra, dec, width, height, angle):
    center = SkyCoord(ra, dec, unit="deg")
    corners = SkyCoord(rectangle(ra, dec, width, height, angle), unit="deg")
    halves = np.tan(np.radians([width / 2, height / 2]))
    away = center.separation(corners).rad
    np.testing.assert_allclose(np.tan(away), np.hypot(*halves), rtol=1e-9)
    # Without a turn the height points north, and position angles go on to the east.
    slant = np.degrees(np.arctan2(*halves))
    expected = np.array([180 - slant, 180 + slant, -slant, slant]) + angle
    turn = center.position_angle(corners).deg - expected
    if abs(dec) < 90:
        np.testing.assert_allclose((turn + 180) % 360 - 180, 0, atol=1e-6)


@pytest.mark.parametrize(
    "values", [(0, 0, 0, 1), (0, 0, 1, 180), (0, 91, 1, 1), (np.nan, 0, 1, 1), (0, np.nan, 1, 1)]
)
def test_no_rectangle(values):
    with pytest.raises(InvalidQueryError, match="no rectangle"):
        rectangle(*values)
