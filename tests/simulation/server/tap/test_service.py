"""The TAP service as the real pyvo client sees it, and what pyvo does not ask for."""

import io
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
import requests
from astropy.io import votable
from astropy.utils.exceptions import AstropyDeprecationWarning
from pyvo.dal import DALOverflowWarning, DALQueryError, DALServiceError, TAPService

from astro_paperclip.archive.mast import Mast
from astro_paperclip.columns import COLUMNS
from astro_paperclip.simulation import Holdings, serve
from astro_paperclip.simulation.server import tap
from astro_paperclip.simulation.server.holdings import CAOM_COLUMNS

EVERYTHING = "SELECT * FROM dbo.ObsPointing"

# Pairs of all rows with all rows, twice: seconds of work.
LONG = "SELECT count(*) FROM obspointing a, obspointing b, obspointing c, obspointing d WHERE a.s_ra + b.s_ra + c.s_ra < d.s_dec"  # noqa: E501

# Older versions of pyvo warn also where the limit is the author's own.
OWN_LIMIT = pytest.mark.filterwarnings("ignore::pyvo.dal.DALOverflowWarning")


@contextmanager
def client(server):
    mast = Mast(server.url)
    # pyvo does not read all replies that it asks for, and does not close their sockets either.
    with mast.reply_session as session:
        yield TAPService(mast.tap_url, session=session)


@pytest.fixture(scope="module")
def service(holdings):
    with serve(holdings) as server, client(server) as service:
        yield service


@pytest.fixture(scope="module")
def url(service):
    return service.baseurl


@pytest.mark.parametrize("run", ["run_sync", "run_async"])
def test_rows_arrive_as_they_are(service, rows, run):
    table = getattr(service, run)(EVERYTHING).to_table()
    assert table.colnames == [name.lower() for name in CAOM_COLUMNS]
    for name in CAOM_COLUMNS:
        column, expected = table[name.lower()], [row.get(name) for row in rows]
        for value, known in zip(column, expected, strict=True):
            # A text that is missing and one that is empty look the same in a VOTable.
            if known is None:
                assert value is np.ma.masked or value == "" or np.isnan(value)
            elif name in ("obsid", "objID"):
                assert value == int(known)
            else:
                assert value == known


def test_columns_are_described(service):
    table = service.run_sync("SELECT TOP 1 * FROM obspointing").to_table()
    for name in CAOM_COLUMNS:
        column, info = table[name.lower()], COLUMNS[name]
        assert " ".join(column.description.split()) == info.description
        assert column.meta.get("ucd") == info.ucd
        assert column.meta.get("utype") == info.utype
    assert [table[name].dtype.kind for name in ("obsid", "s_ra", "mtflag", "calib_level")] == [
        *("i", "f", "b", "i")
    ]
    assert table["s_ra"].unit == "deg"
    # What MAST's service says, though the numbers are in nm.
    assert table["em_min"].unit == "m"


def test_expressions_have_a_type_of_their_own(service, rows):
    query = "SELECT obs_collection AS s_ra, count(*) AS n, avg(t_exptime) AS mean, max(obs_title) "
    table = service.run_sync(query + "FROM obspointing GROUP BY obs_collection").to_table()
    assert [table.dtype[index].kind for index in range(4)] == ["O", "i", "f", "O"]
    assert dict(zip(table["s_ra"], table["n"], strict=True)) == {"HST": len(rows) - 1, "HLA": 1}


def test_nothing_found_is_a_table_without_rows(service):
    table = service.run_sync(f"{EVERYTHING} WHERE obs_id = 'none'").to_table()
    assert len(table) == 0
    assert len(table.colnames) == len(CAOM_COLUMNS)


@OWN_LIMIT
@pytest.mark.parametrize("run", ["run_sync", "run_async"])
def test_cut_answers_say_so(service, rows, run):
    result = getattr(service, run)(EVERYTHING, maxrec=5)
    assert len(result) == 5
    assert result.query_status == "OVERFLOW"
    # An author who asks for the first rows gets what was asked for.
    result = getattr(service, run)("SELECT TOP 5 * FROM obspointing", maxrec=5)
    assert (len(result), result.query_status) == (5, "OK")


def test_no_answer_is_longer_than_masts(monkeypatch):
    rows = pa.table({"obsid": [str(number) for number in range(1, 13)]})
    monkeypatch.setattr(tap.service, "MAX_ROWS", 10)
    holdings = Holdings(pa.table({"proposal_id": []}), rows)
    with serve(holdings) as server, client(server) as service:
        assert service.maxrec == service.hardlimit == 10
        for limit in (None, 11, 1000):
            with pytest.warns(DALOverflowWarning):
                assert len(service.run_sync(EVERYTHING, maxrec=limit)) == 10


@pytest.mark.parametrize("run", ["run_sync", "run_async"])
def test_wrong_queries_are_explained(service, run):
    with pytest.raises(DALQueryError, match="no such column: nowhere"):
        getattr(service, run)("SELECT nowhere FROM obspointing")


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"QUERY": EVERYTHING}, "Error in query lang: Field required"),
        ({"LANG": "ADQL"}, "Error in query query: Field required"),
        ({"LANG": "SQL", "QUERY": EVERYTHING}, "LANG='SQL'"),
        ({"LANG": "ADQL", "QUERY": EVERYTHING, "MAXREC": "many"}, "MAXREC='many'"),
        ({"LANG": "ADQL", "QUERY": EVERYTHING, "UPLOAD": "a,param:b"}, "UPLOAD"),
    ],
)
def test_wrong_requests_are_explained(url, parameters, reason):
    response = requests.get(f"{url}/sync", params=parameters, timeout=10)
    assert response.status_code == 400
    (info,) = votable.parse(io.BytesIO(response.content)).resources[0].infos
    assert (info.name, info.value) == ("QUERY_STATUS", "ERROR")
    assert reason in info.content


def test_names_of_parameters_in_any_case(url):
    parameters = {"lang": "ADQL", "query": EVERYTHING, "MaxRec": "1"}
    assert requests.post(f"{url}/sync", data=parameters, timeout=10).text.count("<TR>") == 1


def test_what_the_service_says_of_itself(service):
    with pytest.warns(AstropyDeprecationWarning):
        assert service.available
    capability = service.get_tap_capability()
    language = capability.get_adql()
    geometry = "ivo://ivoa.net/std/TAPRegExt#features-adqlgeo"
    assert language.get_feature(geometry, "POLYGON")
    assert service.maxrec == service.hardlimit == 100_000
    assert {"dbo.obspointing", "ivoa.obscore", "tap_schema.tables"} <= set(service.tables.keys())
    columns = {column.name: column for column in service.tables["dbo.obspointing"].columns}
    assert list(columns) == [name.lower() for name in CAOM_COLUMNS]
    assert columns["s_dec"].unit == "deg"
    assert columns["s_dec"].datatype.content == "double"


@OWN_LIMIT
def test_a_job_from_its_birth_to_its_end(service, url, rows):
    job = service.submit_job(EVERYTHING, maxrec=3)
    assert job.phase == "PENDING"
    assert job.url == f"{url}/async/{job.job_id}"
    assert job.query == EVERYTHING
    assert job.uws_version == "1.1"
    job.query = "SELECT TOP 7 obsid FROM dbo.obspointing"
    job.execution_duration = 60
    assert job.execution_duration.sec == 60
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    job.destruction = later
    assert job.destruction.to_datetime(timezone=UTC) == later
    assert {listed.jobid for listed in service.get_job_list()} >= {job.job_id}
    job.run()
    job.wait(timeout=30)
    assert job.phase == "COMPLETED"
    assert job.result_uri == f"{job.url}/results/result"
    assert len(job.fetch_result()) == 3
    job.delete()
    assert requests.get(f"{url}/async/{job.job_id}", timeout=10).status_code == 404


def test_a_job_can_be_stopped(service):
    job = service.submit_job(LONG).run()
    start = time.monotonic()
    while job.phase == "QUEUED" and time.monotonic() < start + 30:
        time.sleep(0.01)
    assert job.phase == "EXECUTING"
    job.abort()
    assert job.phase == "ABORTED"
    with pytest.raises(DALQueryError):
        job.raise_if_error()
    with pytest.raises(DALServiceError, match="not active"):
        job.wait()
    job.delete()


def test_a_job_that_fails_says_why(service, url):
    job = service.submit_job("SELECT nowhere FROM obspointing").run().wait()
    assert job.phase == "ERROR"
    with pytest.raises(DALQueryError, match="no such column: nowhere"):
        job.raise_if_error()
    assert "no such column" in requests.get(f"{job.url}/error", timeout=10).text
    assert requests.get(f"{job.url}/results/result", timeout=10).status_code == 404
    job.delete()


def test_a_job_runs_at_once_where_that_is_asked_for(url):
    form = {"LANG": "ADQL", "QUERY": EVERYTHING, "PHASE": "RUN"}
    response = requests.post(f"{url}/async", data=form, timeout=10)
    assert response.history[0].status_code == 303
    waited = requests.get(response.url, params={"WAIT": "5"}, timeout=10)
    assert "<uws:phase>COMPLETED" in waited.text or (
        requests.get(f"{response.url}/phase", timeout=10).text in ("EXECUTING", "COMPLETED")
    )


def test_jobs_are_forgotten_in_time(service, url):
    job = service.submit_job(EVERYTHING)
    requests.post(
        f"{job.url}/destruction", data={"DESTRUCTION": "2020-01-01T00:00:00Z"}, timeout=10
    )
    assert requests.get(job.url, timeout=10).status_code == 404
    assert job.job_id not in {listed.jobid for listed in service.get_job_list()}


@pytest.mark.parametrize("path", ["/nothing", "/tables/dbo.nothing", "/async/nothing", "/sync/1"])
def test_what_is_not_there(url, path):
    assert requests.get(url + path, timeout=10).status_code == 404
