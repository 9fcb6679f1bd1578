"""The route by the portal: what it can be asked, and what it answers."""

import json
from urllib.parse import parse_qs

import numpy as np
import pyarrow as pa
import pytest
from astroquery.mast import ObservationsClass
from urllib3.util import Retry

from astro_paperclip import criteria
from astro_paperclip.archive import Mast
from astro_paperclip.archive.observations import portal
from astro_paperclip.archive.observations.portal import PortalRoute, portal_criteria
from astro_paperclip.archive.observations.tables import observation_table
from astro_paperclip.criteria import And, Cone, Match
from astro_paperclip.exceptions import ArchiveError, InvalidQueryError
from astro_paperclip.simulation import Holdings, serve

HST = Match("obs_collection", ("HST",))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"filters": "F814W"}, ["F814W"]),
        ({"filters": ["F814W", "F606W"]}, ["F814W", "F606W"]),
        ({"filters": ["F814W", "F6*"]}, ["F814W", "F6*"]),
        ({"target_name": "M*"}, ["M*"]),
        ({"calib_level": 3}, [3]),
        ({"calib_level": [2, 4]}, [2, 3, 4]),
        ({"t_exptime": [100, 200.5]}, [100.0, 200.5]),
        ({"t_exptime": 30}, [30, 30]),
        ({"mtFlag": "true"}, [True]),
    ],
)
def test_what_astroquery_is_asked(asked, expected):
    assert portal_criteria(criteria.parse(**asked)) == {next(iter(asked)): expected}


def test_a_cone_is_a_position():
    asked = portal_criteria(And((HST, Cone(10.0, -20.0, 0.5))))
    assert asked.keys() == {"obs_collection", "coordinates", "radius"}
    assert (asked["coordinates"].ra.deg, asked["coordinates"].dec.deg) == (10.0, -20.0)
    assert asked["radius"] == 0.5


@pytest.mark.parametrize(
    "asked",
    [
        {"filters": "!F814W"},
        {"t_exptime": ">100"},
        {"t_exptime": "..100"},
        {"t_exptime": ["1..2", "5..6"]},
        {"t_exptime": [1, 2, 3]},
        {"filters": ["F8*", "F6*"]},
        {"sequence_number": [1, 100_000]},
        {"calib_level": ">2"},
    ],
)
def test_what_the_portal_cannot_be_asked(asked):
    with pytest.raises(InvalidQueryError, match="route='tap'"):
        portal_criteria(criteria.parse(**asked))


def test_a_column_can_be_restricted_once():
    with pytest.raises(InvalidQueryError, match="cannot be asked"):
        portal_criteria(And((Cone(1, 2, 3), Cone(4, 5, 6))))


def test_a_position_alone_is_not_enough():
    with pytest.raises(InvalidQueryError, match="more than a position"):
        portal_criteria(And((Cone(10.0, -20.0, 0.5),)))


@pytest.fixture
def holdings():
    """Return an archive of 25 observations of one proposal."""
    obsids = [str(number) for number in range(101, 126)]
    columns = {"obsid": obsids, "obs_collection": ["HST"] * 25, "proposal_id": ["7"] * 25}
    return Holdings(pa.table({"proposal_id": ["7"]}), pa.table(columns))


def test_every_page_is_read(holdings, monkeypatch):
    monkeypatch.setattr(portal, "_PAGE_ROWS", 10)
    with serve(holdings) as server:
        mast = Mast(server.url)
        replies = list(PortalRoute(mast).replies(Match("proposal_id", ("7",))))
        mast.reply_session.close()
    assert [len(reply) for reply in replies] == [10, 10, 5]
    assert (
        observation_table(replies)["obsid"].tolist() == holdings.observations["obsid"].to_pylist()
    )
    assert server.requests["portal"] == 3


def test_a_fault_costs_one_page(holdings, monkeypatch):
    monkeypatch.setattr(portal, "_PAGE_ROWS", 2)
    options = {"fault_rate": 0.3, "faults": ("truncated", "html"), "retry_after": 0}
    with serve(holdings, **options) as server:
        mast = Mast(server.url, retry=Retry(20, backoff_factor=0))
        replies = list(PortalRoute(mast).replies(Match("proposal_id", ("7",))))
        mast.reply_session.close()
    assert [len(reply) for reply in replies] == [2] * 12 + [1]
    assert sum(mast.traffic.faults.values()) == sum(server.injected.values()) > 0
    assert server.requests["portal"] + server.requests["columns"] == 14 + sum(
        server.injected.values()
    )


@pytest.fixture
def recorded(shared):
    """Return a function that reads a recorded reply."""
    return lambda name: json.loads(
        (shared / "data" / "mast_records" / "astroquery" / f"{name}.json").read_text()
    )


@pytest.fixture
def answering(canned, recorded):
    """Return a function that makes a route to a portal which gives a changed recorded reply."""

    def answering(**changes):
        def answer(request):
            if request.url.endswith("columnsconfig"):
                return 200, "application/json", json.dumps(recorded("columnsconfig")).encode()
            reply = recorded("caom") | changes
            return 200, "application/json", json.dumps(reply).encode()

        mast, asked = canned(answer)
        return PortalRoute(mast), asked

    return answering


def test_recorded_observations(answering, recorded):
    route, asked = answering()
    table = observation_table(route.replies(And((HST, Match("proposal_id", ("5371", "5372"))))))
    rows = {str(row["obsid"]): row for row in recorded("caom")["data"]}
    assert table["obsid"].tolist() == sorted(rows, key=int)
    for name in table.colnames:
        cells = table[name].tolist()
        for obsid, cell in zip(table["obsid"], cells, strict=True):
            truth = rows[obsid].get(name)
            assert (cell or None) == (None if truth in (None, "") else type(cell)(truth)), name
    request = json.loads(parse_qs(asked[-1].body)["request"][0])
    assert request["service"] == ObservationsClass._caom_filtered
    assert {f["paramName"]: f["values"] for f in request["params"]["filters"]} == {
        "obs_collection": ["HST"],
        "proposal_id": ["5371", "5372"],
    }
    assert np.all(table["s_ra"] > 22)


def test_an_error_of_the_portal(answering):
    route, asked = answering(status="ERROR", msg="Invalid column name 'colour'.")
    with pytest.raises(ArchiveError, match=r"refused.*Invalid column name 'colour'"):
        list(route.replies(HST))
    assert len(asked) == 2


def test_rows_that_are_missing(answering):
    paging = {"page": 1, "pageSize": 50000, "pagesFiltered": 1, "rows": 19, "rowsFiltered": 20}
    route, _ = answering(paging=paging)
    with pytest.raises(ArchiveError, match="gave 19 observations where it found 20"):
        list(route.replies(HST))


def test_a_reply_of_another_form_is_asked_for_again(answering):
    route, asked = answering(fields=None)
    with pytest.raises(ArchiveError, match=r"failed 4 times.*unreadable"):
        list(route.replies(HST))
    assert len(asked) == 5
