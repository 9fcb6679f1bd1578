"""Several processes and handles at one index, and writers that die."""

import hashlib
import random
import signal
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from astro_paperclip.exceptions import (
    CollectionError,
    CollectionInterruptedWarning,
    CollectionLockedError,
)
from astro_paperclip.index import locking, open_store, point_id
from astro_paperclip.index.embedded import EmbeddedStore
from astro_paperclip.index.embedded.files import is_settled
from astro_paperclip.index.embedded.shard import Shard

READER = """
import sys
import numpy as np
from astro_paperclip.index import open_store
with open_store(sys.argv[1]) as store:
    print("open", flush=True)
    for line in sys.stdin:
        vector = np.random.default_rng(int(line)).normal(size=16)
        print(*(hit.id for hit in store.search(vector, limit=5)), flush=True)
"""

WRITER = """
import sys
import numpy as np
from astro_paperclip.index import open_store, point_id
seed = int(sys.argv[2])
rng = np.random.default_rng(seed)
with open_store(sys.argv[1], mode="w", dimension=8) as store:
    print("open", flush=True)
    for batch in range(10**6):
        # Half of a batch replaces points of earlier ones, whole.
        rows = np.unique(np.r_[rng.integers(0, 300, 20), rng.integers(300, 10**6, 20)])
        stamp = seed * 1000 + batch
        vectors = [np.random.default_rng([row, stamp]).normal(size=8) for row in rows]
        payloads = [{"row": row, "stamp": stamp, "pad": "x" * (row % 500)} for row in rows]
        print("start", stamp, *rows, flush=True)
        store.upsert([point_id(str(row)) for row in rows], vectors, payloads)
        print("done", stamp, flush=True)
        if batch % 7 == 6:
            store.flush()
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(locking, "_PATIENCE", 0.1)


@pytest.fixture
def location(copied):
    return copied


def contents(folder):
    """Return a hash of each file that holds data."""
    return {
        path.relative_to(folder).as_posix(): hashlib.md5(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and "wal" not in path.parts and path.name != "edge_config.json"
    }


def is_waiting(process):
    return process.stdout.readline().strip() == "open"


class TestSharing:
    def test_readers_read_at_the_same_time(self, location, points, child):
        before = contents(location)
        readers = [child(READER, location) for _ in range(3)]
        assert all(map(is_waiting, readers))
        with open_store(location) as here, open_store(location) as also_here:
            for seed in range(5):
                vector = np.random.default_rng(seed).normal(size=16)
                expected = points.ranking(vector)[0][:5]
                for reader in readers:
                    reader.stdin.write(f"{seed}\n")
                    reader.stdin.flush()
                for reader in readers:
                    assert reader.stdout.readline().split() == expected
                for store in (here, also_here):
                    assert [hit.id for hit in store.search(vector, limit=5)] == expected
        readers[0].kill()
        for reader in readers[1:]:
            reader.stdin.close()
            assert reader.wait(timeout=30) == 0
        assert contents(location) == before

    def test_no_reader_leaves_anything_behind(self, location, tmp_path_factory, monkeypatch):
        views = tmp_path_factory.mktemp("views")
        monkeypatch.setattr(tempfile, "tempdir", str(views))
        with open_store(location):
            assert len(list(views.iterdir())) == 1
        unclosed = open_store(location)
        del unclosed
        assert list(views.iterdir()) == []
        assert (location / "index" / "shard" / "segments").is_dir()

    def test_writer_is_refused_while_someone_reads(self, location, child):
        reader = child(READER, location)
        assert is_waiting(reader)
        with pytest.raises(CollectionLockedError, match="open elsewhere") as caught:
            open_store(location, mode="w")
        assert str(location) in str(caught.value)
        reader.stdin.close()
        assert reader.wait(timeout=30) == 0
        open_store(location, mode="w").close()

    def test_second_handle_is_refused_while_someone_writes(self, tmp_path, child):
        writer = child(WRITER, tmp_path, 1)
        assert is_waiting(writer)
        for mode, message in [("r", "being changed"), ("w", "open elsewhere")]:
            with pytest.raises(CollectionLockedError, match=message) as caught:
                open_store(tmp_path, mode=mode)
            assert str(tmp_path) in str(caught.value)

    def test_handles_of_one_process(self, location):
        with open_store(location), pytest.raises(CollectionLockedError):
            open_store(location, mode="w")
        with open_store(location, mode="w") as writer:
            for mode in "rw":
                with pytest.raises(CollectionLockedError):
                    open_store(location, mode=mode)
            assert writer.count() == 400
        open_store(location).close()

    def test_a_forgotten_handle_is_released(self, location):
        store = open_store(location, mode="w")
        del store
        open_store(location, mode="w").close()

    def test_a_failed_opening_is_released(self, location):
        manifest = location / "index" / "manifest.json"
        text = manifest.read_text()
        manifest.write_text("{")
        for mode in "rw":
            with pytest.raises(CollectionError, match="damaged"):
                open_store(location, mode=mode)
        manifest.write_text(text)
        open_store(location, mode="w").close()

    def test_without_links_one_reads_at_a_time(self, location, points, monkeypatch):
        def refuse(*args, **kwargs):
            raise OSError("links are not allowed")

        monkeypatch.setattr(Path, "symlink_to", refuse)
        with open_store(location) as store:
            found = [hit.id for hit in store.search(points.vectors[0], limit=20)]
            assert found == points.ranking(points.vectors[0])[0][:20]
            with pytest.raises(CollectionLockedError):
                open_store(location)
        open_store(location).close()

    def test_lock_file_that_is_none(self, location):
        (location / ".index.lock").write_bytes(b"something else" * 100)
        with pytest.raises(CollectionError, match="cannot be locked"):
            open_store(location)

    def test_writer_leaves_nothing_to_bring_in(self, location):
        shard = location / "index" / "shard"
        assert is_settled(shard)
        with open_store(location, mode="w") as store:
            store.upsert([point_id("new")], np.ones((1, 16)), [{"filters": "F814W"}])
            store.flush()
            assert not is_settled(shard)
        assert is_settled(shard)

    def test_reader_brings_in_what_a_writer_left(self, location, monkeypatch):
        shard = location / "index" / "shard"
        writer = open_store(location, mode="w")
        writer.upsert([point_id("new")], np.ones((1, 16)), [{"filters": "F814W"}])
        writer.flush()
        # As if it had been killed between its last flush and its end.
        writer._release()
        assert not is_settled(shard)
        load_shared = Shard.load_shared

        def load(*args):
            # Two readers that brought it in at once would get in each other's way.
            assert is_settled(shard)
            return load_shared(*args)

        monkeypatch.setattr(Shard, "load_shared", load)
        with open_store(location) as store:
            assert store.count() == 401


class TestInterruption:
    @staticmethod
    def break_off(location, error):
        """Store a point, flush it, and end the block with an error."""

        def index():
            with open_store(location, mode="w") as store:
                store.upsert([point_id("a")], np.ones((1, 4)), [{}])
                store.flush()
                raise error

        with pytest.raises(error):
            index()

    def test_error_in_the_block(self, tmp_path):
        self.break_off(tmp_path, KeyboardInterrupt)
        for _ in range(2):
            with pytest.warns(CollectionInterruptedWarning, match="1 points.*astro-paperclip"):
                store = open_store(tmp_path)
            assert store.info()["state"] == "interrupted"
            store.close()
        with open_store(tmp_path, mode="w") as store:
            assert store.missing([point_id("a")]) == []
        with pytest.warns(CollectionInterruptedWarning):
            open_store(tmp_path).close()
        with open_store(tmp_path, mode="w") as store:
            store.flush()
        with open_store(tmp_path) as store:
            assert store.info()["state"] == "complete"

    def test_error_before_anything_was_written(self, location):
        with pytest.raises(ValueError, match="something"), open_store(location, mode="w"):
            raise ValueError("something")
        with open_store(location) as store:
            assert store.info()["state"] == "complete"

    def test_warning_points_at_the_caller(self, tmp_path):
        self.break_off(tmp_path, ValueError)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            open_store(tmp_path).close()
        assert [warning.filename for warning in caught] == [__file__]

    def test_first_readers_after_a_kill(self, tmp_path, child, monkeypatch):
        monkeypatch.setattr(locking, "_PATIENCE", 20)
        writer = child(WRITER, tmp_path, 1)
        for line in writer.stdout:
            if line.startswith("done 1004"):
                break
        writer.kill()
        writer.wait()
        quiet = "import warnings; warnings.simplefilter('ignore')\n"
        reader_code = quiet + READER.replace("size=16", "size=8")
        readers = [child(reader_code, tmp_path) for _ in range(3)]
        assert all(map(is_waiting, readers))
        answers = set()
        for reader in readers:
            answer, errors = reader.communicate("0\n", timeout=30)
            assert not errors
            answers.add(answer)
        assert len(answers) == 1

    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
    def test_nothing_is_lost_when_writers_are_killed(self, tmp_path, child):
        moments = random.Random(0)
        allowed = {}
        done = 0
        for seed in range(1, 7):
            writer = child(WRITER, tmp_path, seed)
            assert is_waiting(writer)
            time.sleep(moments.uniform(0.05, 0.5))
            writer.kill()
            lines = [line.split() for line in writer.stdout.read().splitlines()]
            started = {}
            for line in lines:
                if line[0] == "start":
                    # The last line may have been cut off: then its batch never started.
                    started[line[1]] = [int(row) for row in line[2:]]
                elif len(line) == 2 and line[1] in started:
                    done += 1
                    allowed.update((row, {int(line[1])}) for row in started.pop(line[1]))
            for stamp, rows in started.items():
                for row in rows:
                    allowed.setdefault(row, {None}).add(int(stamp))
            allowed = self.check(tmp_path, allowed, by_writer=seed % 2 == 0)
        assert done > 20
        with open_store(tmp_path, mode="w") as store:
            store.flush()
        with open_store(tmp_path) as store:
            assert store.info()["state"] == "complete"
            assert store.count() == sum(None not in stamps for stamps in allowed.values())

    @staticmethod
    def check(location, allowed, *, by_writer):
        """Check every point after a kill, and return what is there now."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CollectionInterruptedWarning)
            store = EmbeddedStore(location, mode="w" if by_writer else "r")
        found = {}
        for record in store.scroll(with_vectors=True):
            row, stamp = record.payload["row"], record.payload["stamp"]
            vector = np.random.default_rng([row, stamp]).normal(size=8)
            np.testing.assert_allclose(record.vector, vector / np.linalg.norm(vector), atol=1e-6)
            assert len(record.payload["pad"]) == row % 500
            found[row] = stamp
        assert len(store.search(np.ones(8), limit=10**6)) == len(found)
        store._release()
        for row, stamps in allowed.items():
            assert found.get(row) in stamps
        assert set(found) <= set(allowed)
        return {row: {found.get(row)} for row in allowed}
