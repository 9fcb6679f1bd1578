"""How other vectors join an index, and points are stored with them."""

from types import SimpleNamespace

import numpy as np
import pytest

from astro_paperclip.criteria import And, Match
from astro_paperclip.exceptions import (
    CollectionError,
    CollectionInterruptedWarning,
    IndexMismatchError,
    InvalidQueryError,
)
from astro_paperclip.index import (
    is_address,
    open_store,
    point_id,
)
from astro_paperclip.index.embedded import store as embedded
from astro_paperclip.index.embedded.shard import Shard
from astro_paperclip.index.server import points as points_on_server
from astro_paperclip.index.server.points import ServerPoints

from .conftest import LENGTH, N_JOINED, Points, assert_has, assert_holds, join


class TestJoining:
    def test_nothing_else_changes(self, filled, titled, clip):
        with open_store(filled) as store:
            words = store.search_words("dust", limit=100)
        join(filled, clip)
        with open_store(filled) as store:
            assert_holds(store, titled)
            assert_has(store, clip)
            assert store.search_words("dust", limit=100) == words
            assert store.info()["state"] == "complete"
        assert words

    def test_again(self, joined, clip):
        with open_store(joined, mode="w") as store:
            store.add_vector("clip", np.int64(LENGTH), "def")
            assert_has(store, clip)
            for dimension, encoder in [
                (LENGTH + 1, "def"),
                (LENGTH, "ghi"),
                (LENGTH, None),
            ]:
                with pytest.raises(IndexMismatchError, match="length 5 and encoder def, not of"):
                    store.add_vector("clip", dimension, encoder)
            assert store.info()["state"] == "complete"
        with open_store(joined) as store:
            assert_has(store, clip)

    def test_impossible_names_and_lengths(self, filled):
        with open_store(filled, mode="w") as store:
            for name in ["image", "words", "", "a b", "a/b", "é", "a\n", "x" * 65, 7, None]:
                with pytest.raises(InvalidQueryError, match="name"):
                    store.add_vector(name, 3)
            for dimension in [0, -1, 2.5, "5", None, 65537]:
                with pytest.raises(InvalidQueryError, match="whole number from 1 to 65536, not"):
                    store.add_vector("clip", dimension)
            assert list(store.info()["vectors"]) == ["image"]
            store.add_vector("x" * 64, 3)
        with open_store(filled) as store:
            assert list(store.info()["vectors"]) == ["image", "x" * 64]

    def test_several(self, joined, titled, clip):
        other = np.random.default_rng(2).normal(size=(N_JOINED, 7)).astype(np.float32)
        with open_store(joined, mode="w") as store:
            store.add_vector("A-1_z", 7)
            store.put_vectors("A-1_z", titled.ids, other)
        with open_store(joined) as store:
            assert_has(store, clip)
            expected = Points(titled.ids, other, titled.payloads).ranking(other[0])[0]
            hits = store.search(other[0], limit=100, using="A-1_z")
            assert [hit.id for hit in hits] == expected

    def test_reading_changes_nothing(self, joined, clip):
        with open_store(joined) as store:
            for change in (
                lambda: store.add_vector("more", 3),
                lambda: store.put_vectors("clip", clip.points.ids, clip.points.vectors),
            ):
                with pytest.raises(CollectionError, match="opened for reading"):
                    change()


class TestPutting:
    def test_the_newest_counts(self, joined, clip):
        turned = Points(clip.points.ids, -clip.points.vectors, clip.points.payloads)
        with open_store(joined, mode="w") as store:
            store.put_vectors("clip", turned.ids, turned.vectors)
        with open_store(joined) as store:
            assert_has(store, SimpleNamespace(points=turned))

    def test_main_vectors(self, joined, titled, clip):
        turned = Points(titled.ids, -titled.vectors, titled.payloads)
        with open_store(joined, mode="w") as store:
            store.put_vectors("image", turned.ids, turned.vectors)
        with open_store(joined) as store:
            assert_holds(store, turned)
            assert_has(store, clip)

    def test_bad_vectors_change_nothing(self, filled, clip):
        ids, vectors = clip.points.ids, clip.points.vectors
        broken = np.append(vectors[1:], np.full((1, LENGTH), np.nan), axis=0)
        with open_store(filled, mode="w") as store:
            store.add_vector("clip", LENGTH)
            for arguments, error, message in [
                (("clip", [*ids[:-1], point_id("x")], vectors), InvalidQueryError, "1 of 45"),
                (("clip", ids[1:], vectors), InvalidQueryError, "44 ids and 45 vectors"),
                (("clip", ["x", *ids[1:]], vectors), InvalidQueryError, "no id of a point"),
                (("clip", ids, vectors[:, 1:]), IndexMismatchError, "have the length 4"),
                (("clip", ids, broken), InvalidQueryError, "the first in row 44"),
                (("clip", ids, vectors * 0), InvalidQueryError, "zero or not finite"),
                (("blip", ids, vectors), InvalidQueryError, "no vector 'blip'"),
                (("words", ids, vectors), InvalidQueryError, "no vector 'words'"),
            ]:
                with pytest.raises(error, match=message):
                    store.put_vectors(*arguments)
            assert store.missing(ids, using="clip") == ids
        with open_store(filled) as store:
            assert store.info()["vectors"]["clip"]["count"] == 0

    def test_nothing(self, joined, clip):
        with open_store(joined, mode="w") as store:
            store.put_vectors("clip", [], np.empty((0, LENGTH)))
            assert store.info()["state"] == "complete"
            assert_has(store, clip)

    def test_goes_on_where_it_stopped(self, filled, titled, clip, monkeypatch):
        monkeypatch.setattr(embedded, "_POINTS_PER_UPDATE", 10)
        monkeypatch.setattr(embedded, "_POINTS_PER_FLUSH", 20)
        monkeypatch.setattr(points_on_server, "_POINTS_PER_UPSERT", 10)
        monkeypatch.setattr(points_on_server, "_STREAMS", 1)
        kind, method = (ServerPoints, "_call") if is_address(filled) else (Shard, "call")
        true, updates = getattr(kind, method), []

        def call(self, name, *args, **options):
            if name in ("update", "update_vectors"):
                updates.append(name)
                if len(updates) >= 4:
                    raise KeyboardInterrupt
            return true(self, name, *args, **options)

        def interrupted():
            with open_store(filled, mode="w") as store:
                store.add_vector("clip", LENGTH, "def")
                updates.clear()
                with monkeypatch.context() as patched:
                    patched.setattr(kind, method, call)
                    store.put_vectors("clip", clip.points.ids, clip.points.vectors)

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        with pytest.warns(CollectionInterruptedWarning):
            store = open_store(filled)
        with store:
            assert store.info()["vectors"]["clip"]["count"] == 30
        with open_store(filled, mode="w") as store:
            lacking = store.missing(clip.points.ids, using="clip")
            assert lacking == clip.points.ids[30:]
            store.put_vectors("clip", lacking, clip.points.vectors[30:])
        with open_store(filled) as store:
            assert_holds(store, titled)
            assert_has(store, clip)


class TestStoringPoints:
    def test_upsert_replaces_the_point_as_a_whole(self, joined, titled, clip):
        with open_store(joined, mode="w") as store:
            store.upsert(titled.ids[:8], titled.vectors[:8], titled.payloads[:8])
        with open_store(joined) as store:
            assert_holds(store, titled)
            lacking = store.missing(titled.ids, using="clip")
            assert set(lacking) == {*titled.ids[:8], *titled.ids[::4]}
            assert store.info()["vectors"]["clip"]["count"] == 45 - 6

    def test_upsert_with_other_vectors(self, filled, titled, clip):
        with open_store(filled, mode="w") as store:
            store.add_vector("clip", LENGTH)
            store.upsert(titled.ids, titled.vectors, titled.payloads, {"clip": clip.column})
        with open_store(filled) as store:
            assert_holds(store, titled)
            assert_has(store, clip)
            assert store.search_words("dust")

    def test_bad_other_vectors_change_nothing(self, filled, titled):
        with open_store(filled, mode="w") as store:
            store.add_vector("clip", LENGTH)
            for others, error, message in [
                ({"blip": [None, None]}, InvalidQueryError, "no vector 'blip'"),
                ({"image": [None, None]}, InvalidQueryError, "Every index has a vector 'image'"),
                ({"clip": [None]}, InvalidQueryError, "2 ids and 1 vectors 'clip'"),
                ({"clip": [None, np.ones(4)]}, IndexMismatchError, "have the length 4"),
                ({"clip": np.zeros((2, LENGTH))}, InvalidQueryError, "zero or not finite"),
            ]:
                with pytest.raises(error, match=message):
                    store.upsert(titled.ids[:2], -titled.vectors[:2], [{}, {}], others)
            assert_holds(store, titled)

    def test_removed_points(self, joined, clip):
        with open_store(joined, mode="w") as store:
            store.delete(Match("filters", ("F814W",)))
        rows = [
            row
            for row, payload in enumerate(clip.points.payloads)
            if payload.get("filters") != "F814W"
        ]
        left = Points(
            [clip.points.ids[row] for row in rows],
            clip.points.vectors[rows],
            [clip.points.payloads[row] for row in rows],
        )
        with open_store(joined) as store:
            assert_has(store, SimpleNamespace(points=left))
            assert store.info()["vectors"]["clip"]["count"] == len(rows) < 45

    def test_everything_removed(self, joined):
        with open_store(joined, mode="w") as store:
            store.delete(And(()))
        with open_store(joined) as store:
            assert store.search(np.ones(LENGTH), using="clip") == []
