"""Each fault, as Qdrant's client sees it."""

import json

import httpx
import pytest
from qdrant_client import models
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from . import (
    APPLIED_THEN_CUT,
    CUT,
    CUT_WITHIN,
    MALFORMED,
    WRONG_CONTENT,
    Fault,
    LoopbackServer,
    Reply,
    at,
    refused,
    slow,
)

NAME = "c"
POINT = models.PointStruct(id=1, vector=[1.0, 0.0], payload={"a": 1})


@pytest.fixture
def client(loopback):
    client = loopback.client()
    size = models.VectorParams(size=2, distance=models.Distance.COSINE)
    client.create_collection(NAME, size)
    return client


def upsert_fails(client, error):
    """Upsert a point, and return the failure."""
    with pytest.raises(error) as caught:
        client.upsert(NAME, [POINT])
    return caught.value


def test_too_many_requests(client, loopback):
    from qdrant_client.common.client_exceptions import ResourceExhaustedResponse

    loopback.faults = [refused(429, retry_after=3)]
    assert upsert_fails(client, ResourceExhaustedResponse).retry_after_s == 3
    assert client.count(NAME).count == 0


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_refusals(client, loopback, status):
    loopback.faults = [refused(status)]
    assert upsert_fails(client, UnexpectedResponse).status_code == status
    assert client.count(NAME).count == 0
    client.upsert(NAME, [POINT])
    assert client.count(NAME).count == 1


@pytest.mark.parametrize(
    ("fault", "stored"),
    [(CUT, 0), (APPLIED_THEN_CUT, 1), (CUT_WITHIN, 1)],
    ids=["before", "after", "within"],
)
def test_cut_connections(client, loopback, fault, stored):
    loopback.faults = [fault]
    upsert_fails(client, ResponseHandlingException)
    assert client.count(NAME).count == stored
    # Whoever asks again gets through, and the point is there once.
    client.upsert(NAME, [POINT])
    assert client.count(NAME).count == 1
    sent = [request.body for request in loopback.requests if request.method == "PUT"]
    assert sent[-1] == sent[-2]


@pytest.mark.parametrize("fault", [MALFORMED, WRONG_CONTENT], ids=["malformed", "html"])
def test_answers_that_cannot_be_read(client, loopback, fault):
    loopback.faults = [None, fault]
    assert client.count(NAME).count == 0
    # The client lets this error through as it is.
    upsert_fails(client, json.JSONDecodeError)
    assert client.count(NAME).count == 1


def test_answers_of_another_form(client, loopback):
    loopback.faults = [Fault(reply=Reply(200, "application/json", b'{"result": 1}'))]
    upsert_fails(client, ResponseHandlingException)


def test_slow_answers(openapi_document):
    with LoopbackServer(openapi_document) as server:
        client = server.client(timeout=1)
        # Closing the server does not wait for the answer.
        server.faults = [slow(3600)]
        with pytest.raises(ResponseHandlingException, match="timed out"):
            client.get_collections()
        assert client.get_collections().collections == []


def test_faults_by_path_and_number(client, loopback):
    loopback.faults = at("PUT", "/points", {2: refused(503), 3: CUT})
    client.upsert(NAME, [POINT])
    assert client.count(NAME).count == 1
    assert upsert_fails(client, UnexpectedResponse).status_code == 503
    upsert_fails(client, ResponseHandlingException)
    client.upsert(NAME, [POINT])


def test_a_plan_of_ones_own(client, loopback):
    asked = []

    def plan(method, path, number):
        asked.append((method, path, number))
        return refused(500) if number == 2 else None

    loopback.faults = plan
    client.get_collections()
    with pytest.raises(UnexpectedResponse):
        client.get_collections()
    assert asked == [("GET", "/collections", 1), ("GET", "/collections", 2)]


def test_a_fault_must_say_what_is_answered():
    with pytest.raises(ValueError, match="needs an answer"):
        Fault(is_applied=False)
    with pytest.raises(ValueError, match="needs an answer"):
        Fault(is_applied=False, cut="within")


def test_closing_ends_open_connections(openapi_document):
    with httpx.Client() as http:
        with LoopbackServer(openapi_document) as server:
            assert http.get(f"{server.url}/collections").status_code == 200
        with pytest.raises(httpx.TransportError):
            http.get(f"{server.url}/collections")
