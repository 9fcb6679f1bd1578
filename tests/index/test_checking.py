"""Whole indexes, and damaged ones: what `check_index` finds, and what opening refuses."""

import json
import os
import shutil

import numpy as np
import pytest
from qdrant_client import QdrantClient

from astro_paperclip.cli.main import main
from astro_paperclip.collection import Collection
from astro_paperclip.exceptions import CollectionError, CollectionInterruptedWarning
from astro_paperclip.index import ServerAddress, check_index, is_address, open_store

from .conftest import DIMENSION, make_points


def check(location):
    return check_index(location, progress=False)


@pytest.fixture
def home(copied):
    """A whole collection of one's own, with its record."""
    Collection.create(copied, encoder_name="compact", encoder_fingerprint="abc")
    return copied


def shard(home):
    return home / "index" / "shard"


def only(home, pattern):
    return sorted(shard(home).rglob(pattern))[0]


def overwrite(path):
    size = path.stat().st_size
    path.write_bytes(b"\xff" * min(size, 4096) + b"\x00" * max(0, size - 4096))


DAMAGES = {
    "version file lost": lambda home: only(home, "version.info").unlink(),
    "version of the future": lambda home: only(home, "version.info").write_text("99.0.0"),
    "segments lost": lambda home: shutil.rmtree(shard(home) / "segments"),
    "vectors cut short": lambda home: os.truncate(only(home, "chunk_0.mmap"), 1000),
    "payload cut short": lambda home: os.truncate(only(home, "page_0.dat"), 1000),
    "configuration lost": lambda home: (shard(home) / "edge_config.json").unlink(),
    "configuration cut short": lambda home: (shard(home) / "edge_config.json").write_text("{"),
    "segment's configuration": lambda home: only(home, "segment.json").write_text("{"),
    "ids cut short": lambda home: os.truncate(only(home, "*id_tracker.mappings"), 10),
    "log lost": lambda home: shutil.rmtree(shard(home) / "wal"),
    "manifest lost": lambda home: (home / "index" / "manifest.json").unlink(),
    "manifest cut short": lambda home: os.truncate(home / "index" / "manifest.json", 100),
    "manifest of more points": lambda home: change_manifest(home, count=401),
    "manifest of other vectors": lambda home: change_manifest(home, dimension=17),
    "index lost": lambda home: shutil.rmtree(home / "index"),
}


def change_manifest(home, **changes):
    path = home / "index" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_refused_and_found(home, damage):
    DAMAGES[damage](home)
    with pytest.raises(CollectionError, match="astro-paperclip index"):
        open_store(home)
    found = check(home)
    assert found.faults
    assert any("astro-paperclip index" in fault for fault in found.faults)


def test_damage_that_only_a_look_at_every_vector_finds(home):
    path = only(home, "chunk_0.mmap")
    # The last of the 400 vectors.
    with path.open("r+b") as stream:
        stream.seek(399 * DIMENSION * 4)
        stream.write(np.full(DIMENSION, np.nan, np.float32).tobytes())
    (fault,) = check(home).faults
    assert "1 points have a vector 'image' that is no direction" in fault


def test_damaged_log(home):
    # What is searched has been brought in from the log already; writing needs it whole.
    for path in (shard(home) / "wal").glob("open-*"):
        overwrite(path)
    assert check(home).faults


def test_whole(place):
    points = make_points(30)
    with open_store(place, mode="w", encoder="abc") as store:
        store.upsert(points.ids, points.vectors, points.payloads)
    if not is_address(place):
        Collection.create(place, encoder_name="compact", encoder_fingerprint="abc")
    found = check(place)
    assert (found.faults, found.notes, found.n_points) == ((), (), 30)
    assert found.summary() == f"{place}: whole; 30 points were looked at."


def test_not_finished(place):
    points = make_points(30)

    def interrupted():
        with open_store(place, mode="w") as store:
            store.upsert(points.ids, points.vectors, points.payloads)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    if not is_address(place):
        Collection.create(place, encoder_name="compact", encoder_fingerprint="abc")
    (fault,) = check(place).faults
    assert fault.startswith("Writing was not finished")
    with pytest.warns(CollectionInterruptedWarning):
        open_store(place).close()


def test_lost_on_the_server(loopback):
    points = make_points(30)
    address = f"{loopback.url}/sky"
    with open_store(address, mode="w") as store:
        store.upsert(points.ids, points.vectors, points.payloads)
    client = QdrantClient(url=ServerAddress.parse(address).url, check_compatibility=False)
    client.delete("sky", points_selector=points.ids[:2])
    client.close()
    (fault,) = check(address).faults
    assert "28 of 30 points" in fault


def test_lost_encoder(copied):
    Collection.create(copied, encoder_name="encoder", encoder_fingerprint="abc")
    (fault,) = check(copied).faults
    assert "the encoder that made the vectors" in fault


def test_somebody_reads(home):
    with open_store(home):
        found = check(home)
    assert found.faults == ()
    assert found.n_points == 400
    assert "open elsewhere" in found.notes[0]


def test_nothing_there(tmp_path):
    assert "does not exist" in check(tmp_path / "nowhere").faults[0]
    assert list(tmp_path.iterdir()) == []


def test_command(home, capsys):
    assert main(["index", "check", str(home), "--quiet"]) == 0
    assert "whole" in capsys.readouterr().out
    only(home, "version.info").unlink()
    assert main(["index", "check", str(home), "--quiet"]) == 1
    assert "version.info is missing" in capsys.readouterr().out
