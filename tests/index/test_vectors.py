"""Other vectors that join an index, each checked against brute force of its own."""

import json
import os
import shutil
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from astro_paperclip.collection import Collection
from astro_paperclip.criteria import And, Match, Not
from astro_paperclip.exceptions import (
    CollectionError,
    CollectionInterruptedWarning,
    CollectionServerError,
    DiskSpaceError,
    IndexMismatchError,
    InvalidQueryError,
)
from astro_paperclip.index import (
    Profile,
    check_index,
    copy_collection,
    create_index,
    is_address,
    open_store,
    point_id,
    upgrade_index,
    upgrading,
)
from astro_paperclip.index.embedded import store as embedded
from astro_paperclip.index.embedded.shard import Shard
from astro_paperclip.index.server import connection
from astro_paperclip.index.server import points as points_on_server
from astro_paperclip.index.server.points import ServerPoints

from .conftest import DIMENSION, Points, assert_holds, make_points

LENGTH = 5
N_POINTS = 60


@dataclass
class Joined:
    """The vectors of another encoder, which every fourth point lacks."""

    points: Points
    all_vectors: np.ndarray

    @property
    def column(self):
        """One vector for each point of the index, or None."""
        return [vector if row % 4 else None for row, vector in enumerate(self.all_vectors)]


@pytest.fixture(scope="module")
def points():
    points = make_points(N_POINTS)
    for row, payload in enumerate(points.payloads):
        payload["title"] = f"galaxy {'dust ' * (row % 5)}"
    return points


@pytest.fixture(scope="module")
def clip(points):
    """Points with the vectors of another encoder."""
    vectors = np.random.default_rng(8).normal(size=(N_POINTS, LENGTH)).astype(np.float32)
    rows = [row for row in range(N_POINTS) if row % 4]
    chosen = Points(
        [points.ids[row] for row in rows],
        vectors[rows],
        [points.payloads[row] for row in rows],
    )
    return Joined(chosen, vectors)


def fill(place, points, **options):
    with open_store(place, mode="w", encoder="abc", **options) as store:
        store.upsert(points.ids, points.vectors, points.payloads)
    return place


def join(place, clip, encoder="def"):
    with open_store(place, mode="w") as store:
        store.add_vector("clip", LENGTH, encoder)
        store.put_vectors("clip", clip.points.ids, clip.points.vectors)
    return place


@pytest.fixture
def filled(place, points):
    """An index with main vectors only."""
    return fill(place, points)


@pytest.fixture
def joined(filled, clip):
    """An index that other vectors have joined."""
    return join(filled, clip)


def assert_has(store, clip, name="clip"):
    """Assert that the points have these other vectors, alone, and are found by them."""
    records = {record.id: record.vector for record in store.scroll(with_vectors=name)}
    known = dict(zip(clip.points.ids, clip.points.vectors, strict=True))
    assert {id_ for id_, vector in records.items() if vector is not None} == known.keys()
    for id_, vector in known.items():
        unit = vector / np.linalg.norm(vector)
        np.testing.assert_allclose(records[id_], unit, atol=1e-6, rtol=0)
    hits = store.search(clip.points.vectors[3], limit=2 * N_POINTS, using=name)
    assert [hit.id for hit in hits] == clip.points.ranking(clip.points.vectors[3])[0]


class TestSearch:
    def test_each_vector_finds_by_itself(self, joined, points, clip):
        rng = np.random.default_rng(1)
        with open_store(joined) as store:
            for kind, length, using in [
                (points, DIMENSION, None),
                (points, DIMENSION, "image"),
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
                (np.ones(LENGTH), None, IndexMismatchError, "length 5, those of the index 16"),
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

    def test_in_an_index_without_points(self, place, points, clip):
        with open_store(place, mode="w", dimension=DIMENSION) as store:
            store.add_vector("clip", LENGTH)
        with open_store(place) as store:
            assert store.search(np.ones(LENGTH), using="clip") == []
        fill(place, points)
        with open_store(place, mode="w") as store:
            store.put_vectors("clip", clip.points.ids, clip.points.vectors)
            assert_has(store, clip)


class TestOtherQuestions:
    def test_info(self, joined):
        expected = {
            "image": {"dimension": DIMENSION, "encoder": "abc", "count": N_POINTS},
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

    def test_records(self, joined, points, clip):
        wanted = [points.ids[4], points.ids[5], point_id("nobody")]
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
        assert with_it.payload == points.payloads[5]
        unit = clip.all_vectors[5] / np.linalg.norm(clip.all_vectors[5])
        np.testing.assert_allclose(with_it.vector, unit, atol=1e-6)
        assert main.vector.shape == (DIMENSION,)
        assert bare.vector is None

    def test_missing(self, joined, points):
        absent = point_id("nobody")
        with open_store(joined) as store:
            lacking = store.missing([absent, *points.ids], using="clip")
            assert lacking == [absent, *points.ids[::4]]
            assert store.missing([absent, *points.ids], using="image") == [absent]
            assert store.missing([absent, *points.ids]) == [absent]
            with pytest.raises(InvalidQueryError, match="no id of a point"):
                store.missing(["1.jpg"], using="clip")

    def test_missing_in_parts(self, joined, points, monkeypatch):
        monkeypatch.setattr("astro_paperclip.index.reading._IDS_PER_FILTER", 7)
        with open_store(joined) as store:
            assert store.missing(points.ids, using="clip") == points.ids[::4]

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


class TestJoining:
    def test_nothing_else_changes(self, filled, points, clip):
        with open_store(filled) as store:
            words = store.search_words("dust", limit=100)
        join(filled, clip)
        with open_store(filled) as store:
            assert_holds(store, points)
            assert_has(store, clip)
            assert store.search_words("dust", limit=100) == words
            assert store.info()["state"] == "complete"
        assert words

    def test_again(self, joined, clip):
        with open_store(joined, mode="w") as store:
            store.add_vector("clip", np.int64(LENGTH), "def")
            assert_has(store, clip)
            for dimension, encoder in [(LENGTH + 1, "def"), (LENGTH, "ghi"), (LENGTH, None)]:
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

    def test_several(self, joined, points, clip):
        other = np.random.default_rng(2).normal(size=(N_POINTS, 7)).astype(np.float32)
        with open_store(joined, mode="w") as store:
            store.add_vector("A-1_z", 7)
            store.put_vectors("A-1_z", points.ids, other)
        with open_store(joined) as store:
            assert_has(store, clip)
            expected = Points(points.ids, other, points.payloads).ranking(other[0])[0]
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

    def test_main_vectors(self, joined, points, clip):
        turned = Points(points.ids, -points.vectors, points.payloads)
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

    def test_goes_on_where_it_stopped(self, filled, points, clip, monkeypatch):
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
            assert_holds(store, points)
            assert_has(store, clip)


class TestStoringPoints:
    def test_upsert_replaces_the_point_as_a_whole(self, joined, points, clip):
        with open_store(joined, mode="w") as store:
            store.upsert(points.ids[:8], points.vectors[:8], points.payloads[:8])
        with open_store(joined) as store:
            assert_holds(store, points)
            lacking = store.missing(points.ids, using="clip")
            assert set(lacking) == {*points.ids[:8], *points.ids[::4]}
            assert store.info()["vectors"]["clip"]["count"] == 45 - 6

    def test_upsert_with_other_vectors(self, filled, points, clip):
        with open_store(filled, mode="w") as store:
            store.add_vector("clip", LENGTH)
            store.upsert(points.ids, points.vectors, points.payloads, {"clip": clip.column})
        with open_store(filled) as store:
            assert_holds(store, points)
            assert_has(store, clip)
            assert store.search_words("dust")

    def test_bad_other_vectors_change_nothing(self, filled, points):
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
                    store.upsert(points.ids[:2], -points.vectors[:2], [{}, {}], others)
            assert_holds(store, points)

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


class TestInADirectory:
    @pytest.fixture
    def home(self, tmp_path, points, clip):
        home = tmp_path / "home"
        Collection.create(home, encoder_name="compact", encoder_fingerprint="abc")
        fill(home, points)
        return home

    def test_a_sudden_end_before_there_is_room(self, home, points, clip, monkeypatch, child):
        code = """
import os, sys
from astro_paperclip.index import open_store
from astro_paperclip.index.embedded.shard import Shard
Shard.make_room_for = lambda *args: os._exit(9)
open_store(sys.argv[1], mode="w").add_vector("clip", 5, "def")
"""
        assert child(code, home).wait() == 9
        with pytest.warns(CollectionInterruptedWarning):
            store = open_store(home)
        with store:
            assert store.search(np.ones(LENGTH), using="clip") == []
        join(home, clip)
        with open_store(home) as store:
            assert_holds(store, points)
            assert_has(store, clip)

    def test_a_sudden_end_among_vectors(self, home, points, clip, child):
        code = """
import os, sys
import numpy as np
from astro_paperclip.index import open_store
ids, vectors = sys.argv[2].split(","), np.frombuffer(bytes.fromhex(sys.argv[3]), np.float32)
store = open_store(sys.argv[1], mode="w")
store.add_vector("clip", 5, "def")
store.put_vectors("clip", ids, vectors.reshape(-1, 5))
os._exit(9)
"""
        vectors = clip.points.vectors.tobytes().hex()
        assert child(code, home, ",".join(clip.points.ids), vectors).wait() == 9
        with pytest.warns(CollectionInterruptedWarning):
            store = open_store(home)
        with store:
            assert_holds(store, points)
            assert_has(store, clip)

    def test_full_disk(self, home, clip, monkeypatch):
        with open_store(home, mode="w") as store:
            store.add_vector("clip", LENGTH)
            store.flush()
            full = shutil.disk_usage(home)._replace(free=2**20)
            monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
            with pytest.raises(DiskSpaceError, match="Nothing was written"):
                store.put_vectors("clip", clip.points.ids, clip.points.vectors)
            with pytest.raises(DiskSpaceError, match="Nothing was written"):
                store.add_vector("more", LENGTH)
            assert store.info()["state"] == "complete"
        with open_store(home) as store:
            assert list(store.info()["vectors"]) == ["image", "clip"]
            assert store.info()["vectors"]["clip"]["count"] == 0

    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            ("lost", "is missing"),
            ("cut short", "has 1000 of"),
            ("more vectors recorded", "45 of 46 vectors 'clip'"),
            ("other length recorded", "index .*failed"),
            ("not recorded", "index .*failed"),
        ],
    )
    def test_damage(self, home, clip, damage, message):
        join(home, clip)
        (vectors,) = home.rglob("vector_storage-clip/vectors/chunk_0.mmap")
        manifest = home / "index" / "manifest.json"
        record = json.loads(manifest.read_text())
        if damage == "lost":
            vectors.unlink()
        elif damage == "cut short":
            os.truncate(vectors, 1000)
        elif damage == "more vectors recorded":
            record["vectors"]["clip"]["count"] = 46
        elif damage == "other length recorded":
            record["vectors"]["clip"]["dimension"] = 6
        else:
            del record["vectors"]["clip"]
        manifest.write_text(json.dumps(record))
        with pytest.raises(CollectionError, match=message):
            open_store(home)
        assert check_index(home, progress=False).faults

    def test_damage_that_only_a_look_at_every_vector_finds(self, home, clip):
        join(home, clip)
        assert check_index(home, progress=False).faults == ()
        (vectors,) = home.rglob("vector_storage-clip/vectors/chunk_0.mmap")
        content = np.memmap(vectors, np.float32, "r+")
        content[np.flatnonzero(content)[-1]] = np.nan
        content.flush()
        (fault,) = check_index(home, progress=False).faults
        assert "1 points have a vector 'clip' that is no direction" in fault

    def test_an_index_of_before(self, home, points):
        manifest = home / "index" / "manifest.json"
        record = json.loads(manifest.read_text())
        del record["vectors"]
        manifest.write_text(json.dumps(record))
        with open_store(home) as store:
            assert_holds(store, points)
            assert list(store.info()["vectors"]) == ["image"]


class TestOnAServer:
    @pytest.fixture
    def address(self, loopback, points):
        return fill(f"{loopback.url}/sky", points)

    @pytest.mark.parametrize("version", ["1.16.0", "1.17.3"])
    def test_a_server_that_is_too_old(self, address, points, version, monkeypatch):
        monkeypatch.setattr(connection.Connection, "server_version", version)
        with (
            open_store(address, mode="w") as store,
            pytest.raises(CollectionServerError, match=r"takes 1\.18 or newer .* Update"),
        ):
            store.add_vector("clip", LENGTH)
        with open_store(address) as store:
            assert_holds(store, points)
            assert list(store.info()["vectors"]) == ["image"]

    def test_two_writers(self, address, points, clip):
        one, other = (open_store(address, mode="w") for _ in range(2))
        with one, other:
            other.add_vector("clip", LENGTH, "def")
            other.put_vectors("clip", clip.points.ids, clip.points.vectors)
            # It has not heard of the vector.
            one.add_vector("more", 3, "ghi")
            one.put_vectors("more", points.ids[:1], np.ones((1, 3)))
            with pytest.raises(IndexMismatchError, match="encoder def, not of length 7"):
                one.add_vector("clip", 7)
            one.add_vector("clip", LENGTH, "def")
            one.put_vectors("clip", clip.points.ids[:2], clip.points.vectors[:2])
        with open_store(address) as store:
            assert_has(store, clip)
            vectors = store.info()["vectors"]
        assert {name: facts["count"] for name, facts in vectors.items()} == {
            "image": N_POINTS,
            "clip": 45,
            "more": 1,
        }

    def test_the_profile_holds_for_it(self, loopback, clip, points):
        address = f"{loopback.url}/large"
        create_index(address, DIMENSION, profile="cluster")
        fill(address, points)
        join(address, clip)
        params = loopback.client().get_collection("large").config.params.vectors
        profile = Profile.named("cluster")
        for name in ("image", "clip"):
            assert params[name].datatype.value == profile.datatype == "float16"
            assert params[name].on_disk is profile.vectors_on_disk is True


def copied(source, target):
    return copy_collection(source, target, progress=False)


class TestCopies:
    @pytest.fixture
    def home(self, tmp_path, points):
        home = tmp_path / "home"
        Collection.create(home, encoder_name="compact", encoder_fingerprint="abc")
        return str(fill(home, points))

    @pytest.fixture
    def server(self, loopback):
        return f"{loopback.url}/sky"

    def test_there_and_back(self, home, server, tmp_path, points, clip):
        join(home, clip)
        copied(home, server)
        copied(server, tmp_path / "back")
        for place in (server, tmp_path / "back"):
            with open_store(place) as store:
                assert_holds(store, points)
                assert_has(store, clip)
                facts = store.info()["vectors"]["clip"]
                assert facts == {"dimension": LENGTH, "encoder": "def", "count": 45}
                assert store.info()["state"] == "complete"
            assert check_index(place, progress=False).faults == ()

    @pytest.mark.parametrize("to_server", [True, False])
    def test_to_points_that_are_there(self, home, server, tmp_path, points, clip, to_server):
        target = server if to_server else tmp_path / "back"
        copied(home, target)
        join(home, clip)
        report = copied(home, target)
        assert (report.n_copied, report.n_present) == (0, N_POINTS)
        with open_store(target) as store:
            assert_holds(store, points)
            assert_has(store, clip)

    def test_a_difference_is_found(self, home, server, clip):
        join(home, clip)
        copied(home, server)
        with open_store(home, mode="w") as store:
            store.put_vectors("clip", clip.points.ids[:1], -clip.points.vectors[:1])
        with pytest.raises(
            CollectionError, match=f"{clip.points.ids[0]} has another vector 'clip'"
        ):
            copied(home, server)

    def test_a_target_with_vectors_of_another_encoder(self, home, server, clip):
        copied(home, server)
        join(server, clip, encoder="ghi")
        join(home, clip)
        with pytest.raises(IndexMismatchError, match="encoder ghi, not of"):
            copied(home, server)

    def test_to_a_server_that_is_too_old(self, home, server, clip, monkeypatch):
        join(home, clip)
        monkeypatch.setattr(connection.Connection, "server_version", "1.16.0")
        with pytest.raises(CollectionServerError, match="Update the server"):
            copied(home, server)


class TestUpgrades:
    @pytest.fixture
    def old(self, joined):
        """An index whose rows are of an earlier version."""
        with open_store(joined, mode="w") as store:
            store._record(schema_version=1)
            store.flush()
        return joined

    def test_upgrade(self, old, points, clip):
        assert upgrade_index(old, progress=False) == N_POINTS
        with open_store(old) as store:
            assert_holds(store, points)
            assert_has(store, clip)
            assert store.vector_of("def") == "clip"

    def test_interrupted_upgrade(self, old, points, clip, monkeypatch):
        monkeypatch.setattr(upgrading, "_POINTS_PER_PAGE", 10)
        kind = ServerPoints if is_address(old) else Shard
        true, upserts = kind.upsert, []

        def upsert(self, *args):
            upserts.append(args)
            true(self, *args)
            if len(upserts) == 3:
                raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(kind, "upsert", upsert)
            with pytest.raises(KeyboardInterrupt):
                upgrade_index(old, progress=False)
        with open_store(old, mode="w", oldest=1) as store:
            assert_has(store, clip)
        assert upgrade_index(old, progress=False) == N_POINTS
        with open_store(old) as store:
            assert_holds(store, points)
            assert_has(store, clip)
