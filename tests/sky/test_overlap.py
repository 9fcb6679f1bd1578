"""Overlaps, against points drawn within shapes, mocpy, and cases made by hand."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.sky import Box, Circle, Moc, Polygon, Union, overlaps
from astro_paperclip.sky.tangent import rectangle

from .places import HOOK, SHAPES, STAR, regular, rim

HAND_MADE = [
    # Circles.
    (Circle(10, 0, 1), Circle(12, 0, 1), True),
    (Circle(10, 0, 1), Circle(12.0001, 0, 1), False),
    (Circle(10, 0, 1), Circle(10, 0, 0.1), True),
    (Circle(0, 0, 120), Circle(180, 0, 60), True),
    (Circle(0, 0, 119.9), Circle(180, 0, 60), False),
    (Circle(0, 0, 180), Circle(180, 0, 0.001), True),
    # Circles and boxes.
    (Circle(0, 89, 2), Box(170, 190, 88, 90), True),
    (Circle(0, 89, 0.9), Box(170, 190, 88, 90), False),
    (Circle(10, 0, 1), Box(11, 12, -1, 1), True),
    (Circle(10, 0, 1), Box(11.0001, 12, -1, 1), False),
    (Circle(10, 5, 1), Box(9, 11, 6, 7), True),
    (Circle(10, 5, 0.9999), Box(9, 11, 6, 7), False),
    (Circle(10, 80, 1), Box(0, 360, 81, 82), True),
    (Circle(0, 90, 1), Box(0, 360, 80, 85), False),
    (Circle(0, 90, 10), Box(0, 360, 80, 85), True),
    # Circles and polygons.
    (Circle(10.8, 60.5, 0.05), Polygon(HOOK), False),
    (Circle(10.8, 60.5, 0.21), Polygon(HOOK), True),
    (Circle(11, 60.15, 0.01), Polygon(HOOK), True),
    # In the tangent plane of the pole: tan(d) = tan(10) tan(20) / hypot(tan(10), tan(20)).
    (Circle(0, 90, 9.017), Polygon(((0, 80), (90, 70), (45, 70))), True),
    (Circle(0, 90, 9.016), Polygon(((0, 80), (90, 70), (45, 70))), False),
    # Boxes.
    (Box(0, 10, 0, 10), Box(10, 20, 10, 20), True),
    (Box(0, 10, 0, 10), Box(10.0001, 20, 0, 10), False),
    (Box(350, 10, 0, 10), Box(5, 355, 0, 10), True),
    (Box(350, 4, 0, 10), Box(5, 349, 0, 10), False),
    (Box(0, 10, 80, 90), Box(180, 190, 80, 90), True),
    (Box(0, 10, 80, 89.9), Box(180, 190, 80, 90), False),
    (Box(0, 360, 0, 10), Box(20, 30, 10, 20), True),
    (Box(0, 360, 0, 10), Box(20, 30, 10.0001, 20), False),
    # Boxes and polygons: a parallel is no great circle.
    (Box(0, 90, 50, 54), Polygon(((0, 45), (90, 45), (45, 44))), True),
    (Box(0, 90, 54.8, 60), Polygon(((0, 45), (90, 45), (45, 44))), False),
    (Box(0, 90, 54.7, 60), Polygon(((0, 45), (90, 45), (45, 44))), True),
    (Box(50, 90, 54.7, 60), Polygon(((0, 45), (90, 45), (45, 44))), False),
    (Box(0, 360, 54.7, 60), Polygon(((0, 45), (90, 45), (45, 44))), True),
    (Box(0, 360, 80, 81), Polygon(((0, 70), (120, 70), (240, 70))), True),
    (Box(0, 360, 89, 90), Polygon(((0, 70), (120, 70), (240, 70))), True),
    (Box(10, 11, 10, 11), Polygon(((0, 0), (30, 0), (10, 60))), True),
    (Box(0, 40, -10, 60), Polygon(((10, 0), (12, 0), (11, 1))), True),
    (Box(10.7, 13, 60.4, 60.6), Polygon(HOOK), False),
    (Box(10.5, 13, 60.4, 60.6), Polygon(HOOK), True),
    (Box(355, 5, -90, 90), Polygon(((350, 1), (10, 1), (10, 0.5))), True),
    # Polygons.
    (Polygon(HOOK), Polygon(((10.7, 60.4), (11, 60.4), (11, 60.6))), False),
    (Polygon(HOOK), Polygon(((10.5, 60.4), (11, 60.4), (11, 60.6))), True),
    (Polygon(HOOK), Polygon(((9, 59), (13, 59), (11, 62))), True),
    (Polygon(((0, 0), (1, 0), (1, 1))), Polygon(((1, 1), (2, 1), (2, 2))), True),
    (Polygon(((0, 0), (1, 0), (1, 1))), Polygon(((1, 0), (2, 0), (2, -1))), True),
    (Polygon(((0, 0), (1, 0), (1, 1))), Polygon(((180, 0), (181, 0), (181, -1))), False),
    (Polygon(((0, 0), (1, 0), (1, 1))), Polygon(((0.5, 0), (0.7, 0), (0.6, -1))), True),
    (Polygon(STAR), Polygon(regular(0.2, 5, 0.1)), True),
    (Polygon(regular(0, 90, 5)), Polygon(regular(0, 90, 0.1)), True),
    (Polygon(((0, -1), (0.1, -1), (0, 1))), Polygon(((-1, 0), (1, 0), (1, 0.1))), True),
    # Maps: cell 5 of order 0 goes from RA 45 to 135 along the equator.
    (Moc(((0, 5),)), Circle(90, 0, 1), True),
    (Moc(((0, 5),)), Circle(270, 0, 1), False),
    (Moc(((0, 5),)), Circle(44, 0, 0.99), False),
    (Moc(((0, 5),)), Circle(44, 0, 1.01), True),
    (Moc(((0, 5),)), Box(40, 45.001, -1, 1), True),
    (Moc(((0, 5),)), Box(40, 44.99, -1, 1), False),
    (Moc(((0, 5),)), Polygon(regular(90, 0, 1e-4)), True),
    (Moc(((0, 5),)), Polygon(((40, 5), (40, -5), (44.999, 0))), False),
    (Moc(((29, 5 * 4**29),)), Box(0, 360, -90, 0), True),
    (Moc(((29, 5 * 4**29),)), Circle(0, 0, 1), False),
    (Moc(((3, 5),)), Moc(((5, 5 * 16 + 3),)), True),
    (Moc(((3, 5),)), Moc(((5, 6 * 16),)), False),
]


@pytest.mark.parametrize(("one", "other", "expected"), HAND_MADE)
def test_by_hand(one, other, expected):
    assert overlaps(one, other) is expected
    assert overlaps(other, one) is expected
    far = Circle(300, -80, 0.001)
    assert overlaps(Union((far, one)), other) is expected
    assert overlaps(other, Union((one, far))) is expected


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_shape_overlaps_itself_and_the_sky(shape):
    assert overlaps(shape, shape)
    assert overlaps(shape, Box(0, 360, -90, 90))
    assert overlaps(Circle(77, 5, 180), shape)


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_with_a_common_point_overlap(name, everywhere):
    shape = SHAPES[name]
    near = rim(shape, 5000)
    ra, dec = (np.concatenate(axis) for axis in zip(everywhere, near, strict=True))
    inside = shape.contains(ra, dec)
    ra, dec = ra[inside], dec[inside]
    for other in SHAPES.values():
        if other.contains(ra, dec).any():
            assert overlaps(shape, other)


def near_pairs(rng, count):
    """Yield pairs of shapes about as far apart as they are large, with their MOCs by mocpy."""
    mocpy = pytest.importorskip("mocpy")
    places = [(0, 0), (33, 65), (180, -88), (0, 90), (45, 41.81)]
    for _ in range(count):
        ra, dec = places[rng.integers(len(places))]
        size = 10 ** rng.uniform(-2, 1)
        order = int(np.clip(round(9 - np.log2(size)), 0, 18))
        pair = []
        for _ in range(2):
            turn, away = rng.uniform(0, 360), 2.5 * size * rng.uniform(0, 1)
            here = SkyCoord(ra, dec, unit="deg").directional_offset_by(turn * u.deg, away * u.deg)
            shape = draw(rng, here.ra.deg, here.dec.deg, size)
            pair.append((shape, as_mocpy(mocpy, shape, order)))
        yield pair


def draw(rng, ra, dec, size):
    kind = rng.integers(4)
    if kind == 0:
        return Circle(ra, dec, size)
    if kind == 1:
        half = min(170, size / max(np.cos(np.radians(dec)), 0.01))
        return Box(ra - half, ra + half, max(dec - size, -90), min(dec + size, 90))
    if kind == 2:
        return Polygon(tuple(rectangle(ra, dec, size, 2 * size, rng.uniform(0, 360))))
    return Polygon(regular(ra, dec, size, 3, rng.uniform(0, 360)))


def as_mocpy(mocpy, shape, order):
    if isinstance(shape, Circle):
        return mocpy.MOC.from_cone(
            lon=shape.ra * u.deg,
            lat=shape.dec * u.deg,
            radius=shape.radius * u.deg,
            max_depth=order,
        )
    if isinstance(shape, Box):
        south, north = shape.dec_min, shape.dec_max
        corners = SkyCoord([(shape.ra_min % 360, south), (shape.ra_max % 360, north)], unit="deg")
        return mocpy.MOC.from_zone(corners, max_depth=order)
    longitude, latitude = np.array(shape.vertices).T * u.deg
    return mocpy.MOC.from_polygon(longitude, latitude, max_depth=order)


def test_what_mocpy_finds_apart_is_apart():
    n_apart = n_together = 0
    for (one, moc), (other, other_moc) in near_pairs(np.random.default_rng(8), 400):
        is_apart = moc.intersection(other_moc).empty()
        answer = overlaps(one, other)
        assert answer == overlaps(other, one)
        rng = np.random.default_rng(0)
        points = within(rng, one.bounding_circle(), 2000)
        is_shared = (one.contains(*points) & other.contains(*points)).any()
        n_apart += is_apart
        n_together += is_shared
        assert not (is_apart and answer)
        assert not is_shared or answer
    # The rest touch within a cell of mocpy's.
    assert n_apart > 80
    assert n_together > 150
    assert n_apart + n_together > 380


def within(rng, circle, count):
    center = SkyCoord(circle.ra, circle.dec, unit="deg")
    away = circle.radius * np.sqrt(rng.uniform(0, 1, count)) * u.deg
    points = center.directional_offset_by(rng.uniform(0, 360, count) * u.deg, away)
    return points.ra.deg, points.dec.deg


@pytest.mark.parametrize("value", ["CIRCLE 1 2 3", None, (1, 2, 3)])
def test_no_shape(value):
    with pytest.raises(InvalidQueryError, match="no shape"):
        overlaps(value, Circle(1, 2, 3))
    with pytest.raises(InvalidQueryError, match="no shape"):
        overlaps(Circle(1, 2, 3), value)
