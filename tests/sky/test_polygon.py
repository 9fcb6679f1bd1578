"""Polygons, against half-spaces, winding angles and mocpy."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.sky import Polygon

from .places import CONCAVE, CONVEX, HOOK, POLYGONS, regular, rim

SURE = 1e-11
"""Positions that are nearer to an edge [deg] are left to the polygon's own tolerance."""


def places(polygon, everywhere):
    """Return positions all over the sky, many in the polygon's circle, and some at its rim."""
    rng = np.random.default_rng(7)
    circle = polygon.bounding_circle()
    center = SkyCoord(circle.ra, circle.dec, unit="deg")
    away = circle.radius * np.sqrt(rng.uniform(0, 1, 20_000))
    near = center.directional_offset_by(rng.uniform(0, 360, 20_000) * u.deg, away * u.deg)
    parts = [everywhere, (near.ra.deg, near.dec.deg), rim(polygon, 20_000)]
    return [np.concatenate(axis) for axis in zip(*parts, strict=True)]


def vectors(ra, dec):
    return SkyCoord(ra, dec, unit="deg").cartesian.xyz.value.T


def turns(polygon, ra, dec):
    """Return how often the vertices go round each position, by its position angles."""
    here = SkyCoord(ra, dec, unit="deg")
    vertices = SkyCoord(*np.array(polygon.vertices).T, unit="deg")
    angles = [here.position_angle(vertex).rad for vertex in [*vertices, vertices[0]]]
    steps = (np.diff(angles, axis=0) + np.pi) % (2 * np.pi) - np.pi
    return np.round(steps.sum(axis=0) / (2 * np.pi)).astype(int)


@pytest.mark.parametrize("name", CONVEX)
def test_convex_polygons_lie_on_one_side_of_each_edge(name, everywhere):
    polygon = Polygon(CONVEX[name])
    ra, dec = places(polygon, everywhere)
    corners, points = vectors(*np.array(CONVEX[name]).T), vectors(ra, dec)
    normals = np.cross(corners, np.roll(corners, -1, axis=0) - corners)
    heights = points @ (normals / np.linalg.norm(normals, axis=1)[:, None]).T
    # Whichever way round the vertices go.
    expected = (heights > 0).all(axis=1) | (heights < 0).all(axis=1)
    within = points @ vectors(*centers_of(polygon)) > 0
    clear = (np.abs(heights) > np.radians(SURE)).all(axis=1)
    assert np.count_nonzero(clear) > 100_000
    assert (expected & within & clear).any()
    np.testing.assert_array_equal(polygon.contains(ra, dec)[clear], (expected & within)[clear])


def centers_of(polygon):
    circle = polygon.bounding_circle()
    return circle.ra, circle.dec


@pytest.mark.parametrize("name", POLYGONS)
def test_an_odd_number_of_turns_goes_round_what_is_inside(name, everywhere):
    polygon = POLYGONS[name]
    ra, dec = places(polygon, everywhere)
    clear = polygon.boundary_distance(ra, dec) > 1e-9
    ra, dec = ra[clear], dec[clear]
    assert len(ra) > 100_000
    within = vectors(ra, dec) @ vectors(*centers_of(polygon)) > 0
    expected = (turns(polygon, ra, dec) % 2 == 1) & within
    np.testing.assert_array_equal(polygon.contains(ra, dec), expected)


# mocpy 0.21 has other rules for lines that cross, and lets the meridians of the octant run on.
@pytest.mark.parametrize("name", sorted(set(POLYGONS) - {"arcsecond", "bow tie", "octant"}))
def test_mocpy_agrees_away_from_the_edges(name, everywhere):
    mocpy = pytest.importorskip("mocpy")
    polygon = POLYGONS[name]
    ra, dec = places(polygon, everywhere)
    order = 10
    moc = mocpy.MOC.from_polygon(*(np.array(polygon.vertices).T * u.deg), max_depth=order)
    clear = polygon.boundary_distance(ra, dec) > np.degrees(2 / 2**order)
    expected = moc.contains_lonlat(ra[clear] * u.deg, dec[clear] * u.deg)
    np.testing.assert_array_equal(polygon.contains(ra, dec)[clear], expected)


@pytest.mark.parametrize("name", POLYGONS)
def test_order_and_start_do_not_matter(name, everywhere):
    polygon = POLYGONS[name]
    ra, dec = everywhere
    turned = Polygon(polygon.vertices[::-1])
    moved = Polygon((*polygon.vertices[2:], *polygon.vertices[:2]))
    clear = polygon.boundary_distance(ra, dec) > SURE
    for other in (turned, moved):
        np.testing.assert_array_equal(
            polygon.contains(ra, dec)[clear], other.contains(ra, dec)[clear]
        )


@pytest.mark.parametrize("name", POLYGONS)
def test_vertices_and_edges_belong_to_it(name):
    polygon = POLYGONS[name]
    corners = SkyCoord(*np.array(polygon.vertices).T, unit="deg")
    assert polygon.contains(*np.array(polygon.vertices).T).all()
    following = corners[np.r_[1 : len(corners), 0]]
    middles = corners.directional_offset_by(
        corners.position_angle(following), corners.separation(following) / 2
    )
    assert (polygon.boundary_distance(middles.ra.deg, middles.dec.deg) < 1e-10).all()


def test_points_on_edges_count():
    octant = POLYGONS["octant"]
    assert octant.contains([0, 90, 0, 90, 45, 12.3], [10, 10, 77, 77, 0, 90]).all()
    assert not octant.contains([45, -1e-9, 90 + 1e-9], [-1e-9, 10, 10]).any()


def test_both_loops_of_a_bow_tie_are_inside():
    bow = POLYGONS["bow tie"]
    assert bow.contains([350.5, 9.5, 0], [0, 0, 0]).all()
    assert not bow.contains([0, 0], [1, -1]).any()


def test_repeated_vertices_are_dropped():
    (first, *others) = HOOK
    assert Polygon((first, first, *others, others[-1], first)) == Polygon(HOOK)
    assert Polygon(((-10, 0), (10, 0), (0, 9))).vertices[0] == (350, 0)
    assert Polygon(np.array(HOOK)) == Polygon(HOOK)


@pytest.mark.parametrize("name", CONCAVE)
def test_distances_to_edges(name):
    polygon = POLYGONS[name]
    rng = np.random.default_rng(0)
    ra, dec = rim(polygon, 300)
    share = np.linspace(0, 1, 2001)[:, None, None]
    corners = vectors(*np.array(polygon.vertices).T)
    line = (1 - share) * corners + share * np.roll(corners, -1, axis=0)
    line = (line / np.linalg.norm(line, axis=-1, keepdims=True)).reshape(-1, 3)
    chosen = rng.choice(len(ra), 100)
    chords = np.linalg.norm(vectors(ra[chosen], dec[chosen])[:, None] - line, axis=-1)
    expected = np.degrees(2 * np.arcsin(chords / 2)).min(axis=1)
    np.testing.assert_allclose(
        polygon.boundary_distance(ra[chosen], dec[chosen]), expected, atol=0.01
    )


@pytest.mark.parametrize(
    ("vertices", "word"),
    [
        (((0, 0), (1, 1)), "three different"),
        (((0, 0), (1, 1), (0, 0), (1, 1)), "three different"),
        (((0, 0), (1, 1), (1, 91)), "91"),
        (((0, 0), (1, 1), (float("nan"), 1)), "nan"),
        (((0, 0), (120, 0), (240, 0)), "hemisphere"),
        (((0, -10), (120, -10), (240, -10), (0, 80)), "hemisphere"),
        (regular(0, 90, 90), "hemisphere"),
        (((0, 0), (90, 0), (180, 0), (90, 1)), "hemisphere"),
        ("POLYGON", "pairs"),
        (((0, 0, 1), (1, 1, 1), (2, 0, 1)), "pairs"),
        (5, "pairs"),
    ],
)
def test_what_does_not_exist_is_refused(vertices, word):
    with pytest.raises(InvalidQueryError, match=word):
        Polygon(vertices)
