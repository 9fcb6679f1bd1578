"""Replies of the portal, against recorded ones and against the archive's own tables."""

import json

import pytest
from astropy.coordinates import SkyCoord

from astro_paperclip.simulation import Holdings
from astro_paperclip.simulation.server.fields import columns_config
from astro_paperclip.simulation.server.portal import Portal
from astro_paperclip.simulation.server.products import Products


@pytest.fixture(scope="module")
def invoke(archive):
    """Return a function that asks a service."""
    holdings = Holdings.read(archive)
    portal = Portal(holdings, Products(holdings))

    def invoke(service, params, **paging):
        request = {"service": service, "params": params, "format": "json", **paging}
        return json.loads(portal.invoke(json.dumps(request)).body)

    return invoke


@pytest.fixture(scope="module")
def select(invoke):
    """Return a function that gives the obsids that fit a filter."""

    def select(name, **entry):
        filters = [{"paramName": name, "values": [], **entry}]
        reply = invoke("Mast.Caom.Filtered", {"columns": "*", "filters": filters})
        return {str(row["obsid"]) for row in reply["data"]}

    return select


@pytest.fixture(scope="module")
def recorded(shared):
    """Return a function that reads a recorded reply."""

    def recorded(name):
        return json.loads((shared / "data/mast_records/astroquery" / name).read_text())

    return recorded


def everything(row):
    """Return the position and the radius of a circle around the whole sky."""
    return {"ra": row["s_ra"], "dec": row["s_dec"], "radius": 180}


def kinds(rows, name):
    """Return the types of a column's values; a number is a number."""
    values = {type(row[name]) for row in rows} - {type(None)}
    return {float if kind is int else kind for kind in values}


def assert_same_form(reply, recorded):
    """Compare key by key and type by type; columns that are newer than the recording may come."""
    assert set(reply) == set(recorded)
    assert reply["status"] == recorded["status"]
    assert type(reply["msg"]) is type(recorded["msg"])
    assert {name: type(value) for name, value in reply["paging"].items()} == {
        name: type(value) for name, value in recorded["paging"].items()
    }
    types = {field["name"]: field["type"] for field in reply["fields"]}
    for field in recorded["fields"]:
        assert set(field) == {"name", "type"}
        assert types[field["name"]] == field["type"]
        of_recording = kinds(recorded["data"], field["name"])
        ours = kinds(reply["data"], field["name"])
        assert not ours or not of_recording or ours == of_recording, field["name"]
    assert all(set(row) == set(types) for row in reply["data"])
    assert reply["paging"]["rows"] == len(reply["data"])


def test_observations_look_as_recorded(invoke, recorded, combined):
    reply = invoke("Mast.Caom.Cone", everything(combined))
    assert_same_form(reply, recorded("caom.json"))
    integers = {name for name in reply["data"][0] if type(reply["data"][0][name]) is int}
    assert {"obsid", "objID", "calib_level"} <= integers


def test_products_look_as_recorded(invoke, recorded, combined):
    reply = invoke("Mast.Caom.Products", {"obsid": combined["obsid"]})
    assert_same_form(reply, recorded("products.json"))
    assert {row["parent_obsid"] for row in reply["data"]} == {int(combined["obsid"])}


def test_counts_look_as_recorded(invoke, recorded, observations):
    entry = {"paramName": "obs_collection", "values": ["HST"]}
    reply = invoke("Mast.Caom.Filtered", {"columns": "COUNT_BIG(*)", "filters": [entry]})
    assert_same_form(reply, recorded("countsResp.json"))
    assert reply["data"] == [{"Column1": len(observations)}]


def test_columns_are_described_as_recorded(recorded):
    """What clients go by is the same; how MAST's web page is laid out is left out."""
    ours = columns_config("Mast.Caom.Cone")
    for name, properties in recorded("columnsconfig.json").items():
        if properties.get("remove"):
            continue
        for key in ("type", "vot.datatype", "separator", "ignoreValue", "treatNumeric"):
            assert ours[name].get(key) == properties.get(key), (name, key)
        for key, value in ours[name].items():
            if key in properties:
                assert type(value) is type(properties[key])


def test_names_are_looked_up_as_recorded(invoke, recorded, combined):
    name = combined["target_name"]
    reply = invoke("Mast.Name.Lookup", {"input": name.lower(), "format": "json"})
    (found,) = reply["resolvedCoordinate"]
    example = recorded("resolver.json")["resolvedCoordinate"][0]
    assert {key: type(value) for key, value in found.items()} == {
        key: type(value) for key, value in example.items()
    }
    assert (found["ra"], found["decl"]) == (combined["s_ra"], combined["s_dec"])
    assert found["canonicalName"] == name
    assert not invoke("Mast.Name.Lookup", {"input": "nothing"})["resolvedCoordinate"]


def test_values_that_are_listed(select, observations, combined):
    wanted = {row["obsid"] for row in observations if row["proposal_id"] in ("90001", "90003")}
    assert select("proposal_id", values=["90001", "90003"]) == wanted
    assert select("PROPOSAL_ID", values=["90001", "90003"]) == wanted
    assert select("obsid", values=[combined["obsid"]]) == {combined["obsid"]}
    assert select("target_name", values=[combined["target_name"].lower()]) == {
        row["obsid"] for row in observations if row["target_name"] == combined["target_name"]
    }
    moving = {row["obsid"] for row in observations if row["mtFlag"]}
    assert select("mtFlag", values=["True"]) == moving
    assert len(select("calib_level", values=["3"])) == len(observations)
    assert select("calib_level", values=["2"]) == set()


def test_parts_of_a_value(select, observations, combined):
    part = combined["filters"].split(";")[1]
    wanted = {row["obsid"] for row in observations if part in row["filters"].split(";")}
    assert select("filters", values=[part], separator=";") == wanted
    assert combined["obsid"] not in select("filters", values=[part])


def test_wildcards(select, observations):
    wanted = {row["obsid"] for row in observations if row["obs_id"].startswith("hst_90002")}
    assert select("obs_id", freeText="HST_90002%") == wanted
    others = {row["obsid"] for row in observations if row["proposal_id"] == "90001"}
    assert select("obs_id", freeText="%90002_01%", values=[]) < wanted
    both = select("proposal_id", freeText="%2", values=["90001"])
    assert both == wanted | others
    assert select("obs_id", freeText="hst.90002%") == set()


def test_ranges(select, observations):
    times = sorted(row["t_min"] for row in observations)
    low, high = times[3], times[-4]
    wanted = {row["obsid"] for row in observations if low <= row["t_min"] <= high}
    assert select("t_min", values=[{"min": low, "max": high}]) == wanted
    assert select("t_min", values=[{"min": str(low), "max": None}]) == {
        row["obsid"] for row in observations if row["t_min"] >= low
    }
    assert select("srcDen", values=[{"min": -1e9, "max": 1e9}]) == set()


def test_circles(invoke, observations, combined):
    centre = SkyCoord(combined["s_ra"], combined["s_dec"], unit="deg")
    place = SkyCoord(
        [row["s_ra"] for row in observations], [row["s_dec"] for row in observations], unit="deg"
    )
    away = dict(
        zip((row["obsid"] for row in observations), centre.separation(place).deg, strict=True)
    )
    params = everything(combined) | {"radius": 90}
    found = {str(row["obsid"]): row["distance"] for row in invoke("Mast.Caom.Cone", params)["data"]}
    assert 1 < len(found) < len(observations)
    assert set(found) == {obsid for obsid in away if away[obsid] <= 90}
    assert found == pytest.approx({obsid: 3600 * away[obsid] for obsid in found}, abs=1e-3)
    position = f"{combined['s_ra']}, {combined['s_dec']}, 90"
    entry = {"paramName": "proposal_id", "values": [combined["proposal_id"]]}
    params = {"columns": "obsid, distance", "filters": [entry], "position": position}
    reply = invoke("Mast.Caom.Filtered.Position", params)
    assert {str(row["obsid"]) for row in reply["data"]} == {
        row["obsid"]
        for row in observations
        if row["proposal_id"] == combined["proposal_id"] and row["obsid"] in found
    }
    assert [field["name"] for field in reply["fields"]] == ["obsid", "distance"]


def test_pages(invoke, observations, combined):
    replies = [
        invoke("Mast.Caom.Cone", everything(combined), page=page, pagesize=5)
        for page in range(1, 7)
    ]
    obsids = [str(row["obsid"]) for reply in replies for row in reply["data"]]
    assert obsids == [row["obsid"] for row in observations]
    number = len(observations)
    assert replies[0]["paging"] == {
        "page": 1,
        "pageSize": 5,
        "pagesFiltered": -(-number // 5),
        "rows": 5,
        "rowsFiltered": number,
        "rowsTotal": number,
    }
    assert replies[-1]["data"] == []
    assert replies[-1]["paging"]["rows"] == 0


def test_nothing_found_is_a_table_without_rows(invoke, select):
    assert select("proposal_id", values=["1"]) == set()
    reply = invoke("Mast.Caom.Products", {"obsid": "12345"})
    assert reply["status"] == "COMPLETE"
    assert reply["data"] == []
    assert reply["fields"]


@pytest.mark.parametrize(
    ("service", "params", "message"),
    [
        ("Mast.Nothing", {}, "Mast.Nothing"),
        ("Mast.Caom.Products", {"obsid": "hst_1"}, "varchar to bigint"),
        ("Mast.Caom.Products", {}, "obsid"),
        ("Mast.Caom.Cone", {"ra": "here", "dec": 1, "radius": 1}, "here"),
        ("Mast.Caom.Filtered", {"filters": [{"paramName": "no", "values": []}]}, "'no'"),
        ("Mast.Caom.Filtered", {"columns": "obsid,no", "filters": []}, "'no'"),
        (
            "Mast.Caom.Filtered",
            {"filters": [{"paramName": "t_min", "values": [{"min": "x"}]}]},
            "float",
        ),
    ],
)
def test_errors_say_what_is_wrong(invoke, service, params, message):
    reply = invoke(service, params)
    assert reply["status"] == "ERROR"
    assert message in reply["msg"]


def test_what_is_no_request_is_an_error(archive):
    holdings = Holdings.read(archive)
    portal = Portal(holdings, Products(holdings))
    for text in ("", "[]", "{", '{"service": "Mast.Caom.Cone", "params": 3}'):
        assert json.loads(portal.invoke(text).body)["status"] == "ERROR"
