"""ADQL, answered by SQLite; expected rows are found in the archive by plain Python."""

import threading

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from astro_paperclip.simulation.server.holdings import CAOM_COLUMNS
from astro_paperclip.simulation.server.tap.database import Database
from astro_paperclip.simulation.server.tap.errors import QueryError

EVERY_ROW = 1000


@pytest.fixture(scope="module")
def database(holdings):
    return Database(holdings)


@pytest.fixture
def ask(database):
    return lambda adql: database.query(adql, EVERY_ROW).rows


@pytest.fixture
def ids(ask):
    return lambda condition: {row[0] for row in ask(f"SELECT obs_id FROM obspointing {condition}")}


def test_everything_under_lower_case_names(database, rows):
    answer = database.query("SELECT * FROM dbo.ObsPointing", EVERY_ROW)
    assert answer.names == [name.lower() for name in CAOM_COLUMNS]
    assert not answer.is_cut
    served = [dict(zip(CAOM_COLUMNS, row, strict=True)) for row in answer.rows]
    numbers = {"obsid": int, "objID": int}
    for row, expected in zip(served, rows, strict=True):
        for name in CAOM_COLUMNS:
            value = expected.get(name)
            if value is not None:
                value = numbers.get(name, lambda known: known)(value)
            assert row[name] == value


@pytest.mark.parametrize(
    "table", ["dbo.ObsPointing", "dbo.obspointing", "obspointing", "OBSPOINTING", "ivoa.obscore"]
)
def test_names_of_tables(ask, rows, table):
    assert ask(f"SELECT count(*) FROM {table}") == [(len(rows),)]


def test_conditions(ids, rows):
    wanted = {rows[0]["proposal_id"], rows[-1]["proposal_id"]}
    listed = ", ".join(f"'{name}'" for name in wanted)
    assert ids(f"WHERE proposal_id IN ({listed})") == {
        row["obs_id"] for row in rows if row["proposal_id"] in wanted
    }
    # MAST's examples compare the text with a number.
    assert ids("WHERE proposal_id = 5371") == {"U27XCS01T"}
    assert ids("WHERE t_exptime BETWEEN 1000 AND 2000 AND NOT em_min >= 500") == {
        row["obs_id"]
        for row in rows
        if row["t_exptime"] and 1000 <= row["t_exptime"] <= 2000 and row["em_min"] < 500
    }
    assert ids("WHERE jpegURL IS NULL OR obs_title LIKE '%M''31'") == {"U27XCS01T"}
    assert ids("WHERE obs_id LIKE 'u27%'") == set()
    assert ids("WHERE LOWER(obs_id) LIKE 'u27%'") == {"U27XCS01T"}
    assert ids("WHERE target_name = ''") == {"U27XCS01T"}


def test_comments_and_quoted_names(ask):
    query = """
        SELECT "obs_id" AS "My ID" -- a comment with a ' in it
        FROM "obspointing" WHERE obsid = 2003585980"""
    assert ask(query) == [("U27XCS01T",)]


def test_top_order_and_offset(ask, rows):
    ordered = sorted(int(row["obsid"]) for row in rows)
    query = "SELECT {} obsid FROM dbo.obspointing AS o ORDER BY o.obsid {}"
    assert [row[0] for row in ask(query.format("TOP 4", ""))] == ordered[:4]
    assert [row[0] for row in ask(query.format("TOP 4", "OFFSET 3"))] == ordered[3:7]
    assert [row[0] for row in ask(query.format("", "OFFSET 5"))] == ordered[5:]
    nested = "SELECT count(*) FROM (SELECT TOP 3 obsid FROM obspointing) AS few"
    assert ask(nested) == [(3,)]
    assert ask("SELECT TOP 0 * FROM obspointing") == []


def test_rows_are_cut_and_it_is_said(database, rows):
    answer = database.query("SELECT obsid FROM obspointing", 5)
    assert (len(answer.rows), answer.is_cut) == (5, True)
    answer = database.query("SELECT obsid FROM obspointing", len(rows))
    assert (len(answer.rows), answer.is_cut) == (len(rows), False)


def test_join_of_the_examples(database, rows):
    answer = database.query(
        "select obspointing.*, access_url from obspointing natural join ivoa.obscore "
        f"where obs_collection = 'HST' and proposal_id = {rows[0]['proposal_id']} "
        "order by calib_level, obs_id",
        EVERY_ROW,
    )
    expected = [row for row in rows if row["proposal_id"] == rows[0]["proposal_id"]]
    expected.sort(key=lambda row: row["obs_id"])
    urls = [row[-1] for row in answer.rows]
    assert urls == [
        f"https://mast.stsci.edu/api/v0.1/Download/file?uri={row['dataURL']}" for row in expected
    ]


@pytest.mark.parametrize("circle", ["CIRCLE('ICRS', 180, 10, 60)", "circle(POINT(180,10), 60)"])
def test_cone_search(ids, rows, circle):
    positions = SkyCoord([r["s_ra"] for r in rows], [r["s_dec"] for r in rows], unit="deg")
    near = positions.separation(SkyCoord(180, 10, unit="deg")) < 60 * u.deg
    assert 0 < near.sum() < len(rows)
    assert ids(f"WHERE CONTAINS(POINT('ICRS', s_ra, s_dec), {circle}) = 1") == {
        row["obs_id"] for row, is_near in zip(rows, near, strict=True) if is_near
    }


def test_footprints(ids, rows):
    row = rows[3]
    position = f"POINT('ICRS', {row['s_ra']}, {row['s_dec']})"
    same = {r["obs_id"] for r in rows if (r["s_ra"], r["s_dec"]) == (row["s_ra"], row["s_dec"])}
    assert ids(f"WHERE 1 = CONTAINS({position}, s_region)") == same
    circle = f"CIRCLE('ICRS', {row['s_ra']}, {row['s_dec']}, 0.001)"
    assert ids(f"WHERE 1 = INTERSECTS(s_region, {circle})") == same
    corners = "22, 60, 24, 60, 24, 61, 22, 61"
    assert ids(f"WHERE 1 = CONTAINS(s_region, POLYGON('ICRS', {corners}))") == {"U27XCS01T"}
    assert ids("WHERE 1 = CONTAINS(POINT('', s_ra, s_dec), BOX('ICRS', 23, 60.5, 2, 1))") == {
        "U27XCS01T"
    }


def test_distances(ask, rows):
    query = "SELECT obsid, DISTANCE(POINT('ICRS', s_ra, s_dec), POINT('ICRS', 23, 60)) FROM {}"
    positions = SkyCoord([r["s_ra"] for r in rows], [r["s_dec"] for r in rows], unit="deg")
    expected = positions.separation(SkyCoord(23, 60, unit="deg")).deg
    found = [row[1] for row in ask(query.format("obspointing"))]
    assert found == pytest.approx(expected.tolist(), rel=1e-12)


def test_missing_positions_are_nowhere(holdings, rows):
    table = holdings.observations
    index = table.column_names.index("s_ra")
    nowhere = table.set_column(index, "s_ra", [[None] * len(table)])
    database = Database(type(holdings)(holdings.proposals, nowhere))
    everywhere = "CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 0, 0, 180))"
    for wanted in (0, 1):
        query = f"SELECT obsid FROM obspointing WHERE {everywhere} = {wanted}"
        assert database.query(query, EVERY_ROW).rows == []


def test_logarithms_are_natural(ask):
    assert ask("SELECT TOP 1 LOG(10), LOG10(100) FROM obspointing")[0] == pytest.approx(
        (np.log(10), 2)
    )


def test_schema_lists_every_column(ask, database):
    for table in ("dbo.obspointing", "ivoa.obscore", "tap_schema.columns"):
        answer = database.query(f"SELECT * FROM {table}", 0)
        query = f"SELECT column_name FROM TAP_SCHEMA.columns WHERE table_name = '{table}'"
        assert [row[0] for row in ask(query)] == answer.names


@pytest.mark.parametrize(
    ("adql", "reason"),
    [
        ("", "starts with SELECT"),
        ("DROP TABLE obspointing", "starts with SELECT"),
        ("SELECT * FROM dbo.unknown", "no such table: dbo.unknown"),
        ("SELECT unknown FROM obspointing", "no such column: unknown"),
        ('SELECT "unknown" FROM obspointing', "no such column: unknown"),
        ("SELECT * FROM obspointing LIMIT 5", "LIMIT is no ADQL"),
        ("SELECT * FROM obspointing; DROP TABLE obspointing", "syntax error at '; DROP"),
        ("SELECT TOP 'a' * FROM obspointing", "TOP needs"),
        ("SELECT * FROM obspointing WHERE (obsid = 1", "never closed"),
        ("SELECT * FROM obspointing WHERE obsid = 1)", "never opened"),
        ("SELECT * FROM obspointing WHERE obs_id = 'open", "syntax error"),
        ("SELECT * FROM obspointing WHERE", "incomplete input|syntax error"),
        ("SELECT CONTAINS(POINT('GALACTIC', 1, 2), s_region) FROM obspointing", "frame 'GALAC"),
        ("SELECT CONTAINS(POINT('ICRS', 1, 2), obs_id) FROM obspointing", "is no region"),
        ("SELECT POINT('ICRS', 1) FROM obspointing", "point cannot take"),
        ("SELECT CIRCLE('ICRS', 1, 2, -3) FROM obspointing", "radius -3"),
        ("SELECT load_extension('x') FROM obspointing", "not authorized|prohibited"),
    ],
)
def test_what_is_wrong_is_said(database, adql, reason):
    with pytest.raises(QueryError, match=reason):
        database.query(adql, EVERY_ROW)


def test_one_region_a_query(ask):
    condition = "CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 1, 2, 3)) = 1"
    with pytest.raises(QueryError, match="only one CONTAINS"):
        ask(f"SELECT obsid FROM obspointing WHERE {condition} OR {condition}")


def test_queries_at_the_same_time(database, rows):
    found, query = [], "SELECT count(*) FROM obspointing AS a, obspointing AS b"

    def work():
        found.extend(database.query(query, EVERY_ROW).rows[0][0] for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [len(rows) ** 2] * 80
