"""Packing an index in a directory and its graph, against brute force, and what can go wrong."""

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import qdrant_edge

from astro_paperclip.cli.main import main
from astro_paperclip.exceptions import (
    CollectionError,
    CollectionInterruptedWarning,
    CollectionLockedError,
    DiskSpaceError,
)
from astro_paperclip.index import (
    create_index,
    finish_index,
    locking,
    open_store,
    planning,
    point_id,
)
from astro_paperclip.index.embedded import packing
from astro_paperclip.index.embedded import shard as shard_module
from astro_paperclip.index.engine import VECTOR

from .conftest import assert_holds, make_points

FINISHER = """
import sys
from astro_paperclip.index import finish_index
print("ready", flush=True)
finish_index(sys.argv[1], progress=False, force=True)
"""

HOLDER = """
import sys, qdrant_edge
shard = qdrant_edge.EdgeShard.load(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


@pytest.fixture
def location(copied):
    return copied


@pytest.fixture(scope="session")
def many():
    """Points whose graph takes some seconds to build."""
    return make_points(6000, seed=3)


@pytest.fixture(scope="session")
def large(many, tmp_path_factory):
    """A collection that is only copied."""
    location = tmp_path_factory.mktemp("large") / "collection"
    with open_store(location, mode="w") as store:
        store.upsert(many.ids, many.vectors, many.payloads)
    return location


@pytest.fixture
def building(large, tmp_path, child):
    """Return a function that starts to build, and returns process and place when it has begun."""

    def start():
        location = tmp_path / "building"
        if not location.exists():
            shutil.copytree(large, location)
        process = child(FINISHER, location)
        assert process.stdout.readline() == "ready\n"
        begun = location / "index" / "shard" / "temp_segments"
        while not (begun.exists() and any(begun.iterdir())):
            assert process.poll() is None
            time.sleep(0.01)
        return process, location

    return start


def shard_of(location):
    return location / "index" / "shard"


def state_of(location):
    return json.loads((location / "index" / "manifest.json").read_text())["state"]


def assert_whole(store, points):
    """Assert that a store has these points, too many for all their ranks to be certain."""
    records = {record.id: record for record in store.scroll(with_vectors=True)}
    assert records.keys() == set(points.ids)
    for id_, vector, payload in zip(points.ids, points.vectors, points.payloads, strict=True):
        assert records[id_].payload == payload
        np.testing.assert_allclose(records[id_].vector, vector / np.linalg.norm(vector), atol=1e-6)
    hits = store.search(points.vectors[0], limit=20)
    assert [hit.id for hit in hits] == points.ranking(points.vectors[0])[0][:20]


def by_graph(store, vector, limit):
    """Return the ids of the nearest points in the graph, and in nothing else."""
    request = qdrant_edge.QueryRequest(
        query=qdrant_edge.Query.Nearest(list(map(float, vector)), using=VECTOR),
        limit=limit,
        params=qdrant_edge.SearchParams(exact=False, hnsw_ef=256, indexed_only=True),
    )
    return [str(point.id) for point in store._engine.call("query", request)]


def recall(store, points, limit=20, n_queries=20):
    queries = np.random.default_rng(1).normal(size=(n_queries, points.vectors.shape[1]))
    hits = [
        len(set(by_graph(store, query, limit)) & set(points.ranking(query)[0][:limit]))
        for query in queries
    ]
    return sum(hits) / (limit * n_queries)


def processes_at(location):
    """Return the ids of the processes that were told of a place."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(location) in (entry / "cmdline").read_text():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def builder_of(process, location):
    """Return the id of the process that builds for another one."""
    (builder,) = set(processes_at(location)) - {process.pid}
    return builder


class TestBuilding:
    def test_readers_find_the_nearest_by_it(self, tmp_path, monkeypatch):
        monkeypatch.setattr(packing, "_FULL_SCAN_THRESHOLD", 1)
        points = make_points(1500)
        with open_store(tmp_path, mode="w") as store:
            store.upsert(points.ids, points.vectors, points.payloads)
        with open_store(tmp_path) as store:
            assert store._engine.graph_size() == 0
        assert finish_index(tmp_path, progress=False, force=True)
        with open_store(tmp_path) as store, open_store(tmp_path) as other:
            assert store._engine.graph_size() == 1500
            assert recall(store, points) > 0.99
            assert recall(other, points, n_queries=2) > 0.99
            assert_whole(store, points)

    def test_only_where_it_is_worth_it(self, location, monkeypatch):
        before = sorted(shard_of(location).rglob("*"))
        assert not finish_index(location, progress=False)
        assert sorted(shard_of(location).rglob("*")) == before
        monkeypatch.setattr(packing, "_MOST_WITHOUT_GRAPH", 399)
        assert finish_index(location, progress=False)
        with open_store(location) as store:
            assert store._engine.graph_size() == 400

    def test_points_that_come_later(self, location, points):
        later = make_points(50, seed=9)
        finish_index(location, progress=False, force=True)
        with open_store(location, mode="w") as store:
            store.upsert(later.ids, later.vectors, later.payloads)
            # One of the graph's own points moves, and another one goes away.
            store.upsert(points.ids[:1], -points.vectors[:1], points.payloads[:1])
        with open_store(location) as store:
            assert store._engine.graph_size() < 450
            for row in range(50):
                assert store.search(later.vectors[row], limit=1)[0].id == later.ids[row]
            assert store.search(-points.vectors[0], limit=1)[0].id == points.ids[0]
        # There is a graph, so that it is brought up to date without being forced.
        assert finish_index(location, progress=False)
        with open_store(location) as store:
            assert store._engine.graph_size() >= 450
            assert store.count() == 450

    def test_while_writing(self, tmp_path):
        points = make_points(300)
        with open_store(tmp_path, mode="w") as store:
            store.upsert(points.ids[:200], points.vectors[:200], points.payloads[:200])
            assert store.finish(False, force=True)
            store.upsert(points.ids[200:], points.vectors[200:], points.payloads[200:])
        with open_store(tmp_path) as store:
            assert_holds(store, points)

    def test_state_is_what_it_was(self, tmp_path):
        def index():
            with open_store(tmp_path, mode="w") as store:
                store.upsert([point_id(str(row)) for row in range(99)], np.eye(99), [{}] * 99)
                raise ValueError("something")

        with pytest.raises(ValueError, match="something"):
            index()
        assert finish_index(tmp_path, progress=False, force=True)
        with pytest.warns(CollectionInterruptedWarning, match="99 points"):
            open_store(tmp_path).close()
        with open_store(tmp_path, mode="w") as store:
            store.flush()
        finish_index(tmp_path, progress=False)
        open_store(tmp_path).close()

    def test_nothing_to_build(self, tmp_path):
        with pytest.raises(CollectionError, match=r"no index in .*absent.*astro-paperclip index"):
            finish_index(tmp_path / "absent")
        assert list(tmp_path.iterdir()) == []
        create_index(tmp_path, 4)
        assert not finish_index(tmp_path, force=True)
        (tmp_path / "other" / "index").mkdir(parents=True)
        assert not finish_index(tmp_path / "other", force=True)

    def test_someone_reads(self, location):
        with open_store(location), pytest.raises(CollectionLockedError, match="open elsewhere"):
            finish_index(location, force=True)

    def test_full_disk(self, location, monkeypatch):
        full = shutil.disk_usage(location)._replace(free=257 * 2**20)
        with monkeypatch.context() as patch, open_store(location, mode="w") as store:
            patch.setattr(shutil, "disk_usage", lambda path: full)
            with pytest.raises(DiskSpaceError, match=r"Building the graph.*257 MiB are free"):
                store.finish(False, force=True)
            assert store.count() == 400
        with open_store(location) as store:
            assert store._engine.graph_size() == 0

    def test_command(self, location, capsys):
        assert main(["index", "finish", str(location)]) == 0
        assert "got no graph" in capsys.readouterr().out
        assert main(["index", "finish", str(location), "--force"]) == 0
        shown = capsys.readouterr()
        assert shown.out == f"{location} has its graph.\n"
        assert "building the graph" in shown.err
        assert main(["index", "finish", str(location), "--quiet"]) == 0
        assert capsys.readouterr() == (f"{location} has its graph.\n", "")


class TestPacking:
    @pytest.fixture
    def packed(self, location, monkeypatch):
        monkeypatch.setattr(packing, "_MOST_UNPACKED", 399)
        assert not finish_index(location, progress=False)
        return location

    def test_nothing_changes_but_the_form(self, packed, points):
        with open_store(packed) as store, open_store(packed) as other:
            assert store._engine.packed_size() == 400
            assert_holds(store, points)
            assert_whole(other, points)
            assert store.info()["state"] == "complete"

    def test_what_is_packed_is_not_taken_for_a_graph(self, packed, points, monkeypatch):
        monkeypatch.setattr(planning, "MOST_COMPARED", 10)
        with open_store(packed) as store:
            assert store._engine.graph_size() == 0
            assert str(store.plan()).startswith("exactly")
            hits = store.search(points.vectors[7], limit=30)
            assert [hit.id for hit in hits] == points.ranking(points.vectors[7])[0][:30]

    def test_few_that_come_later_are_not_packed_at_once(self, packed, points):
        later = make_points(50, seed=9)
        with open_store(packed, mode="w") as store:
            store.upsert(later.ids, later.vectors, later.payloads)
            store.upsert(points.ids[:1], -points.vectors[:1], points.payloads[:1])
        before = sorted(shard_of(packed).rglob("*"))
        assert not finish_index(packed, progress=False)
        assert sorted(shard_of(packed).rglob("*")) == before
        with open_store(packed) as store:
            assert store.count() == 450
            assert store.search(later.vectors[3], limit=1)[0].id == later.ids[3]
            assert store.search(-points.vectors[0], limit=1)[0].id == points.ids[0]

    def test_a_graph_later(self, packed, points, monkeypatch):
        monkeypatch.setattr(packing, "_FULL_SCAN_THRESHOLD", 1)
        assert finish_index(packed, progress=False, force=True)
        with open_store(packed) as store:
            assert store._engine.graph_size() == 400
            assert recall(store, points) > 0.99

    def test_one_that_fails_leaves_what_was_there(self, location, points, tmp_path, monkeypatch):
        script = tmp_path / "packer.py"
        script.write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
        with monkeypatch.context() as patch:
            patch.setattr(packing.packing_process, "__file__", str(script))
            patch.setattr(packing, "_MOST_UNPACKED", 399)
            with pytest.raises(CollectionError, match=r"packing the points in .* by signal 9"):
                finish_index(location, progress=False)
        with open_store(location) as store:
            assert store._engine.graph_size() == 0
            assert_holds(store, points)

    def test_command(self, location, capsys, monkeypatch):
        monkeypatch.setattr(packing, "_MOST_UNPACKED", 399)
        assert main(["index", "finish", str(location)]) == 0
        shown = capsys.readouterr()
        assert "packing the points" in shown.err
        assert "got no graph" in shown.out


class TestFailures:
    @pytest.mark.parametrize(
        ("code", "error", "message"),
        [
            ("os.kill(os.getpid(), signal.SIGBUS)", DiskSpaceError, "disk filled up"),
            ("sys.exit('a panic: No space left on device')", DiskSpaceError, "disk filled up"),
            ("os.kill(os.getpid(), signal.SIGKILL)", CollectionError, "signal 9.*out of memory"),
            ("sys.exit('what went wrong')", CollectionError, "failed: what went wrong"),
            ("print(7)", CollectionError, "7 of 400 points are done"),
        ],
    )
    def test_a_builder_that_fails(
        self, location, points, tmp_path, monkeypatch, code, error, message
    ):
        script = tmp_path / "builder.py"
        script.write_text(f"import json, os, signal, sys\nfrom pathlib import Path\n"
            "shard = Path(json.loads(sys.argv[1])['shard'])\n"
            f"(shard / 'temp_segments' / 'half').mkdir(parents=True)\n{code}")  # fmt: skip
        monkeypatch.setattr(packing.packing_process, "__file__", str(script))
        with pytest.raises(error, match=message) as caught:
            finish_index(location, progress=False, force=True)
        assert str(location) in str(caught.value)
        assert not (shard_of(location) / "temp_segments").exists()
        with open_store(location) as store:
            assert store.info()["state"] == "complete"
            assert_holds(store, points)

    @on_linux
    def test_interrupt(self, building, many):
        process, location = building()
        builder = builder_of(process, location)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert "KeyboardInterrupt" in errors
        assert builder not in processes_at(location)
        with open_store(location) as store:
            assert store.info()["state"] == "complete"
            assert store._engine.graph_size() == 0
            assert_whole(store, many)
        assert not (shard_of(location) / "temp_segments").exists()

    @on_linux
    def test_nothing_is_lost_when_someone_is_killed(self, building, many):
        moments = random.Random(0)
        for victim in ("parent", "builder", "parent", "builder"):
            process, location = building()
            builder = builder_of(process, location)
            time.sleep(moments.uniform(0, 0.6))
            assert process.poll() is None
            os.kill(process.pid if victim == "parent" else builder, signal.SIGKILL)
            _, errors = process.communicate(timeout=60)
            if victim == "builder":
                assert "ended by signal 9" in errors
            else:
                assert state_of(location) == "building"
            # No warning: nothing is missing.
            with open_store(location) as store:
                assert store.info()["state"] == "complete"
                assert store.count() == len(many.ids)
            assert processes_at(location) == []
        with open_store(location) as store:
            assert_whole(store, many)
        assert finish_index(location, progress=False, force=True)
        with open_store(location) as store:
            assert store._engine.graph_size() == len(many.ids)

    def test_a_builder_that_outlives_its_parent(self, location, child, monkeypatch):
        monkeypatch.setattr(shard_module, "_PATIENCE", 0.1)
        monkeypatch.setattr(locking, "_PATIENCE", 0.1)
        path = location / "index" / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "state": "building"}))
        holder = child(HOLDER, shard_of(location))
        assert holder.stdout.readline() == "open\n"
        for mode in "rw":
            with pytest.raises(CollectionLockedError, match="open in another process") as caught:
                open_store(location, mode=mode)
            assert str(location) in str(caught.value)
            assert "damaged" not in str(caught.value)
        holder.stdin.close()
        assert holder.wait(timeout=30) == 0
        with open_store(location) as store:
            assert store.count() == 400
            assert store.info()["state"] == "complete"

    def test_points_that_were_lost_while_building(self, location):
        path = location / "index" / "manifest.json"
        content = {**json.loads(path.read_text()), "state": "building", "count": 401}
        path.write_text(json.dumps(content))
        for mode in "rw":
            with pytest.raises(CollectionError, match="damaged: it has 400 of 401 points"):
                open_store(location, mode=mode)

    def test_a_full_disk_after_a_kill(self, location, monkeypatch):
        path = location / "index" / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "state": "building"}))
        full = shutil.disk_usage(location)._replace(free=2**20)
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "disk_usage", lambda path: full)
            with pytest.raises(DiskSpaceError, match=r"Opening the index.*Make room"):
                open_store(location)
        with open_store(location) as store:
            assert store.count() == 400
