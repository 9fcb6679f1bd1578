"""Shapes in the forms of other libraries, compared with what those make of them."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from regions import CircleSkyRegion, Regions

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.sky import (
    Box,
    Circle,
    Moc,
    Polygon,
    Union,
    as_shape,
    moc_of,
    parse_footprint,
    regions_of,
    stcs_of,
    write_ds9,
)
from tests.sky.places import CONVEX, HOOK, POLYGONS, UNIONS

SQUARE = ((10, 0), (11, 0), (11, 1), (10, 1))


def contains(region, ra, dec):
    """Say what the package regions takes for the inside of a polygon on the sphere."""
    return region.to_spherical_sky().contains(SkyCoord(ra, dec, unit="deg"))


@pytest.mark.parametrize("name", CONVEX)
@pytest.mark.parametrize("step", [1, -1])
def test_regions_takes_the_inside_for_the_inside(name, step):
    pytest.importorskip("regions", "0.12")
    shape = Polygon(CONVEX[name][::step])
    (region,) = regions_of(shape)
    middle = np.mean(shape.edges[0], axis=0)
    center = SkyCoord(*middle, representation_type="cartesian")
    ra, dec = center.spherical.lon.deg, center.spherical.lat.deg
    assert shape.contains(ra, dec)
    assert contains(region, ra, dec)
    assert not contains(region, ra + 180, -dec)


@pytest.mark.parametrize("step", [1, -1])
def test_text_is_counter_clockwise_as_the_standard_has_it(step):
    # With north up and east to the left: from the lower right corner up, then to the left.
    words = stcs_of(Polygon(SQUARE[::step])).split()
    assert words[:2] == ["POLYGON", "ICRS"]
    corners = list(zip(map(float, words[2::2]), map(float, words[3::2]), strict=True))
    start = corners.index((10, 0))
    assert corners[start:] + corners[:start] == [(10, 0), (10, 1), (11, 1), (11, 0)]


@pytest.mark.parametrize("name", POLYGONS)
def test_text_is_read_back_as_the_same_polygon(name):
    again = parse_footprint(stcs_of(POLYGONS[name]))
    turned = (again.vertices, again.vertices[::-1])
    assert POLYGONS[name].vertices in turned


def test_several_shapes_are_a_union():
    shape = Union((Circle(10, 20, 0.5), Polygon(SQUARE)))
    text = stcs_of(shape)
    assert text.startswith("UNION ICRS (CIRCLE 10.0 20.0 0.5 POLYGON ")
    again = parse_footprint(text)
    assert again.shapes[0] == Circle(10, 20, 0.5)
    assert [type(region).__name__ for region in regions_of(shape)] == [
        "CircleSkyRegion",
        "PolygonSkyRegion",
    ]


@pytest.mark.parametrize("ra", [10, 359.5])
def test_a_range_is_outlined_along_its_parallels(ra):
    box = Box(ra, ra + 20, 60, 61)
    (region,) = regions_of(box)
    rng = np.random.default_rng(2)
    where = (rng.uniform(ra - 2, ra + 22, 2000), rng.uniform(59.9, 61.1, 2000))
    ours = as_shape(region).contains(*where)
    differ = ours != box.contains(*where)
    # Great circles of a degree leave the parallel by 4 arcsec at most.
    assert box.boundary_distance(*where)[differ].max(initial=0) < 5 / 3600


@pytest.mark.parametrize(
    "shape", [Box(0, 360, -10, 10), Box(0, 20, 80, 90), Box(0, 200, 0, 1), Moc(((3, 5),))]
)
def test_what_has_no_outline_is_refused(shape):
    for export in (regions_of, stcs_of):
        with pytest.raises(InvalidQueryError, match="no outline"):
            export(shape)


def test_labels_are_kept_apart_from_the_region():
    (region,) = regions_of(Circle(1, 2, 3), "M 31")
    assert isinstance(region, CircleSkyRegion)
    assert region.meta["text"] == "M 31"
    assert "text" not in regions_of(Circle(1, 2, 3))[0].meta


@pytest.mark.parametrize("vertices", [SQUARE, HOOK, CONVEX["north pole"], CONVEX["RA 0"]])
def test_a_moc_covers_a_shape_and_little_else(vertices):
    pytest.importorskip("mocpy")
    shape, depth = Polygon(vertices), 11
    moc = moc_of([shape], depth)
    rng = np.random.default_rng(3)
    circle = shape.bounding_circle()
    there = SkyCoord(circle.ra, circle.dec, unit="deg").directional_offset_by(
        rng.uniform(0, 360, 3000) * u.deg, rng.uniform(0, 1.3 * circle.radius, 3000) * u.deg
    )
    ra, dec = there.ra.deg, there.dec.deg
    covered, inside = moc.contains_skycoords(there), shape.contains(ra, dec)
    assert covered[inside].all()
    # The diagonal of a cell is no longer than two of its sides.
    spare = covered & ~inside
    assert shape.boundary_distance(ra, dec)[spare].max() < 2 * 58.63 / 2**depth


def test_the_moc_of_several_shapes_is_their_union():
    mocpy = pytest.importorskip("mocpy")
    chips = UNIONS["chips"]
    circle = Circle(200, -70, 0.3)
    parts = [moc_of([shape], 13) for shape in (*chips.shapes, circle)]
    assert moc_of([chips, circle, circle], 13) == parts[0].union(*parts[1:])
    assert moc_of([], 13) == mocpy.MOC.new_empty(13)


def test_a_file_of_regions_keeps_strange_names(tmp_path):
    path = tmp_path / "a.reg"
    names = ["M 31", "A;B", "{x}", "#3", "Barnard's star", 'the "eye"', "two\nlines", "α Cen", ""]
    circles = [Circle(ra, 0, 0.1) for ra in range(len(names))]
    where = SkyCoord(np.zeros(len(names)), np.zeros(len(names)), unit="deg")
    write_ds9(path, circles, where, names)
    back = Regions.read(path, format="ds9")
    assert [round(region.center.ra.deg) for region in back] == list(range(len(names)))
    labels = [str(region.meta.get("text", "")) for region in back]
    assert labels == [
        "M 31",
        "A B",
        "x",
        "3",
        "Barnard's star",
        'the "eye"',
        "two lines",
        "α Cen",
        "",
    ]
