"""Previews in a collection: whole, small, recorded, and asked for once."""

import hashlib
import io
import shutil
import signal
import struct
import subprocess
import sys
import types
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from PIL import Image
from urllib3.util import Retry

from astro_paperclip.archive import Mast, fetching, select_previews
from astro_paperclip.archive.previews.download import download_previews
from astro_paperclip.archive.previews.table import (
    Journal,
    PreviewRecord,
    read_previews,
    read_records,
)
from astro_paperclip.config import conf
from astro_paperclip.exceptions import ArchiveError, DiskSpaceError, InvalidQueryError
from astro_paperclip.images import read_wcs
from astro_paperclip.simulation import FAULTS, serve

QUICK = Retry(8, backoff_factor=0)

KINDS = {
    "unavailable": {"server error"},
    "too_many_requests": {"too many requests"},
    "reset": {"connection", "incomplete"},
    "truncated": {"incomplete"},
    # Where the wrong length is the smaller one, what arrives is complete, but no picture.
    "wrong_length": {"incomplete", "not an image"},
    "html": {"unreadable"},
    "trickle": {"too slow"},
    "not_a_jpeg": {"not an image"},
}


@pytest.fixture
def selected(observations):
    return select_previews(observations)


def contents(folder):
    """Return the files below a folder with what they hold."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def checksum(content):
    return hashlib.sha256(content).hexdigest()


def picture(size=(40, 30), kind="JPEG", **options):
    file = io.BytesIO()
    ramp = np.add.outer(np.arange(size[1]), np.arange(size[0])) % 256
    Image.fromarray(ramp.astype(np.uint8)).save(file, kind, **options)
    return file.getvalue()


def choose(uris, names=None, proposals=None, sizes=None):
    """Return a table of selected previews."""
    number = len(uris)
    return Table(
        {
            "obsid": [str(100 + row) for row in range(number)],
            "obs_id": [f"hst_{row}" for row in range(number)],
            "proposal_id": proposals or ["7"] * number,
            "obs_collection": ["HST"] * number,
            "preview": uris,
            "productFilename": names or [f"{row}.jpg" for row in range(number)],
            "size": sizes or [0] * number,
        }
    )


@pytest.fixture
def mast(web):
    return Mast(web.url, retry=QUICK, timeout=1.0)


@pytest.fixture
def download(tmp_path, mast):
    """Return a function that downloads into the same collection."""

    def download(selected, **options):
        options = {"mast": mast, "progress": False} | options
        return download_previews(selected, tmp_path / "collection", **options)

    return download


def test_a_collection_of_previews(simulated, selected, tmp_path):
    with serve(simulated) as server:
        mast = Mast(server.url)
        table = download_previews(selected, tmp_path, mast=mast, max_side=48, progress=False)
        assert server.requests == {"file": len(selected)}
        assert mast.traffic.requests == len(selected)
    assert set(table["status"]) == {"complete"}
    assert set(table["message"]) == {""}
    for name in selected.colnames:
        assert table[name].tolist() == selected[name].tolist()
    for row in table:
        stem = row["productFilename"].removesuffix(".jpg")
        assert row["image"] == f"previews/{row['proposal_id']}/{stem}.jpg"
        content = (tmp_path / row["image"]).read_bytes()
        assert (row["n_bytes"], row["sha256"]) == (len(content), checksum(content))
        served = (simulated / row["image"]).read_bytes()
        assert (row["served_bytes"], row["served_sha256"]) == (len(served), checksum(served))
        with Image.open(io.BytesIO(content)) as image:
            assert image.size == (row["width"], row["height"]) == (48, 48)
    before, after = (read_wcs(folder / table["image"][0]) for folder in (simulated, tmp_path))
    # A picture of 64 pixels and the same of 48, at its upper right corner.
    place = before.pixel_to_world(63.5, 63.5)
    assert place.separation(after.pixel_to_world(47.5, 47.5)).arcsec < 0.01
    stored = read_previews(tmp_path / "previews.parquet")
    assert stored.colnames == table.colnames
    assert stored.as_array().tolist() == table.as_array().tolist()
    assert stored["n_bytes"].unit == "byte"
    assert stored["image"].description
    assert stored.meta == {"rule": "jpegURL", "left_out": {}, "max_side": 48}
    assert set(contents(tmp_path)) == {"previews.parquet", *table["image"]}


def test_what_is_complete_costs_no_request(web, download, tmp_path):
    selected = choose([web.put(f"/{i}", picture()) for i in range(5)])
    download(selected)
    before = contents(tmp_path)
    assert web.n_requests == 5
    download(selected)
    download(selected, offline=True)
    assert contents(tmp_path) == before
    # Nor where nothing but the pictures is left.
    (tmp_path / "collection" / "previews.parquet").unlink()
    table = download(selected, offline=True)
    assert set(table["status"]) == {"complete"}
    assert table["sha256"].tolist() == [checksum(picture())] * 5
    assert (table["width"].tolist(), table["height"].tolist()) == ([40] * 5, [30] * 5)
    assert set(table["served_bytes"]) == {0}
    assert web.n_requests == 5


def test_what_was_changed_or_lost_is_fetched_again(web, download, tmp_path):
    selected = choose([web.put(f"/{i}", picture()) for i in range(4)])
    before = download(selected)
    paths = [tmp_path / "collection" / image for image in before["image"]]
    paths[0].unlink()
    paths[1].write_bytes(paths[1].read_bytes()[:-9])
    paths[2].write_bytes(picture((40, 31)))
    offline = download(selected, offline=True)
    assert offline["status"].tolist() == ["failed"] * 3 + ["complete"]
    assert "offline" in offline["message"][0]
    after = download(selected)
    assert after.as_array().tolist() == before.as_array().tolist()
    assert [path.read_bytes() for path in paths] == [picture()] * 4
    assert web.n_requests == 7


def test_a_longer_selection_fetches_what_is_new(web, download):
    uris = [web.put(f"/{i}", picture()) for i in range(4)]
    download(choose(uris[:2]))
    table = download(choose(uris))
    assert set(table["status"]) == {"complete"}
    assert web.n_requests == 4


def test_another_size_is_fetched_where_it_makes_a_difference(web, download):
    selected = choose([web.put("/0", picture((100, 80))), web.put("/1", picture((30, 20)))])
    for max_side, width, n_requests in [
        (50, 50, 2),
        (50, 50, 2),
        (60, 60, 3),
        (None, 100, 4),
        (200, 100, 4),
        (20, 20, 6),
        (None, 100, 8),
    ]:
        table = download(selected, max_side=max_side)
        assert table["width"].tolist() == [width, min(width, 30)]
        assert web.n_requests == n_requests


def test_refused_and_failed(web, download):
    uris = [web.put("/0", web.status(404)), web.put("/1", web.status(403)), web.put("/2", b"x")]
    uris += [web.put("/3", web.status(500)), "mast:HST/product/x.jpg", "ftp://host/x.jpg"]
    uris += [web.put("/6", picture())]
    selected = choose(uris)
    table = download(selected)
    expected = ["refused", "refused", "refused", "failed", "refused", "refused", "complete"]
    assert table["status"].tolist() == expected
    messages = ["404", "not public", "not a picture", "server error", "404", "neither a MAST URI"]
    assert all(part in line for part, line in zip(messages, table["message"], strict=False))
    assert [len(web.asked[f"/{i}"]) for i in (0, 1, 2, 3, 6)] == [1, 1, 5, 9, 1]
    n_requests = web.n_requests
    again = download(selected, retry_failed=False)
    assert again.as_array().tolist() == table.as_array().tolist()
    assert web.n_requests == n_requests
    web.put("/3", picture())
    assert download(selected)["status"].tolist() == [*expected[:3], "complete", *expected[4:]]
    assert web.n_requests == n_requests + 1


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.jpg",
        "/etc/evil.jpg",
        "a\0b.jpg",
        "a/b.jpg",
        "..",
        "",
        "\\evil",
        "C:evil",
        "a\nb",
    ],
)
def test_names_that_lead_elsewhere_are_refused(web, download, tmp_path, name):
    uris = [web.put("/0", picture()), web.put("/1", picture())]
    table = Table(choose(uris), copy=True)
    table["productFilename"] = np.array([name, "good.jpg"], dtype=object)
    result = download(table)
    assert result["status"].tolist() == ["refused", "complete"]
    assert result["image"].tolist() == ["", "previews/7/good.jpg"]
    assert set(contents(tmp_path)) == {
        "collection/previews.parquet",
        "collection/previews/7/good.jpg",
    }
    assert web.n_requests == 1


def test_a_proposal_that_leads_elsewhere_is_refused(web, download, tmp_path):
    table = download(choose([web.put("/0", picture())], proposals=["../.."]))
    assert table["status"].tolist() == ["refused"]
    assert set(contents(tmp_path)) == {"collection/previews.parquet"}


def test_equal_names_do_not_collide(web, download, tmp_path):
    pictures = [picture((40 + i, 30)) for i in range(4)]
    uris = [web.put(f"/{i}", pictures[i]) for i in range(4)]
    table = download(choose(uris, ["a.jpg", "A.JPG", "a.png", "a.jpg"], ["7", "7", "7", "8"]))
    assert len({image.lower() for image in table["image"]}) == 4
    assert table["image"][3] == "previews/8/a.jpg"
    for image, content in zip(table["image"], pictures, strict=True):
        assert (tmp_path / "collection" / image).read_bytes() == content
    # Which name is whose does not depend on the order.
    other = choose(uris[::-1], ["a.jpg", "a.png", "A.JPG", "a.jpg"], ["8", "7", "7", "7"])
    assert download(other)["image"].tolist() == table["image"][::-1].tolist()
    assert web.n_requests == 4


def test_the_file_of_another_preview_is_not_taken_for_this_one(web, download, tmp_path):
    download(choose([web.put("/0", picture())], ["a.jpg"]))
    table = download(choose([web.put("/1", picture((50, 50)))], ["a.jpg"]))
    assert table["width"].tolist() == [50]
    assert (tmp_path / "collection" / table["image"][0]).read_bytes() == picture((50, 50))


def test_every_kind_of_picture_becomes_a_jpeg(web, download, tmp_path):
    kinds = ["PNG", "GIF", "TIFF", "WEBP", "BMP"]
    uris = [web.put(f"/{kind}", picture(kind=kind)) for kind in kinds]
    table = download(choose(uris, [f"{kind}.{kind.lower()}" for kind in kinds]))
    assert set(table["status"]) == {"complete"}
    for kind, image in zip(kinds, table["image"], strict=True):
        assert image == f"previews/7/{kind}.jpg"
        with Image.open(tmp_path / "collection" / image) as stored:
            assert stored.format == "JPEG"


def bomb():
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(10_000_000), 9))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize("answer", ["bomb", "announced", "in chunks", "to a file"])
def test_hostile_replies_do_no_harm(web, download, tmp_path, answer):
    answers = {
        "bomb": bomb(),
        "announced": web.endless(length=10_000_000_000),
        "in chunks": web.endless(),
        "to a file": web.redirect("file:///etc/passwd"),
    }
    selected = choose([web.put("/0", answers[answer]), web.put("/1", picture())])
    with conf.set_temp("max_file_size", 1_000_000):
        table = download(selected)
    assert table["status"].tolist() == ["refused", "complete"]
    assert table["message"][0]
    assert set(contents(tmp_path)) == {"collection/previews.parquet", "collection/previews/7/1.jpg"}


def seen(faults, injected):
    """Say whether the tally of a client can be that of what a server injected."""
    if faults.total() != injected.total():
        return False
    certain = Counter()
    for name, number in injected.items():
        if len(KINDS[name]) == 1:
            certain[next(iter(KINDS[name]))] += number
    possible = set().union(*(KINDS[name] for name, number in injected.items() if number))
    return set(faults) <= possible and all(faults[kind] >= n for kind, n in certain.items())


@pytest.fixture(scope="module")
def undisturbed(simulated, observations, tmp_path_factory):
    """Return what a collection holds after a run in which nothing went wrong."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with serve(simulated) as server:
        selected = select_previews(observations)
        download_previews(selected, folder, mast=Mast(server.url), max_side=48, progress=False)
    return contents(folder)


@pytest.mark.parametrize("fault", [*KINDS, "all"])
def test_faults_are_survived_and_counted(
    simulated, selected, undisturbed, tmp_path, monkeypatch, fault
):
    # Of fifty pictures, one in sixty runs would be given up after the usual five attempts.
    monkeypatch.setattr(fetching, "_IMAGE_ATTEMPTS", 12)
    rate, names = (0.1, FAULTS) if fault == "all" else (0.2, [fault])
    with serve(simulated, fault_rate=rate, faults=names, seed=5, retry_after=0) as server:
        mast = Mast(server.url, retry=QUICK, timeout=1.0)
        download_previews(selected, tmp_path, mast=mast, max_side=48, progress=False)
        assert server.injected.total() > 2
        assert seen(mast.traffic.faults, server.injected), (mast.traffic.faults, server.injected)
        assert mast.traffic.requests == server.requests["file"]
    assert contents(tmp_path) == undisturbed


KILLED = """
import sys
from pathlib import Path
from astro_paperclip.archive import Mast, download_previews, read_table, select_previews

archive, url, folder = sys.argv[1:]
selected = select_previews(read_table(Path(archive, "observations.parquet")))
mast = Mast(url)
download_previews(selected, folder, mast=mast, max_side=48, max_conn=3, progress=False)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_killed_goes_on(simulated, selected, undisturbed, tmp_path, how):
    complete = set(undisturbed)
    with serve(simulated, latency=0.05) as server:
        command = [sys.executable, "-c", KILLED, str(simulated), server.url, str(tmp_path)]
        for n_files in (3, 15, 30):
            with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
                while len(list(tmp_path.glob("previews/*/[!.]*"))) < n_files:
                    assert process.poll() is None
                process.send_signal(how)
            there = {path for path in contents(tmp_path) if not Path(path).name.startswith(".")}
            assert "previews.parquet" not in there
            assert there - {"previews.jsonl"} < complete
            for path in there - {"previews.jsonl"}:
                assert (tmp_path / path).read_bytes() == undisturbed[path]
        mast = Mast(server.url)
        download_previews(selected, tmp_path, mast=mast, max_side=48, progress=False)
        assert mast.traffic.requests <= len(selected) - 30
        # What was under way when a run ended was asked for twice.
        assert server.requests["file"] <= len(selected) + 3 * 3
    assert contents(tmp_path) == undisturbed


def test_the_journal_outlives_a_torn_line(tmp_path):
    records = [PreviewRecord(f"mast:{i}.jpg", f"previews/7/{i}.jpg", "complete") for i in range(3)]
    path = tmp_path / "journal"
    with Journal(path) as journal:
        assert not path.exists()
        journal.add(records[0])
    with path.open("ab") as file:
        file.write(b'{"preview": "mast:9.jpg", "ima')
    with Journal(path) as journal:
        journal.add(records[1])
        journal.add(records[2])
    path.write_bytes(path.read_bytes() + b'\n[1]\n{"x": 1}\n\xff\n')
    assert list(read_records(tmp_path / "table", path).values()) == records


def test_a_full_disk_is_noticed_before_anything_is_fetched(web, download, monkeypatch):
    usage = types.SimpleNamespace(free=100_100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    uris = [web.put(f"/{i}", picture()) for i in range(2)]
    with pytest.raises(DiskSpaceError, match="2 previews need about 100 MB"):
        download(choose(uris))
    assert web.n_requests == 0
    assert set(download(choose(uris), max_side=100)["status"]) == {"complete"}
    with pytest.raises(DiskSpaceError, match="need about 102 MB"):
        download(choose([web.url + "/2"]), max_side=None)
    sizes = [30_000] * 2
    table = download(choose(uris, ["a.jpg", "b.jpg"], sizes=sizes), max_side=None)
    assert table["message"][0] == f"{len(picture())} bytes came, where 30000 were listed"


def test_bad_arguments_fail_before_any_work(web, download, tmp_path):
    selected = choose(["mast:x.jpg", "mast:x.jpg"])
    with pytest.raises(InvalidQueryError, match="occur twice"):
        download(selected)
    with pytest.raises(InvalidQueryError, match="max_side=4 must be at least 8"):
        download(selected[:1], max_side=4)
    with pytest.raises(InvalidQueryError, match="lack the column preview, size"):
        download(selected["obsid", "proposal_id", "productFilename"])
    assert web.n_requests == 0
    assert contents(tmp_path) == {}
    assert len(download(selected[:0])) == 0
    assert len(read_previews(tmp_path / "collection" / "previews.parquet")) == 0


class CloudClient:
    """Answers about the cloud as astroquery's client does."""

    def __init__(self, addresses, error=None):
        self.addresses, self.error, self.is_on = addresses, error, False

    def enable_cloud_dataset(self, *, verbose):
        if isinstance(self.error, ImportError):
            raise self.error
        self.is_on = True

    def disable_cloud_dataset(self):
        self.is_on = False

    def get_cloud_uris(self, uris, *, include_bucket, full_url, return_uri_map, verbose):
        assert self.is_on
        assert full_url
        assert return_uri_map
        assert not include_bucket
        if self.error:
            raise self.error
        return {uri: self.addresses.get(uri) for uri in uris}


@pytest.fixture
def cloud(web, mast, monkeypatch):
    """Return a function that puts a client into the way to the cloud."""
    errors = types.ModuleType("botocore.exceptions")
    errors.BotoCoreError, errors.ClientError = (type(n, (Exception,), {}) for n in "ab")
    monkeypatch.setitem(sys.modules, "botocore", types.ModuleType("botocore"))
    monkeypatch.setitem(sys.modules, "botocore.exceptions", errors)
    # The real bucket is reached by https.
    monkeypatch.setattr("astro_paperclip.archive.cloud._SECURE", "http://")

    def put(addresses, error=None):
        mast.observations = CloudClient(addresses, error)
        return errors

    return put


def test_the_cloud_is_asked_first(web, mast, download, cloud):
    uris = [f"mast:HST/product/{i}.jpg" for i in range(3)]
    web.put("/bucket/0", picture((50, 50)))
    cloud({uris[0]: web.url + "/bucket/0", uris[1]: web.url + "/bucket/gone"})
    for uri in uris:
        web.put(f"/api/v0.1/Download/file?uri={uri}", picture())
    elsewhere = web.put("/elsewhere", picture())
    table = download(choose([*uris, elsewhere]), cloud=True)
    assert table["status"].tolist() == ["complete"] * 4
    assert table["width"].tolist() == [50, 40, 40, 40]
    assert not mast.observations.is_on
    asked = {path.rpartition("/")[2]: len(times) for path, times in web.asked.items()}
    assert asked == {"0": 1, "gone": 1, "1.jpg": 1, "2.jpg": 1, "elsewhere": 1}


def test_a_cloud_that_cannot_be_reached(web, mast, download, cloud, caplog):
    uri = "mast:HST/product/0.jpg"
    web.put(f"/api/v0.1/Download/file?uri={uri}", picture())
    errors = cloud({})
    cloud({}, errors.BotoCoreError("no way"))
    assert download(choose([uri]), cloud=True)["status"].tolist() == ["complete"]
    assert "no way" in caplog.text
    cloud({}, ImportError("boto3"))
    with pytest.raises(ArchiveError, match="pip install boto3"):
        download(choose(["mast:HST/product/1.jpg"]), cloud=True)


@pytest.mark.remote_data
@pytest.mark.parametrize("cloud", [False, True])
def test_a_real_preview(tmp_path, cloud):
    if cloud:
        pytest.importorskip("boto3")
    uri = "mast:HST/product/hst_15354_01_acs_wfc_total_jdi601_drc.jpg"
    selected = choose([uri], [uri.rpartition("/")[2]])
    table = download_previews(selected, tmp_path, cloud=cloud, progress=False)
    assert table["status"].tolist() == ["complete"]
    assert max(table["width"][0], table["height"][0]) == 512
    assert read_wcs(tmp_path / table["image"][0]) is not None


def test_the_real_preview_is_shrunk(shared, web, download, tmp_path):
    (source,) = (shared / "data" / "hst_preview").glob("*.jpg")
    table = download(choose([web.put("/0", source.read_bytes())], [source.name]))
    assert (table["width"][0], table["height"][0]) == (512, 498)
    assert table["served_bytes"][0] == source.stat().st_size
    path = tmp_path / "collection" / table["image"][0]
    before, after = read_wcs(source), read_wcs(path)
    # The middle of the first pixel's lower left corner.
    shift = before.pixel_to_world(-0.5, -0.5).separation(after.pixel_to_world(-0.5, -0.5))
    assert shift.arcsec < 0.1 * 0.05 * 4543 / 512
