"""Footprints as archives write them."""

import contextlib
import json

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import example, given
from hypothesis import strategies as st

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.sky import Box, Circle, Polygon, Shape, Union, overlaps, parse_footprint

TRIANGLE = Polygon(((23.1, 60.6), (23.2, 60.6), (23.2, 60.7)))
SQUARE = Polygon(((1, 2), (3, 2), (3, 4), (1, 4)))
DISC = Circle(1, 2, 0.3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("POLYGON GSC1  23.1  60.6 23.2  60.6  23.2  60.7  23.1  60.6", TRIANGLE),
        ("POLYGON J2000 23.1 60.6 23.2 60.6 23.2 60.7", TRIANGLE),
        ("Polygon ICRS 23.10 +60.6 2.32e1 60.6 23.2 60.7", TRIANGLE),
        ("polygon 23.1,60.6,23.2,60.6,23.2,60.7", TRIANGLE),
        ("POLYGON FK5 GEOCENTER 23.1 60.6 23.2 60.6 23.2 60.7 ", TRIANGLE),
        ("POLYGON ICRS TOPOCENTER SPHERICAL2 23.1 60.6 23.2 60.6 23.2 60.7", TRIANGLE),
        ("POLYGON UNKNOWNFrame 23.1 60.6 23.2 60.6 23.2 60.7", TRIANGLE),
        ("POLYGON none 23.1 60.6 23.2 60.6 23.2 60.7", TRIANGLE),
        ("POLYGON ICRS -359 2 363 2 3 4 1 4", SQUARE),
        ("CIRCLE ICRS  23.49019638  60.66013142 0.625", Circle(23.49019638, 60.66013142, 0.625)),
        ("circle 1 2 .3", DISC),
        ("RANGE 350 10 -5 5", Box(350, 10, -5, 5)),
        ("RANGE 0 360 89 +Inf", Box(0, 360, 89, 90)),
        ("POLYGON 1 2 3 2 3 4 1 4 CIRCLE 1 2 0.3", Union((SQUARE, DISC))),
        ("UNION ICRS (POLYGON 1 2 3 2 3 4 1 4 CIRCLE 1 2 3e-1)", Union((SQUARE, DISC))),
        (
            "UNION (CIRCLE 1 2 .3 UNION ( CIRCLE 1 2 .3 ) POLYGON FK5 1 2 3 2 3 4 1 4)",
            Union((DISC, DISC, SQUARE)),
        ),
        ("UNION(CIRCLE 1 2 .3)", DISC),
        (
            "Polygon ICRS 1 2 3 2 3 4 1 4 1 2 Polygon ICRS 1 2 3 2 3 4 1 4 1 2",
            Union((SQUARE, SQUARE)),
        ),
    ],
)
def test_what_archives_write(text, expected):
    assert parse_footprint(text) == expected


def test_galactic_coordinates_are_converted():
    center = SkyCoord(0, 0, unit="deg", frame="galactic").icrs
    circle = parse_footprint("CIRCLE GALACTIC 0 0 0.5")
    assert (circle.ra, circle.dec) == pytest.approx((center.ra.deg, center.dec.deg), abs=1e-12)
    assert circle.radius == 0.5
    square = parse_footprint("UNION GALACTIC (POLYGON 359 -1 1 -1 1 1 359 1)")
    assert square.contains(center.ra.deg, center.dec.deg)
    corner = SkyCoord(0.99, 0.99, unit="deg", frame="galactic").icrs
    assert square.contains(corner.ra.deg, corner.dec.deg)
    inner = parse_footprint("UNION GALACTIC (CIRCLE ICRS 1 2 0.3)")
    assert inner == DISC


def test_boxes_are_as_wide_and_high_as_they_say():
    box = parse_footprint("BOX ICRS 10 60 4 2")
    center = SkyCoord(10, 60, unit="deg")
    for turn, size in ((0, 1), (90, 2), (180, 1), (270, 2)):
        for share, expected in ((0.999999, True), (1.000001, False)):
            point = center.directional_offset_by(turn * u.deg, size * share * u.deg)
            assert box.contains(point.ra.deg, point.dec.deg) == expected
    assert parse_footprint("BOX 0 90 1 1").contains(123, 90)


def test_every_recorded_footprint_is_read(shared):
    path = shared / "data" / "mast_records" / "astroquery" / "caom.json"
    for row in json.loads(path.read_text())["data"]:
        shape = parse_footprint(row["s_region"])
        circle = shape.bounding_circle()
        position = SkyCoord(row["s_ra"], row["s_dec"], unit="deg")
        assert SkyCoord(circle.ra, circle.dec, unit="deg").separation(position) < 0.05 * u.deg
        assert overlaps(shape, Circle(row["s_ra"], row["s_dec"], 0.02))
        text = row["s_region"].split()
        if text[0] == "POLYGON":
            numbers = np.array(text[2:], dtype=float).reshape(-1, 2)
            assert shape.vertices == tuple(map(tuple, numbers[:-1].tolist()))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no shape in it"),
        ("   ", "no shape in it"),
        ("no shape", "'NO' is no shape"),
        ("POLYGON", "three pairs"),
        ("POLYGON ICRS 1 2 3 4", "three pairs"),
        ("POLYGON ICRS 1 2 3 4 5 6 7", "three pairs"),
        ("POLYGON ICRS 1 2 1 2 1 2", "three different"),
        ("POLYGON ICRS 1 2 3 4 5 96", "96"),
        ("POLYGON ICRS 0 0 120 0 240 0", "hemisphere"),
        ("POLYGON ECLIPTIC 1 2 3 4 5 6", "'ECLIPTIC' is no frame"),
        ("POLYGON FK4 1 2 3 4 5 6", "'FK4' is no frame"),
        ("CIRCLE ICRS 1 2", "3 numbers, not 2"),
        ("CIRCLE ICRS 1 2 3 4", "3 numbers, not 4"),
        ("CIRCLE ICRS 1 2 -3", "radii"),
        ("CIRCLE ICRS 1 2 nan", "not 2"),
        ("CIRCLE ICRS 1 2 inf", "radii"),
        ("CIRCLE GALACTIC 1 92 3", "latitudes"),
        ("CIRCLE ICRS 1 2 3 and more", "'AND' is no shape"),
        ("CIRCLE ICRS 1 2 3x", "cannot be read"),
        ("CIRCLE ICRS 1 2 3 ; DROP", "cannot be read"),
        ("BOX ICRS 1 2 3", "4 numbers"),
        ("BOX ICRS 1 2 3 180", "no rectangle"),
        ("RANGE 1 2 4 3", "smaller one first"),
        ("RANGE GALACTIC 1 2 3 4", "equatorial"),
        ("UNION CIRCLE 1 2 3", "brackets"),
        ("UNION ()", "no shape in it"),
        ("UNION (CIRCLE 1 2 3", "do not match"),
        ("CIRCLE 1 2 3)", "do not match"),
        ("UNION (" * 100 + "CIRCLE 1 2 3" + ")" * 100, "in brackets"),
        ("ELLIPSE ICRS 1 2 3 4 5", "'ELLIPSE' is no shape"),
        ("NOT (CIRCLE 1 2 3)", "'NOT' is no shape"),
        ("5 6 7", "'5' is no shape"),
    ],
)
def test_what_cannot_be_read_is_refused(text, reason):
    with pytest.raises(InvalidQueryError, match=reason) as caught:
        parse_footprint(text)
    assert repr(text)[:200] in str(caught.value)


@pytest.mark.parametrize("value", [None, 5, b"CIRCLE 1 2 3", float("nan"), np.ma.masked])
def test_what_is_no_text_is_refused(value):
    with pytest.raises(InvalidQueryError, match="text in STC-S"):
        parse_footprint(value)


WORDS = st.sampled_from(["POLYGON", "CIRCLE", "BOX", "RANGE", "UNION", "ICRS", "GALACTIC"])
NUMBERS = st.sampled_from(["(", ")", ",", "0", "1", "-2.5", "90", "360", "1e400", "Inf", "NaN"])


@given(st.one_of(st.text(max_size=60), st.lists(WORDS | NUMBERS, max_size=15).map(" ".join)))
@example("CIRCLE 1 2 ٣")
@example("\x00")
@example("BOX GALACTIC 1e400 90 1 1")
@example("BOX ICRS 1e400 90 1 1")
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(InvalidQueryError):
        assert isinstance(parse_footprint(text), Shape)


DECLINATIONS = st.floats(-90, 90).map(lambda number: round(number, 8))


@st.composite
def shapes(draw):
    """Draw a shape with its text."""
    kind = draw(st.sampled_from(["CIRCLE", "POLYGON"]))
    frame = draw(st.sampled_from(["", "ICRS ", "gsc1 ", "J2000 "]))
    ra, dec = draw(st.floats(0, 359)), draw(DECLINATIONS)
    if kind == "CIRCLE":
        radius = draw(st.floats(1e-6, 180))
        return Circle(ra, dec, radius), f"{kind} {frame}{ra!r} {dec!r} {radius!r}"
    top = dec + 1 if dec < 0 else dec - 1
    shape = Polygon(((ra, dec), (ra + 1, dec), (ra + 0.5, top)))
    numbers = " ".join(f"{a!r} {b!r}" for a, b in (*shape.vertices, shape.vertices[0]))
    return shape, f"{kind.title()} {frame} {numbers}"


@given(st.lists(shapes(), min_size=1, max_size=4), st.booleans())
def test_shapes_come_back(drawn, in_union):
    parts, texts = zip(*drawn, strict=True)
    text = " ".join(texts)
    expected = parts[0] if len(parts) == 1 else Union(parts)
    assert parse_footprint(f"Union ICRS ({text})" if in_union else text) == expected
