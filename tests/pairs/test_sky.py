"""Groups that look at the same patch of sky, against a comparison of all with all."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.utils.masked import Masked

from astro_paperclip.exceptions import PairsError
from astro_paperclip.pairs import sky
from astro_paperclip.pairs.sky import sky_groups


def by_comparing_all(group_id, coordinates, radius):
    """Join groups by comparing every position with every other, until nothing changes."""
    groups = [int(group) for group in group_id]
    close = coordinates[:, None].separation(coordinates[None, :]) <= radius
    links = [
        (groups[row], groups[other])
        for row, other in zip(*np.nonzero(close), strict=True)
        if groups[row] != groups[other]
    ]
    name = {group: group for group in groups}
    changed = True
    while changed:
        changed = False
        for one, other in links:
            smallest = min(name[one], name[other])
            changed = changed or name[one] != name[other]
            name[one] = name[other] = smallest
    return [str(name[group]) for group in groups]


def scattered(rng, n_rows, where):
    """Return positions within a few degrees of a place, or all over the sky."""
    if where == "sky":
        return SkyCoord(rng.uniform(0, 360, n_rows), rng.uniform(-90, 90, n_rows), unit="deg")
    center = {"pole": (0, 90), "south": (0, -90), "zero": (0, 0), "away": (200, 40)}[where]
    angle, distance = rng.uniform(0, 360, n_rows), 3 * np.sqrt(rng.uniform(0, 1, n_rows))
    return SkyCoord(*center, unit="deg").directional_offset_by(angle * u.deg, distance * u.deg)


@pytest.mark.parametrize("where", ["pole", "south", "zero", "away", "sky"])
@pytest.mark.parametrize("radius", [0.05, 0.2, 0.6] * u.deg)
def test_all_places_against_a_comparison_of_all(where, radius, monkeypatch):
    monkeypatch.setattr(sky, "_ROWS_AT_ONCE", 37)
    rng = np.random.default_rng(7)
    coordinates = scattered(rng, 150, where)
    group_id = rng.integers(2, 120, 150).astype(str)
    expected = by_comparing_all(group_id, coordinates, radius)
    assert sky_groups(group_id, coordinates, radius).tolist() == expected
    if radius == 0.2 * u.deg and where != "sky":
        assert 1 < len(set(expected)) < len(set(group_id))


def test_names_do_not_depend_on_the_order_of_the_rows():
    rng = np.random.default_rng(3)
    coordinates = scattered(rng, 100, "pole")
    group_id = rng.integers(1, 60, 100).astype(str)
    order = rng.permutation(100)
    groups = sky_groups(group_id, coordinates, 0.3 * u.deg)
    assert (
        groups[order].tolist()
        == sky_groups(group_id[order], coordinates[order], 0.3 * u.deg).tolist()
    )


def test_the_smallest_number_is_the_name():
    coordinates = SkyCoord([10, 10, 10, 10.1, 50], [0, 0, 0, 0, 0], unit="deg")
    group_id = ["comet", "10001", "9999", "calibration", "b"]
    groups = sky_groups(group_id, coordinates, 1 * u.arcmin)
    assert groups.tolist() == ["9999", "9999", "9999", "calibration", "b"]


def test_a_chain_is_one_group():
    coordinates = SkyCoord(359.5 + 0.09 * np.arange(11), 0, unit="deg")
    group_id = np.arange(20, 31).astype(str)
    assert set(sky_groups(group_id, coordinates, 0.1 * u.deg)) == {"20"}
    assert len(set(sky_groups(group_id, coordinates, 0.08 * u.deg))) == 11


def test_the_same_position_needs_no_radius():
    coordinates = SkyCoord([359.999, 359.999, 0.001], [89, 89, 89], unit="deg")
    assert sky_groups(["3", "2", "1"], coordinates, 0 * u.deg).tolist() == ["2", "2", "1"]


@pytest.mark.parametrize("missing", ["nan", "masked"])
def test_rows_without_a_position_stay_with_their_group(missing):
    angles = np.array([10.0, np.nan, 10.0, np.nan]) * u.deg
    if missing == "masked":
        angles = Masked(np.nan_to_num(angles), mask=np.isnan(angles))
    coordinates = SkyCoord(angles, 0 * angles)
    groups = sky_groups(["5", "5", "4", "6"], coordinates, 1 * u.arcsec)
    assert groups.tolist() == ["4", "4", "4", "6"]


def test_no_rows_and_no_positions():
    nowhere = SkyCoord([], [], unit="deg")
    assert sky_groups([], nowhere, 1 * u.deg).tolist() == []
    unknown = SkyCoord([np.nan] * 2, [np.nan] * 2, unit="deg")
    assert sky_groups(["1", "2"], unknown, 1 * u.deg).tolist() == ["1", "2"]


@pytest.mark.parametrize("radius", [5, 5 * u.s, -1 * u.deg, np.nan * u.deg, [1, 2] * u.deg])
def test_senseless_radii(radius):
    with pytest.raises(PairsError, match="radius"):
        sky_groups(["1"], SkyCoord([1], [1], unit="deg"), radius)


def test_shapes_that_do_not_fit():
    with pytest.raises(PairsError, match=r"\(1,\) coordinates"):
        sky_groups(["1", "2"], SkyCoord([1], [1], unit="deg"), 1 * u.deg)
