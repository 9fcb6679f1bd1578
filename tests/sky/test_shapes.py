"""Circles, boxes and unions, against astropy."""

import pickle

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import Angle, SkyCoord

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.sky import Box, Circle, Polygon, Union

from .places import BOXES, CIRCLES, SHAPES, UNIONS, rim


def joined(*positions):
    return tuple(np.concatenate(axis) for axis in zip(*positions, strict=True))


@pytest.mark.parametrize("circle", CIRCLES.values(), ids=CIRCLES)
def test_circles_hold_what_is_near(circle, everywhere):
    ra, dec = joined(everywhere, rim(circle, 20_000))
    center = SkyCoord(circle.ra, circle.dec, unit="deg")
    away = center.separation(SkyCoord(ra, dec, unit="deg")).deg - circle.radius
    # In whose last bits the rim itself lies.
    clear = np.abs(away) > 2e-13
    np.testing.assert_array_equal(circle.contains(ra, dec)[clear], (away <= 0)[clear])


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
def test_boxes_hold_a_range(box, everywhere):
    ra, dec = joined(everywhere, rim(box, 20_000))
    east = Angle(ra, "deg").wrap_at((box.ra_min + 360) * u.deg).deg
    end = Angle(box.ra_max, "deg").wrap_at((box.ra_min + 360) * u.deg).deg
    spans = (east <= end) | (box.ra_max - box.ra_min >= 360) | (np.abs(dec) == 90)
    # Wrapping rounds, so that the very edge is left to the next test.
    clear = (np.abs(east - end) > 1e-12) & (np.abs(east - box.ra_min) > 1e-12)
    clear &= np.abs(east - box.ra_min - 360) > 1e-12
    expected = spans & (dec >= box.dec_min) & (dec <= box.dec_max)
    np.testing.assert_array_equal(box.contains(ra, dec)[clear], expected[clear])


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
def test_boxes_hold_their_edges(box):
    assert box.contains(*box.corners.T).all()
    assert box.contains(box.corners[:, 0] - 360, box.corners[:, 1]).all()


def test_boxes_across_zero():
    box = Box(350, 10, -5, 5)
    assert box == Box(350.0, 10.0, -5.0, 5.0)
    assert box.width == 20
    assert box.contains([350, 0, 360, 10, -10, 349.999, 10.001, 180], 0).tolist() == (
        [True] * 5 + [False] * 3
    )
    assert not box.is_ring
    assert Box(-10, 10, -5, 5).contains(355, 0)


def test_a_pole_belongs_to_whatever_reaches_it():
    box = Box(350, 20, 85, 90)
    assert box.contains([0, 100, 200], 90).all()
    assert not box.contains(100, 89.9999)
    assert not box.contains(100, -90)


def test_open_limits():
    inf = float("inf")
    assert Box.from_limits(-inf, inf, 89, inf) == Box(0, 360, 89, 90)
    assert Box.from_limits(12, inf, -inf, 5) == Box(12, 360, -90, 5)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_bounding_circles_hold_their_shapes(shape, everywhere):
    ra, dec = joined(everywhere, rim(shape, 20_000))
    inside = shape.contains(ra, dec)
    assert shape.bounding_circle().contains(ra[inside], dec[inside]).all()


@pytest.mark.parametrize(
    ("shape", "most"),
    [
        (Box(359, 1, -1, 1), 1.5),
        (Box(0, 360, 89, 90), 1.001),
        (Box(0, 360, -90, -89), 1.001),
        (Polygon(((0, 89), (120, 89), (240, 89))), 1.001),
        (UNIONS["chips"], 0.06),
    ],
)
def test_bounding_circles_are_not_much_too_large(shape, most):
    assert shape.bounding_circle().radius < most


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_shapes_are_values(shape):
    twin = pickle.loads(pickle.dumps(shape))
    assert twin == shape
    assert hash(twin) == hash(shape)
    with pytest.raises(AttributeError):
        shape.ra = 1


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_arrays_of_any_shape(shape):
    assert shape.contains(0.0, 0.0).shape == ()
    assert shape.contains(np.zeros((2, 1)), np.zeros(3)).shape == (2, 3)
    assert shape.contains([], []).shape == (0,)
    assert not shape.contains([np.nan, np.nan, 0], [0, np.nan, np.nan]).any()


def test_unions_hold_what_one_of_them_holds(everywhere):
    union = UNIONS["mixed"]
    expected = np.any([part.contains(*everywhere) for part in union.shapes], axis=0)
    np.testing.assert_array_equal(union.contains(*everywhere), expected)
    assert Union((union, Circle(1, 2, 3))).shapes == (*union.shapes, Circle(1, 2, 3))


@pytest.mark.parametrize(
    ("kind", "values", "word"),
    [
        (Circle, (0, 91, 1), "91"),
        (Circle, (0, 0, 0), "radius=0"),
        (Circle, (0, 0, 180.1), "180.1"),
        (Circle, (float("nan"), 0, 1), "nan"),
        (Circle, (0, 0, float("nan")), "nan"),
        (Circle, ("here", 0, 1), "'here'"),
        (Circle, (None, 0, 1), "None"),
        (Box, (0, 1, 2, 1), "smaller one first"),
        (Box, (0, 1, -91, 1), "-91"),
        (Box, (0, float("inf"), 0, 1), "inf"),
        (Box, (0, 1, float("nan"), 1), "nan"),
        (Union, ((),), "empty"),
        (Union, (("CIRCLE 1 2 3",),), "CIRCLE 1 2 3"),
    ],
)
def test_what_does_not_exist_is_refused(kind, values, word):
    with pytest.raises(InvalidQueryError, match=word):
        kind(*values)
