"""Made-up proposals and observations, against MAST's conventions and spherical geometry."""

import json
import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.time import Time
from numpy.testing import assert_allclose
from regions import PixCoord, PolygonSkyRegion

from astro_paperclip.simulation import KINDS
from astro_paperclip.simulation.instrument import INSTRUMENTS, Exposure
from astro_paperclip.simulation.observations import OBSERVATION_COLUMNS, draw_proposals


@pytest.fixture(scope="module")
def proposals():
    return draw_proposals(90, seed=3)


@pytest.fixture(scope="module")
def observations(proposals):
    return [observation for proposal in proposals for observation in proposal.observations]


def corners(row):
    """Return the corners of a row's footprint, without the one that is repeated."""
    shape, frame, *numbers = row["s_region"].split()
    assert (shape, frame) == ("POLYGON", "ICRS")
    ra, dec = np.array(numbers, dtype=float).reshape(-1, 2).T
    assert (ra[0], dec[0]) == (ra[-1], dec[-1])
    return SkyCoord(ra[:-1] * u.deg, dec[:-1] * u.deg)


def spherical_area(polygon):
    """Area of a small polygon [arcsec2]: Gauss's formula about its first corner, on the sphere."""
    origin = polygon[0]
    separation = origin.separation(polygon).arcsec
    angle = origin.position_angle(polygon).rad
    x, y = separation * np.sin(angle), separation * np.cos(angle)
    return abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def test_kinds_are_spread_evenly(proposals):
    kinds = Counter(proposal.observations[0].kind for proposal in proposals)
    assert set(kinds.values()) == {5}
    assert set(kinds) == set(KINDS)


def test_drawing_is_repeatable(proposals):
    again = draw_proposals(90, seed=3)
    assert [p.abstract for p in again] == [p.abstract for p in proposals]
    assert [o.row for p in again for o in p.observations] == [
        o.row for p in proposals for o in p.observations
    ]
    assert draw_proposals(3, seed=4)[0].abstract != proposals[0].abstract


def test_an_abstract_belongs_to_one_proposal(proposals):
    assert len({proposal.abstract for proposal in proposals}) == len(proposals)
    assert len({proposal.proposal_id for proposal in proposals}) == len(proposals)
    for proposal in proposals:
        assert 2 <= len(proposal.observations) <= 5
        assert {o.row["proposal_id"] for o in proposal.observations} == {proposal.proposal_id}
        assert {o.row["proposal_pi"] for o in proposal.observations} == {proposal.pi}


def test_a_minority_of_proposals_has_two_kinds(proposals):
    mixed = [len({o.kind for o in proposal.observations}) for proposal in proposals]
    assert set(mixed) == {1, 2}
    assert np.mean(np.array(mixed) == 2) < 0.3


def test_everything_says_that_it_is_simulated(observations):
    for observation in observations:
        row = observation.row
        assert row["project"] == row["provenance_name"] == "SIMULATED"
        assert row["obs_title"].endswith("[simulated]")
        # No proposal of Hubble has such a number.
        assert int(row["proposal_id"]) > 90_000


def test_identifiers(observations):
    for name in ("obsid", "objID", "obs_id", "jpegURL", "dataURL"):
        values = [observation.row[name] for observation in observations]
        assert len(set(values)) == len(values)
    for observation in observations:
        row = observation.row
        assert row["obsid"].isdigit()
        filters = r"(total|f\d{3}(w|n|lp))"
        pattern = rf"hst_\d{{5}}_\d\d_(acs|wfc3|wfpc2)(_[a-z]+)?_{filters}_[jiu][0-9a-z]{{3}}\d\d"
        assert re.fullmatch(pattern, row["obs_id"])
        assert row["jpegURL"] == f"mast:HST/product/{observation.file}"
        assert row["dataURL"] == row["jpegURL"].replace(".jpg", ".fits")
        assert observation.file.startswith(row["obs_id"])


def test_columns_are_masts(observations, shared):
    """Names and types of the replies that MAST gave to astroquery's tests."""
    path = shared / "data" / "mast_records" / "astroquery" / "caom.json"
    fields = {f["name"]: f["type"] for f in json.loads(path.read_text())["fields"]}
    types = {"string": str, "float": (int, float), "int": int}
    # What depends on the query, and the browser's own.
    for name in fields.keys() - {"distance", "_selected_"}:
        for observation in observations:
            assert isinstance(observation.row[name], types[fields[name]]), name


def test_column_names_are_the_packages_own(observations):
    from astro_paperclip.columns import COLUMNS

    assert set(OBSERVATION_COLUMNS) <= set(COLUMNS)
    for observation in observations:
        assert set(observation.row) == set(OBSERVATION_COLUMNS)


def test_footprints_contain_their_target(observations):
    for observation in observations:
        row = observation.row
        wcs = observation.exposure.wcs(row["s_ra"], row["s_dec"], 256)
        polygon = PolygonSkyRegion(corners(row)).to_pixel(wcs)
        x, y = wcs.world_to_pixel(SkyCoord(row["s_ra"] * u.deg, row["s_dec"] * u.deg))
        assert PixCoord(x, y) in polygon


def test_footprints_have_the_instruments_field(observations):
    # Fields of view [arcsec2] after the instrument handbooks.
    fields = {
        "ACS/WFC": 202 * 202,
        "ACS/HRC": 29 * 25,
        "WFC3/IR": 136 * 123,
        "WFPC2/WFC": 3 * 80 * 80 + 35 * 35,
        "WFPC2/PC": 36 * 36,
    }
    seen = set()
    for observation in observations:
        row = observation.row
        area = spherical_area(corners(row))
        if row["instrument_name"] == "WFC3/UVIS":
            assert area == pytest.approx(162**2, rel=2e-3) or area == pytest.approx(40.6**2, 2e-3)
        else:
            assert_allclose(area, fields[row["instrument_name"]], rtol=2e-3)
        seen.add(row["instrument_name"])
    assert seen == {"WFC3/UVIS", *fields}


@pytest.mark.parametrize("key", list(INSTRUMENTS))
def test_footprint_agrees_with_the_wcs_of_the_picture(key):
    """Corners of the frame's footprint, found on the sky without a projection."""
    camera = INSTRUMENTS[key]
    exposure = Exposure(camera, (next(iter(camera.filters)),), roll=1.1)
    target = SkyCoord(210.3 * u.deg, 54.2 * u.deg)
    sky = SkyCoord(exposure.footprint(target.ra.deg, target.dec.deg), unit="deg")
    offsets = camera.to_sky(camera.outline, 1.1)
    distance = np.hypot(*offsets.T)
    assert_allclose(target.separation(sky).arcsec, distance, rtol=1e-6)
    # West is the first offset, hence the minus sign.
    expected = np.arctan2(-offsets[:, 0], offsets[:, 1])
    difference = target.position_angle(sky).rad - expected
    assert_allclose(np.angle(np.exp(1j * difference)), 0, atol=1e-6)


@pytest.mark.parametrize("key", list(INSTRUMENTS))
def test_detector_and_sky_are_inverse(key):
    camera = INSTRUMENTS[key]
    west, north = camera.to_sky(camera.outline, 2.2).T
    assert_allclose(np.transpose(camera.to_detector(west, north, 2.2)), camera.outline)


def test_wavelengths_fit_the_filters(observations):
    for observation in observations:
        row = observation.row
        names = row["filters"].split(";")
        scale = 10 if row["instrument_name"] == "WFC3/IR" else 1
        for name in names:
            wavelength = scale * int(name[1:4])
            # A long-pass filter is named after its blue edge.
            slack = 40 if name.endswith("LP") else 0
            assert row["em_min"] - slack <= wavelength <= row["em_max"]
        assert row["wavelength_region"] == ("INFRARED" if scale == 10 else "OPTICAL")
        assert ("_total_" in row["obs_id"]) == (len(names) > 1)


def test_dates_fit_the_instruments(observations):
    # Installation and end of use, or of the archive's time span here.
    eras = {
        "ACS/WFC": ("2002-03-07", "2025-01-01"),
        "ACS/HRC": ("2002-03-07", "2007-01-27"),
        "WFC3/UVIS": ("2009-05-14", "2025-01-01"),
        "WFC3/IR": ("2009-05-14", "2025-01-01"),
        "WFPC2/WFC": ("1993-12-13", "2009-05-11"),
        "WFPC2/PC": ("1993-12-13", "2009-05-11"),
    }
    failure, repair = Time("2007-01-27").mjd, Time("2009-05-14").mjd
    for observation in observations:
        row = observation.row
        begin, end = (Time(date).mjd for date in eras[row["instrument_name"]])
        assert begin < row["t_min"] < row["t_max"] < end
        if row["instrument_name"] == "ACS/WFC":
            assert not failure < row["t_min"] < repair
        assert (row["t_max"] - row["t_min"]) * 86_400 >= row["t_exptime"]
        assert row["t_max"] <= row["t_obs_release"] <= row["t_max"] + 366


def test_cycles_follow_the_dates(proposals):
    order = sorted(proposals, key=lambda p: p.observations[0].row["t_min"])
    cycles = [proposal.cycle for proposal in order]
    assert cycles == sorted(cycles)


def test_targets_are_where_such_objects_are(observations):
    for observation in observations:
        row = observation.row
        place = SkyCoord(row["s_ra"] * u.deg, row["s_dec"] * u.deg)
        latitude = abs(place.galactic.b.deg)
        if observation.kind in ("planet", "comet"):
            assert abs(place.barycentricmeanecliptic.lat.deg) < 6
        elif "galax" in observation.kind:
            assert latitude > 24.9
        elif observation.kind in ("open cluster", "planetary nebula", "supernova remnant"):
            assert latitude < 10
        assert row["mtFlag"] == (observation.kind in ("planet", "comet"))


def test_some_targets_are_visited_again(observations):
    again = 0
    for first, second in pairwise(observations):
        same = first.row["target_name"] == second.row["target_name"]
        assert same == (first.sky_seed == second.sky_seed)
        if same:
            again += 1
            assert first.row["s_ra"] == second.row["s_ra"]
            assert first.noise_seed != second.noise_seed
    assert 0.05 < again / len(observations) < 0.3
