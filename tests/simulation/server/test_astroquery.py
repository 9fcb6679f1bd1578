"""The real astroquery talks to the simulated archive."""

from collections import Counter
from pathlib import Path

import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astroquery.exceptions import NoResultsWarning, RemoteServiceError
from PIL import Image


def test_query_criteria(server, connect, observations):
    client = connect(server)
    wanted = [row for row in observations if row["proposal_id"] in ("90001", "90002")]
    table = client.query_criteria(proposal_id=["90001", "90002"])
    assert list(table["obsid"]) == [row["obsid"] for row in wanted]
    for name in ("obs_id", "s_ra", "t_exptime", "calib_level", "filters", "s_region", "mtFlag"):
        assert list(table[name]) == [row[name] for row in wanted]
    assert table["t_min"].dtype.kind == "f"
    assert client.query_criteria_count(proposal_id=["90001", "90002"]) == len(wanted)
    # The columns are described once; the questions are two.
    assert server.requests == {"columns": 1, "portal": 2}


def test_all_kinds_of_criteria(server, connect, observations, combined):
    client = connect(server)
    table = client.query_criteria(
        obs_collection="hst",
        filters=combined["filters"].split(";")[0],
        obs_id="hst_9000*",
        t_min=[combined["t_min"], combined["t_max"]],
        calib_level=[2, 3],
    )
    assert combined["obsid"] in table["obsid"]
    table = client.query_criteria(
        coordinates=SkyCoord(combined["s_ra"], combined["s_dec"], unit="deg"),
        radius="1 arcsec",
        proposal_id=combined["proposal_id"],
    )
    assert set(table["target_name"]) == {combined["target_name"]}
    assert table["distance"].max() < 1
    with pytest.warns(NoResultsWarning):
        assert len(client.query_criteria(proposal_id="1")) == 0


def test_query_region(server, connect, observations, combined):
    client = connect(server)
    centre = SkyCoord(combined["s_ra"], combined["s_dec"], unit="deg")
    table = client.query_region(centre, radius="0.01 deg")
    same = [row for row in observations if row["target_name"] == combined["target_name"]]
    assert sorted(table["obsid"]) == sorted(row["obsid"] for row in same)
    assert client.query_region_count(centre, radius="0.01 deg") == len(same)


def test_pages_are_put_together(server, connect, observations):
    table = connect(server).query_criteria(obs_collection="HST", pagesize=4)
    assert list(table["obsid"]) == [row["obsid"] for row in observations]
    assert server.requests["portal"] == -(-len(observations) // 4)


def test_what_there_is(server, connect):
    client = connect(server)
    assert client.list_missions() == ["HST"]
    columns = client.get_metadata("observations")
    assert {"obsid", "s_region", "filters"} <= set(columns["Column Name"])
    assert "parent_obsid" in client.get_metadata("products")["Column Name"]


def test_products(server, connect, combined, tmp_path, archive):
    client = connect(server)
    table = client.query_criteria(obsid=combined["obsid"])
    products = client.get_product_list(table)
    filters = combined["filters"].split(";")
    assert Counter(products["productType"]) == {
        "SCIENCE": 1,
        "AUXILIARY": 1,
        "PREVIEW": 3 + len(filters),
    }
    assert set(products["parent_obsid"]) == {combined["obsid"]}
    previews = client.filter_products(products, productType="PREVIEW", extension="jpg")
    names = [name for name in previews["productFilename"] if "color" not in name]
    assert sum("color" in name for name in previews["productFilename"]) == 1
    # The preview and its thumbnail are of all filters; the others of one each.
    assert sum("total" in name for name in names) == 2
    assert set(filters) <= set(previews["filters"])

    manifest = client.download_products(products, download_dir=str(tmp_path), verbose=False)
    assert set(manifest["Status"]) == {"COMPLETE"}
    paths = {Path(path).name: Path(path) for path in manifest["Local Path"]}
    for row in products:
        assert paths[row["productFilename"]].stat().st_size == row["size"]
    name = combined["jpegURL"].rpartition("/")[2]
    original = archive / "previews" / combined["proposal_id"] / name
    assert paths[name].read_bytes() == original.read_bytes()
    for row in previews:
        with Image.open(paths[row["productFilename"]]) as image:
            image.load()
    (science,) = (path for path in paths.values() if path.suffix == ".fits")
    assert fits.getdata(science).shape == (16, 16)
    assert len({path.read_bytes() for path in paths.values()}) == len(paths)

    before = server.requests["file"]
    client.download_products(products, download_dir=str(tmp_path), verbose=False)
    # What is there already is looked at, and not fetched again.
    assert server.requests["file"] == before + len(products)


def test_a_single_file(server, connect, combined, tmp_path):
    client = connect(server)
    path = tmp_path / "preview.jpg"
    assert client.download_file(combined["jpegURL"], local_path=path, verbose=False) == (
        "COMPLETE",
        None,
        None,
    )
    status, message, _ = client.download_file(
        "mast:HST/product/none.jpg", local_path=tmp_path / "none.jpg", verbose=False
    )
    assert status == "ERROR"
    assert "404" in message


def test_a_download_is_continued(server, connect, combined, tmp_path):
    client = connect(server)
    url = f"{server.url}/api/v0.1/Download/file?uri={combined['jpegURL']}"
    whole, part = tmp_path / "whole.jpg", tmp_path / "part.jpg"
    client._download_file(url, whole, verbose=False)
    part.write_bytes(whole.read_bytes()[:100])
    client._download_file(url, part, cache=True, continuation=True, verbose=False)
    assert part.read_bytes() == whole.read_bytes()


def test_an_error_of_the_service_is_one_of_astroquery(server, connect):
    with pytest.raises(RemoteServiceError, match="bigint"):
        connect(server).get_product_list("hst_90001")
