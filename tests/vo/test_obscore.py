"""ObsCore as the standard has it, and the conversions that MAST's columns need."""

from importlib.resources import files

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io.votable import parse_single_table
from astropy.io.votable.ucd import check_ucd
from astropy.table import QTable, Table

from astro_paperclip import conf
from astro_paperclip.vo import OBSCORE_COLUMNS, obscore_table

MANDATORY = [
    *("dataproduct_type", "calib_level", "obs_collection", "obs_id", "obs_publisher_did"),
    *("access_url", "access_format", "access_estsize", "target_name", "s_ra"),
    *("s_dec", "s_fov", "s_region", "s_xel1", "s_xel2"),
    *("s_resolution", "t_min", "t_max", "t_exptime", "t_resolution"),
    *("t_xel", "em_min", "em_max", "em_res_power", "em_xel"),
    *("o_ucd", "pol_states", "pol_xel", "facility_name", "instrument_name"),
]
"""Table 1 of the standard, in its order."""


def test_the_columns_are_those_of_the_standard(result):
    added = ["obs_title", "proposal_id", "rank", "score"]
    assert [column.name for column in OBSCORE_COLUMNS] == MANDATORY
    for table in (result.to_obscore(), result[:0].to_obscore(), obscore_table(Table())):
        assert table.colnames == MANDATORY + added


def test_every_ucd_is_in_the_vocabulary(result):
    for column in result.to_obscore().itercols():
        assert check_ucd(column.meta["ucd"], check_controlled_vocabulary=True), column.name


def test_units_and_utypes_are_those_of_a_published_service(result):
    reply = files("pyvo").joinpath("dal/tests/data/sia2/dataset.xml")
    if not reply.is_file():
        pytest.skip("pyvo was installed without the reply of CADC's SIA2 service")
    with reply.open("rb") as file:
        fields = {field.name: field for field in parse_single_table(file).fields}
    table = result.to_obscore()
    for name in MANDATORY:
        assert table[name].meta["utype"].lower() == fields[name].utype.lower()
        assert table[name].unit == (fields[name].unit or None)


def test_what_is_known_is_converted(result):
    row = result.to_obscore()[0]
    assert row["calib_level"] == 3
    assert row["obs_publisher_did"] == "ivo://archive.stsci.edu/HST?24556184"
    assert row["access_url"] == (
        "https://mast.stsci.edu/api/v0.1/Download/file?uri=mast:HST/product/jbf801010_drz.fits"
    )
    assert row["access_format"] == "image/fits"
    assert row["facility_name"] == "HST"
    assert row["instrument_name"] == "ACS/WFC"
    assert row["proposal_id"] == "12058"
    assert (row["rank"], row["score"]) == (1, 1.0)
    assert row["em_min"] == pytest.approx(4.6e-7, rel=1e-12)
    assert row["t_exptime"] == 1720


def test_units_are_those_of_the_standard(result):
    table = result.to_obscore()
    units = {name: table[name].unit for name in table.colnames if table[name].unit is not None}
    assert units == {
        **dict.fromkeys(("s_ra", "s_dec", "s_fov"), u.deg),
        **dict.fromkeys(("em_min", "em_max"), u.m),
        **dict.fromkeys(("t_exptime", "t_resolution"), u.s),
        **dict.fromkeys(("t_min", "t_max"), u.d),
        "s_resolution": u.arcsec,
        "access_estsize": u.kbyte,
    }


def test_the_footprint_is_in_icrs_and_its_diameter_holds_it(result):
    table = result.to_obscore()
    assert table["s_region"][0].startswith("POLYGON ICRS ")
    assert len(table["s_region"][0].split()) == 2 + 2 * 4
    assert table["s_region"][1] == "CIRCLE ICRS 20.0 -30.0 0.25"
    corners = SkyCoord([10.97, 11.03], [41.47, 41.53], unit="deg")
    assert table["s_fov"][0] == pytest.approx(corners[0].separation(corners[1]).deg, rel=1e-3)
    assert table["s_fov"][1] == pytest.approx(0.5)


def test_a_preview_stands_in_where_no_data_are_named(result):
    row = result.to_obscore()[1]
    assert row["access_url"].startswith("https://hla.stsci.edu/cgi-bin/preview.cgi?")
    assert row["access_format"] is np.ma.masked
    assert row["facility_name"] == "HST"
    assert row["dataproduct_type"] == "image"


def test_what_is_unknown_is_masked(result):
    table = result.to_obscore()
    known = {name for name in table.colnames if table[name][2] is not np.ma.masked}
    assert known == {"rank", "score"}
    # What is only planned has a level in MAST that the standard lacks.
    assert table["calib_level"].mask.tolist() == [False, True, True]


def test_units_of_the_rows_are_heeded(result):
    result = result[:1]
    result["em_min"] = result["em_min"].quantity.to("um")
    assert result["em_min"][0] == pytest.approx(0.46)
    assert result.to_obscore()["em_min"][0] == pytest.approx(4.6e-7)
    quantities = QTable(result)
    assert obscore_table(quantities)["em_max"][0] == pytest.approx(4.8e-7)


def test_another_server_is_named_where_one_is_configured(result):
    with conf.set_temp("mast_server", "http://127.0.0.1:8000"):
        url = result.to_obscore()["access_url"][0]
    assert url.startswith("http://127.0.0.1:8000/api/v0.1/Download/file?uri=mast:HST/")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("mast:HST/product/a_drz.FITS", "image/fits"),
        ("mast:HST/product/a_drz.fits.gz", "image/fits"),
        ("mast:HST/product/a.jpg", "image/jpeg"),
        ("https://archive.stsci.edu/a.png", "image/png"),
        ("https://mast.stsci.edu/api/v0.1/Download/file?uri=mast:HST/product/a.fits", "image/fits"),
        ("https://archive.stsci.edu/view", None),
    ],
)
def test_formats_are_known_by_their_names(uri, expected):
    table = obscore_table(Table({"dataURL": [uri]}))
    assert table["access_format"].tolist() == [expected]
