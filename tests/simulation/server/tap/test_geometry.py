"""Regions on the sphere, compared with astropy's and with the regions package's own."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from regions import PolygonSkyRegion

from astro_paperclip.simulation.server.tap.errors import QueryError
from astro_paperclip.simulation.server.tap.geometry import contains, intersects, parse_region

POLE = "POLYGON ICRS 0 88 90 88 180 88 270 88"


def point(ra, dec):
    return f"POINT ICRS {ra} {dec}"


def polygon(vertices):
    numbers = " ".join(f"{v.ra.deg!r} {v.dec.deg!r}" for v in vertices)
    return f"POLYGON ICRS {numbers}"


def gnomonic(center):
    """World coordinates in which great circles are straight lines."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [center.ra.deg, center.dec.deg]
    wcs.wcs.cdelt = [-0.01, 0.01]
    return wcs


@pytest.mark.parametrize("radius", [0.001, 3.0, 120.0])
def test_circles_contain_what_is_near(radius):
    rng = np.random.default_rng(0)
    center = SkyCoord(359.9, -60, unit="deg")
    turn = rng.uniform(0, 360, 200) * u.deg
    points = center.directional_offset_by(turn, rng.uniform(0, min(2 * radius, 180), 200) * u.deg)
    circle = f"CIRCLE ICRS {center.ra.deg} {center.dec.deg} {radius}"
    found = [contains(point(p.ra.deg, p.dec.deg), circle) for p in points]
    assert found == (center.separation(points).deg <= radius).tolist()
    assert 0 < sum(found) < 200


@pytest.mark.parametrize("center", [(0.01, 10), (180, -89.5), (77, 45)])
def test_polygons_contain_what_lies_between_great_circles(center):
    rng = np.random.default_rng(1)
    center = SkyCoord(*center, unit="deg")
    # A star with five arms: not convex, twenty degrees wide.
    turns, radii = np.arange(10) * 36 * u.deg, np.array([10, 4] * 5) * u.deg
    vertices = center.directional_offset_by(turns, radii)
    points = center.directional_offset_by(
        rng.uniform(0, 360, 300) * u.deg, rng.uniform(0, 12, 300) * u.deg
    )
    expected = PolygonSkyRegion(vertices).contains(points, gnomonic(center))
    found = [contains(point(p.ra.deg, p.dec.deg), polygon(vertices)) for p in points]
    assert found == expected.tolist()
    assert 0 < sum(found) < 300


def test_sides_are_great_circles_not_parallels():
    # Between two places of equal declination a great circle runs closer to the pole.
    triangle = "POLYGON ICRS 0 60 40 60 20 30"
    assert contains(point(20, 61), triangle)
    assert not contains(point(20, 62), triangle)
    assert contains(point(123, 89), POLE)


def test_the_other_side_of_the_sky_is_outside():
    assert not contains(point(200, -10.5), "POLYGON ICRS 19 9 21 9 21 12 19 12")


@pytest.mark.parametrize(
    ("first", "second", "meet", "first_within"),
    [
        ("CIRCLE ICRS 10 0 1", "CIRCLE ICRS 12.5 0 1", 0, 0),
        ("CIRCLE ICRS 10 0 1", "CIRCLE ICRS 11.5 0 1", 1, 0),
        ("CIRCLE ICRS 10 0 1", "CIRCLE ICRS 10.5 0 2", 1, 1),
        # Apart, overlapping at a side only, and inside.
        ("CIRCLE ICRS 10 0 1", "POLYGON ICRS 11.5 -5 20 -5 20 5 11.5 5", 0, 0),
        ("CIRCLE ICRS 10 0 1", "POLYGON ICRS 10.5 -5 20 -5 20 5 10.5 5", 1, 0),
        ("CIRCLE ICRS 10 0 1", "POLYGON ICRS 5 -5 20 -5 20 5 5 5", 1, 1),
        ("POLYGON ICRS 9 -1 11 -1 11 1 9 1", "CIRCLE ICRS 10 0 2", 1, 1),
        ("POLYGON ICRS 9 -1 11 -1 11 1 9 1", "CIRCLE ICRS 10 0 1.2", 1, 0),
        ("POLYGON ICRS 9 -1 11 -1 11 1 9 1", "CIRCLE ICRS 190 0 170", 0, 0),
        ("POLYGON ICRS 9 -1 11 -1 11 1 9 1", "CIRCLE ICRS 100 0 120", 1, 1),
        # A cross: no corner of one lies in the other.
        ("POLYGON ICRS 0 -1 20 -1 20 1 0 1", "POLYGON ICRS 9 -9 11 -9 11 9 9 9", 1, 0),
        ("POLYGON ICRS 9 -1 11 -1 11 1 9 1", "POLYGON ICRS 9.5 -2 30 -2 30 2 9.5 2", 1, 0),
        ("POLYGON ICRS 9 -1 11 -1 11 1 9 1", "POLYGON ICRS 12 -2 30 -2 30 2 12 2", 0, 0),
        ("POLYGON ICRS 9 -1 11 -1 11 1 9 1", "POLYGON ICRS 8 -3 30 -3 30 3 8 3", 1, 1),
        ("CIRCLE ICRS 10 89 0.5", POLE, 1, 1),
    ],
)
def test_relations(first, second, meet, first_within):
    assert intersects(first, second) == intersects(second, first) == meet
    assert contains(first, second) == first_within


def test_several_shapes_are_a_union():
    chips = "POLYGON ICRS 10 0 11 0 11 1 10 1 POLYGON ICRS 12 0 13 0 13 1 12 1"
    assert len(parse_region(chips)) == 2
    assert contains(point(12.5, 0.5), chips)
    assert not contains(point(11.5, 0.5), chips)
    assert contains(chips, "CIRCLE ICRS 11.5 0.5 2")


@pytest.mark.parametrize(
    "text",
    [
        # As in MAST's own rows: other names of frames, two spaces, the first corner repeated.
        "POLYGON GSC1  23.17474785  60.66012593  23.15424076  60.61702967  23.06645518  "
        "60.62703769  23.08684334  60.67014825  23.17474785  60.66012593",
        "polygon 23.17 60.66 23.15 60.61 23.06 60.62 23.08 60.67",
        "CIRCLE J2000 23.118 60.642 0.01",
    ],
)
def test_footprints_of_mast_are_read(text):
    assert contains(point(23.118171, 60.642136), text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no region"),
        ("somewhere", "is no region"),
        ("CIRCLE ICRS 10 20", "wrong coordinates"),
        ("CIRCLE ICRS 10 20 -1", "radius -1"),
        ("POLYGON ICRS 10 20 11 20", "three vertices"),
        ("POLYGON ICRS 10 20 10 20 10 20", "three vertices"),
        ("POLYGON ICRS 10 20 11 20 11", "pairs"),
        ("POLYGON ICRS 0 0 120 0 240 0", "hemisphere|wrong coordinates"),
        ("POINT ICRS 10 nan", "wrong coordinates"),
    ],
)
def test_what_is_no_region_is_refused(text, reason):
    with pytest.raises(QueryError, match=reason):
        parse_region(text)
