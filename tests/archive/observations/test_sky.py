"""Positions, footprints and regions."""

import json
import math

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, Table

from astro_paperclip.archive.observations.sky import box, overlapping, separations, surrounding
from astro_paperclip.criteria import Cone
from astro_paperclip.sky import as_shape, parse_footprint


def polygon(*corners):
    return "POLYGON ICRS " + " ".join(f"{ra} {dec}" for ra, dec in corners)


SQUARE = polygon((10, 60), (11, 60), (11, 60.5), (10, 60.5))
TURNED = polygon((10, 60), (10, 60.5), (11, 60.5), (11, 60))
# A letter C that opens to the east.
HOOK = polygon((10, 0), (11, 0), (11, 0.3), (10.3, 0.3), (10.3, 0.7), (11, 0.7), (11, 1), (10, 1))


@pytest.mark.parametrize(
    ("region", "footprint", "expected"),
    [
        ("CIRCLE 10.5 60.25 0.01", SQUARE, True),  # within
        ("CIRCLE 10.5 60.25 0.01", TURNED, True),
        ("CIRCLE 10.5 60.25 5", SQUARE, True),  # around
        ("CIRCLE 9.9 60.25 0.04", SQUARE, False),  # 0.1 deg of right ascension are 0.05 here
        ("CIRCLE 9.9 60.25 0.06", SQUARE, True),
        ("CIRCLE 190.5 -60.25 5", SQUARE, False),  # the antipode
        ("CIRCLE 10.8 0.5 0.05", HOOK, False),  # in the bay
        ("CIRCLE 10.8 0.5 0.25", HOOK, True),
        (SQUARE, HOOK, False),
        (SQUARE, TURNED, True),
        (polygon((10.2, 60.1), (10.4, 60.1), (10.3, 60.2)), SQUARE, True),
        (SQUARE, polygon((10.2, 60.1), (10.4, 60.1), (10.3, 60.2)), True),
        # Two bars that cross: no corner of one is in the other.
        (polygon((9, 60.2), (12, 60.2), (12, 60.3), (9, 60.3)), SQUARE, True),
        (polygon((359.9, -0.1), (0.1, -0.1), (0.1, 0.1), (359.9, 0.1)), "CIRCLE 0 0 0.01", True),
        (polygon((359.9, -0.1), (0.1, -0.1), (0.1, 0.1), (359.9, 0.1)), "CIRCLE 180 0 1", False),
        (polygon((0, 89), (120, 89), (240, 89)), "CIRCLE 77 90 0.01", True),
        ("CIRCLE 10 0 1", "CIRCLE 12.1 0 1.0", False),
        ("CIRCLE 10 0 1", "CIRCLE 11.9 0 1.0", True),
    ],
)
def test_overlap(region, footprint, expected):
    table = Table({"s_region": [footprint], "s_ra": [0.0], "s_dec": [0.0]})
    assert overlapping(as_shape(region), table).tolist() == [expected]


def test_an_edge_is_a_great_circle():
    # The arc from (0, 60) to (90, 60) rises to a declination of 67.8 in the middle.
    summit = math.degrees(math.atan(math.tan(math.radians(60)) / math.cos(math.radians(45))))
    footprint = polygon((0, 60), (90, 60), (45, 75))
    table = Table({"s_region": [footprint], "s_ra": [45.0], "s_dec": [65.0]})
    for offset, expected in [(-0.2, False), (-0.05, True), (0.05, True)]:
        region = as_shape(f"CIRCLE 45 {summit + offset} 0.1")
        assert overlapping(region, table).tolist() == [expected]


def test_without_a_footprint_the_position_counts():
    table = Table(
        {
            "s_region": MaskedColumn(["", "no shape", ""], mask=[True, False, True]),
            "s_ra": MaskedColumn([10.0, 10.0, 10.0], mask=[False, False, True]),
            "s_dec": [20.0, 21.0, 20.0],
        }
    )
    assert overlapping(as_shape("CIRCLE 10 20 0.1"), table).tolist() == [True, False, False]


def test_surroundings_hold_every_recorded_footprint(shared):
    path = shared / "data" / "mast_records" / "astroquery" / "caom.json"
    for row in json.loads(path.read_text())["data"]:
        center = surrounding(parse_footprint(row["s_region"]))
        here = SkyCoord(center.ra, center.dec, unit="deg")
        assert here.separation(SkyCoord(row["s_ra"], row["s_dec"], unit="deg")) < 0.05 * u.deg


@pytest.mark.parametrize(
    "cone",
    [
        Cone(0.05, 10, 1),
        Cone(200, -60, 3),
        Cone(30, 89.5, 1),
        Cone(10, -90, 2),
        Cone(359.9, 0, 1),
        Cone(10, 20, 100),
        Cone(77, 45, 0.001),
    ],
)
def test_a_box_holds_its_cone(cone):
    rng = np.random.default_rng(0)
    bearings = rng.uniform(0, 360, 500) * u.deg
    distances = np.sqrt(rng.uniform(0, 1, 500)) * cone.radius * u.deg
    distances[:50] = cone.radius * u.deg
    points = SkyCoord(cone.ra, cone.dec, unit="deg").directional_offset_by(bearings, distances)
    (south, north), turns = box(cone)
    assert ((points.dec.deg >= south) & (points.dec.deg <= north)).all()
    within = [(points.ra.deg >= low) & (points.ra.deg <= high) for low, high in turns]
    assert np.any(within, axis=0).all()


def test_a_box_is_small():
    (south, north), turns = box(Cone(0.0, 60.0, 1.0))
    assert (south, north) == pytest.approx((59, 61))
    assert turns == [(0.0, pytest.approx(2.0, abs=0.01)), (pytest.approx(358, abs=0.01), 360.0)]


def test_separations():
    table = Table({"s_ra": MaskedColumn([0.0, 10.0, 1], mask=[0, 0, 1]), "s_dec": [0.0, 0, 0]})
    np.testing.assert_allclose(separations(table, 359.0, 0.0), [1.0, 11.0, np.nan])
