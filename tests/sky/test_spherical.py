"""Vector geometry, against astropy, arithmetic in many digits, and hand-made cases."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from astro_paperclip.sky.spherical import (
    arc_distances,
    arcs_meet,
    mean_direction,
    parallel_crossings,
    positions,
    separations,
    unit_vectors,
)

SIZES = [1e-9, 1 / 3600, 1, 60, 89]


def points_of(arcs, share):
    """Return points along arcs, by astropy's position angles and offsets."""
    start, end = arcs
    return start.directional_offset_by(start.position_angle(end), share * start.separation(end))


def random_arcs(rng, count, size):
    start = SkyCoord(
        rng.uniform(0, 360, count), np.degrees(np.arcsin(rng.uniform(-1, 1, count))), unit="deg"
    )
    length = rng.uniform(0.2, 1, count) * size
    return start, start.directional_offset_by(rng.uniform(0, 360, count) * u.deg, length * u.deg)


def vectors(coordinates):
    return unit_vectors(coordinates.ra.deg, coordinates.dec.deg)


@given(st.floats(-720, 720), st.floats(-90, 90))
def test_positions_come_back(ra, dec):
    back_ra, back_dec = positions(unit_vectors(ra, dec))
    assert 0 <= back_ra < 360
    assert back_dec == pytest.approx(dec, abs=2e-14)
    across = np.cos(np.radians(dec))
    assert (back_ra - ra + 180) % 360 - 180 == pytest.approx(0, abs=1e-12 / max(across, 1e-12))


@pytest.mark.parametrize("size", [0, 1e-12, 1e-6, 1, 90, 179, 180 - 1e-9, 180])
def test_separations(size):
    here = SkyCoord(33, -77, unit="deg")
    there = here.directional_offset_by(50 * u.deg, size * u.deg)
    angle = np.degrees(separations(vectors(here), vectors(there)))
    assert angle == pytest.approx(size, abs=1e-13)


def test_mean_direction():
    ring = unit_vectors([0, 90, 180, 270], 80)
    np.testing.assert_allclose(mean_direction(ring), [0, 0, 1], atol=1e-15)
    opposite = unit_vectors([0, 180], 0)
    np.testing.assert_array_equal(mean_direction(opposite), opposite[0])


@pytest.mark.parametrize("size", SIZES)
def test_distances_across_an_arc(size):
    rng = np.random.default_rng(1)
    arcs = random_arcs(rng, 500, size)
    beside = points_of(arcs, rng.uniform(0, 1, 500))
    ahead = beside.position_angle(arcs[1])
    away = 10 ** rng.uniform(-9, 1.9, 500)
    points = beside.directional_offset_by(ahead + 90 * u.deg, away * u.deg)
    distances = np.degrees(arc_distances(vectors(points), *map(vectors, arcs)))
    # The direction along a short arc is not known better than its ends are.
    tolerance = 1e-12 + 3e-14 / size
    np.testing.assert_allclose(distances, away, rtol=0, atol=tolerance)


@pytest.mark.parametrize("size", SIZES)
def test_distances_beyond_the_ends_of_an_arc(size):
    rng = np.random.default_rng(2)
    start, end = random_arcs(rng, 500, size)
    away = rng.uniform(0, 80, 500)
    turn = rng.uniform(91, 269, 500) * u.deg
    points = end.directional_offset_by(end.position_angle(start) + turn, away * u.deg)
    distances = np.degrees(arc_distances(vectors(points), vectors(start), vectors(end)))
    np.testing.assert_allclose(distances, away, rtol=0, atol=1e-11)


def test_distance_to_an_arc_of_no_length():
    point, end = unit_vectors(10, 20), unit_vectors(30, 40)
    assert arc_distances(point, end, end) == separations(point, end)


@pytest.mark.parametrize("size", SIZES[1:])
def test_arcs_through_one_point_meet(size):
    rng = np.random.default_rng(3)
    arcs = random_arcs(rng, 200, size)
    middle = points_of(arcs, rng.uniform(0.1, 0.9, 200))
    turn = arcs[0].position_angle(arcs[1]) + rng.uniform(5, 175, 200) * u.deg
    others = [
        middle.directional_offset_by(turn + half, 0.1 * size * u.deg)
        for half in (0 * u.deg, 180 * u.deg)
    ]
    short = [middle.directional_offset_by(turn, share * size * u.deg) for share in (0.01, 0.2)]
    start, end = map(vectors, arcs)
    assert np.diag(arcs_meet(start, end, *map(vectors, others))).all()
    assert np.diag(arcs_meet(*map(vectors, others), start, end)).all()
    clear = np.abs(np.sin(turn - middle.position_angle(arcs[1]))) > 0.05
    assert not np.diag(arcs_meet(start, end, *map(vectors, short)))[clear].any()


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (((0, 0), (10, 0)), ((5, -1), (5, 1)), True),
        (((0, 0), (10, 0)), ((185, -1), (185, 1)), False),
        (((0, 0), (10, 0)), ((5, 0), (5, 1)), True),
        (((0, 0), (10, 0)), ((5, 1e-10), (5, 1)), False),
        (((0, 0), (10, 0)), ((10, 0), (20, 0)), True),
        (((0, 0), (10, 0)), ((10.000001, 0), (20, 0)), False),
        (((0, 0), (10, 0)), ((4, 0), (6, 0)), True),
        (((0, 80), (180, 80)), ((90, 80), (270, 80)), True),
        (((0, 80), (180, 80)), ((0, -80), (180, -80)), False),
        (((359, 0), (1, 0)), ((0, -1), (0, 1)), True),
        (((0, 0), (0, 0)), ((359, 0), (1, 0)), True),
    ],
)
def test_whether_arcs_meet(one, other, expected):
    arcs = [unit_vectors(*np.array(arc, dtype=float).T)[:, None] for arc in (one, other)]
    assert arcs_meet(*arcs[0], *arcs[1]).item() == expected
    assert arcs_meet(*arcs[1], *arcs[0]).item() == expected


@pytest.mark.parametrize("size", SIZES[1:])
def test_crossings_of_parallels(size):
    rng = np.random.default_rng(4)
    arcs = random_arcs(rng, 100, size)
    path = points_of([arc[:, None] for arc in arcs], np.linspace(0, 1, 1001))
    dec = path.dec.deg
    for row in range(100):
        parallel = rng.uniform(dec[row].min(), dec[row].max())
        ends = [vectors(arc)[row : row + 1] for arc in arcs]
        points = parallel_crossings(*ends, parallel)
        expected = np.count_nonzero(np.diff(dec[row] > parallel))
        assert len(points) == expected
        np.testing.assert_allclose(positions(points)[1], parallel, rtol=0, atol=1e-12)
        assert (arc_distances(points, *ends) < 1e-13).all()


@pytest.mark.parametrize(
    ("start", "end", "dec", "expected"),
    [
        ((0, 0), (0, 90), 45, [0]),
        ((0, 89.9999), (180, 89.9999), 89.99999, [0, 180]),
        ((0, 80), (180, 80), 90, [None]),
        ((350, 10), (10, -10), 0, [0]),
        ((0, 0), (90, 0), 0, []),
        ((0, 0), (90, 0), 1, []),
        ((10, -89.5), (190, -89.5), -89.9, [10, 190]),
        ((0, 60), (90, 60), 60, [0, 90]),
        ((0, 60), (90, 60), 59.99, []),
    ],
)
def test_crossings_by_hand(start, end, dec, expected):
    points = parallel_crossings(unit_vectors(*start)[None], unit_vectors(*end)[None], dec)
    ra = positions(points)[0]
    if expected == [None]:
        assert 1 <= len(ra) <= 2
    else:
        np.testing.assert_allclose(np.unique(np.round(ra, 6) % 360), expected, atol=1e-6)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.floats(0, 360), st.floats(-90, 90)), min_size=3, max_size=3))
def test_distances_are_no_longer_than_to_the_ends(corners):
    point, start, end = unit_vectors(*np.array(corners).T)
    distance = arc_distances(point, start, end)
    assert 0 <= distance <= min(separations(point, start), separations(point, end))
