"""Copies of collections between directories and servers."""

import numpy as np
import pytest

from astro_paperclip.collection import Collection
from astro_paperclip.criteria import Match
from astro_paperclip.exceptions import (
    CollectionError,
    CollectionServerError,
    IndexMismatchError,
    InvalidQueryError,
)
from astro_paperclip.index import copy_collection, copying, is_address, open_store
from astro_paperclip.index.server import connection

from .conftest import DIMENSION, assert_holds, make_points
from .loopback import at, refused

ENCODER = "f" * 64


@pytest.fixture
def points():
    return make_points(60)


@pytest.fixture
def directory(tmp_path, points):
    """A collection in a directory, with an encoder of its own."""
    home = tmp_path / "hubble"
    (home / "encoder").mkdir(parents=True)
    (home / "encoder" / "weights").write_text("weights")
    Collection.create(
        home,
        encoder_name="encoder",
        encoder_fingerprint=ENCODER,
        dimension=DIMENSION,
        views="rotations",
        title="Hubble, some of it",
    )
    with open_store(home, mode="w", encoder=ENCODER) as store:
        store.upsert(points.ids, points.vectors, points.payloads)
    return str(home)


@pytest.fixture
def server(loopback):
    return f"{loopback.url}/hubble"


def copy(source, target, **options):
    return copy_collection(source, target, progress=False, **options)


def test_there_and_back(directory, server, tmp_path, points):
    there = copy(directory, server)
    assert (there.n_points, there.n_copied, there.n_present) == (60, 60, 0)
    assert there.n_compared == 60
    back = copy(server, tmp_path / "back")
    assert back.n_copied == 60
    for location in (server, tmp_path / "back"):
        with open_store(location, encoder=ENCODER) as store:
            assert_holds(store, points)
            assert store.info()["state"] == "complete"
    ours, theirs = Collection.open(directory), Collection.open(tmp_path / "back")
    for name in ("encoder_name", "encoder_fingerprint", "dimension", "views", "title"):
        assert getattr(ours, name) == getattr(theirs, name)


def test_to_another_directory_with_its_encoder(directory, tmp_path, points):
    copy(directory, tmp_path / "other")
    assert (tmp_path / "other" / "encoder" / "weights").read_text() == "weights"
    with open_store(tmp_path / "other") as store:
        assert_holds(store, points)


@pytest.mark.parametrize("to_server", [True, False])
def test_goes_on_where_it_stopped(
    directory, server, tmp_path, points, loopback, monkeypatch, to_server
):
    monkeypatch.setattr(copying, "_POINTS_PER_PAGE", 20)
    target = server if to_server else tmp_path / "back"
    stops = iter([False, True])

    def upsert(self, *args, true=None):
        if next(stops, False):
            raise KeyboardInterrupt
        return true(self, *args)

    with open_store(target, mode="w", dimension=DIMENSION) as store:
        kind = type(store)
    true = kind.upsert
    with monkeypatch.context() as patched:
        patched.setattr(kind, "upsert", lambda self, *args: upsert(self, *args, true=true))
        with pytest.raises(KeyboardInterrupt):
            copy(directory, target)
    report = copy(directory, target)
    assert (report.n_copied, report.n_present) == (40, 20)
    with open_store(target) as store:
        assert_holds(store, points)


def test_what_is_compared(directory, server):
    report = copy(directory, server, n_compared=7)
    assert report.n_compared == 7
    assert "7 drawn by chance are equal" in report.summary()
    again = copy(directory, server)
    assert (again.n_copied, again.n_present) == (0, 60)


@pytest.mark.parametrize("changed", ["vector", "payload"])
def test_a_difference_is_found(directory, server, points, changed):
    copy(directory, server)
    vector = -points.vectors[5] if changed == "vector" else points.vectors[5]
    payload = points.payloads[5] if changed == "vector" else {"own": 1}
    with open_store(directory, mode="w") as store:
        store.upsert([points.ids[5]], vector[np.newaxis], [payload])
    with pytest.raises(CollectionError, match=f"{points.ids[5]} has another {changed}"):
        copy(directory, server)


def test_points_of_something_else(directory, server):
    copy(directory, server)
    other = make_points(1, seed=9)
    with open_store(server, mode="w") as store:
        store.upsert(other.ids, other.vectors, other.payloads)
    with pytest.raises(CollectionError, match=r"has 60 points, and .* has 61"):
        copy(directory, server)


@pytest.mark.parametrize("to_server", [True, False])
def test_a_target_of_another_encoder(directory, server, tmp_path, to_server):
    target = server if to_server else str(tmp_path / "other")
    if not to_server:
        Collection.create(target, encoder_name="other", encoder_fingerprint="0" * 64)
    with open_store(target, mode="w", dimension=DIMENSION, encoder="0" * 64):
        pass
    with pytest.raises(IndexMismatchError):
        copy(directory, target)
    with open_store(target) as store:
        assert store.count() == 0


def test_to_itself(directory):
    with pytest.raises(InvalidQueryError, match="to itself"):
        copy(directory, directory)


def test_nothing_to_copy(server, tmp_path):
    for source in (server, tmp_path / "nowhere"):
        with pytest.raises(CollectionError):
            copy(source, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_server_that_fails_in_the_middle(directory, server, loopback, monkeypatch, points):
    monkeypatch.setattr(connection.time, "sleep", lambda pause: None)
    monkeypatch.setattr(copying, "_POINTS_PER_PAGE", 20)
    loopback.faults = at("PUT", "/points", dict.fromkeys(range(2, 99), refused(500)))
    with pytest.raises(CollectionServerError, match="the same command goes on"):
        copy(directory, server)
    loopback.faults = []
    assert copy(directory, server).n_present == 20
    with open_store(server) as store:
        assert_holds(store, points)
        where = Match("filters", ("F814W",))
        expected = sum(row.get("filters") == "F814W" for row in points.payloads)
        assert store.count(where) == expected
    assert is_address(server)
