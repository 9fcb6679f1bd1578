"""Searches and other questions about vectors that joined an index, against brute force."""

import numpy as np
import pytest

from astro_paperclip.criteria import Match, Not
from astro_paperclip.exceptions import (
    CollectionError,
    IndexMismatchError,
    InvalidQueryError,
)
from astro_paperclip.index import (
    open_store,
    point_id,
)

from .conftest import DIMENSION, LENGTH, N_JOINED, assert_has, fill


class TestSearch:
    def test_each_vector_finds_by_itself(self, joined, titled, clip):
        rng = np.random.default_rng(1)
        with open_store(joined) as store:
            for kind, length, using in [
                (titled, DIMENSION, None),
                (titled, DIMENSION, "image"),
                (clip.points, LENGTH, "clip"),
            ]:
                vector = rng.normal(size=length)
                expected, scores = kind.ranking(vector)
                hits = store.search(vector, limit=100, using=using)
                assert [hit.id for hit in hits] == expected
                np.testing.assert_allclose([hit.score for hit in hits], scores, atol=1e-6)
                assert hits[0].payload == kind.payloads[kind.ids.index(expected[0])]

    def test_filters_and_pages(self, joined, clip):
        where = Not(Match("filters", ("F814W",)))
        vector = clip.points.vectors[7]
        expected, _ = clip.points.ranking(vector, lambda payload: payload.get("filters") != "F814W")
        assert 10 < len(expected) < len(clip.points.ids)
        with open_store(joined) as store:
            hits = store.search(vector, where, limit=5, offset=3, using="clip")
            assert [hit.id for hit in hits] == expected[3:8]

    def test_impossible(self, joined):
        with open_store(joined) as store:
            for vector, using, error, message in [
                (np.ones(DIMENSION), "clip", IndexMismatchError, "length 16, those of the index 5"),
                (
                    np.ones(LENGTH),
                    None,
                    IndexMismatchError,
                    "length 5, those of the index 16",
                ),
                (np.zeros(LENGTH), "clip", InvalidQueryError, "zero or not finite"),
                (
                    np.ones(LENGTH),
                    "blip",
                    InvalidQueryError,
                    "no vector 'blip': it has image, clip",
                ),
                (np.ones(LENGTH), "words", InvalidQueryError, "no vector 'words'"),
            ]:
                with pytest.raises(error, match=message):
                    store.search(vector, using=using)

    def test_before_a_point_has_it(self, filled):
        with open_store(filled, mode="w") as store:
            store.add_vector("clip", LENGTH)
            assert store.search(np.ones(LENGTH), using="clip") == []
        with open_store(filled) as store:
            assert store.search(np.ones(LENGTH), using="clip") == []
            assert store.info()["vectors"]["clip"]["count"] == 0

    def test_in_an_index_without_points(self, place, titled, clip):
        with open_store(place, mode="w", dimension=DIMENSION) as store:
            store.add_vector("clip", LENGTH)
        with open_store(place) as store:
            assert store.search(np.ones(LENGTH), using="clip") == []
        fill(place, titled)
        with open_store(place, mode="w") as store:
            store.put_vectors("clip", clip.points.ids, clip.points.vectors)
            assert_has(store, clip)


class TestOtherQuestions:
    def test_info(self, joined):
        expected = {
            "image": {"dimension": DIMENSION, "encoder": "abc", "count": N_JOINED},
            "clip": {"dimension": LENGTH, "encoder": "def", "count": 45},
        }
        with open_store(joined) as store:
            assert store.info()["vectors"] == expected
            assert store.info()["dimension"] == DIMENSION
            assert store.info()["encoder"] == "abc"

    def test_vector_of_an_encoder(self, joined):
        with open_store(joined, mode="w") as store:
            store.add_vector("more", 3, "ghi")
            store.add_vector("another-view_2", LENGTH, "abc")
        with open_store(joined) as store:
            names = [store.vector_of(encoder) for encoder in ("abc", "def", "ghi", "jkl")]
        assert names == ["image", "clip", "more", None]

    def test_records(self, joined, titled, clip):
        wanted = [titled.ids[4], titled.ids[5], point_id("nobody")]
        with open_store(joined) as store:
            without, with_it = store.retrieve(wanted, with_vectors="clip")
            (main,) = store.retrieve(wanted[:1], with_vectors="image")
            (bare,) = store.retrieve(wanted[:1])
            with pytest.raises(InvalidQueryError, match="no vector 'blip'"):
                store.retrieve(wanted, with_vectors="blip")
            with pytest.raises(InvalidQueryError, match="no vector 'blip'"):
                next(store.scroll(with_vectors="blip"))
        assert without.vector is None
        assert with_it.vector.dtype == np.float32
        assert with_it.payload == titled.payloads[5]
        unit = clip.all_vectors[5] / np.linalg.norm(clip.all_vectors[5])
        np.testing.assert_allclose(with_it.vector, unit, atol=1e-6)
        assert main.vector.shape == (DIMENSION,)
        assert bare.vector is None

    def test_missing(self, joined, titled):
        absent = point_id("nobody")
        with open_store(joined) as store:
            lacking = store.missing([absent, *titled.ids], using="clip")
            assert lacking == [absent, *titled.ids[::4]]
            assert store.missing([absent, *titled.ids], using="image") == [absent]
            assert store.missing([absent, *titled.ids]) == [absent]
            with pytest.raises(InvalidQueryError, match="no id of a point"):
                store.missing(["1.jpg"], using="clip")

    def test_missing_in_parts(self, joined, titled, monkeypatch):
        monkeypatch.setattr("astro_paperclip.index.reading._IDS_PER_FILTER", 7)
        with open_store(joined) as store:
            assert store.missing(titled.ids, using="clip") == titled.ids[::4]

    def test_before_the_first_point(self, place):
        with open_store(place, mode="w") as store:
            assert store.info()["vectors"] == {}
            assert store.vector_of("abc") is None
            with pytest.raises(InvalidQueryError, match="has no vector 'clip': it has none yet"):
                store.search(np.ones(3), using="clip")
            with pytest.raises(CollectionError, match=r"no index of .* store points first"):
                store.add_vector("clip", 3)
            with pytest.raises(InvalidQueryError, match="1 of 1 points are not in the index"):
                store.put_vectors("image", [point_id("a")], np.ones((1, 3)))
