"""The route by TAP, against services that answer as they are told."""

import io
import re
from urllib.parse import parse_qs

import pyarrow as pa
import pytest
from astropy.io.votable import from_table
from astropy.io.votable.tree import Info
from astropy.table import Table
from urllib3.util import Retry

from astro_paperclip.archive import Mast
from astro_paperclip.archive.observations import tap
from astro_paperclip.archive.observations.tables import observation_table
from astro_paperclip.archive.observations.tap import TapRoute
from astro_paperclip.criteria import Match
from astro_paperclip.exceptions import ArchiveError
from astro_paperclip.simulation import Holdings, serve

HST = Match("obs_collection", ("HST",))
ROWS = Table({"obsid": range(1, 13), "obs_collection": ["HST"] * 12, "jpegurl": ["p.jpg"] * 12})


def votable(table, status="OK", message=""):
    """Write a table as a reply of a TAP service."""
    document = from_table(table)
    document.resources[0].type = "results"
    document.resources[0].infos.append(Info(name="QUERY_STATUS", value=status))
    document.resources[0].infos[-1].content = message
    file = io.BytesIO()
    document.to_xml(file)
    return file.getvalue()


def service(limit, *, is_honest=True, rows=ROWS):
    """Return a service that gives so many rows at most, and says so or not."""

    def answer(request):
        adql = parse_qs(request.body)["QUERY"][0]
        after = re.search(r"obsid > (\d+)", adql)
        found = rows[rows["obsid"] > int(after[1])] if after else rows
        top = int(re.search(r"TOP (\d+)", adql)[1])
        is_cut = len(found) > limit < top
        reply = found[: min(limit, top)]
        status = "OVERFLOW" if is_cut and is_honest else "OK"
        return 200, "application/x-votable+xml", votable(reply, status)

    return answer


@pytest.mark.parametrize(
    ("limit", "page", "sizes"),
    [
        (100, 100, [12]),
        (5, 100, [5, 5, 2]),
        (4, 100, [4, 4, 4]),
        (100, 5, [5, 5, 2]),
        (100, 4, [4, 4, 4, 0]),
        (100, 12, [12, 0]),
    ],
)
def test_pages_go_on_until_there_are_no_more(canned, monkeypatch, limit, page, sizes):
    monkeypatch.setattr(tap, "_PAGE_ROWS", page)
    mast, _ = canned(service(limit))
    replies = list(TapRoute(mast).replies(HST))
    assert [len(reply) for reply in replies] == sizes
    assert observation_table(replies)["obsid"].tolist() == [str(n) for n in range(1, 13)]


def test_only_columns_that_are_there_are_asked_for(canned):
    mast, asked = canned(service(100))
    list(TapRoute(mast).replies(HST))
    adql = parse_qs(asked[-1].body)["QUERY"][0]
    assert adql.startswith("SELECT TOP 10000 obsid, obs_collection, jpegURL FROM dbo.ObsPointing ")
    assert asked[-1].method == "POST"


def test_a_list_that_does_not_go_on_is_an_error(canned):
    mast, _ = canned(lambda _: (200, "text/xml", votable(ROWS, "OVERFLOW")))
    with pytest.raises(ArchiveError, match="broke off"):
        list(TapRoute(mast).replies(HST))


def once(first):
    """Return a service whose first reply is another one."""
    replies = [first]
    return lambda request: replies.pop() if replies else service(100)(request)


ERROR = votable(ROWS[:0], "ERROR", "line 1: no such column: colour")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ((503, "text/html", b"<html>busy</html>"), "server error"),
        ((503, "text/xml", ERROR), "server error"),
        ((429, "text/plain", b"slow down"), "too many requests"),
        ((200, "text/html", b"<html><body>Maintenance</body></html>"), "unreadable"),
        ((200, "text/xml", b""), "unreadable"),
        ((200, "text/xml", votable(ROWS)[:-300]), "unreadable"),
        ((200, "text/xml", b"<VOTABLE></VOTABLE>"), "unreadable"),
    ],
)
def test_a_passing_fault_costs_an_attempt(canned, reply, kind):
    mast, asked = canned(once(reply))
    assert len(observation_table(TapRoute(mast).replies(HST))) == 12
    assert dict(mast.traffic.faults) == {kind: 1}
    assert len(asked) == 3


@pytest.mark.parametrize("status", [200, 400])
def test_a_query_that_is_refused(canned, status):
    mast, asked = canned(lambda _: (status, "text/xml", ERROR))
    with pytest.raises(ArchiveError, match="refused the query: line 1: no such column: colour"):
        list(TapRoute(mast).replies(HST))
    assert len(asked) == 1


def test_no_service_at_all(canned):
    mast, asked = canned(lambda _: (404, "text/html", b"<html>Not found</html>"))
    with pytest.raises(ArchiveError, match="404"):
        list(TapRoute(mast).replies(HST))
    assert len(asked) == 1


@pytest.fixture(scope="module")
def holdings():
    """Return an archive of 12 observations."""
    columns = {"obsid": [str(n) for n in range(1, 13)], "obs_collection": ["HST"] * 12}
    return Holdings(pa.table({"proposal_id": []}), pa.table(columns))


def test_a_job_finds_the_same(holdings, monkeypatch):
    monkeypatch.setattr(tap, "_PAGE_ROWS", 5)
    with serve(holdings) as server:
        route = TapRoute(Mast(server.url))
        at_once = observation_table(route.replies(HST))
        as_job = observation_table(route.replies(HST, as_job=True))
        assert as_job["obsid"].tolist() == at_once["obsid"].tolist()
        assert len(as_job) == 12


def test_a_job_that_fails_says_why(holdings):
    with serve(holdings) as server:
        route = TapRoute(Mast(server.url))
        with pytest.raises(ArchiveError, match=r"refused the query: .*colour"):
            list(route.replies(Match("colour", ("red",)), as_job=True))


def test_a_job_that_does_not_end_is_given_up(holdings, monkeypatch):
    monkeypatch.setattr(tap, "_LONGEST_JOB", 0.0)
    monkeypatch.setattr(TapRoute, "_phase", lambda *_: "EXECUTING")
    with serve(holdings) as server:
        route = TapRoute(Mast(server.url))
        with pytest.raises(ArchiveError, match="did not end within"):
            list(route.replies(HST, as_job=True))


@pytest.mark.parametrize(
    "fault", ["unavailable", "too_many_requests", "reset", "truncated", "wrong_length", "html"]
)
def test_a_job_survives(holdings, fault):
    for seed in range(3):
        options = {"fault_rate": 0.4, "faults": (fault,), "retry_after": 0, "seed": seed}
        with serve(holdings, **options) as server:
            mast = Mast(server.url, retry=Retry(50, backoff_factor=0), timeout=5)
            found = observation_table(TapRoute(mast).replies(HST, as_job=True))
        assert len(found) == 12
        # Nobody reads what is answered to an order, to delete a job for instance.
        assert sum(server.injected.values()) >= sum(mast.traffic.faults.values())
        assert sum(server.injected.values()) > 0
