"""Observations by two routes that have to agree."""

import gzip

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.time import Time
from astropy.utils.exceptions import AstropyUserWarning
from pyarrow import csv
from regions import CircleSkyRegion, PolygonSkyRegion
from urllib3.util import Retry

from astro_paperclip.archive import Mast
from astro_paperclip.archive.observations import query as observations
from astro_paperclip.archive.observations.query import query_observations
from astro_paperclip.columns import OBSERVATION_COLUMNS
from astro_paperclip.exceptions import ArchiveError, InvalidQueryError, NoResultsWarning
from astro_paperclip.simulation import Holdings, serve

ROUTES = ("portal", "tap")
FAULTS = {
    "unavailable": {"server error"},
    "too_many_requests": {"too many requests"},
    "reset": {"incomplete"},
    "truncated": {"incomplete"},
    "wrong_length": {"incomplete", "unreadable"},
    "html": {"unreadable"},
    "trickle": {"too slow"},
}


def make_rows(number):
    """Make up observations of 30 proposals on a line across right ascension 0."""
    index = np.arange(number)
    ra, dec = (359.0 + 0.1 * index) % 360, np.full(number, 10.0)
    corners = [(-0.04, -0.03), (0.04, -0.03), (0.04, 0.03), (-0.04, 0.03), (-0.04, -0.03)]
    regions = [
        "POLYGON GSC1  " + "  ".join(f"{(x + dx) % 360:.8f} {y + dy:.8f}" for dx, dy in corners)
        for x, y in zip(ra, dec, strict=True)
    ]
    return {
        "obsid": [str(95 + 7 * n) for n in index],
        "objID": [str(9000 - n) for n in index],
        "obs_id": [f"hst_{n:03d}" for n in index],
        "obs_collection": np.where(index % 10 == 9, "JWST", "HST"),
        "proposal_id": [str(9990 + n % 30) for n in index],
        "target_name": [("O'Neill's Star", "NGC_1", "NGC-1", "M 51")[n % 4] for n in index],
        "filters": [("F814W", "F606W;F814W", None, "F435W")[n % 4] for n in index],
        "instrument_name": [("ACS/WFC", "WFC3/UVIS", "")[n % 3] for n in index],
        "calib_level": pa.array([(1, 2, 3, None)[n % 4] for n in index], pa.int64()),
        "t_exptime": pa.array([None if n % 5 == 4 else 10.5 * n for n in index]),
        "mtFlag": pa.array([(True, False, None)[n % 3] for n in index]),
        "s_ra": ra,
        "s_dec": dec,
        "s_region": [None if n % 11 == 10 else regions[n] for n in index],
        "jpegURL": ["mast:HST/product/a.jpg" if n % 2 else "https://a/b?c=d&e" for n in index],
    }


@pytest.fixture(scope="module")
def holdings():
    """Return a small archive with whatever is awkward."""
    return Holdings(pa.table({"proposal_id": ["9990"]}), pa.table(make_rows(60)))


@pytest.fixture(scope="module")
def server(holdings):
    """Return a running server of the small archive; tests only ask it."""
    with serve(holdings) as server:
        yield server


@pytest.fixture
def mast(server):
    """Return a Mast for the server."""
    mast = Mast(server.url, retry=Retry(3, backoff_factor=0))
    yield mast
    mast.reply_session.close()


def assert_same(one, other):
    """Assert that two tables are the same to the last bit, units and descriptions included."""
    assert one.colnames == other.colnames
    for name in one.colnames:
        first, second = one[name], other[name]
        assert first.tolist() == second.tolist(), name
        assert (first.dtype, type(first)) == (second.dtype, type(second)), name
        assert (first.unit, first.description) == (second.unit, second.description), name
        assert first.meta == second.meta, name


ALL = [str(9990 + number) for number in range(30)]


def is_hubbles(row):
    return row["obs_collection"] == "HST"


def is_near(row):
    return is_hubbles(row) and (row["s_ra"] > 359.79 or row["s_ra"] < 0.21)


QUESTIONS = {
    "one proposal": ({"proposal_id": "9990"}, lambda row: row["proposal_id"] == "9990"),
    "proposals": (
        {"proposal_id": [9990, "9991", 9992]},
        lambda row: row["proposal_id"] in ("9990", "9991", "9992"),
    ),
    "many proposals": ({"proposal_id": ALL}, is_hubbles),
    "of any mission": ({"proposal_id": ALL, "mission": None}, lambda row: True),
    "of another mission": (
        {"proposal_id": ALL, "mission": "JWST"},
        lambda row: not is_hubbles(row),
    ),
    "of two missions": ({"proposal_id": ALL, "mission": ["JWST", "HST"]}, lambda row: True),
    "that are not there": (
        {"proposal_id": [9990, 1]},
        lambda row: row["proposal_id"] == "9990",
    ),
    "a quote": (
        {"target_name": "O'Neill's Star"},
        lambda row: is_hubbles(row) and row["target_name"] == "O'Neill's Star",
    ),
    "an element of a list": (
        {"filters": "F814W"},
        lambda row: is_hubbles(row) and "F814W" in (row["filters"] or ""),
    ),
    "a wildcard": (
        {"target_name": "ngc*"},
        lambda row: is_hubbles(row) and row["target_name"].startswith("NGC"),
    ),
    "a wildcard with _": (
        {"target_name": "NGC_*"},
        lambda row: is_hubbles(row) and row["target_name"] == "NGC_1",
    ),
    "a range": (
        {"t_exptime": [100, 200]},
        lambda row: is_hubbles(row) and 100 <= (row["t_exptime"] or 0) <= 200,
    ),
    "whole numbers": (
        {"calib_level": [2, 3]},
        lambda row: is_hubbles(row) and row["calib_level"] in (2, 3),
    ),
    "a flag": ({"mtFlag": True}, lambda row: is_hubbles(row) and row["mtFlag"] is True),
    "a circle on the sky": ({"coordinates": "0.0 10.0", "radius": 0.25 * u.deg}, is_near),
    "0.2 deg": ({"coordinates": SkyCoord(0.0, 10.0, unit="deg").galactic}, is_near),
    "with a criterion": (
        {"coordinates": "0.0d 10.0d", "radius": "12.3m", "FILTERS": "F814W"},
        lambda row: is_near(row) and "F814W" in (row["filters"] or ""),
    ),
    "a region": (
        {"region": "CIRCLE ICRS 0.15 10.0 0.02", "mission": None, "target_name": "*"},
        lambda row: round(row["s_ra"], 1) in (0.1, 0.2),
    ),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_both_routes_find_the_same(mast, holdings, name):
    question, fits = QUESTIONS[name]
    tables = [
        query_observations(route=route, mast=mast, progress=False, **question) for route in ROUTES
    ]
    assert_same(*tables)
    truth = [row["obsid"] for row in holdings.observations.to_pylist() if fits(row)]
    assert truth
    assert tables[0]["obsid"].tolist() == sorted(truth, key=int)


@pytest.mark.parametrize("route", ROUTES)
def test_text_is_meant_as_it_is_written(mast, route):
    with pytest.warns(NoResultsWarning):
        table = query_observations(filters="f814w", route=route, mast=mast, progress=False)
    assert len(table) == 0


def test_rows_and_values_are_those_of_the_archive(mast, holdings):
    truth = {row["obsid"]: row for row in holdings.observations.to_pylist()}
    table = query_observations(proposal_id=ALL, mission=None, mast=mast, progress=False)
    assert table["obsid"].tolist() == sorted(truth, key=int)
    assert table.colnames == [name for name in OBSERVATION_COLUMNS if name != "distance"]
    for name in table.colnames:
        expected = [truth[obsid][name] for obsid in table["obsid"]]
        assert table[name].tolist() == [None if value == "" else value for value in expected], name
    assert table["filters"].mask.sum() == 15


def test_jwst(shared):
    path = shared / "data" / "mast_records" / "jwst_observations.csv.gz"
    with gzip.open(path) as file:
        rows = csv.read_csv(file).slice(0, 4000)
    names = ["obsid", "proposal_id", "target_name", "instrument_name", "obs_title"]
    columns = {name: rows[name].cast("string") for name in (*names, "jpegURL", "dataURL")}
    columns["t_obs_release"] = Time(rows["t_obs_release"].cast("string").to_pylist()).mjd
    columns["obs_collection"] = ["JWST"] * len(rows)
    proposals = sorted(set(columns["proposal_id"].to_pylist()))
    with serve(Holdings(pa.table({"proposal_id": proposals}), pa.table(columns))) as server:
        mast = Mast(server.url)
        asked = {"mission": "JWST", "proposal_id": proposals, "mast": mast, "progress": False}
        tables = [query_observations(route=route, **asked) for route in ROUTES]
        mast.reply_session.close()
    assert_same(*tables)
    assert len(tables[0]) == 4000
    assert tables[0]["jpegURL"].tolist() == [
        url
        for _, url in sorted(
            zip(rows["obsid"].to_pylist(), columns["jpegURL"].to_pylist(), strict=True)
        )
    ]


@pytest.mark.parametrize(
    ("question", "fits"),
    [
        ({"filters": "!F814W"}, lambda row: "F814W" not in (row["filters"] or "")),
        (
            {"target_name": ["!NGC_*", "!M 51"]},
            lambda row: row["target_name"] in ("NGC-1", "O'Neill's Star"),
        ),
        (
            {"t_exptime": [">500", "10..11", "<=0"]},
            lambda row: row["t_exptime"] in (0, 10.5) or (row["t_exptime"] or 0) > 500,
        ),
        ({"calib_level": ">1"}, lambda row: (row["calib_level"] or 0) > 1),
        (
            {"instrument_name": "!ACS*", "t_exptime": "<100"},
            lambda row: row["instrument_name"] != "ACS/WFC" and (row["t_exptime"] or 999) < 100,
        ),
        (
            {"coordinates": "0.0 10.0", "radius": 0.05},
            lambda row: row["s_ra"] in (0.0, 360.0) or abs(row["s_ra"] - 180) > 179.96,
        ),
    ],
)
def test_what_only_tap_can_say(server, mast, holdings, question, fits):
    before = server.requests["portal"]
    table = query_observations(mission=None, mast=mast, progress=False, **question)
    truth = [row["obsid"] for row in holdings.observations.to_pylist() if fits(row)]
    assert table["obsid"].tolist() == sorted(truth, key=int)
    assert server.requests["portal"] == before


def test_the_routes_that_are_taken(server, mast):
    def asked(**question):
        before = server.requests.copy()
        query_observations(mast=mast, progress=False, **question)
        return set(server.requests - before)

    assert asked(proposal_id="9990") <= {"portal", "columns"}
    assert asked(proposal_id=ALL[:20]) == {"portal"}
    assert asked(proposal_id=ALL) == {"tap"}
    assert asked(proposal_id=ALL, route="portal") == {"portal"}
    assert asked(proposal_id="9990", route="tap") == {"tap"}


def test_few_requests_for_many_proposals(server, mast, monkeypatch):
    monkeypatch.setattr(observations, "_BATCH", {"portal": 10, "tap": 12})
    tables = []
    for route, n_requests in (("portal", 3), ("tap", 1 + 3)):
        mast.observations.get_metadata("observations")
        before = server.requests.copy()
        tables.append(query_observations(proposal_id=ALL * 2, route=route, mast=mast))
        assert (server.requests - before)[route] == n_requests
    assert_same(*tables)


def test_jobs_for_very_many_proposals(mast, monkeypatch):
    at_once = query_observations(proposal_id=ALL, mast=mast, progress=False)
    monkeypatch.setattr(observations, "_JOB", 5)
    assert_same(query_observations(proposal_id=ALL, mast=mast, progress=False), at_once)


def test_distances(mast):
    here = SkyCoord(0.0, 10.0, unit="deg")
    table = query_observations(coordinates=here, radius=1, mast=mast, progress=False)
    there = SkyCoord(table["s_ra"], table["s_dec"])
    assert table.colnames == list(OBSERVATION_COLUMNS)
    assert table["distance"].unit == u.arcsec
    np.testing.assert_allclose(table["distance"], here.separation(there).arcsec, atol=1e-6)
    assert table["distance"].max() <= 3600


@pytest.mark.parametrize("route", ROUTES)
def test_a_region_finds_footprints(mast, route):
    corners = SkyCoord([359.7, 0.3, 0.3, 359.7], [9.98, 9.98, 9.99, 9.99], unit="deg")
    strip = PolygonSkyRegion(corners)
    asked = {"mission": None, "mast": mast, "progress": False, "target_name": "*"}
    found = query_observations(region=strip, route=route, **asked)
    # Where there is no footprint, as at 0.0, the position counts, which is north of the strip.
    assert set(found["s_ra"].round(1)) == {359.7, 359.8, 359.9, 0.1, 0.2, 0.3}
    circle = CircleSkyRegion(SkyCoord(0.1, 10.06, unit="deg"), 0.04 * u.deg)
    (row,) = query_observations(region=circle, route=route, **asked)
    assert row["s_ra"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({}, "too many"),
        ({"filter": "F814W"}, "Did you mean filters"),
        ({"proposalid": "5"}, "Did you mean proposal_id"),
        ({"distance": 5}, "no column 'distance'"),
        ({"t_exptime": "long"}, "a column of numbers"),
        ({"t_exptime": 5 * u.deg}, "cannot be converted"),
        ({"proposal_id": ["5", None]}, "None is no proposal"),
        ({"proposal_id": [""]}, "'' is no proposal"),
        ({"proposal_id": np.ma.masked}, "no proposal"),
        ({"proposal_id": "5", "radius": 1}, "needs coordinates"),
        ({"coordinates": "0 10", "radius": "wide"}, "'wide' is no radius"),
        ({"coordinates": "0 10", "radius": -1}, "radius"),
        ({"coordinates": 5}, "5 is no place"),
        ({"coordinates": SkyCoord([1, 2], [3, 4], unit="deg")}, "one place"),
        ({"region": "M 51"}, "no region"),
        ({"filters": "A", "obs_collection": "HST"}, "mission=None"),
        ({"filters": "A", "route": "vo"}, "no route 'vo'"),
        ({"filters": "!A", "route": "portal"}, "route='tap'"),
    ],
)
def test_what_cannot_be_asked_is_not_asked(canned, question, message):
    mast, asked = canned(lambda _: pytest.fail("a request was sent"))
    with pytest.raises(InvalidQueryError, match=message):
        query_observations(mast=mast, **question)
    assert asked == []


def test_no_proposals_are_no_question(canned):
    mast, _ = canned(lambda _: pytest.fail("a request was sent"))
    with pytest.warns(NoResultsWarning):
        table = query_observations(proposal_id=[], mast=mast)
    assert len(table) == 0
    assert table.colnames == [name for name in OBSERVATION_COLUMNS if name != "distance"]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("fault", FAULTS)
def test_passing_faults_are_overcome_and_counted(holdings, mast, route, fault):
    expected = query_observations(proposal_id=ALL, mast=mast, progress=False)
    n_faults = 0
    for seed in range(6):
        options = {"fault_rate": 0.3, "faults": (fault,), "retry_after": 0, "seed": seed}
        with serve(holdings, **options) as faulty:
            patient = Mast(faulty.url, retry=Retry(30, backoff_factor=0), timeout=0.3)
            asked = {"proposal_id": ALL, "route": route, "mast": patient, "progress": False}
            assert_same(query_observations(**asked), expected)
            patient.reply_session.close()
            assert set(patient.traffic.faults) <= FAULTS[fault]
            assert sum(patient.traffic.faults.values()) == sum(faulty.injected.values())
            n_faults += sum(faulty.injected.values())
        if n_faults:
            return
    pytest.fail("the server injected no fault")


def test_obsids_that_are_none(holdings):
    with serve(holdings, fault_rate=1, faults=("odd_obsids",), retry_after=0) as faulty:
        mast = Mast(faulty.url)
        asked = {"proposal_id": ALL, "mast": mast, "progress": False}
        by_portal = query_observations(route="portal", **asked)
        by_tap = query_observations(route="tap", **asked)
        mast.reply_session.close()
    assert len(by_tap) == 54
    assert len(by_portal) == 53
    assert by_portal.meta["left_out"] == {"without an obsid": 1}
    assert set(by_portal["obsid"]) < set(by_tap["obsid"])


def test_the_portal_stands_in_for_tap(server, mast, monkeypatch):
    monkeypatch.setattr(Mast, "tap_url", f"{server.url}/nowhere")
    with pytest.warns(AstropyUserWarning, match="portal is asked instead of the TAP service"):
        table = query_observations(proposal_id=ALL, mast=mast, progress=False)
    assert len(table) == 54
    with pytest.raises(ArchiveError, match="TAP service"):
        query_observations(proposal_id=ALL, route="tap", mast=mast)
    with pytest.raises(ArchiveError, match="TAP service"):
        query_observations(proposal_id=ALL, filters="!F814W", mast=mast)
