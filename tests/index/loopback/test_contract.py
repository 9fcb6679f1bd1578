"""What breaks the contract is refused and recorded; keys are asked for."""

import json

import httpx
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from . import LoopbackServer

CREATE = {"vectors": {"size": 2, "distance": "Cosine"}}
POINT = {"id": 1, "vector": [1.0, 0.0]}


def where(condition):
    return {"filter": {"must": [condition]}}


def circle(lon, lat):
    return where({"key": "s", "geo_radius": {"center": {"lon": lon, "lat": lat}, "radius": 1000.0}})


VIOLATIONS = {
    "unknown operation": ("POST", "/collections/c/points/find", {}, "no such operation"),
    "missing body": ("POST", "/collections/c/points/query", None, "missing"),
    "unknown key": ("POST", "/collections/c/points/query", {"top": 3}, "'top' was unexpected"),
    "unknown key in a setting": (
        *("PUT", "/collections/d", CREATE | {"hnsw_config": {"links": 16}}),
        "'links' was unexpected",
    ),
    "unknown key in a filter": (
        *("POST", "/collections/c/points/count", where({"key": "a", "match": {"equals": 1}})),
        r"body: \.filter\.must\[0\]\.match 'value' is a required property or",
    ),
    "unknown parameter": ("PUT", "/collections/c/points?await=1", {"points": [POINT]}, "await"),
    "value of a parameter": (
        *("PUT", "/collections/c/points?wait=maybe", {"points": [POINT]}),
        "wait=maybe",
    ),
    "limit": ("POST", "/collections/c/points/scroll", {"limit": 0}, "minimum"),
    "id": (
        *("PUT", "/collections/c/points", {"points": [POINT | {"id": "first"}]}),
        "not a 'uuid'",
    ),
    "vector": (
        *("PUT", "/collections/c/points", {"points": [POINT | {"vector": ["1", "0"]}]}),
        "no finite numbers",
    ),
    "distance": (
        *("PUT", "/collections/d", {"vectors": {"size": 2, "distance": "cosine"}}),
        "'cosine' is not one of",
    ),
    "quantile": (
        "PUT",
        "/collections/d",
        CREATE | {"quantization_config": {"scalar": {"type": "int8", "quantile": 1.5}}},
        "greater than the maximum of 1",
    ),
    "longitude in a filter": (
        *("POST", "/collections/c/points/count", circle(359, 0)),
        "lon 359 lies outside",
    ),
    "latitude in a filter": ("POST", "/collections/c/points/count", circle(0, -91), "lat -91"),
    "longitude in a payload": (
        "PUT",
        "/collections/c/points",
        {"points": [POINT | {"payload": {"position": {"lon": 200.5, "lat": 0}}}]},
        "lon 200.5",
    ),
    "date": (
        *("POST", "/collections/c/points/count", where({"key": "t", "range": {"gt": "today"}})),
        "failed to parse date-time",
    ),
    "condition that asks nothing": (
        *("POST", "/collections/c/points/count", where({"key": "a"})),
        "asks for nothing",
    ),
    "json path": (
        *("POST", "/collections/c/points/count", where({"is_empty": {"key": 'a"b'}})),
        "invalid JSON path",
    ),
    "columns": (
        *("PUT", "/collections/c/points", {"batch": {"ids": [1, 2], "vectors": [[1.0, 2.0]]}}),
        "lengths",
    ),
}


@pytest.fixture(scope="module")
def strict(openapi_document):
    """A server with a collection, whose violations are wanted."""
    with LoopbackServer(openapi_document) as server:
        httpx.put(f"{server.url}/collections/c", json=CREATE).raise_for_status()
        yield server
    assert server.own_faults == []


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations(strict, name):
    method, path, body, message = VIOLATIONS[name]
    before = len(strict.violations)
    answer = httpx.request(method, strict.url + path, json=body)
    assert answer.status_code == (404 if "operation" in name else 400)
    assert "error" in answer.json()["status"]
    assert len(strict.violations) == before + 1
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(strict.violations[-1])


@pytest.mark.parametrize("content", [b'{"limit": 1', b'{"score_threshold": NaN}', b"\xff"])
def test_what_is_no_json(strict, content):
    before = len(strict.violations)
    answer = httpx.post(f"{strict.url}/collections/c/points/query", content=content)
    assert answer.status_code == 400
    assert len(strict.violations) == before + 1


def test_infinity(strict):
    before = len(strict.violations)
    content = b'{"query": [1e400, 0.0]}'
    answer = httpx.post(f"{strict.url}/collections/c/points/query", content=content)
    assert answer.status_code == 400
    assert "finite" in strict.violations[before]


def test_a_refused_write_changes_nothing(strict):
    points = [{"id": 7, "vector": [1.0, 0.0]}, {"id": -8, "vector": [1.0, 0.0]}]
    answer = httpx.put(f"{strict.url}/collections/c/points", json={"points": points})
    assert answer.status_code == 400
    answer = httpx.post(f"{strict.url}/collections/c/points", json={"ids": [7, 8]})
    assert answer.json()["result"] == []


def test_what_newer_clients_send(loopback):
    body = CREATE | {"id_tracker": {"memory": "cold"}}
    assert httpx.put(f"{loopback.url}/collections/c", json=body).status_code == 200
    index = {"field_name": "a", "field_schema": {"type": "keyword", "nested": None}}
    answer = httpx.put(f"{loopback.url}/collections/c/index?wait=true", json=index)
    assert answer.status_code == 200


def test_wrong_answers_are_recorded(openapi_document, monkeypatch):
    from .engine import Collection

    with LoopbackServer(openapi_document) as server:
        httpx.put(f"{server.url}/collections/c", json=CREATE)
        monkeypatch.setattr(Collection, "count", lambda self, data: "many")
        httpx.post(f"{server.url}/collections/c/points/count", json={})
        (fault,) = server.own_faults
        assert "body: .result.count is not of type integer" in fault


def test_failures_of_the_server_itself_are_recorded(openapi_document, monkeypatch):
    from .engine import Collection

    with LoopbackServer(openapi_document) as server:
        httpx.put(f"{server.url}/collections/c", json=CREATE)
        monkeypatch.setattr(Collection, "count", lambda self, data: data["no such key"])
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(f"{server.url}/collections/c/points/count", json={})
        assert server.own_faults == ["KeyError: 'no such key'"]


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
def test_keys(openapi_document):
    with LoopbackServer(openapi_document, api_key="whole", read_only_api_key="half") as server:
        assert httpx.get(f"{server.url}/readyz").status_code == 200
        for headers in ({}, {"api-key": "wrong"}):
            assert httpx.get(f"{server.url}/collections", headers=headers).status_code == 401
        writer, reader = server.client(api_key="whole"), server.client(api_key="half")
        size = models.VectorParams(size=2, distance=models.Distance.COSINE)
        writer.create_collection("c", size)
        assert reader.count("c").count == 0
        assert reader.collection_exists("c")
        with pytest.raises(UnexpectedResponse, match="Forbidden") as caught:
            reader.delete_collection("c")
        assert caught.value.status_code == 403
        with pytest.raises(UnexpectedResponse, match="Must provide") as caught:
            server.client().get_collections()
        assert caught.value.status_code == 401
        bearer = {"authorization": "Bearer half"}
        assert httpx.get(f"{server.url}/collections", headers=bearer).status_code == 200
        assert server.own_faults == server.violations == []


def test_the_log(loopback):
    client = loopback.client()
    assert isinstance(client, QdrantClient)
    size = models.VectorParams(size=2, distance=models.Distance.COSINE)
    client.create_collection("c", size, timeout=5)
    (request,) = loopback.requests
    assert request == ("PUT", "/collections/c", "timeout=5", request.body)
    assert json.loads(json.dumps(request.body))["vectors"]["size"] == 2
