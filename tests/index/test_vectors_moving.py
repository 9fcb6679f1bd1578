"""Copies and upgrades of indexes take other vectors along."""

from dataclasses import replace

import pytest

from astro_paperclip.collection import Collection
from astro_paperclip.exceptions import (
    CollectionError,
    CollectionServerError,
    EncoderError,
    IndexMismatchError,
)
from astro_paperclip.index import (
    check_index,
    copy_collection,
    is_address,
    open_store,
    upgrade_index,
    upgrading,
)
from astro_paperclip.index.embedded.shard import Shard
from astro_paperclip.index.server import connection
from astro_paperclip.index.server.points import ServerPoints

from .conftest import LENGTH, N_JOINED, assert_has, assert_holds, fill, join


def copied(source, target):
    return copy_collection(source, target, progress=False)


class TestCopies:
    @pytest.fixture
    def home(self, tmp_path, titled):
        home = tmp_path / "home"
        Collection.create(home, encoder_name="compact", encoder_fingerprint="abc")
        return str(fill(home, titled))

    @pytest.fixture
    def server(self, loopback):
        return f"{loopback.url}/sky"

    def test_there_and_back(self, home, server, tmp_path, titled, clip):
        join(home, clip)
        copied(home, server)
        copied(server, tmp_path / "back")
        for place in (server, tmp_path / "back"):
            with open_store(place) as store:
                assert_holds(store, titled)
                assert_has(store, clip)
                facts = store.info()["vectors"]["clip"]
                assert facts == {"dimension": LENGTH, "encoder": "def", "count": 45}
                assert store.info()["state"] == "complete"
            assert check_index(place, progress=False).faults == ()

    @pytest.mark.parametrize("to_server", [True, False])
    def test_to_points_that_are_there(self, home, server, tmp_path, titled, clip, to_server):
        target = server if to_server else tmp_path / "back"
        copied(home, target)
        join(home, clip)
        report = copied(home, target)
        assert (report.n_copied, report.n_present) == (0, N_JOINED)
        with open_store(target) as store:
            assert_holds(store, titled)
            assert_has(store, clip)

    @pytest.mark.parametrize("is_there", [True, False])
    def test_the_record_of_encoders_that_joined(self, home, server, tmp_path, clip, is_there):
        """They are searched with by their names, wherever their vectors are."""
        back = tmp_path / "back"
        if is_there:
            copied(home, server)
            copied(home, back)
        join(home, clip)
        (tmp_path / "home" / "encoders" / "clip").mkdir(parents=True)
        (tmp_path / "home" / "encoders" / "clip" / "weights").write_text("1 2 3")
        facts = {"encoder": "encoders/clip", "fingerprint": "def", "views": "rotations"}
        replace(Collection.open(home), joined={"clip": facts}).save()
        copied(home, back)
        assert Collection.open(back).joined == {"clip": facts}
        assert (Collection.open(back).joined_encoder("clip") / "weights").read_text() == "1 2 3"
        copied(home, server)
        copied(server, tmp_path / "from server")
        with open_store(server) as store:
            there = Collection.from_content(server, store.info()["collection"])
        for record in (there, Collection.open(tmp_path / "from server")):
            assert record.joined == {"clip": facts}
            with pytest.raises(EncoderError, match=r"'clip' \(def\).*FOLDER"):
                record.joined_encoder("clip")

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

    def test_upgrade(self, old, titled, clip):
        assert upgrade_index(old, progress=False) == N_JOINED
        with open_store(old) as store:
            assert_holds(store, titled)
            assert_has(store, clip)
            assert store.vector_of("def") == "clip"

    def test_interrupted_upgrade(self, old, titled, clip, monkeypatch):
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
        assert upgrade_index(old, progress=False) == N_JOINED
        with open_store(old) as store:
            assert_holds(store, titled)
            assert_has(store, clip)
