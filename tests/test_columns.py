import json

import pytest
from astropy import units as u
from astropy.io.votable.ucd import parse_ucd

from astro_paperclip.columns import (
    COLUMNS,
    CONTRACT_COLUMNS,
    OBSERVATION_COLUMNS,
    ColumnInfo,
)

# MAST declares a unit for the text of a footprint, and integers for what its clients keep as text.
TEXT_IN_MAST_CLIENTS = {"s_region", "obsid", "objID"}
MAST_TYPES = {
    "char": "str",
    "string": "str",
    "boolean": "bool",
    "int": "int64",
    "long": "int64",
    "float": "float64",
    "double": "float64",
}


@pytest.fixture(scope="module")
def mast_config(shared):
    path = shared / "data" / "mast_records" / "astroquery" / "columnsconfig.json"
    return json.loads(path.read_text())


@pytest.mark.parametrize("info", COLUMNS.values(), ids=COLUMNS)
def test_every_column_is_well_described(info):
    assert isinstance(info, ColumnInfo)
    assert COLUMNS[info.name] is info
    assert info.dtype in ("str", "int64", "float64", "bool")
    assert info.description
    assert not info.description.endswith(".")
    if info.unit is not None:
        # The Virtual Observatory has no percent, which VOTables are written without.
        assert info.unit == "%" or u.Unit(info.unit, format="vounit")
        assert u.Unit(info.unit).to_string() == info.unit
        assert info.dtype == "float64"
    if info.ucd is not None:
        assert parse_ucd(info.ucd, check_controlled_vocabulary=True, has_colon=True)
    assert info.utype is None or info.utype.startswith("obscore:")


def test_order_of_a_result():
    names = list(COLUMNS)
    assert names[:3] == ["rank", "score", "score_percentile"]
    assert tuple(names[: len(CONTRACT_COLUMNS)]) == CONTRACT_COLUMNS
    assert tuple(names[3 : 3 + len(OBSERVATION_COLUMNS)]) == OBSERVATION_COLUMNS


def test_utypes_name_one_column_each():
    utypes = [info.utype for info in COLUMNS.values() if info.utype]
    assert len(utypes) == len(set(utypes))


def test_columns_cannot_be_changed_by_accident():
    with pytest.raises(AttributeError):
        COLUMNS["score"].unit = "m"


@pytest.mark.parametrize("name", OBSERVATION_COLUMNS)
def test_units_ucds_and_types_are_those_of_mast(name, mast_config):
    declared = mast_config.get(name)
    if declared is None:
        # proposal_type, provenance_name and sequence_number are younger than the recording.
        assert name in ("proposal_type", "provenance_name", "sequence_number")
        return
    info = COLUMNS[name]
    assert info.ucd == declared.get("vot.ucd")
    mast_type = declared.get("vot.datatype", declared.get("type"))
    if name not in TEXT_IN_MAST_CLIENTS:
        unit = declared.get("vot.unit", {"MJD": "d"}.get(declared.get("unit")))
        assert info.unit == unit
        assert info.dtype == MAST_TYPES[mast_type]
    else:
        assert (info.dtype, info.unit) == ("str", None)


def test_every_column_of_a_recorded_reply_is_known(shared):
    reply = json.loads((shared / "data" / "mast_records" / "astroquery" / "caom.json").read_text())
    names = {field["name"] for field in reply["fields"]} - {"_selected_"}
    assert names <= set(OBSERVATION_COLUMNS)
