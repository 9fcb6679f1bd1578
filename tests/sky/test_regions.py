"""Regions in every form."""

import numpy as np
import pytest
import regions
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.sky import Box, Circle, Moc, Polygon, Union, as_shape

CENTER = SkyCoord(10, 60, unit="deg")
TRIANGLE = Polygon(((10, 60), (11, 60), (11, 61)))


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        (TRIANGLE, TRIANGLE),
        ((10, 20, 0.5), Circle(10, 20, 0.5)),
        ([10, 20, 0.5], Circle(10, 20, 0.5)),
        (np.array([10, 20, 0.5]), Circle(10, 20, 0.5)),
        ((350, 10, -5, 5), Box(350, 10, -5, 5)),
        ((-np.inf, np.inf, 5, np.inf), Box(0, 360, 5, 90)),
        ((10, 60, 11, 60, 11, 61), TRIANGLE),
        ("CIRCLE GSC1 10 20 0.5", Circle(10, 20, 0.5)),
        ("POLYGON 10 60 11 60 11 61", TRIANGLE),
        ("RANGE 350 10 -5 5", Box(350, 10, -5, 5)),
        ("5/12-14 6/101", Moc.from_text("5/12-14 6/101")),
        (" s3/5,7 ", Moc(((3, 5), (3, 7)))),
        ([(10, 20, 0.5), "POLYGON 10 60 11 60 11 61"], Union((Circle(10, 20, 0.5), TRIANGLE))),
        (regions.CircleSkyRegion(CENTER, 30 * u.arcmin), Circle(10, 60, 0.5)),
        (regions.PolygonSkyRegion(SkyCoord([10, 11, 11], [60, 60, 61], unit="deg")), TRIANGLE),
        (
            regions.Regions([regions.CircleSkyRegion(CENTER, 1 * u.deg)] * 2),
            Union((Circle(10, 60, 1), Circle(10, 60, 1))),
        ),
    ],
)
def test_forms(region, expected):
    assert as_shape(region) == expected


@pytest.mark.parametrize("frame", ["galactic", "fk5", "fk4"])
def test_other_frames_are_converted(frame):
    circle = as_shape(regions.CircleSkyRegion(CENTER.transform_to(frame), 1 * u.deg))
    assert (circle.ra, circle.dec) == pytest.approx((10, 60), abs=1e-9)
    corners = SkyCoord(TRIANGLE.vertices, unit="deg").transform_to(frame)
    triangle = as_shape(regions.PolygonSkyRegion(corners))
    np.testing.assert_allclose(triangle.vertices, TRIANGLE.vertices, atol=1e-9)


@pytest.mark.parametrize("frame", ["icrs", "galactic"])
@pytest.mark.parametrize("angle", [0, 30, 115, -200])
def test_rectangles_are_turned_as_regions_turns_them(frame, angle):
    center = CENTER.transform_to(frame)
    region = regions.RectangleSkyRegion(center, 2 * u.deg, 1 * u.deg, angle * u.deg)
    wcs = WCS(naxis=2)
    axes = ("RA---TAN", "DEC--TAN") if frame == "icrs" else ("GLON-TAN", "GLAT-TAN")
    wcs.wcs.ctype = axes
    wcs.wcs.crval = center.spherical.lon.deg, center.spherical.lat.deg
    wcs.wcs.cdelt = -0.001, 0.001
    rng = np.random.default_rng(0)
    turn, away = rng.uniform(0, 360, 5000) * u.deg, rng.uniform(0, 1.3, 5000) * u.deg
    points = CENTER.directional_offset_by(turn, away)
    expected = region.contains(points.transform_to(frame), wcs)
    shape = as_shape(region)
    # regions takes sizes for lengths in the plane, which stretches them by 1e-4 here.
    clear = shape.boundary_distance(points.ra.deg, points.dec.deg) > 3e-4
    assert np.count_nonzero(clear) > 4900
    np.testing.assert_array_equal(
        shape.contains(points.ra.deg, points.dec.deg)[clear], expected[clear]
    )


def test_spherical_regions():
    if not hasattr(regions, "CircleSphericalSkyRegion"):
        pytest.skip("this version of regions has no spherical regions")
    circle = regions.CircleSphericalSkyRegion(CENTER, 1 * u.deg)
    assert as_shape(circle) == Circle(10, 60, 1)
    corners = SkyCoord(TRIANGLE.vertices, unit="deg")
    assert as_shape(regions.PolygonSphericalSkyRegion(corners)).contains(10.9, 60.5)


def test_angles():
    assert as_shape([10, 60, 1] * u.deg) == Circle(10, 60, 1)
    assert as_shape([600, 3600, 60] * u.arcmin) == Circle(10, 60, 1)


@pytest.mark.parametrize("value", [3 * u.deg, [1, 2, 3] * u.m, np.array(5), np.ma.masked])
def test_arrays_that_are_no_region(value):
    with pytest.raises(InvalidQueryError, match="no region of the sky"):
        as_shape(value)


def test_mocpy():
    mocpy = pytest.importorskip("mocpy")
    moc = mocpy.MOC.from_string("5/12-14 6/101")
    assert as_shape(moc) == Moc.from_text("5/12-14 6/101")


def test_files(tmp_path):
    path = tmp_path / "field.reg"
    path.write_text("icrs\ncircle(10, 60, 0.5)\npolygon(10, 60, 11, 60, 11, 61)\n")
    expected = Union((Circle(10, 60, 0.5), TRIANGLE))
    assert as_shape(path) == expected
    assert as_shape(str(path)) == expected


def test_files_of_mocs(tmp_path):
    mocpy = pytest.importorskip("mocpy")
    path = tmp_path / "field.fits"
    mocpy.MOC.from_string("5/12-14 6/101").save(path, "fits")
    assert as_shape(path) == as_shape(str(path)) == Moc.from_text("5/12-14 6/101")


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("a.reg", None, "no file"),
        ("a.fits", None, "no file"),
        ("a.txt", "circle", "neither"),
        ("a.reg", "icrs\n", "no region in"),
        ("a.reg", "icrs\ncircle(10, sixty, 0.5)\n", "DS9"),
        ("a.reg", "icrs\n-circle(10, 60, 0.5)\n", "left out"),
        ("a.reg", "icrs\nellipse(10, 60, 1, 2, 3)\n", "Ellipse"),
        ("a.reg", "image\ncircle(10, 60, 1)\n", "pixels"),
        ("a.fits", "no FITS", "FITS"),
    ],
)
def test_files_that_are_no_region(tmp_path, name, text, word):
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidQueryError, match=word):
        as_shape(path)


@pytest.mark.parametrize(
    ("region", "word"),
    [
        (None, "no region of the sky"),
        (5, "no region of the sky"),
        ((), "no region of the sky"),
        ({}, "no region of the sky"),
        (CENTER, "no region of the sky"),
        ((1, 2), "2 numbers"),
        ((1, 2, 3, 4, 5), "5 numbers"),
        ((1, 2, 3, 4, 5, 6, 7), "7 numbers"),
        ((1, 2, -3), "radii"),
        ("M 51", "'M' is no shape"),
        (["CIRCLE 1 2 3", None], "None"),
        (regions.Regions([]), "no region of the sky"),
        (regions.EllipseSkyRegion(CENTER, 1 * u.deg, 2 * u.deg), "Ellipse"),
        (regions.CircleAnnulusSkyRegion(CENTER, 1 * u.deg, 2 * u.deg), "Annulus"),
        (regions.CirclePixelRegion(regions.PixCoord(1, 2), 3), "to_sky"),
        (regions.PointSkyRegion(CENTER), "Point"),
    ],
)
def test_what_is_no_region_is_refused(region, word):
    with pytest.raises(InvalidQueryError, match=word):
        as_shape(region)
