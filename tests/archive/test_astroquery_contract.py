"""A result goes straight into astroquery's own functions, and what they return into the next.

The client is astroquery's `Observations`, whichever version is installed, unchanged but for
the address of the server.
"""

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.table import Table, join, vstack
from astroquery.exceptions import InvalidQueryError, NoResultsWarning
from astroquery.mast import ObservationsClass
from astroquery.mast.discovery_portal import PortalAPI

from astro_paperclip import PaperclipResult
from astro_paperclip.columns import CONTRACT_COLUMNS
from astro_paperclip.simulation import serve, write_archive

ADDRESSES = {
    "MAST_REQUEST_URL": "/api/v0/invoke",
    "COLUMNS_CONFIG_URL": "/portal/Mashup/Mashup.asmx/columnsconfig",
    "MAST_DOWNLOAD_URL": "/api/v0.1/Download/file",
}
"""Where astroquery looks for the portal; both as class attributes and on its server."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    write_archive(folder, proposals=4, images_per_proposal=(2, 3), size=64, progress=False)
    return folder


@pytest.fixture(scope="module")
def observed(archive):
    """Return the rows of the archive, as dictionaries."""
    return pq.read_table(archive / "observations.parquet").to_pylist()


@pytest.fixture(scope="module")
def server(archive):
    with serve(archive) as server:
        yield server


@pytest.fixture
def observations(server, monkeypatch):
    for name, path in ADDRESSES.items():
        assert getattr(PortalAPI, name).endswith(path)
        monkeypatch.setattr(PortalAPI, name, server.url + path)
    monkeypatch.setattr(PortalAPI, "_column_configs", {})
    client = ObservationsClass()
    # From 0.4.12 on astroquery looks into MAST's cloud bucket first, where it can.
    client.disable_cloud_dataset()
    yield client
    client._session.close()
    client._portal_api_connection._session.close()


@pytest.fixture
def result(observed):
    """Return a result with every other observation of the archive, as the index would find."""
    hits = [
        SimpleNamespace(id=str(number), score=1 / (number + 1), payload=row)
        for number, row in enumerate(observed[::-2])
    ]
    return PaperclipResult.from_hits(hits, query={"kind": "text", "text": "a spiral galaxy"})


def previews_of(rows):
    return {row["jpegURL"] for row in rows}


def test_a_result_has_products(observations, result, observed):
    products = observations.get_product_list(result)
    assert set(products["parent_obsid"].astype(str)) == set(result["obsid"])
    assert previews_of(observed[::-2]) <= set(products["dataURI"])
    assert not previews_of(observed[-2::-2]) & set(products["dataURI"])
    one_by_one = vstack([observations.get_product_list(obsid) for obsid in result["obsid"]])
    assert sorted(products["dataURI"]) == sorted(one_by_one["dataURI"])


@pytest.mark.parametrize(
    ("part", "ranks"),
    [
        (lambda result: result[:2], [1, 2]),
        (lambda result: result[1], [2]),
        (lambda result: result[result["rank"] == 3], [3]),
        (lambda result: result[[2, 0]], [1, 3]),
        (lambda result: result[CONTRACT_COLUMNS][:1], [1]),
        (lambda result: result["obsid"][:2].tolist(), [1, 2]),
        (lambda result: result["obsid"][1], [2]),
        (lambda result: vstack([result[:1], result[2:3]]), [1, 3]),
    ],
    ids=["slice", "row", "mask", "indices", "columns", "list", "obsid", "stacked"],
)
def test_a_part_of_a_result_has_products(observations, result, part, ranks):
    products = observations.get_product_list(part(result))
    expected = {result["obsid"][rank - 1] for rank in ranks}
    assert set(products["parent_obsid"].astype(str)) == expected


def test_a_result_that_was_written_and_read(observations, result, tmp_path):
    result.write(tmp_path / "result.ecsv")
    again = PaperclipResult.read(tmp_path / "result.ecsv")
    products = observations.get_product_list(again)
    assert set(products["parent_obsid"].astype(str)) == set(result["obsid"])


def test_products_are_joined_back_to_the_ranking(observations, result, observed):
    products = observations.get_product_list(result)
    ranking = Table(result["obsid", "rank", "score"], copy=True)
    ranking.rename_column("obsid", "parent_obsid")
    ranked = join(products, ranking, keys="parent_obsid")
    assert len(ranked) == len(products)
    preview_of = {row["jpegURL"]: row["obsid"] for row in observed}
    for row in ranked:
        if row["dataURI"] in preview_of:
            assert result["obsid"][row["rank"] - 1] == preview_of[row["dataURI"]]


def test_hits_that_mast_does_not_know_are_left_out(observations, result, observed):
    stranger = SimpleNamespace(id="x", score=2.0, payload={"title": "a picture of my own"})
    known = SimpleNamespace(id="y", score=1.0, payload=observed[0])
    mixed = PaperclipResult.from_hits([stranger, known])
    products = observations.get_product_list(mixed)
    assert set(products["parent_obsid"].astype(str)) == {observed[0]["obsid"]}


@pytest.mark.parametrize("hits", [[], [SimpleNamespace(id="x", score=1.0, payload={})]])
def test_no_observation_is_an_error_of_astroquerys(observations, hits):
    with pytest.raises(InvalidQueryError, match="Observation list is empty"):
        observations.get_product_list(PaperclipResult.from_hits(hits))


@pytest.mark.parametrize("flat", [False, True])
def test_products_are_downloaded(observations, result, archive, observed, tmp_path, flat):
    products = observations.get_product_list(result)
    manifest = observations.download_products(
        products, download_dir=str(tmp_path), productType="PREVIEW", flat=flat, verbose=False
    )
    wanted = np.array(products["productType"] == "PREVIEW")
    assert len(manifest) == len(set(products["dataURI"][wanted]))
    assert set(manifest["Status"]) == {"COMPLETE"}
    served = {path.name: path for path in tmp_path.rglob("*.jpg")}
    assert {str(path) for path in served.values()} == set(map(str, manifest["Local Path"]))
    sizes = dict(zip(products["productFilename"], products["size"], strict=True))
    for name, path in served.items():
        assert path.stat().st_size == sizes[name]
    for row in observed[::-2]:
        name = row["jpegURL"].rsplit("/", 1)[1]
        original = archive / "previews" / row["proposal_id"] / name
        assert served[name].read_bytes() == original.read_bytes()


def test_files_that_are_there_are_not_downloaded_again(observations, result, server, tmp_path):
    products = observations.get_product_list(result[:1])
    arguments = {"download_dir": str(tmp_path), "extension": "jpg", "verbose": False}
    first = observations.download_products(products, **arguments)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jpg")}
    again = observations.download_products(products, **arguments)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jpg")} == written
    assert list(again["Local Path"]) == list(first["Local Path"])
    assert set(again["Status"]) == {"COMPLETE"}


def test_one_product_and_one_file(observations, result, tmp_path):
    products = observations.get_product_list(result[0])
    (manifest,) = observations.download_products(
        products[0], download_dir=str(tmp_path), verbose=False
    )
    assert manifest["Status"] == "COMPLETE"
    uri = str(products["dataURI"][1])
    status, _, _ = observations.download_file(
        uri, local_path=str(tmp_path / "a.bin"), verbose=False
    )
    assert status == "COMPLETE"
    assert (tmp_path / "a.bin").stat().st_size == products["size"][1]


def test_the_same_observations_by_criteria(observations, result, observed):
    wanted = sorted({row["proposal_id"] for row in observed[::-2]})
    found = observations.query_criteria(obs_collection="HST", proposal_id=wanted)
    assert set(found["obsid"].astype(str)) == {
        row["obsid"] for row in observed if row["proposal_id"] in wanted
    }
    by_obsid = {str(row["obsid"]): row for row in found}
    for name in ("obs_id", "target_name", "obs_collection", "proposal_id", "jpegURL"):
        assert [by_obsid[obsid][name] for obsid in result["obsid"]] == list(result[name])
    with pytest.warns(NoResultsWarning):
        assert len(observations.query_criteria(proposal_id="1")) == 0


SCRIPT = """
import sys
from astroquery.mast import Observations, conf
from astro_paperclip import PaperclipResult
Observations.disable_cloud_dataset()
result = PaperclipResult.read(sys.argv[1])
products = Observations.get_product_list(result)
manifest = Observations.download_products(products, download_dir=sys.argv[2], extension="jpg")
print(conf.server, set(map(str, manifest["Status"])))
"""


def test_the_server_of_astroquerys_configuration(result, server, tmp_path):
    folder = tmp_path / "astropy"
    folder.mkdir()
    (folder / "astroquery.cfg").write_text(f"[mast]\nserver = {server.url}\n")
    result[:1].write(tmp_path / "result.ecsv")
    environment = os.environ | {"XDG_CONFIG_HOME": str(tmp_path), "ASTROPY_CONFIG_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "result.ecsv"), str(tmp_path / "files")],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"{server.url} {{'COMPLETE'}}"
    assert list((tmp_path / "files").rglob("*.jpg"))
