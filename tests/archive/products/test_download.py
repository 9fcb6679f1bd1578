"""Downloads of products: whole or not there, never twice, nowhere but in their folder."""

import hashlib
import shutil
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from astropy.table import Table
from urllib3.util import Retry

from astro_paperclip import PaperclipMast, PaperclipResult
from astro_paperclip.archive import Mast, download_products, get_product_list
from astro_paperclip.archive.products.manifests import read_manifest
from astro_paperclip.exceptions import DiskSpaceError, InvalidQueryError, NoResultsWarning
from astro_paperclip.simulation import Holdings, serve

N = 5
ASTROQUERY_COLUMNS = ["Local Path", "Status", "Message", "URL"]


@pytest.fixture(scope="module")
def holdings():
    names = [f"hst_10000_{number:02d}_acs_wfc_total" for number in range(N)]
    observations = {
        "obsid": [str(2003000001 + number) for number in range(N)],
        "obs_id": names,
        "obs_collection": ["HST"] * N,
        "target_name": ["M 31"] * N,
        "filters": ["F606W;F814W" if number % 2 else "F606W" for number in range(N)],
        "jpegURL": [f"mast:HST/product/{name}_drc.jpg" for name in names],
    }
    return Holdings(pa.table({"proposal_id": ["10000"]}), pa.table(observations))


@pytest.fixture
def server(holdings):
    with serve(holdings) as server:
        yield server


@pytest.fixture
def mast(server):
    mast = Mast(server.url, retry=Retry(8, backoff_factor=0.001), timeout=2)
    yield mast
    mast.session.close()
    mast.reply_session.close()


@pytest.fixture
def result(holdings):
    rows = holdings.observations.to_pylist()[::-1]
    hits = [
        SimpleNamespace(id=row["obsid"], score=1 - number / 10, payload=row)
        for number, row in enumerate(rows)
    ]
    return PaperclipResult.from_hits(hits)


@pytest.fixture
def download(mast, tmp_path):
    """Return the function with the arguments that all tests share."""

    def download(products, **options):
        options = {"download_dir": tmp_path / "data", "mast": mast, "progress": False} | options
        return download_products(products, **options)

    return download


def files_in(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def web_product(web, name="a.fits", *answers, **values):
    """Return the product table of one file that a server answers for as it is told."""
    row = {"obs_collection": "HST", "obs_id": "x", "productFilename": name, "size": 0}
    return Table(rows=[row | {"dataURI": web.put("/file", *answers)} | values])


def test_a_result_is_downloaded(download, result, tmp_path):
    manifest = download(result, productType="SCIENCE")
    assert manifest.colnames[:4] == ASTROQUERY_COLUMNS
    assert set(manifest["Status"]) == {"COMPLETE"}
    assert manifest["obsid"].tolist() == result["obsid"].tolist()
    assert manifest["rank"].tolist() == result["rank"].tolist()
    assert manifest["score"].tolist() == result["score"].tolist()
    for row in manifest:
        place = tmp_path / "data" / "mastDownload" / "HST" / row["obs_id"] / row["productFilename"]
        assert row["Local Path"] == str(place)
        content = place.read_bytes()
        assert len(content) == row["size"]
        assert hashlib.sha256(content).hexdigest() == row["sha256"]
    found = files_in(tmp_path / "data" / "mastDownload")
    assert len(found) == N


def test_files_lie_where_astroquery_puts_them(download, mast, result, tmp_path):
    products = get_product_list(result[:2], mast=mast, extension="jpg")
    ours = download(products)
    theirs = mast.observations.download_products(
        products, download_dir=str(tmp_path / "theirs"), verbose=False
    )
    places = [path.replace(str(tmp_path / "data"), "") for path in ours["Local Path"]]
    assert places == [path.replace(str(tmp_path / "theirs"), "") for path in theirs["Local Path"]]
    assert set(ours["Status"]) == set(theirs["Status"]) == {"COMPLETE"}
    assert files_in(tmp_path / "data" / "mastDownload") == files_in(
        tmp_path / "theirs" / "mastDownload"
    )


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize(
    "products",
    [
        lambda result, mast: result[2],
        lambda result, mast: list(result[2:3]),
        lambda result, mast: result["obsid"][2],
        lambda result, mast: [int(result["obsid"][2])],
        lambda result, mast: get_product_list(result[2:3], mast=mast),
        lambda result, mast: mast.observations.get_product_list(result[2:3]),
        lambda result, mast: get_product_list(result[2], mast=mast, extension="fits")[0],
    ],
)
def test_whatever_names_products(download, mast, result, tmp_path, products, flat):
    manifest = download(products(result, mast), extension="fits", flat=flat)
    name = f"{result['obs_id'][2]}_drc.fits"
    place = name if flat else f"mastDownload/HST/{result['obs_id'][2]}/{name}"
    assert manifest["Local Path"].tolist() == [str(tmp_path / "data" / place)]
    assert manifest["Status"].tolist() == ["COMPLETE"]
    assert manifest["obsid"].tolist() == [result["obsid"][2]]


def test_what_is_on_disk_costs_no_request(download, mast, server, result):
    products = get_product_list(result, mast=mast)
    first = download(products)
    n_requests = sum(server.requests.values())
    second = download(products)
    assert sum(server.requests.values()) == n_requests
    assert second.as_array().tolist() == first.as_array().tolist()


def test_offline_a_result_is_found_on_disk(download, server, result):
    first = download(result, productType="SCIENCE")
    n_requests = sum(server.requests.values())
    again = download(result[1:3], productType="SCIENCE", offline=True)
    assert sum(server.requests.values()) == n_requests
    assert again["Local Path", "Status", "rank"].as_array().tolist() == (
        first["Local Path", "Status", "rank"][1:3].as_array().tolist()
    )


def test_offline_what_is_missing_is_said(download, server, mast, result, tmp_path):
    products = get_product_list(result[:1], mast=mast, extension="fits")
    n_requests = sum(server.requests.values())
    manifest = download(products, offline=True)
    assert manifest["Status"].tolist() == ["ERROR"]
    assert "offline" in manifest["Message"][0]
    with pytest.warns(NoResultsWarning, match="known without MAST"):
        assert len(download(result, offline=True)) == 0
    assert sum(server.requests.values()) == n_requests
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data[:-1] + b"?"])
@pytest.mark.parametrize("offline", [False, True])
def test_a_damaged_file_is_no_file(download, result, change, offline):
    manifest = download(result[:1], extension="fits")
    path = Path(manifest["Local Path"][0])
    path.write_bytes(change(path.read_bytes()))
    again = download(result[:1], extension="fits", offline=offline)
    assert again["Status"].tolist() == ["ERROR" if offline else "COMPLETE"]
    if not offline:
        assert again["sha256"].tolist() == manifest["sha256"].tolist()


def test_a_file_without_a_record_counts_by_its_size(download, mast, server, result, tmp_path):
    products = get_product_list(result[:1], mast=mast)
    first = download(products)
    (tmp_path / "data" / "paperclip_manifest.parquet").unlink()
    with Path(first["Local Path"][0]).open("ab") as file:
        file.write(b"junk")
    n_files = server.requests["file"]
    assert set(download(products)["Status"]) == {"COMPLETE"}
    assert server.requests["file"] == n_files + 1


def test_a_folder_that_moved_keeps_its_record(download, server, result, tmp_path):
    download(result, extension="fits")
    shutil.move(tmp_path / "data", tmp_path / "moved")
    n_files = server.requests["file"]
    again = download(result, extension="fits", download_dir=tmp_path / "moved", offline=True)
    assert set(again["Status"]) == {"COMPLETE"}
    assert len(again) == N
    assert server.requests["file"] == n_files


def test_the_record_of_other_files_is_kept(download, result, tmp_path):
    download(result[:2], extension="fits")
    download(result[2:], extension="fits")
    kept = read_manifest(tmp_path / "data")
    assert sorted(kept["obsid"]) == sorted(result["obsid"])
    assert set(kept["Status"]) == {"COMPLETE"}
    assert not any(path.startswith("/") for path in kept["Local Path"])


def test_only_what_failed_is_tried_again(download, web, tmp_path):
    good = web_product(web, "good.fits", b"good")
    bad = {"dataURI": web.put("/bad", web.status(404), b"late"), "productFilename": "bad.fits"}
    good.add_row({name: bad.get(name, good[name][0]) for name in good.colnames})
    manifest = download(good)
    assert manifest["Status"].tolist() == ["COMPLETE", "SKIPPED"]
    assert "404" in manifest["Message"][1]
    manifest.write(tmp_path / "manifest.ecsv")
    again = download(Table.read(tmp_path / "manifest.ecsv"), download_dir=None)
    assert again["Status"].tolist() == ["COMPLETE", "COMPLETE"]
    assert again["Local Path"].tolist()[0] == manifest["Local Path"][0]
    assert len(web.asked["/file"]) == 1


def test_a_manifest_knows_whether_it_is_flat(download, result, tmp_path):
    manifest = download(result, extension="fits", flat=True)
    again = download(manifest, download_dir=None)
    assert again["Local Path"].tolist() == manifest["Local Path"].tolist()
    assert len(files_in(tmp_path / "data")) == N + 1


def test_an_interruption_leaves_nothing_half(download, mast, result, tmp_path, monkeypatch):
    from astro_paperclip.archive.products import download as downloads

    def interrupted(transfers, **options):
        results = fetch_files(transfers, **options)
        yield next(results)
        results.close()
        raise KeyboardInterrupt

    fetch_files = downloads.fetch_files
    monkeypatch.setattr(downloads, "fetch_files", interrupted)
    products = get_product_list(result, mast=mast)
    size_of = dict(zip(products["productFilename"], products["size"], strict=True))
    with pytest.raises(KeyboardInterrupt):
        download(products)
    kept = read_manifest(tmp_path / "data")
    assert len(kept) == len(products)
    assert {"COMPLETE", "ERROR"} == set(kept["Status"])
    for path in (tmp_path / "data" / "mastDownload").rglob("*.*"):
        if path.is_file():
            assert path.stat().st_size == size_of[path.name]
    monkeypatch.undo()
    assert set(download(products)["Status"]) == {"COMPLETE"}


@pytest.mark.parametrize(
    "fault", ["unavailable", "too_many_requests", "reset", "truncated", "html"]
)
def test_faults_leave_no_trace(holdings, download, mast, result, fault, tmp_path):
    wanted = download(result, download_dir=tmp_path / "wanted")
    with serve(holdings, fault_rate=0.3, faults=(fault,), seed=2, retry_after=0) as server:
        patient = Mast(server.url, retry=Retry(20, backoff_factor=0.001), timeout=2)
        manifest = download(result, mast=patient)
        patient.session.close()
        patient.reply_session.close()
    assert server.injected[fault] > 0
    assert set(manifest["Status"]) == {"COMPLETE"}
    assert manifest["sha256"].tolist() == wanted["sha256"].tolist()
    assert files_in(tmp_path / "data" / "mastDownload") == files_in(
        tmp_path / "wanted" / "mastDownload"
    )


@pytest.mark.parametrize(
    "name", ["../a.fits", "/etc/a.fits", "a\0.fits", "..", "", ".hidden", "a/b.fits", "a\\b.fits"]
)
@pytest.mark.parametrize("column", ["productFilename", "obs_id", "obs_collection"])
def test_names_that_lead_elsewhere_are_refused(download, web, tmp_path, name, column):
    products = web_product(web, "a.fits", b"evil", **{column: name})
    manifest = download(products)
    assert manifest["Status"].tolist() == ["SKIPPED"]
    assert manifest["Local Path"].tolist() == [""]
    assert "cannot be the name of a file" in manifest["Message"][0]
    assert web.n_requests == 0
    assert files_in(tmp_path) <= {"data/paperclip_manifest.parquet"}


def test_an_address_that_is_none_is_refused(download, web):
    manifest = download(web_product(web, dataURI="file:///etc/passwd"))
    assert manifest["Status"].tolist() == ["SKIPPED"]
    assert "file:///etc/passwd" in manifest["Message"][0]


def test_two_files_never_share_a_path(download, web):
    products = web_product(web, "a.fits", b"first")
    second = {"dataURI": web.put("/second", b"second"), "obs_id": "y"}
    products.add_row({name: second.get(name, products[name][0]) for name in products.colnames})
    flat = download(products, flat=True)
    assert sorted(flat["Status"]) == ["COMPLETE", "SKIPPED"]
    assert any("same path" in message for message in flat["Message"])
    assert set(download(products)["Status"]) == {"COMPLETE"}


def test_a_file_larger_than_allowed_is_refused(download, web, tmp_path):
    products = web_product(web, "a.fits", b"x" * 1000)
    assert download(products, max_bytes=999)["Status"].tolist() == ["SKIPPED"]
    assert "mastDownload/HST/x/a.fits" not in files_in(tmp_path / "data")
    assert download(products, max_bytes=1000)["Status"].tolist() == ["COMPLETE"]


def test_the_disk_is_looked_at_first(download, web, tmp_path):
    products = web_product(web, "a.fits", b"x", size=10**17)
    with pytest.raises(DiskSpaceError, match="Nothing was downloaded"):
        download(products)
    assert web.n_requests == 0
    assert files_in(tmp_path) == set()


def test_a_wrong_size_in_the_list_does_no_harm(download, web):
    products = web_product(web, "a.fits", b"1234", size=5)
    first = download(products)
    assert first["Status"].tolist() == ["COMPLETE"]
    assert first["size"].tolist() == [4]
    assert download(products)["Status"].tolist() == ["COMPLETE"]
    assert web.n_requests == 1


def test_files_from_the_cloud(download, web, monkeypatch):
    cloud = web.put("/cloud", b"the same")
    products = web_product(web, "a.fits", b"the same")
    monkeypatch.setattr(
        "astro_paperclip.archive.products.download.cloud_addresses",
        lambda uris, mast, progress: dict.fromkeys(uris, cloud),
    )
    assert download(products, cloud=True)["URL"].tolist() == [cloud]
    assert list(web.asked) == ["/cloud"]


def test_nothing_to_download_is_an_empty_manifest(download, server, result, tmp_path):
    with pytest.warns(NoResultsWarning):
        nothing = download(result[:0])
    assert sum(server.requests.values()) == 0
    with pytest.warns(NoResultsWarning):
        filtered = download(result, extension="none")
    with pytest.warns(NoResultsWarning):
        of_products = download(get_product_list(result, mast=Mast(server.url)), extension="none")
    for manifest in (nothing, filtered, of_products):
        assert len(manifest) == 0
        assert manifest.colnames[:4] == ASTROQUERY_COLUMNS
    assert files_in(tmp_path) == set()


@pytest.mark.parametrize("options", [{"max_conn": 0}, {"max_bytes": 0.5}, {"size": "large"}])
def test_senseless_arguments_fail_before_anything_is_asked(download, server, result, options):
    with pytest.raises(InvalidQueryError):
        download(result, **options)
    assert sum(server.requests.values()) == 0


def test_a_folder_that_is_a_file(download, result, tmp_path):
    (tmp_path / "data").write_text("mine")
    with pytest.raises(InvalidQueryError, match="is a file"):
        download(result)
    assert (tmp_path / "data").read_text() == "mine"


def test_the_query_class_has_the_same_function(mast, result, tmp_path):
    manifest = PaperclipMast.download_products(
        result[:1], mast=mast, download_dir=tmp_path, extension="fits", progress=False
    )
    assert manifest["Status"].tolist() == ["COMPLETE"]


@pytest.mark.remote_data
def test_a_real_file(tmp_path):
    manifest = download_products("2003738726", download_dir=tmp_path, extension="c3t.fits")
    assert manifest["Status"].tolist() == ["COMPLETE"]
    again = download_products("2003738726", download_dir=tmp_path, offline=True)
    assert again["sha256"].tolist() == manifest["sha256"].tolist()
