import datetime

import numpy as np
import pytest
from astropy import units as u
from astropy.time import Time

from astro_paperclip.criteria import And, Cone, Match, Not, Or, Range, Wildcard, parse
from astro_paperclip.exceptions import InvalidQueryError


def test_nothing():
    assert parse() is None
    assert parse(instrument_name=None) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ACS/WFC", Match("instrument_name", ("ACS/WFC",))),
        (["ACS/WFC", "WFPC2"], Match("instrument_name", ("ACS/WFC", "WFPC2"))),
        (np.array(["ACS/WFC", "WFPC2"]), Match("instrument_name", ("ACS/WFC", "WFPC2"))),
        ("WFC3*", Wildcard("instrument_name", "WFC3*")),
        ("%UVIS", Wildcard("instrument_name", "%UVIS")),
        ("!COS", Not(Match("instrument_name", ("COS",)))),
        ("!WFC3*", Not(Wildcard("instrument_name", "WFC3*"))),
        (["!COS", "!STIS"], Not(Match("instrument_name", ("COS", "STIS")))),
        (
            ["WFC3*", "ACS/WFC", "WFPC2", "!WFC3/IR"],
            And(
                (
                    Or(
                        (
                            Match("instrument_name", ("ACS/WFC", "WFPC2")),
                            Wildcard("instrument_name", "WFC3*"),
                        )
                    ),
                    Not(Match("instrument_name", ("WFC3/IR",))),
                )
            ),
        ),
    ],
)
def test_text(value, expected):
    assert parse(instrument_name=value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (53000.5, Match("t_min", (53000.5,))),
        ("53000", Match("t_min", (53000,))),
        ([53000, 54000], Range("t_min", gte=53000, lte=54000)),
        ((53000, 54000), Range("t_min", gte=53000, lte=54000)),
        (np.array([53000.0, 54000.0]), Range("t_min", gte=53000, lte=54000)),
        (["53000", "54000"], Range("t_min", gte=53000, lte=54000)),
        ([53000, None], Range("t_min", gte=53000)),
        ([None, 54000], Range("t_min", lte=54000)),
        ([53000, 54000, 55000], Match("t_min", (53000, 54000, 55000))),
        ("53000..54000", Range("t_min", gte=53000, lte=54000)),
        ("-1e3..2.5", Range("t_min", gte=-1000, lte=2.5)),
        ("53000..", Range("t_min", gte=53000)),
        ("..54000", Range("t_min", lte=54000)),
        (">=53000", Range("t_min", gte=53000)),
        ("> 53000", Range("t_min", gt=53000)),
        ("<=53000", Range("t_min", lte=53000)),
        ("<53000", Range("t_min", lt=53000)),
        ("!<53000", Not(Range("t_min", lt=53000))),
        (
            ["1..2", ">=5", 3],
            Or((Match("t_min", (3,)), Range("t_min", gte=1, lte=2), Range("t_min", gte=5))),
        ),
        (np.float32(2.5), Match("t_min", (2.5,))),
        (1 * u.d, Match("t_min", (1,))),
        ([24, 48] * u.hour, Range("t_min", gte=1, lte=2)),
        ([24 * u.hour, 2 * u.d], Range("t_min", gte=1, lte=2)),
    ],
)
def test_numbers(value, expected):
    assert parse(t_min=value) == expected


def test_number_in_a_column_of_text():
    assert parse(proposal_id=10775) == Match("proposal_id", ("10775",))
    assert parse(proposal_id=[10775, 10776]) == Match("proposal_id", ("10775", "10776"))


@pytest.mark.parametrize(("value", "flag"), [(True, True), ("false", False), (0, False)])
def test_flags(value, flag):
    (found,) = parse(mtFlag=value).values
    assert found is flag


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("red", Match("colour", ("red",))),
        ("re*", Wildcard("colour", "re*")),
        ("12", Match("colour", (12, "12"))),
        (12, Match("colour", (12, "12"))),
        ([1, 2], Range("colour", gte=1, lte=2)),
        (["1", "2"], Match("colour", (1, "1", 2, "2"))),
        (">=2", Range("colour", gte=2)),
        (True, Match("colour", (True,))),
    ],
)
def test_columns_of_the_user(value, expected):
    assert parse(colour=value) == expected


def test_several_columns():
    assert parse(filters="F814W", t_exptime=">=100") == And(
        (Match("filters", ("F814W",)), Range("t_exptime", gte=100))
    )


@pytest.mark.parametrize("name", ["instrument_nam", "filter", "tmin", "propsal_id"])
def test_slips_are_found(name):
    with pytest.raises(InvalidQueryError, match=f"'{name}'.*Did you mean"):
        parse(**{name: "1"})


def test_known_columns_only():
    known = ["colour", "target_name"]
    assert parse(known=known, colour="red") == Match("colour", ("red",))
    with pytest.raises(InvalidQueryError, match="Did you mean colour"):
        parse(known=known, color="red")
    with pytest.raises(InvalidQueryError, match="Choose from colour, target_name"):
        parse(known=known, t_min=1)


@pytest.mark.parametrize("name", ["rank", "score"])
def test_columns_of_the_search_itself(name):
    with pytest.raises(InvalidQueryError, match="no column"):
        parse(**{name: 1})


@pytest.mark.parametrize(
    ("criteria", "message"),
    [
        ({"t_min": "soon"}, "'soon' is no value for t_min"),
        ({"t_min": float("nan")}, "nan is no value"),
        ({"t_min": [1, float("inf")]}, "inf is no value"),
        ({"t_min": [2, 1]}, "smaller one first"),
        ({"t_min": "2..1"}, "smaller one first"),
        ({"t_min": []}, "empty"),
        ({"t_min": True}, "True is no value"),
        ({"t_min": "5*"}, "no value"),
        ({"t_min": "2005-13-01"}, "'2005-13-01' is no date for t_min .month"),
        ({"t_min": "2005-02-29..2005-03-01"}, "2005-02-29"),
        ({"t_min": ["2006-01-01", "2005-01-01"]}, "the earlier first"),
        ({"t_exptime": "2005-01-01"}, "no value for t_exptime"),
        ({"t_min": 1 * u.m}, "cannot be converted"),
        ({"filters": 1 * u.m}, "unit of filters is not known"),
        ({"filters": ">=5"}, "cannot be compared"),
        ({"filters": "1..5"}, "cannot be compared"),
        ({"filters": ""}, "no value"),
        ({"filters": "!"}, "no value"),
        ({"filters": [None]}, "no value"),
        ({"mtFlag": "maybe"}, "True or False"),
        ({"colour": object()}, "no value for colour"),
        ({"colour": float("nan")}, "no value for colour"),
    ],
)
def test_what_does_not_fit(criteria, message):
    with pytest.raises(InvalidQueryError, match=message):
        parse(**criteria)


@pytest.mark.parametrize("bounds", [{}, {"gte": float("nan")}, {"lt": float("inf")}])
def test_ranges_are_finite(bounds):
    with pytest.raises(InvalidQueryError, match="finite"):
        Range("t_min", **bounds)


@pytest.mark.parametrize(
    "cone", [(0, 91, 1), (0, 0, 0), (0, 0, 181), (float("nan"), 0, 1), (0, 0, float("nan"))]
)
def test_cones_exist(cone):
    with pytest.raises(InvalidQueryError, match="does not exist"):
        Cone(*cone)


MARCH_FIRST = float(Time("2005-03-01").mjd)
NOON = float(Time("2005-03-01T12:00").mjd)
IN_PARIS = datetime.timezone(datetime.timedelta(hours=1))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2005-03-01", Range("t_min", gte=MARCH_FIRST, lt=MARCH_FIRST + 1)),
        (datetime.date(2005, 3, 1), Range("t_min", gte=MARCH_FIRST, lt=MARCH_FIRST + 1)),
        ("2005-03-01T12:00", Match("t_min", (NOON,))),
        ("2005-03-01 12:00:00", Match("t_min", (NOON,))),
        (datetime.datetime(2005, 3, 1, 12), Match("t_min", (NOON,))),
        (
            datetime.datetime(
                2005, 3, 1, 13, tzinfo=datetime.timezone(datetime.timedelta(hours=1))
            ),
            Match("t_min", (NOON,)),
        ),
        (Time("2005-03-01T12:00"), Match("t_min", (NOON,))),
        (">=2005-03-01", Range("t_min", gte=MARCH_FIRST)),
        ("> 2005-03-01", Range("t_min", gte=MARCH_FIRST + 1)),
        ("<2005-03-01", Range("t_min", lt=MARCH_FIRST)),
        ("<=2005-03-01", Range("t_min", lt=MARCH_FIRST + 1)),
        (">2005-03-01T12:00", Range("t_min", gt=NOON)),
        ("<=2005-03-01T12:00", Range("t_min", lte=NOON)),
        ("2005-02-28..2005-03-01", Range("t_min", gte=MARCH_FIRST - 1, lt=MARCH_FIRST + 1)),
        ("..2005-03-01", Range("t_min", lt=MARCH_FIRST + 1)),
        ("2005-03-01..", Range("t_min", gte=MARCH_FIRST)),
        (["2005-02-28", "2005-03-01"], Range("t_min", gte=MARCH_FIRST - 1, lt=MARCH_FIRST + 1)),
        (["2005-03-01", None], Range("t_min", gte=MARCH_FIRST)),
        ([53000, "2005-03-01T12:00"], Range("t_min", gte=53000.0, lte=NOON)),
        (
            Time(["2005-03-01", "2005-03-01T12:00"]),
            Range("t_min", gte=MARCH_FIRST, lte=NOON),
        ),
        ("!2005-03-01", Not(Range("t_min", gte=MARCH_FIRST, lt=MARCH_FIRST + 1))),
    ],
    ids=str,
)
def test_dates(value, expected):
    assert parse(t_min=value) == expected


def test_times_in_another_scale():
    (found,) = parse(t_min=Time("2005-03-01T12:00", scale="tdb")).values
    assert (NOON - found) * 86400 == pytest.approx(64.184, abs=0.01)
