"""Conditions in ADQL, asked of a real database."""

import sqlite3

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table

from astro_paperclip import criteria
from astro_paperclip.archive.observations.adql import condition, select
from astro_paperclip.archive.observations.matching import fits
from astro_paperclip.criteria import And, Cone, Match, Not, Or, Range, Wildcard
from astro_paperclip.exceptions import InvalidQueryError


@pytest.fixture(scope="module")
def table():
    """Return rows with awkward values; None is a missing one."""
    columns = {
        "obs_id": ["A", "B", "C", "D", "E", "F"],
        "target_name": ["NGC_1", "NGC-1", "ngc_12", "O'Neill", None, "100% true"],
        "filters": ["F814W", "F606W;F814W", "f814w", None, "XF814W", "F606W;F814W;F435W"],
        "calib_level": [3, 2, 1, None, 4, 3],
        "t_exptime": [100.0, 200.5, None, 0.1, 1e-7, -5.0],
        "mtFlag": [True, False, None, False, True, False],
        "s_ra": [359.9, 0.1, 10.0, None, 200.0, 0.0],
        "s_dec": [0.0, 0.05, 10.0, None, -89.99, 90.0],
    }
    made = Table()
    for name, cells in columns.items():
        fill = next(cell for cell in cells if cell is not None)
        values = [fill if cell is None else cell for cell in cells]
        made[name] = MaskedColumn(values, mask=[cell is None for cell in cells])
    return made


@pytest.fixture(scope="module")
def found(table):
    """Return a function that gives the rows that meet a condition in a database."""
    database = sqlite3.connect(":memory:")
    database.execute(f"CREATE TABLE t ({', '.join(table.colnames)})")
    rows = zip(*(table[name].tolist() for name in table.colnames), strict=True)
    marks = ", ".join("?" * len(table.colnames))
    database.executemany(f"INSERT INTO t VALUES ({marks})", rows)

    def found(where):
        sql = f"SELECT obs_id FROM t WHERE {condition(where)} ORDER BY obs_id"
        return "".join(name for (name,) in database.execute(sql))

    yield found
    database.close()


TREES = {
    "one value": (criteria.parse(calib_level=3), "AF"),
    "values": (criteria.parse(calib_level=[1, 3, 4]), "ACEF"),
    "a quote": (criteria.parse(target_name="O'Neill"), "D"),
    "a missing value is not equal": (criteria.parse(target_name="!NGC_1"), "BCDEF"),
    "a range": (criteria.parse(t_exptime=[0, 150]), "ADE"),
    "an open range": (criteria.parse(t_exptime=">100"), "B"),
    "no range": (criteria.parse(t_exptime="!0..150"), "BCF"),
    "negative numbers": (criteria.parse(t_exptime="<=-5"), "F"),
    "a flag": (criteria.parse(mtFlag=True), "AE"),
    "not a flag": (criteria.parse(mtFlag="!true"), "BCDF"),
    "an element of a list": (criteria.parse(filters="F814W"), "ABF"),
    "no element of a list": (criteria.parse(filters="!F814W"), "CDE"),
    "a pattern": (criteria.parse(target_name="ngc*"), "ABC"),
    "a pattern for elements": (criteria.parse(filters="f8*"), "ABCF"),
    "not a pattern": (criteria.parse(target_name="!*n*"), "EF"),
    "no pattern for elements": (criteria.parse(filters="!f8*"), "DE"),
    "one character": (criteria.parse(target_name="NGC_1*"), "AC"),
    "not that character": (criteria.parse(target_name="!NGC_1*"), "BDEF"),
    "value or pattern": (criteria.parse(target_name=["O'Neill", "*1"]), "ABD"),
    "value, not pattern": (criteria.parse(calib_level=[2, 3], target_name="!*true"), "AB"),
    "neither": (Not(Or((Match("calib_level", (3,)), Range("t_exptime", gte=200)))), "CDE"),
    "not both": (Not(And((Match("calib_level", (3,)), Range("t_exptime", gte=0)))), "BCDEF"),
    "twice not": (Not(Not(Wildcard("target_name", "ngc*"))), "ABC"),
    "across 0": (Cone(0.0, 0.0, 0.2), "AB"),
    "at a pole": (Cone(77.0, -90.0, 0.1), "E"),
    "not there": (Not(Cone(0.0, 0.0, 0.2)), "CDEF"),
    "always": (And(()), "ABCDEF"),
    "never": (Or(()), ""),
    "no value": (Match("obs_id", ()), ""),
}

WIDER = {
    "an element of a list",
    "no element of a list",
    "a pattern for elements",
    "no pattern for elements",
    "one character",
    "not that character",
    "across 0",
    "at a pole",
    "not there",
}
"""What ADQL cannot say, so that the database finds more rows."""


@pytest.mark.parametrize("name", TREES)
def test_rows_that_fit(table, found, name):
    where, expected = TREES[name]
    assert "".join(table["obs_id"][fits(where, table)]) == expected
    if name in WIDER:
        assert set(found(where)) >= set(expected)
    else:
        assert found(where) == expected


def test_select():
    where = And((Match("obs_collection", ("HST",)), Match("proposal_id", ("5371", "5'2"))))
    assert select("dbo.T", ["obsid", "filters"], where, top=7, after="12") == (
        "SELECT TOP 7 obsid, filters FROM dbo.T WHERE ((obs_collection IN ('HST')) "
        "AND (proposal_id IN ('5371', '5''2'))) AND obsid > 12 ORDER BY obsid"
    )


def test_what_is_no_tree(table):
    for function in (condition, lambda where: fits(where, table)):
        with pytest.raises(InvalidQueryError, match="is no filter"):
            function("filters = 'F814W'")


def test_empty_tables_fit_nothing(table):
    assert fits(criteria.parse(filters="!F814W"), table[:0]).dtype == np.bool_
