"""The store on a server: addresses, keys, what may go wrong on the way, and what is kept there."""

import time
from itertools import pairwise

import numpy as np
import pytest
from qdrant_client import models

from astro_paperclip import conf
from astro_paperclip.criteria import And
from astro_paperclip.exceptions import (
    CollectionError,
    CollectionInterruptedWarning,
    CollectionServerError,
    IndexMismatchError,
    InvalidQueryError,
)
from astro_paperclip.index import ServerAddress, is_address, open_store, point_id
from astro_paperclip.index.schema import INDEXED_FIELDS
from astro_paperclip.index.server import connection
from astro_paperclip.index.server import points as points_on_server
from astro_paperclip.index.server import store as store_module

from .conftest import DIMENSION, assert_holds, make_points
from .loopback import (
    APPLIED_THEN_CUT,
    CUT,
    CUT_WITHIN,
    MALFORMED,
    WRONG_CONTENT,
    LoopbackServer,
    at,
    refused,
    slow,
)


@pytest.fixture
def quick(monkeypatch):
    """Make the pauses between tries short, and return those that were made."""
    pauses = []
    monkeypatch.setattr(connection.time, "sleep", pauses.append)
    return pauses


@pytest.fixture
def address(loopback):
    return f"{loopback.url}/sky"


def fill(address, points, **options):
    with open_store(address, mode="w", **options) as store:
        store.upsert(points.ids, points.vectors, points.payloads)


def paths(server, method):
    return [request.path for request in server.requests if request.method == method]


class TestAddress:
    @pytest.mark.parametrize(
        ("location", "url", "name"),
        [
            ("http://localhost/sky", "http://localhost:6333", "sky"),
            ("https://v.example.org:443/sky/", "https://v.example.org:443", "sky"),
            ("https://v.example.org/a/b/sky", "https://v.example.org:6333/a/b", "sky"),
            ("http://[::1]:6333/sky", "http://[::1]:6333", "sky"),
            ("http://localhost/my%20sky", "http://localhost:6333", "my sky"),
        ],
    )  # fmt: skip
    def test_parts(self, location, url, name):
        assert ServerAddress.parse(location) == ServerAddress(url, name)

    @pytest.mark.parametrize(
        "location", ["http://localhost:6333", "https://example.org/", "http:///sky", "ftp://a/b"]
    )
    def test_no_address(self, location):
        with pytest.raises(InvalidQueryError, match="no address of a collection on a server"):
            ServerAddress.parse(location)

    def test_port(self):
        with pytest.raises(InvalidQueryError, match="no usable port"):
            ServerAddress.parse("http://localhost:none/sky")

    @pytest.mark.parametrize(
        "location", ["https://me:secret@a.org/sky", "https://a.org/sky?api-key=secret"]
    )
    def test_secrets_are_refused_and_not_repeated(self, location):
        with pytest.raises(InvalidQueryError, match="QDRANT_API_KEY") as caught:
            open_store(location)
        assert "secret" not in str(caught.value)

    def test_what_is_an_address(self, tmp_path):
        assert is_address("http://localhost/sky")
        assert not is_address("hubble")
        assert not is_address(tmp_path)


class TestKey:
    @pytest.fixture
    def guarded(self, openapi_document):
        with LoopbackServer(openapi_document, api_key="open sesame") as server:
            yield f"{server.url}/sky"

    def test_from_the_environment(self, guarded, monkeypatch):
        monkeypatch.setenv("QDRANT_API_KEY", "open sesame")
        fill(guarded, make_points(3))
        with open_store(guarded) as store:
            assert store.count() == 3

    @pytest.mark.parametrize("key", ["", "wrong"])
    def test_refused(self, guarded, monkeypatch, key):
        monkeypatch.setenv("QDRANT_API_KEY", key)
        with pytest.raises(CollectionServerError, match=r"refuses this user.*QDRANT_API_KEY"):
            open_store(guarded)


class TestFaults:
    """Requests that fail are made again; what is stored is stored once, and whole."""

    @pytest.mark.parametrize(
        "fault",
        [CUT, APPLIED_THEN_CUT, CUT_WITHIN, MALFORMED, WRONG_CONTENT]
        + [refused(status) for status in (429, 500, 502, 503, 504)],
        ids=lambda fault: getattr(fault.reply, "status", None) or fault.cut or "applied",
    )
    def test_every_request_fails_once(self, loopback, address, quick, fault):
        points = make_points(40)
        loopback.faults = lambda method, path, number: fault if number % 2 else None
        fill(address, points, encoder="abc")
        with open_store(address, encoder="abc") as store:
            assert_holds(store, points)
            assert store.facet("filters")
            assert store.retrieve(points.ids[:1])
        assert quick

    def test_a_pause_that_the_server_asks_for(self, loopback, address, quick):
        fill(address, make_points(3))
        loopback.faults = at("POST", "/count", {2: refused(429, retry_after=17)})
        with open_store(address) as store:
            store.count()
        assert max(quick) == 17

    def test_pauses_grow(self, loopback, address, quick):
        fill(address, make_points(3))
        with open_store(address) as store, conf.set_temp("retries", 4):
            loopback.faults = lambda *_: refused(503)
            with pytest.raises(CollectionServerError, match=r"did not answer 5 times.*503"):
                store.count()
        assert len(quick) == 4
        assert all(1.4 < later / earlier < 2.8 for earlier, later in pairwise(quick))

    @pytest.mark.parametrize("status", [400, 404, 409, 422])
    def test_what_would_fail_again_is_not_made_again(self, loopback, address, quick, status):
        fill(address, make_points(3))
        with open_store(address) as store:
            loopback.faults = lambda *_: refused(status)
            with pytest.raises(CollectionServerError, match=f"refused: {status}"):
                store.count()
        assert quick == []

    def test_too_slow(self, loopback, address, quick):
        fill(address, make_points(3))
        with conf.set_temp("timeout", 1), conf.set_temp("retries", 0), open_store(address) as store:
            loopback.faults = lambda *_: slow(2)
            began = time.monotonic()
            with pytest.raises(CollectionServerError, match=r"did not answer.*conf\.timeout"):
                store.count()
            assert time.monotonic() - began < 2

    def test_no_server(self, quick):
        with conf.set_temp("retries", 1), pytest.raises(CollectionServerError, match="Check that"):
            open_store("http://127.0.0.1:9/sky")

    def test_failing_upsert_keeps_what_was_acknowledged(
        self, loopback, address, quick, monkeypatch
    ):
        monkeypatch.setattr(points_on_server, "_POINTS_PER_UPSERT", 10)
        monkeypatch.setattr(points_on_server, "_STREAMS", 1)
        points = make_points(40)
        loopback.faults = at("PUT", "/points", {3: refused(500)})
        with conf.set_temp("retries", 0), pytest.raises(CollectionServerError, match="500"):
            fill(address, points)
        loopback.faults = []
        with pytest.warns(CollectionInterruptedWarning, match="stored so far"):
            store = open_store(address)
        with store:
            assert set(points.ids[:20]) <= {record.id for record in store.scroll()}
        fill(address, points)
        with open_store(address) as store:
            assert_holds(store, points)


class TestWhatIsKept:
    def test_payload_indexes_come_before_points(self, loopback, address):
        fill(address, make_points(3))
        puts = paths(loopback, "PUT")
        assert puts.count("/collections/sky/index") == len(INDEXED_FIELDS)
        assert puts.index("/collections/sky/points") > len(INDEXED_FIELDS)

    def test_payload_indexes_that_are_missing_are_made(self, loopback, address):
        loopback.faults = at("PUT", "/index", {3: refused(500)})
        with conf.set_temp("retries", 0), pytest.raises(CollectionServerError):
            open_store(address, mode="w", dimension=3)
        loopback.faults = []
        open_store(address, mode="w", dimension=3).close()
        fields = {
            request.body["field_name"]
            for request in loopback.requests
            if request.path.endswith("/index")
        }
        assert fields == set(INDEXED_FIELDS)

    def test_two_writers(self, address):
        points = make_points(60)
        one, other = (open_store(address, mode="w", dimension=DIMENSION) for _ in range(2))
        with one, other:
            one.upsert(points.ids[:40], points.vectors[:40], points.payloads[:40])
            other.upsert(points.ids[20:], points.vectors[20:], points.payloads[20:])
        with open_store(address) as store:
            assert_holds(store, points)

    def test_reading_while_it_is_written(self, address):
        points = make_points(20)
        with open_store(address, mode="w") as store:
            store.upsert(points.ids, points.vectors, points.payloads)
            with pytest.warns(CollectionInterruptedWarning, match="being written"):
                reader = open_store(address)
            with reader:
                assert reader.count() == 20

    def test_interrupted(self, address):
        points = make_points(20)

        def interrupted():
            with open_store(address, mode="w") as store:
                store.upsert(points.ids, points.vectors, points.payloads)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        with pytest.warns(CollectionInterruptedWarning):
            store = open_store(address)
        with store:
            assert store.info()["state"] == "interrupted"
            assert_holds(store, points)

    def test_lost_points(self, loopback, address):
        points = make_points(20)
        fill(address, points)
        client = loopback.client()
        client.delete("sky", points_selector=points.ids[:3])
        with pytest.raises(CollectionError, match="has 17 of 20 points"):
            open_store(address)

    def test_record_of_the_collection(self, address):
        record = {"title": "Hubble", "encoder": {"name": "compact", "dimension": 3}}
        with open_store(address, mode="w", dimension=3) as store:
            store.describe(record)
        with open_store(address) as store:
            assert store.info()["collection"] == record
            with pytest.raises(CollectionError, match="opened for reading"):
                store.describe({})

    def test_record_before_there_is_a_collection(self, address):
        store = open_store(address, mode="w")
        with store, pytest.raises(InvalidQueryError, match="dimension of its vectors"):
            store.describe({})


class TestOpening:
    def test_absent(self, loopback, address):
        with pytest.raises(CollectionError, match=r"no collection 'sky'.*index copy DIRECTORY"):
            open_store(address)
        assert paths(loopback, "PUT") == []

    @pytest.mark.parametrize("mode", ["r", "w"])
    def test_of_somebody_else(self, loopback, address, mode):
        client = loopback.client()
        client.create_collection(
            "sky", vectors_config=models.VectorParams(size=3, distance="Cosine")
        )
        with pytest.raises(CollectionError, match=r"was not made by astro_paperclip.*another name"):
            open_store(address, mode=mode)

    @pytest.mark.parametrize("mode", ["r", "w"])
    def test_of_the_future(self, loopback, address, mode):
        fill(address, make_points(3))
        client = loopback.client()
        record = client.get_collection("sky").config.metadata["astro_paperclip"]
        record["schema_version"] = 99
        client.update_collection("sky", metadata={"astro_paperclip": record})
        with pytest.raises(CollectionError, match="version 99; this astro_paperclip reads"):
            open_store(address, mode=mode)

    def test_two_creators_with_different_encoders(self, address):
        fill(address, make_points(3), encoder="abc")
        with pytest.raises(IndexMismatchError, match="fingerprint abc, not def"):
            open_store(address, mode="w", encoder="def")

    def test_old_server(self, address, monkeypatch):
        monkeypatch.setattr(connection.Connection, "server_version", "1.9.4")
        with pytest.raises(CollectionServerError, match=r"version 1\.9\.4: it takes 1\.16"):
            open_store(address)

    def test_oldest_server(self, address, monkeypatch):
        version = ".".join(map(str, store_module.OLDEST_SERVER)) + ".0-rc.1"
        monkeypatch.setattr(connection.Connection, "server_version", version)
        fill(address, make_points(3))

    def test_nothing_is_made_before_the_first_point(self, loopback, address):
        with open_store(address, mode="w") as store:
            assert store.count() == 0
            assert store.delete(And(())) == 0
        assert paths(loopback, "PUT") == []

    def test_client_is_not_installed(self, monkeypatch):
        monkeypatch.setattr("astro_paperclip.index.opening.find_spec", lambda name: None)
        with pytest.raises(CollectionError, match=r"needs qdrant-client.*astro_paperclip\[local\]"):
            open_store("http://127.0.0.1:9/sky")


def test_vectors_keep_their_direction_on_the_way(address):
    vectors = np.random.default_rng(6).normal(size=(50, 64)).astype(np.float32)
    ids = [point_id(str(row)) for row in range(50)]
    with open_store(address, mode="w") as store:
        store.upsert(ids, vectors, [{}] * 50)
        records = store.retrieve(ids, with_vectors=True)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose([record.vector for record in records], unit, atol=1e-7)
