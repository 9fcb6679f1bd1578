"""The embedded store, against brute force and against everything that can go wrong."""

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import qdrant_edge

from astro_paperclip.criteria import And, Match
from astro_paperclip.exceptions import (
    CollectionError,
    DiskSpaceError,
    IndexMismatchError,
    InvalidQueryError,
)
from astro_paperclip.index import Hit, Record, Store, open_store, point_id
from astro_paperclip.index.embedded import shard as shard_module
from astro_paperclip.index.embedded import store as store_module

from .conftest import DIMENSION, make_points


def assert_holds(store, points):
    """Assert that a store has these points, and these alone, and finds them by their vectors."""
    assert store.count() == len(points.ids)
    records = {record.id: record for record in store.scroll(with_vectors=True)}
    for id_, vector, payload in zip(points.ids, points.vectors, points.payloads, strict=True):
        assert records[id_].payload == payload
        np.testing.assert_allclose(
            records[id_].vector, vector / np.linalg.norm(vector), atol=1e-6, rtol=0
        )
    hits = store.search(points.vectors[0], limit=len(points.ids) + 5)
    assert [hit.id for hit in hits] == points.ranking(points.vectors[0])[0]


class TestSearch:
    def test_all_points_in_order(self, store, points):
        vector = np.random.default_rng(5).normal(size=DIMENSION)
        expected, scores = points.ranking(vector)
        hits = store.search(vector, limit=1000)
        assert [hit.id for hit in hits] == expected
        np.testing.assert_allclose([hit.score for hit in hits], scores, atol=1e-6)
        assert isinstance(hits[0], Hit)
        assert hits[0].payload == points.payloads[points.ids.index(expected[0])]

    def test_pages_follow_each_other(self, store, points):
        expected, _ = points.ranking(points.vectors[3])
        pages = [store.search(points.vectors[3], limit=7, offset=start) for start in (0, 7, 14)]
        assert [hit.id for page in pages for hit in page] == expected[:21]

    def test_past_the_end(self, store, points):
        assert len(store.search(points.vectors[0], limit=10, offset=395)) == 5
        assert store.search(points.vectors[0], limit=10, offset=400) == []

    def test_length_of_the_vector_does_not_matter(self, store, points):
        # A power of two, so that normalising rounds alike.
        assert store.search(points.vectors[0] * 64) == store.search(points.vectors[0])

    def test_equal_scores_by_id(self, tmp_path):
        ids = [point_id(f"{row}.jpg") for row in range(40)]
        vectors = np.ones((40, 3))
        vectors[:3, 0] = 2
        with open_store(tmp_path, mode="w") as store:
            store.upsert(ids, vectors, [{}] * 40)
            expected = sorted(ids[3:]) + sorted(ids[:3])
            assert [hit.id for hit in store.search(np.ones(3), limit=40)] == expected
            for limit, offset in [(1, 0), (5, 0), (5, 5), (10, 30), (36, 0), (37, 0), (38, 0)]:
                found = [hit.id for hit in store.search(np.ones(3), limit=limit, offset=offset)]
                assert found == expected[offset : offset + limit]

    @pytest.mark.parametrize(("limit", "offset"), [(0, 0), (-1, 0), (1, -1)])
    def test_impossible_pages(self, store, limit, offset):
        with pytest.raises(InvalidQueryError, match="limit must be at least 1"):
            store.search(np.ones(DIMENSION), limit=limit, offset=offset)

    @pytest.mark.parametrize(
        ("vector", "error", "message"),
        [
            (np.full(DIMENSION, np.nan), InvalidQueryError, "zero or not finite"),
            (np.zeros(DIMENSION), InvalidQueryError, "zero or not finite"),
            (np.ones(DIMENSION + 1), IndexMismatchError, "have the length 17"),
            (np.ones((1, DIMENSION)), InvalidQueryError, "one vector"),
            ("spiral galaxy", InvalidQueryError, "one vector"),
        ],
    )
    def test_impossible_vectors(self, store, vector, error, message):
        with pytest.raises(error, match=message):
            store.search(vector)


class TestOtherQuestions:
    def test_is_a_store(self, store):
        assert isinstance(store, Store)

    def test_what_went_in_comes_out(self, store, points):
        assert_holds(store, points)

    def test_scroll_is_ordered_and_lazy(self, store, points, monkeypatch):
        monkeypatch.setattr(shard_module, "_POINTS_PER_PAGE", 30)
        records = store.scroll()
        assert next(records).id == min(points.ids)
        assert [record.id for record in records] == sorted(points.ids)[1:]

    def test_retrieve_in_order(self, store, points):
        wanted = [points.ids[5], point_id("nobody"), points.ids[2], points.ids[5]]
        records = store.retrieve(wanted)
        assert records == [Record(points.ids[row], points.payloads[row]) for row in (5, 2, 5)]
        (record,) = store.retrieve(wanted[:1], with_vectors=True)
        assert record.vector.dtype == np.float32
        assert np.linalg.norm(record.vector) == pytest.approx(1)

    def test_missing(self, store, points, monkeypatch):
        monkeypatch.setattr(shard_module, "_POINTS_PER_PAGE", 30)
        absent = [point_id("x"), point_id("y")]
        assert store.missing([absent[1], *points.ids, absent[0]]) == [absent[1], absent[0]]
        assert store.missing([]) == []

    @pytest.mark.parametrize("bad", ["1.jpg", "", 7, None])
    def test_ids_are_uuids(self, store, bad):
        with pytest.raises(InvalidQueryError, match="no id of a point"):
            store.retrieve([bad])

    @pytest.mark.parametrize(
        "field", ["instrument_name", "observer", "calib_level", "mtFlag", "seeing", "absent"]
    )
    def test_facet(self, store, points, field):
        counts = {}
        for payload in points.payloads:
            values = payload.get(field, [])
            for value in set(values) if isinstance(values, list) else [values]:
                counts[value] = counts.get(value, 0) + 1
        found = store.facet(field)
        assert found == counts
        assert list(found.values()) == sorted(counts.values(), reverse=True)

    def test_info(self, store, collection):
        assert store.info() == {
            "location": str(collection),
            "engine": "qdrant-edge",
            "engine_version": shard_module.engine_version(),
            "count": 400,
            "dimension": DIMENSION,
            "encoder": "abc",
            "state": "complete",
        }

    def test_reading_changes_nothing(self, store, points):
        for change in (
            lambda: store.upsert(points.ids, points.vectors, points.payloads),
            lambda: store.delete(And(())),
            store.flush,
        ):
            with pytest.raises(CollectionError, match="opened for reading"):
                change()


class TestChanges:
    def test_upsert_replaces_the_whole_point(self, tmp_path):
        id_ = point_id("a")
        with open_store(tmp_path, mode="w") as store:
            store.upsert([id_], [[1, 0]], [{"filters": "F814W", "own": 1}])
            store.upsert([id_], [[0, 2]], [{"filters": "F606W"}])
            (record,) = store.retrieve([id_], with_vectors=True)
            assert store.count() == 1
        assert record.payload == {"filters": "F606W"}
        assert record.vector.tolist() == [0, 1]

    def test_adding_to_an_index(self, tmp_path):
        points = make_points(60)
        with open_store(tmp_path, mode="w", dimension=DIMENSION) as store:
            store.upsert(points.ids[:20], points.vectors[:20], points.payloads[:20])
        with open_store(tmp_path, mode="w") as store:
            assert store.missing(points.ids) == points.ids[20:]
            store.upsert(points.ids[20:], points.vectors[20:], points.payloads[20:])
        with open_store(tmp_path) as store:
            assert_holds(store, points)

    def test_many_batches(self, tmp_path, monkeypatch):
        monkeypatch.setattr(store_module, "_POINTS_PER_UPDATE", 7)
        monkeypatch.setattr(store_module, "_POINTS_PER_FLUSH", 50)
        points = make_points(130)
        with open_store(tmp_path, mode="w") as store:
            store.upsert(points.ids, points.vectors, points.payloads)
            assert_holds(store, points)
        with open_store(tmp_path) as store:
            assert_holds(store, points)

    def test_delete(self, tmp_path):
        points = make_points(50)
        where = Match("filters", ("F814W",))
        gone = [row for row in points.payloads if row.get("filters") == "F814W"]
        assert gone
        with open_store(tmp_path, mode="w") as store:
            store.upsert(points.ids, points.vectors, points.payloads)
            assert store.delete(where) == len(gone)
            assert store.delete(where) == 0
        with open_store(tmp_path) as store:
            assert store.count() == 50 - len(gone)
            assert store.count(where) == 0

    def test_before_the_first_point(self, tmp_path):
        with open_store(tmp_path, mode="w") as store:
            assert store.info()["state"] == "empty"
            assert store.count() == 0
            assert store.search(np.ones(3)) == []
            assert store.missing([point_id("a")]) == [point_id("a")]
            assert store.retrieve([point_id("a")]) == []
            assert list(store.scroll()) == []
            assert store.facet("filters") == {}
            assert store.delete(And(())) == 0
            store.upsert([], np.empty((0, 3)), [])
            store.flush()
        assert not (tmp_path / "index").exists()

    def test_an_empty_index(self, tmp_path):
        with open_store(tmp_path, mode="w", dimension=3):
            pass
        with open_store(tmp_path) as store:
            assert store.info()["count"] == 0
            assert store.search(np.ones(3)) == []

    @pytest.mark.parametrize(
        ("vectors", "error", "message"),
        [
            ([[1, 0], [np.nan, 0]], InvalidQueryError, "1 of 2 .* the first in row 1"),
            ([[np.inf, 0], [1, 0]], InvalidQueryError, "the first in row 0"),
            ([[1e300, 0], [1, 0]], InvalidQueryError, "the first in row 0"),
            ([[1, 0], [0, 0]], InvalidQueryError, "the first in row 1"),
            ([[1, 0, 0], [1, 0, 0]], IndexMismatchError, "length 3, those of the index 2"),
            ([1, 0], InvalidQueryError, "shape"),
            ([[1, 0]], InvalidQueryError, "2 ids, 1 vectors and 2 payloads"),
            ([["a", "b"]], InvalidQueryError, "not an array of numbers"),
        ],
    )
    def test_bad_vectors_change_nothing(self, tmp_path, vectors, error, message):
        ids = [point_id("b"), point_id("c")]
        with open_store(tmp_path, mode="w", dimension=2) as store:
            store.upsert([point_id("a")], [[1, 0]], [{}])
            with pytest.raises(error, match=message):
                store.upsert(ids, vectors, [{}, {}])
            assert store.count() == 1

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

    @pytest.mark.parametrize("url", ["http://localhost:6333", "https://example.org/c"])
    def test_server(self, url):
        with pytest.raises(InvalidQueryError, match="is a server"):
            open_store(url)

    def test_mode(self, tmp_path):
        with pytest.raises(InvalidQueryError, match="'r' or 'w', not 'a'"):
            open_store(tmp_path, mode="a")

    def test_closed(self, collection):
        store = open_store(collection)
        records = store.scroll()
        next(records)
        store.close()
        store.close()
        for use in (store.count, store.info, lambda: next(records)):
            with pytest.raises(CollectionError, match="was closed"):
                use()

    @pytest.mark.parametrize("mode", ["r", "w"])
    def test_another_encoder(self, collection, mode):
        with pytest.raises(IndexMismatchError, match="fingerprint abc, not def"):
            open_store(collection, mode=mode, encoder="def")
        with open_store(collection, mode=mode, encoder="abc") as store:
            assert store.count() == 400

    @pytest.mark.parametrize("mode", ["r", "w"])
    def test_another_dimension(self, collection, mode):
        with pytest.raises(IndexMismatchError, match="length 16, not 512"):
            open_store(collection, mode=mode, dimension=512)

    def test_location_below_a_file(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(CollectionError, match="cannot be made"):
            open_store(tmp_path / "file" / "c", mode="w", dimension=3)

    def test_failing_creation_leaves_nothing(self, tmp_path, monkeypatch):
        def fail(*args):
            raise CollectionError("the engine failed")

        monkeypatch.setattr(store_module.Manifest, "write", fail)
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
        monkeypatch.setattr("astro_paperclip.index.find_spec", lambda name: None)
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

    def test_threads(self, store, points):
        expected, _ = points.ranking(points.vectors[0])
        found = []

        def search():
            answers = [store.search(points.vectors[0], limit=9) for _ in range(20)]
            found.extend([hit.id for hit in hits] for hits in answers)

        threads = [threading.Thread(target=search) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [expected[:9]] * 80


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
        monkeypatch.setattr(shard_module.Shard, "nearest", lambda *args: [])
        self.assert_refused(copied, mode, "vectors cannot be read")

    @pytest.mark.parametrize(
        ("content", "message"),
        [("{", "damaged"), ("[]", "damaged"), ("{}", "damaged"), ('{"new": 1}', "damaged")],
    )
    def test_manifest(self, copied, mode, content, message):
        (copied / "index" / "manifest.json").write_text(content)
        self.assert_refused(copied, mode, message)

    def test_manifest_of_the_future(self, copied, mode):
        path = copied / "index" / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 2}))
        self.assert_refused(copied, mode, "version 2; this astro_paperclip reads")

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
