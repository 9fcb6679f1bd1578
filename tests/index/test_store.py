"""What every store does, whatever engine stands behind it: checked against brute force."""

import threading

import numpy as np
import pytest

from astro_paperclip.criteria import And, Match
from astro_paperclip.exceptions import CollectionError, IndexMismatchError, InvalidQueryError
from astro_paperclip.index import Hit, Record, Store, is_address, open_store, point_id
from astro_paperclip.index.embedded import shard
from astro_paperclip.index.server import points as points_on_server

from .conftest import DIMENSION, ENGINES, REAL_SERVER, assert_holds, make_points


def test_a_real_server_is_among_the_engines():
    if "real server" not in ENGINES:
        pytest.skip(f"no Qdrant server to run these tests with: set {REAL_SERVER} to its address")


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

    def test_equal_scores_by_id(self, place):
        ids = [point_id(f"{row}.jpg") for row in range(40)]
        vectors = np.ones((40, 3))
        vectors[:3, 0] = 2
        with open_store(place, mode="w") as store:
            store.upsert(ids, vectors, [{}] * 40)
            expected = sorted(ids[3:]) + sorted(ids[:3])
            assert [hit.id for hit in store.search(np.ones(3), limit=40)] == expected
            for limit, offset in [(1, 0), (5, 0), (5, 5), (10, 30), (36, 0), (37, 0), (38, 0)]:
                found = [hit.id for hit in store.search(np.ones(3), limit=limit, offset=offset)]
                assert found == expected[offset : offset + limit]

    @pytest.mark.parametrize(
        ("limit", "offset"),
        [(0, 0), (-1, 0), (1, -1), (1.5, 0), (None, 0), ("7", 0), (True, 0), (1, 0.5)],
    )
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
        for module in (shard, points_on_server):
            monkeypatch.setattr(module, "_POINTS_PER_PAGE", 30)
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

    def test_points_without_their_payload(self, store, points):
        for records in (
            store.retrieve(sorted(points.ids), with_vectors=True, with_payload=False),
            list(store.scroll(with_vectors=True, with_payload=False)),
        ):
            assert [record.id for record in records] == sorted(points.ids)
            assert all(record.payload == {} for record in records)
            rows = [points.ids.index(record.id) for record in records]
            vectors = points.vectors[rows]
            vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
            np.testing.assert_allclose([record.vector for record in records], vectors, atol=1e-6)

    def test_plan(self, store, points):
        plan = store.plan()
        assert (plan.searches_graph, plan.estimate) == (False, len(points.ids))

    def test_missing(self, store, points, monkeypatch):
        for module in (shard, points_on_server):
            monkeypatch.setattr(module, "_POINTS_PER_PAGE", 30)
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

    def test_info(self, store, kept):
        info = store.info()
        assert info.pop("engine") == ("qdrant" if is_address(kept) else "qdrant-edge")
        assert info.pop("engine_version")[0].isdigit()
        assert info.pop("profile")["name"] == "laptop"
        if is_address(kept):
            assert info.pop("is_loading") is False
        assert info.pop("collection", {}) == {}
        assert info == {
            "location": kept,
            "count": 400,
            "dimension": DIMENSION,
            "encoder": "abc",
            "state": "complete",
            "vectors": {"image": {"dimension": DIMENSION, "encoder": "abc", "count": 400}},
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
    def test_upsert_replaces_the_whole_point(self, place):
        id_ = point_id("a")
        with open_store(place, mode="w") as store:
            store.upsert([id_], [[1, 0]], [{"filters": "F814W", "own": 1}])
            store.upsert([id_], [[0, 2]], [{"filters": "F606W"}])
            (record,) = store.retrieve([id_], with_vectors=True)
            assert store.count() == 1
        assert record.payload == {"filters": "F606W"}
        assert record.vector.tolist() == [0, 1]

    def test_adding_to_an_index(self, place):
        points = make_points(60)
        with open_store(place, mode="w", dimension=DIMENSION) as store:
            store.upsert(points.ids[:20], points.vectors[:20], points.payloads[:20])
        with open_store(place, mode="w") as store:
            assert store.missing(points.ids) == points.ids[20:]
            store.upsert(points.ids[20:], points.vectors[20:], points.payloads[20:])
        with open_store(place) as store:
            assert_holds(store, points)

    def test_delete(self, place):
        points = make_points(50)
        where = Match("filters", ("F814W",))
        gone = [row for row in points.payloads if row.get("filters") == "F814W"]
        assert gone
        with open_store(place, mode="w") as store:
            store.upsert(points.ids, points.vectors, points.payloads)
            assert store.delete(where) == len(gone)
            assert store.delete(where) == 0
        with open_store(place) as store:
            assert store.count() == 50 - len(gone)
            assert store.count(where) == 0

    def test_before_the_first_point(self, place):
        with open_store(place, mode="w") as store:
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

    def test_an_empty_index(self, place):
        with open_store(place, mode="w", dimension=3):
            pass
        with open_store(place) as store:
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
    def test_bad_vectors_change_nothing(self, place, vectors, error, message):
        ids = [point_id("b"), point_id("c")]
        with open_store(place, mode="w", dimension=2) as store:
            store.upsert([point_id("a")], [[1, 0]], [{}])
            with pytest.raises(error, match=message):
                store.upsert(ids, vectors, [{}, {}])
            assert store.count() == 1


class TestOpening:
    def test_mode(self, place):
        with pytest.raises(InvalidQueryError, match="'r' or 'w', not 'a'"):
            open_store(place, mode="a")

    def test_closed(self, kept):
        store = open_store(kept)
        records = store.scroll()
        next(records)
        store.close()
        store.close()
        for use in (store.count, store.info, lambda: next(records)):
            with pytest.raises(CollectionError, match="was closed"):
                use()

    @pytest.mark.parametrize("mode", ["r", "w"])
    def test_another_encoder(self, kept, mode):
        with pytest.raises(IndexMismatchError, match="fingerprint abc, not def"):
            open_store(kept, mode=mode, encoder="def")
        with open_store(kept, mode=mode, encoder="abc") as store:
            assert store.count() == 400

    @pytest.mark.parametrize("mode", ["r", "w"])
    def test_another_dimension(self, kept, mode):
        with pytest.raises(IndexMismatchError, match="length 16, not 512"):
            open_store(kept, mode=mode, dimension=512)

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
