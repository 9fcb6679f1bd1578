"""Requests to MAST itself."""

import pytest
from astropy.coordinates import SkyCoord

from astro_paperclip.archive.observations.query import query_observations

pytestmark = pytest.mark.remote_data

PROPOSAL = "15354"


@pytest.mark.parametrize("route", ["portal", "tap"])
def test_a_proposal(route):
    table = query_observations(proposal_id=PROPOSAL, route=route, progress=False)
    assert set(table["proposal_id"]) == {PROPOSAL}
    assert all(obsid.isdigit() for obsid in table["obsid"])


def test_both_routes_find_the_same():
    asked = {"proposal_id": [PROPOSAL, "5371"], "progress": False}
    by_portal = query_observations(route="portal", **asked)
    by_tap = query_observations(route="tap", **asked)
    assert by_portal["obsid"].tolist() == by_tap["obsid"].tolist()
    for name in by_portal.colnames:
        assert by_portal[name].tolist() == by_tap[name].tolist(), name


def test_a_job(monkeypatch):
    monkeypatch.setattr("astro_paperclip.archive.observations.query._JOB", 0)
    table = query_observations(proposal_id=PROPOSAL, route="tap", progress=False)
    assert set(table["proposal_id"]) == {PROPOSAL}


def test_another_mission():
    table = query_observations(mission="JWST", proposal_id=2731, progress=False)
    assert set(table["obs_collection"]) == {"JWST"}


@pytest.mark.parametrize("route", ["portal", "tap"])
def test_a_place(route):
    here = SkyCoord("13h29m52.7s +47d11m43s")
    asked = {"instrument_name": "ACS/WFC", "route": route, "progress": False}
    table = query_observations(coordinates=here, radius="1m", **asked)
    assert len(table) > 0
    assert table["distance"].max() <= 60


@pytest.mark.parametrize("route", ["portal", "tap"])
def test_a_region(route):
    region = "CIRCLE ICRS 202.47 47.195 0.005"
    asked = {"instrument_name": "ACS/WFC", "route": route, "progress": False}
    assert len(query_observations(region=region, **asked)) > 0


def test_what_only_tap_can_say():
    asked = {"proposal_id": PROPOSAL, "t_exptime": ">100", "progress": False}
    table = query_observations(filters="!F814W", **asked)
    assert not any("F814W" in str(filters).split(";") for filters in table["filters"])
