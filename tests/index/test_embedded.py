"""The embedded store, against brute force and against everything that can go wrong."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import qdrant_edge

from astro_paperclip.exceptions import (
    CollectionError,
    DiskSpaceError,
)
from astro_paperclip.index import open_store, point_id
from astro_paperclip.index.embedded import opening as opening_module
from astro_paperclip.index.embedded import shard as shard_module
from astro_paperclip.index.embedded import store as store_module

from .conftest import assert_holds, make_points


@pytest.fixture
def store(collection):
    """The open store of the collection that is only read."""
    with open_store(collection) as opened:
        yield opened


class TestChanges:
    def test_many_batches(self, tmp_path, monkeypatch):
        monkeypatch.setattr(store_module, "_POINTS_PER_UPDATE", 7)
        monkeypatch.setattr(store_module, "_POINTS_PER_FLUSH", 50)
        points = make_points(130)
        with open_store(tmp_path, mode="w") as store:
            store.upsert(points.ids, points.vectors, points.payloads)
            assert_holds(store, points)
        with open_store(tmp_path) as store:
            assert_holds(store, points)

    def test_full_disk(self, tmp_path, monkeypatch):
        points = make_points(20)
        with open_store(tmp_path, mode="w") as store:
            store.upsert(points.ids[:10], points.vectors[:10], points.payloads[:10])
            store.flush()
            usage = shutil.disk_usage(tmp_path)
            full = usage._replace(free=2**20)
            monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
            with pytest.raises(DiskSpaceError, match=r"1 MiB are free\. Nothing was written"):
                store.upsert(points.ids[10:], points.vectors[10:], points.payloads[10:])
            assert store.info()["state"] == "complete"
        with open_store(tmp_path) as store:
            assert sorted(record.id for record in store.scroll()) == sorted(points.ids[:10])

    def test_full_disk_at_creation(self, tmp_path, monkeypatch):
        full = shutil.disk_usage(tmp_path)._replace(free=2**20)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
        with pytest.raises(DiskSpaceError, match="index"):
            open_store(tmp_path, mode="w", dimension=3)
        assert not (tmp_path / "index").exists()

    def test_the_room_asked_for_grows_with_the_vectors(self, tmp_path, monkeypatch):
        usage = shutil.disk_usage(tmp_path)
        large = np.ones((4000, 512), np.float32)
        ids = [point_id(str(row)) for row in range(len(large))]
        with open_store(tmp_path, mode="w", dimension=512) as store:
            limited = usage._replace(free=256 * 2**20 + large.nbytes)
            monkeypatch.setattr(shutil, "disk_usage", lambda path: limited)
            with pytest.raises(DiskSpaceError):
                store.upsert(ids, large, [{}] * len(ids))
            store.upsert(ids[:100], large[:100], [{}] * 100)


class TestOpening:
    def test_absent(self, tmp_path):
        message = r"no index in .*collection.*astro-paperclip index .*collection --pairs FILE"
        with pytest.raises(CollectionError, match=message):
            open_store(tmp_path / "collection")
        assert list(tmp_path.iterdir()) == []

    def test_location_below_a_file(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(CollectionError, match="cannot be made"):
            open_store(tmp_path / "file" / "c", mode="w", dimension=3)

    def test_failing_creation_leaves_nothing(self, tmp_path, monkeypatch):
        def fail(*args):
            raise CollectionError("the engine failed")

        monkeypatch.setattr(opening_module, "write_manifest", fail)
        with pytest.raises(CollectionError, match="the engine failed"):
            open_store(tmp_path, mode="w", dimension=3)
        assert [path.name for path in tmp_path.iterdir()] == [".index.lock"]
        monkeypatch.undo()
        with open_store(tmp_path, mode="w", dimension=3) as store:
            store.upsert([point_id("a")], np.ones((1, 3)), [{}])

    def test_remains_of_a_killed_creation_are_removed(self, tmp_path):
        (tmp_path / ".index-abc").mkdir()
        (tmp_path / ".index-abc" / "rest").write_text("")
        with open_store(tmp_path, mode="w", dimension=3):
            assert not (tmp_path / ".index-abc").exists()

    def test_engine_is_not_installed(self, tmp_path, monkeypatch):
        monkeypatch.setattr("astro_paperclip.index.opening.find_spec", lambda name: None)
        with pytest.raises(CollectionError, match=r"astro_paperclip\[local\]"):
            open_store(tmp_path)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
    def test_after_a_fork(self, collection):
        code = """
import os, sys
from astro_paperclip.exceptions import CollectionError
from astro_paperclip.index import open_store
store = open_store(sys.argv[1])
if os.fork() == 0:
    try:
        store.count()
    except CollectionError as error:
        os.write(1, str(error).encode())
    os._exit(0)
os.wait()
os.write(1, f" then {store.count()}".encode())
"""
        answer = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, collection],
            capture_output=True, text=True, check=True, timeout=60,
            cwd=Path(__file__).resolve().parents[2],
        )  # fmt: skip
        assert "forked" in answer.stdout
        assert answer.stdout.endswith(" then 400")


class TestDamage:
    @pytest.fixture(params=["r", "w"])
    def mode(self, request):
        return request.param

    def assert_refused(self, location, mode, message):
        before = sorted(path.name for path in location.rglob("*"))
        with pytest.raises(CollectionError, match=message) as caught:
            open_store(location, mode=mode)
        assert str(location / "index") in str(caught.value)
        assert "astro-paperclip index" in str(caught.value)
        # Nothing that could still be saved may be tidied away.
        assert sorted(path.name for path in location.rglob("*")) == before

    def test_lost_version(self, copied, mode):
        # The engine would take the segment for unfinished and delete it.
        next(copied.rglob("version.info")).unlink()
        self.assert_refused(copied, mode, r"version\.info is missing")

    def test_truncated_vectors(self, copied, mode):
        path = next(copied.rglob("chunk_0.mmap"))
        os.truncate(path, 1000)
        self.assert_refused(copied, mode, r"chunk_0\.mmap has 1000 of \d+ bytes")

    def test_lost_segments(self, copied, mode):
        shutil.rmtree(copied / "index" / "shard" / "segments")
        self.assert_refused(copied, mode, "is missing")

    def test_segment_that_the_engine_refuses(self, copied, mode):
        next(copied.rglob("segment.json")).write_text("{")
        with pytest.raises(CollectionError, match="failed") as caught:
            open_store(copied, mode=mode)
        assert "astro-paperclip index" in str(caught.value)

    def test_count(self, copied, mode):
        path = copied / "index" / "manifest.json"
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "count": 401}))
        self.assert_refused(copied, mode, "it has 400 of 401 points")

    def test_vectors_that_no_search_finds(self, copied, mode, monkeypatch):
        monkeypatch.setattr(shard_module.Shard, "nearest", lambda *args, **options: [])
        self.assert_refused(copied, mode, "vectors 'image' cannot be read")

    @pytest.mark.parametrize(
        ("content", "message"),
        [("{", "damaged"), ("[]", "damaged"), ("{}", "damaged"), ('{"new": 1}', "damaged")],
    )
    def test_manifest(self, copied, mode, content, message):
        (copied / "index" / "manifest.json").write_text(content)
        self.assert_refused(copied, mode, message)

    def test_manifest_of_the_future(self, copied, mode):
        path = copied / "index" / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99}))
        self.assert_refused(copied, mode, "version 99; this astro_paperclip reads")

    def test_lost_manifest(self, copied):
        (copied / "index" / "manifest.json").unlink()
        self.assert_refused(copied, "w", "it has no manifest")
        self.assert_refused(copied, "r", "no index")

    def test_panic_of_the_engine(self, store):
        bounds = qdrant_edge.RangeFloat(gte=float("nan"))
        condition = qdrant_edge.FieldCondition(key="t_min", range=bounds)
        with pytest.raises(CollectionError, match="failed") as caught:
            store._engine.count(qdrant_edge.Filter(must=[condition]))
        assert not isinstance(caught.value.__cause__, Exception)

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
    def test_interrupts_go_through(self, store, monkeypatch, error):
        class Interrupted:
            def count(self, request):
                raise error

        monkeypatch.setattr(store._engine, "_shard", Interrupted())
        with pytest.raises(error):
            store._engine.count(None)
        monkeypatch.undo()
