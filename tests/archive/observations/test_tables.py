"""Replies in any shape become one and the same table."""

import numpy as np
import pytest
from astropy.table import Column, MaskedColumn, Table

from astro_paperclip.archive.observations.tables import observation_table
from astro_paperclip.columns import COLUMNS, OBSERVATION_COLUMNS

KINDS = {"str": "U", "int64": "i", "float64": "f", "bool": "b"}


@pytest.fixture
def reply():
    """Return a reply as the portal gives it, with every column."""
    values = {"str": ["a", "b"], "int64": [1, 2], "float64": [0.5, 1.5], "bool": [True, False]}
    columns = {name: values[COLUMNS[name].dtype] for name in OBSERVATION_COLUMNS}
    return Table(columns | {"obsid": ["9", "10"], "objID": ["1", "2"]})


def test_columns_are_those_that_are_described(reply):
    table = observation_table(reply)
    assert table.colnames == [name for name in OBSERVATION_COLUMNS if name != "distance"]
    for name in table.colnames:
        info, column = COLUMNS[name], table[name]
        assert column.dtype.kind == KINDS[info.dtype], name
        assert column.unit == info.unit, name
        assert column.description == info.description, name
        assert column.meta.get("ucd") == info.ucd, name


def test_rows_are_in_the_order_of_the_numbers(reply):
    assert observation_table(reply[::-1])["obsid"].tolist() == ["9", "10"]


def test_names_may_be_in_lower_case(reply):
    lower = Table(reply, names=[name.lower() for name in reply.colnames])
    expected, table = observation_table(reply), observation_table(lower)
    assert table["jpegURL"].tolist() == expected["jpegURL"].tolist() == ["a", "b"]
    assert table["mtFlag"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("values", "obsids"),
    [
        (np.array([2003585980, 7]), ["7", "2003585980"]),
        (np.array([2003585980.0, 7.0]), ["7", "2003585980"]),
        (["2003585980.0", " 0007 "], ["7", "2003585980"]),
        (np.array([b"2003585980", b"7"]), ["7", "2003585980"]),
        (np.array([2003585980, 7], dtype=object), ["7", "2003585980"]),
        (MaskedColumn([2003585980, 7], mask=[True, False]), ["7"]),
        (np.array([2003585980, None], dtype=object), ["2003585980"]),
        (np.array([np.nan, 7.0]), ["7"]),
        (np.array([7.5, 7.0]), ["7"]),
        (np.array([1e17, 7.0]), ["7"]),
        (["jdi601010", "7"], ["7"]),
        (["", "7"], ["7"]),
        (np.array([0, 7]), ["7"]),
        (np.array([-7, 7]), ["7"]),
        ([str(10**40), "7"], ["7"]),
    ],
)
def test_obsids_are_digits_or_left_out(reply, values, obsids):
    reply["obsid"] = values
    table = observation_table(reply)
    assert table["obsid"].tolist() == obsids
    assert not isinstance(table["obsid"], MaskedColumn)
    assert sum(table.meta["left_out"].values()) == 2 - len(obsids)


def test_a_reply_without_obsids_has_no_rows(reply):
    reply.remove_column("obsid")
    assert observation_table(reply).meta["left_out"] == {"without an obsid": 2}


def test_of_several_planes_the_first_stays_whatever_the_order(reply):
    other = reply.copy()
    other["objID"], other["target_name"] = ["7", "0"], ["second plane", "first plane"]
    for replies in ([reply, other], [other, reply]):
        table = observation_table(replies)
        assert table["target_name"].tolist() == ["a", "first plane"]
        assert table.meta == {"left_out": {"listed twice": 2}}


def test_what_mast_does_not_say_is_masked(reply):
    reply["filters"] = ["F814W", ""]
    reply["obs_title"] = MaskedColumn(["A", "B"], mask=[True, False])
    reply["calib_level"] = [3, -999]
    reply["em_min"] = [np.nan, 400.0]
    reply["mtFlag"] = MaskedColumn([True, True], mask=[False, True])
    reply["target_name"] = MaskedColumn(["A", "B"], mask=[True, False])
    reply.remove_column("srcDen")
    table = observation_table(reply)
    assert table["filters"].tolist() == ["F814W", None]
    assert table["obs_title"].tolist() == [None, "B"]
    assert table["calib_level"].tolist() == [3, None]
    assert table["em_min"].tolist() == [None, 400.0]
    assert table["mtFlag"].tolist() == [True, None]
    assert table["srcDen"].tolist() == [None, None]
    assert isinstance(table["target_name"], Column)
    assert not isinstance(table["target_name"], MaskedColumn)
    assert table["target_name"].tolist() == ["", "B"]


@pytest.mark.parametrize("flags", [[1, 0], ["True", "false"], [1.0, 0.0], [b"t", b"f"], ["1", "0"]])
def test_flags_are_known_in_every_form(reply, flags):
    reply["mtFlag"] = flags
    assert observation_table(reply)["mtFlag"].tolist() == [True, False]


def test_numbers_as_text_and_text_as_numbers(reply):
    reply["t_exptime"] = ["1500", "30.5"]
    reply["sequence_number"] = [4.0, 5.0]
    reply["proposal_id"] = [5371, 5372]
    reply["objID"] = [3012765872.0, 3012765873.0]
    table = observation_table(reply)
    assert table["t_exptime"].tolist() == [1500.0, 30.5]
    assert table["sequence_number"].tolist() == [4, 5]
    assert table["proposal_id"].tolist() == ["5371", "5372"]
    assert table["objID"].tolist() == ["3012765872", "3012765873"]


def test_no_replies_make_an_empty_table(reply):
    table = observation_table([])
    assert len(table) == 0
    for name, column in observation_table(reply).columns.items():
        assert table[name].dtype.kind == column.dtype.kind


def test_replies_are_taken_one_by_one(reply):
    def replies():
        for number in range(3):
            part = reply.copy()
            part["obsid"] = [str(10 * number + 1), str(10 * number + 2)]
            yield part

    assert observation_table(replies())["obsid"].tolist() == ["1", "2", "11", "12", "21", "22"]
