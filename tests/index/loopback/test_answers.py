"""What the server answers about points, seen through Qdrant's own client."""

import threading
from datetime import datetime

import httpx
import numpy as np
import pytest
import qdrant_edge
from qdrant_client import models
from qdrant_client.http.exceptions import UnexpectedResponse

from . import filters
from .samples import COUNT, NAME, SIZE, ids, make_collection, only, points, vectors


@pytest.fixture(scope="module")
def filled(shared_loopback):
    """A client of a server with a collection that is only read."""
    client = shared_loopback.client()
    make_collection(client)
    client.create_payload_index(NAME, "group", models.PayloadSchemaType.KEYWORD)
    client.upsert(NAME, points(range(COUNT)))
    return client


def ranking(vector, rows=range(COUNT)):
    """Return the rows by falling cosine with a vector."""
    dense = vectors().astype(float)
    scores = dense @ vector / np.linalg.norm(dense, axis=1)
    return sorted(rows, key=lambda row: -scores[row])


def test_times_without_a_zone(client):
    client.upsert(
        NAME, [models.PointStruct(id=1, vector={}, payload={"t": "2020-01-01T00:00:00Z"})]
    )
    for bound, count in [(datetime(2019, 12, 31), 1), (datetime(2020, 1, 2), 0)]:
        later = models.FieldCondition(key="t", range=models.DatetimeRange(gte=bound))
        assert client.count(NAME, models.Filter(must=[later])).count == count


def test_writes(client, loopback):
    first = client.upsert(NAME, points(range(10)), wait=True)
    second = client.upsert(NAME, points(range(10, 12)), wait=False)
    assert (first.status, second.status) == ("completed", "acknowledged")
    assert second.operation_id > first.operation_id
    client.set_payload(NAME, {"new": True}, points=[1])
    client.overwrite_payload(NAME, {"new": False}, points=[2])
    client.delete_payload(NAME, ["inner", "row"], points=[3])
    client.clear_payload(NAME, points_selector=[4])
    payloads = {point.id: point.payload for point in client.retrieve(NAME, [1, 2, 3, 4])}
    assert payloads == {
        1: {"group": "g1", "row": 1, "inner": {"a": 1, "b": 1}, "new": True},
        2: {"new": False},
        3: {"group": "g3"},
        4: {},
    }
    client.update_vectors(NAME, [models.PointVectors(id=1, vector={"image": [0, 2] + [0] * 6})])
    client.delete_vectors(NAME, ["text"], points=[2])
    one, two = client.retrieve(NAME, [1, 2], with_vectors=True)
    assert one.vector["image"] == [0, 1] + [0] * 6
    assert one.payload["new"]
    assert set(two.vector) == {"image"}
    client.delete(NAME, [0])
    client.delete(NAME, only("g1"))
    assert ids(client.scroll(NAME, limit=20)[0]) == [2, 3, 4, 6, 7, 8, 10, 11]
    assert [request.query for request in loopback.requests[-3:]] == ["wait=true", "wait=true", ""]


def test_bulk_upload(client, loopback):
    client.upload_points(NAME, points(range(COUNT)), batch_size=16)
    assert client.count(NAME).count == COUNT
    assert sum(request.path.endswith("/points") for request in loopback.requests) == 4


def test_changes_of_what_is_not_there(client):
    with pytest.raises(UnexpectedResponse, match="No point with id 99 found") as caught:
        client.set_payload(NAME, {"a": 1}, points=[99])
    assert caught.value.status_code == 404
    client.delete(NAME, [99])
    with pytest.raises(UnexpectedResponse, match="Not existing vector name") as caught:
        client.update_collection(NAME, vectors_config={"other": models.VectorParamsDiff()})
    assert caught.value.status_code == 400


def test_batch_of_writes(client):
    statuses = client.batch_update_points(
        NAME,
        [
            models.UpsertOperation(upsert=models.PointsList(points=points(range(4)))),
            models.SetPayloadOperation(
                set_payload=models.SetPayload(payload={"seen": 1}, points=[0, 1])
            ),
            models.DeleteOperation(delete=models.PointIdsList(points=[1, 2])),
        ],
    )
    assert [one.status for one in statuses] == ["completed"] * 3
    found, _ = client.scroll(NAME)
    assert [(point.id, point.payload.get("seen")) for point in found] == [(0, 1), (3, None)]


def test_upsert_modes(client):
    client.upsert(NAME, points([1]))
    others = [models.PointStruct(id=row, vector={}, payload={"mode": "changed"}) for row in (1, 2)]
    client.upsert(NAME, others, update_mode=models.UpdateMode.INSERT_ONLY)
    found, _ = client.scroll(NAME)
    assert ["mode" in point.payload for point in found] == [False, True]
    client.upsert(NAME, others, update_filter=only("g1"))
    assert client.retrieve(NAME, [1])[0].payload == {"mode": "changed"}


def test_retrieve_and_scroll(filled, shared_loopback):
    assert ids(filled.retrieve(NAME, [5, 99, 3])) == [5, 3]
    point = httpx.get(f"{shared_loopback.url}/collections/{NAME}/points/5").json()["result"]
    assert point["payload"]["row"] == 5
    rows, offset = [], None
    while True:
        page, offset = filled.scroll(NAME, only("g2"), limit=4, offset=offset)
        rows += ids(page)
        if offset is None:
            break
    assert rows == list(range(2, COUNT, 4))
    selections = [
        (False, None),
        (True, {"group": "g3", "row": 3, "inner": {"a": 3, "b": 1}}),
        (["row", "inner.a"], {"row": 3, "inner": {"a": 3}}),
        (models.PayloadSelectorInclude(include=["row"]), {"row": 3}),
        (models.PayloadSelectorExclude(exclude=["inner"]), {"group": "g3", "row": 3}),
    ]
    for selection, expected in selections:
        assert filled.retrieve(NAME, [3], with_payload=selection)[0].payload == expected
    by_names = {False: None, True: {"image", "text"}}
    for selection, names in [*by_names.items(), (["text"], {"text"})]:
        (point,) = filled.retrieve(NAME, [2], with_vectors=selection)
        assert (point.vector and set(point.vector)) == names
    assert point.vector["text"] == models.SparseVector(indices=[2], values=[1.0])


def test_order(filled, shared_loopback):
    with pytest.raises(UnexpectedResponse, match="range index"):
        filled.scroll(NAME, order_by="row")
    filled.create_payload_index(NAME, "row", models.PayloadSchemaType.INTEGER)
    order = models.OrderBy(key="row", direction=models.Direction.DESC, start_from=20)
    page, following = filled.scroll(NAME, order_by=order, limit=3)
    assert (ids(page), following) == ([20, 19, 18], None)


def test_counts(filled):
    assert filled.count(NAME).count == COUNT
    assert filled.count(NAME, only("g1"), exact=True).count == COUNT // 4
    assert filled.count(NAME, only("g1"), exact=False).count <= COUNT


def test_nearest(filled):
    vector = np.random.default_rng(1).normal(size=SIZE)
    answer = filled.query_points(NAME, vector.tolist(), using="image", limit=7, with_payload=False)
    answer = answer.points
    assert ids(answer) == ranking(vector)[:7]
    assert answer[0].payload is answer[0].vector is None
    filtered = filled.query_points(
        NAME,
        vector.tolist(),
        using="image",
        query_filter=only("g1"),
        limit=3,
        offset=2,
        with_payload=["row"],
        with_vectors=["image"],
        search_params=models.SearchParams(
            exact=True,
            hnsw_ef=256,
            acorn=models.AcornSearchParams(enable=True),
            quantization=models.QuantizationSearchParams(rescore=True, oversampling=2.0),
        ),
    ).points
    assert ids(filtered) == ranking(vector, range(1, COUNT, 4))[2:5]
    assert [hit.payload for hit in filtered] == [{"row": hit.id} for hit in filtered]
    near = filled.query_points(
        NAME, vector.tolist(), using="image", score_threshold=answer[2].score - 1e-5, limit=COUNT
    )
    assert ids(near.points) == ids(answer)[:3]


def test_other_queries(filled):
    dense = vectors()
    by_id = filled.query_points(NAME, 5, using="image", limit=4).points
    assert ids(by_id) == ranking(dense[5].astype(float))[1:5]
    sparse = models.SparseVector(indices=[4], values=[1.0])
    (hit,) = filled.query_points(NAME, sparse, using="text").points
    assert hit.id == 4
    # The inverse document frequency of a word that one of thirty texts has.
    assert hit.score == pytest.approx(np.log(1 + (30 - 1 + 0.5) / 1.5))
    fused = filled.query_points(
        NAME,
        prefetch=[
            models.Prefetch(query=dense[7].tolist(), using="image", limit=5),
            models.Prefetch(query=sparse, using="text", limit=5),
        ],
        query=models.FusionQuery(fusion=models.Fusion.RRF),
        limit=2,
    ).points
    assert set(ids(fused)) == {4, 7}
    with pytest.raises(UnexpectedResponse, match="No point with id 99 found"):
        filled.query_points(NAME, 99, using="image")


def test_batch_of_queries(filled):
    dense = vectors()
    requests = [
        models.QueryRequest(query=dense[row].tolist(), using="image", limit=2) for row in (3, 8)
    ]
    answers = filled.query_batch_points(NAME, requests)
    expected = [ranking(dense[row].astype(float))[:2] for row in (3, 8)]
    assert [ids(answer.points) for answer in answers] == expected


def test_groups(filled):
    vector = np.random.default_rng(2).normal(size=SIZE)
    answer = filled.query_points_groups(
        NAME, "group", vector.tolist(), using="image", limit=3, group_size=2, with_payload=["row"]
    )
    expected = {}
    for row in ranking(vector):
        expected.setdefault(f"g{row % 4}", []).append(row)
    groups = [(group.id, ids(group.hits)) for group in answer.groups]
    assert groups == [(name, rows[:2]) for name, rows in expected.items()][:3]
    hit = answer.groups[0].hits[0]
    assert hit.payload == {"row": hit.id}
    assert hit.vector is None


def test_wrong_vectors(client, loopback):
    for wrong in ({"image": [1.0] * 3}, {"other": [1.0] * SIZE}):
        with pytest.raises(UnexpectedResponse, match="error") as caught:
            client.upsert(NAME, [models.PointStruct(id=1, vector=wrong)])
        assert caught.value.status_code == 400
    with pytest.raises(UnexpectedResponse, match="expected dim: 8, got 2"):
        client.query_points(NAME, [1.0, 2.0], using="image")
    assert loopback.violations == []


def test_a_panic_of_the_engine(client, loopback, monkeypatch):
    client.create_payload_index(NAME, "row", models.PayloadSchemaType.FLOAT)
    client.upsert(NAME, points([1]))
    nothing = qdrant_edge.RangeFloat(gte=float("nan"))
    monkeypatch.setitem(filters._TESTS, "range", lambda data: nothing)
    where = models.Filter(must=[models.FieldCondition(key="row", range=models.Range(gte=1))])
    with pytest.raises(UnexpectedResponse, match="internal error") as caught:
        client.count(NAME, where)
    assert caught.value.status_code == 500
    assert client.count(NAME).count == 1


def test_threads(client):
    def write(start):
        for row in range(start, COUNT, 4):
            client.upsert(NAME, points([row]))

    threads = [threading.Thread(target=write, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.count(NAME).count == COUNT
