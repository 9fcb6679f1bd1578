"""Other vectors in a directory and on a server, and what can go wrong there."""

import json
import os
import shutil

import numpy as np
import pytest

from astro_paperclip.collection import Collection
from astro_paperclip.exceptions import (
    CollectionError,
    CollectionInterruptedWarning,
    CollectionServerError,
    DiskSpaceError,
    IndexMismatchError,
)
from astro_paperclip.index import (
    Profile,
    check_index,
    create_index,
    open_store,
)
from astro_paperclip.index.server import connection

from .conftest import DIMENSION, LENGTH, N_JOINED, assert_has, assert_holds, fill, join


class TestInADirectory:
    @pytest.fixture
    def home(self, tmp_path, titled, clip):
        home = tmp_path / "home"
        Collection.create(home, encoder_name="compact", encoder_fingerprint="abc")
        fill(home, titled)
        return home

    def test_a_sudden_end_before_there_is_room(self, home, titled, clip, monkeypatch, child):
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
            assert_holds(store, titled)
            assert_has(store, clip)

    def test_a_sudden_end_among_vectors(self, home, titled, clip, child):
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
            assert_holds(store, titled)
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

    def test_an_index_of_before(self, home, titled):
        manifest = home / "index" / "manifest.json"
        record = json.loads(manifest.read_text())
        del record["vectors"]
        manifest.write_text(json.dumps(record))
        with open_store(home) as store:
            assert_holds(store, titled)
            assert list(store.info()["vectors"]) == ["image"]


class TestOnAServer:
    @pytest.fixture
    def address(self, loopback, titled):
        return fill(f"{loopback.url}/sky", titled)

    @pytest.mark.parametrize("version", ["1.16.0", "1.17.3"])
    def test_a_server_that_is_too_old(self, address, titled, version, monkeypatch):
        monkeypatch.setattr(connection.Connection, "server_version", version)
        with (
            open_store(address, mode="w") as store,
            pytest.raises(CollectionServerError, match=r"takes 1\.18 or newer .* Update"),
        ):
            store.add_vector("clip", LENGTH)
        with open_store(address) as store:
            assert_holds(store, titled)
            assert list(store.info()["vectors"]) == ["image"]

    def test_two_writers(self, address, titled, clip):
        one, other = (open_store(address, mode="w") for _ in range(2))
        with one, other:
            other.add_vector("clip", LENGTH, "def")
            other.put_vectors("clip", clip.points.ids, clip.points.vectors)
            # It has not heard of the vector.
            one.add_vector("more", 3, "ghi")
            one.put_vectors("more", titled.ids[:1], np.ones((1, 3)))
            with pytest.raises(IndexMismatchError, match="encoder def, not of length 7"):
                one.add_vector("clip", 7)
            one.add_vector("clip", LENGTH, "def")
            one.put_vectors("clip", clip.points.ids[:2], clip.points.vectors[:2])
        with open_store(address) as store:
            assert_has(store, clip)
            vectors = store.info()["vectors"]
        assert {name: facts["count"] for name, facts in vectors.items()} == {
            "image": N_JOINED,
            "clip": 45,
            "more": 1,
        }

    def test_the_profile_holds_for_it(self, loopback, clip, titled):
        address = f"{loopback.url}/large"
        create_index(address, DIMENSION, profile="cluster")
        fill(address, titled)
        join(address, clip)
        params = loopback.client().get_collection("large").config.params.vectors
        profile = Profile.named("cluster")
        for name in ("image", "clip"):
            assert params[name].datatype.value == profile.datatype == "float16"
            assert params[name].on_disk is profile.vectors_on_disk is True
