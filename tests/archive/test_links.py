import json
from urllib.parse import parse_qs, urlsplit

import pytest

from astro_paperclip import conf
from astro_paperclip.archive.links import portal_url, proposal_url


def test_the_portal_is_asked_for_the_one_observation():
    parts = urlsplit(portal_url("2003738726"))
    assert (parts.scheme, parts.netloc) == ("https", "mast.stsci.edu")
    (search,) = parse_qs(parts.query)["searchQuery"]
    asked = json.loads(search)
    assert asked["paramsService"] == "Mast.Caom.Filtered"
    assert [(f["paramName"], f["values"]) for f in asked["inputText"]] == [
        ("obsid", ["2003738726"])
    ]


def test_the_portal_is_that_of_the_configured_server():
    with conf.set_temp("mast_server", "http://127.0.0.1:8000/"):
        assert portal_url("1").startswith("http://127.0.0.1:8000/portal/")


@pytest.mark.parametrize("obsid", ["", "U27XCS01T", '1"><script>', "²", "-1", "1 2"])
def test_what_is_no_key_leads_nowhere(obsid):
    assert portal_url(obsid) == ""
    assert proposal_url(obsid) == ""


@pytest.mark.parametrize(
    ("mission", "path"),
    [
        ("HST", "/hst-program-info/program/"),
        ("HLA", "/hst-program-info/program/"),
        ("JWST", "/jwst-program-info/program/"),
    ],
)
def test_proposals_of_each_mission(mission, path):
    parts = urlsplit(proposal_url("9405", mission))
    assert (parts.netloc, parts.path) == ("www.stsci.edu", path)
    assert parse_qs(parts.query) == {"program": ["9405"]}


def test_proposals_of_another_mission_lead_nowhere():
    assert proposal_url("9405", "TESS") == ""
