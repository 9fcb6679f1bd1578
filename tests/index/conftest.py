"""Fixtures and helpers of the index's tests."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import QdrantClient

from astro_paperclip.index import open_store, point_id

from .loopback.memory import folder_in_memory

DIMENSION = 16

#: Points of indexes that other vectors join, and the length of those vectors.
N_JOINED = 60
LENGTH = 5

REAL_SERVER = "ASTRO_PAPERCLIP_QDRANT_URL"
"""Environment variable with the address of a Qdrant server, for tests with a real one."""

ENGINES = ["embedded", "loopback"] + ["real server"] * (REAL_SERVER in os.environ)
"""With what every statement about stores is tested."""


@dataclass
class Points:
    """Points whose neighbours are known by brute force."""

    ids: list[str]
    vectors: np.ndarray
    payloads: list[dict]

    def ranking(self, vector, keep=None):
        """Return ids and scores of all points that are kept, best first, ties by id."""
        unit = self.vectors / np.linalg.norm(self.vectors, axis=1, keepdims=True)
        scores = unit.astype(float) @ (np.asarray(vector, float) / np.linalg.norm(vector))
        keep = keep or (lambda payload: True)
        rows = [row for row, payload in enumerate(self.payloads) if keep(payload)]
        # Rounded, because copies of a vector must tie here as they do in float32.
        rows.sort(key=lambda row: (-round(scores[row], 6), self.ids[row]))
        return [self.ids[row] for row in rows], [scores[row] for row in rows]


def make_points(count, seed=0, dimension=DIMENSION):
    """Return random points with payloads of every type."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, dimension)).astype(np.float32)
    payloads = []
    for row in range(count):
        payload = {
            "instrument_name": str(rng.choice(["ACS/WFC", "WFC3/UVIS", "WFC3/IR", "WFPC2"])),
            "filters": str(rng.choice(["F814W", "F606W", "F555W", "F160W"])),
            "proposal_id": str(10000 + row % 7),
            "group_id": str(row % 7),
            "t_min": round(50000 + 10 * rng.random(), 6),
            "calib_level": int(rng.integers(0, 4)),
            "mtFlag": bool(rng.random() < 0.5),
            "size (pix)": float(rng.integers(1, 5)) / 2,
            "seeing": [float(rng.integers(1, 4)), 9.0],
            "observer": str(rng.choice(["Abell", "abt", "Baade"])),
        }
        for name in rng.choice(list(payload), size=2, replace=False):
            del payload[name]
        payloads.append(payload)
    return Points([point_id(f"{seed}-{row}.jpg") for row in range(count)], vectors, payloads)


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


@dataclass
class Joined:
    """The vectors of another encoder, which every fourth point lacks."""

    points: Points
    all_vectors: np.ndarray

    @property
    def column(self):
        """One vector for each point of the index, or None."""
        return [vector if row % 4 else None for row, vector in enumerate(self.all_vectors)]


def fill(place, titled, **options):
    with open_store(place, mode="w", encoder="abc", **options) as store:
        store.upsert(titled.ids, titled.vectors, titled.payloads)
    return place


def join(place, clip, encoder="def"):
    with open_store(place, mode="w") as store:
        store.add_vector("clip", LENGTH, encoder)
        store.put_vectors("clip", clip.points.ids, clip.points.vectors)
    return place


def assert_has(store, clip, name="clip"):
    """Assert that the points have these other vectors, alone, and are found by them."""
    records = {record.id: record.vector for record in store.scroll(with_vectors=name)}
    known = dict(zip(clip.points.ids, clip.points.vectors, strict=True))
    assert {id_ for id_, vector in records.items() if vector is not None} == known.keys()
    for id_, vector in known.items():
        unit = vector / np.linalg.norm(vector)
        np.testing.assert_allclose(records[id_], unit, atol=1e-6, rtol=0)
    hits = store.search(clip.points.vectors[3], limit=2 * N_JOINED, using=name)
    assert [hit.id for hit in hits] == clip.points.ranking(clip.points.vectors[3])[0]


@pytest.fixture
def tmp_path():
    """Return a folder of the test's own, in memory where there is room."""
    prefix = "astro_paperclip_tests_"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder_in_memory()) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def points():
    """Points of the collection that is only read."""
    return make_points(400)


@pytest.fixture(scope="session")
def collection(points, tmp_path_factory):
    """A collection that is only read."""
    location = tmp_path_factory.mktemp("read") / "collection"
    with open_store(location, mode="w", encoder="abc") as store:
        store.upsert(points.ids, points.vectors, points.payloads)
    return location


def _copy_file(source, target):
    """Copy a file without filling the holes that the engine leaves in its files."""
    with Path(source).open("rb") as original, Path(target).open("wb") as copy:
        while block := original.read(2**20):
            copy.seek(len(block), 1) if not any(block) else copy.write(block)
        copy.truncate()


@pytest.fixture
def copied(collection, tmp_path):
    """A collection of one's own, with the points of the collection that is only read."""
    location = tmp_path / "copied"
    shutil.copytree(collection, location, copy_function=_copy_file)
    return location


@pytest.fixture(scope="session")
def session_loopback(openapi_document):
    """A Qdrant server for collections that are only read."""
    from .loopback import LoopbackServer

    with LoopbackServer(openapi_document) as server:
        yield server
    assert server.violations == []
    assert server.own_faults == []


@pytest.fixture(scope="session", params=ENGINES)
def kept(request, points):
    """Where a collection is that is only read, with each engine."""
    if request.param == "embedded":
        yield str(request.getfixturevalue("collection"))
        return
    if request.param == "loopback":
        server = request.getfixturevalue("session_loopback").url
        location = f"{server}/kept"
    else:
        location = _new_on_real_server()
    with open_store(location, mode="w", encoder="abc") as store:
        store.upsert(points.ids, points.vectors, points.payloads)
    yield location
    if request.param == "real server":
        _remove(location)


@pytest.fixture
def store(kept):
    """The open store of the collection that is only read."""
    with open_store(kept) as opened:
        yield opened


@pytest.fixture(params=ENGINES)
def place(request, tmp_path):
    """Where a new collection can be made, with each engine."""
    if request.param == "embedded":
        yield str(tmp_path / "collection")
    elif request.param == "loopback":
        yield f"{request.getfixturevalue('loopback').url}/collection"
    else:
        location = _new_on_real_server()
        yield location
        _remove(location)


def _new_on_real_server():
    """Return where a collection can be made on a real server."""
    return f"{os.environ[REAL_SERVER].rstrip('/')}/astro_paperclip_test_{uuid.uuid4().hex}"


def _remove(location):
    server, _, name = location.rpartition("/")
    with contextlib.closing(
        QdrantClient(url=server, api_key=os.environ.get("QDRANT_API_KEY"))
    ) as client:
        client.delete_collection(name)


@pytest.fixture
def child(tmp_path_factory):
    """Return a function that runs Python code in another process, killed after the test."""
    # What a killed process leaves behind must not pile up in the system's own folder.
    temporary = str(tmp_path_factory.mktemp("temporary"))
    environment = {**os.environ, "TMPDIR": temporary, "TEMP": temporary}
    started = []

    def start(code, *args):
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
            env=environment,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


@pytest.fixture(scope="session")
def openapi_document(shared):
    """Qdrant's published API description."""
    document = shared / "data" / "qdrant" / "openapi.json"
    if not document.is_file():
        pytest.skip(f"Qdrant's API description is not there: {document}")
    return document


@pytest.fixture
def loopback(openapi_document):
    """A Qdrant server that holds its clients to the published contract, to the test's end."""
    from .loopback import LoopbackServer

    with LoopbackServer(openapi_document) as server:
        yield server
    assert server.violations == []
    assert server.own_faults == []


@pytest.fixture(scope="session")
def titled():
    """Points with titles, so that they have words as well."""
    points = make_points(N_JOINED)
    for row, payload in enumerate(points.payloads):
        payload["title"] = f"galaxy {'dust ' * (row % 5)}"
    return points


@pytest.fixture(scope="session")
def clip(titled):
    """Points with the vectors of another encoder."""
    vectors = np.random.default_rng(8).normal(size=(N_JOINED, LENGTH)).astype(np.float32)
    rows = [row for row in range(N_JOINED) if row % 4]
    chosen = Points(
        [titled.ids[row] for row in rows],
        vectors[rows],
        [titled.payloads[row] for row in rows],
    )
    return Joined(chosen, vectors)


@pytest.fixture
def filled(place, titled):
    """An index with main vectors only."""
    return fill(place, titled)


@pytest.fixture
def joined(filled, clip):
    """An index that other vectors have joined."""
    return join(filled, clip)
