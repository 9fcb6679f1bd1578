"""Collections, their settings and their indexes, seen through Qdrant's own client."""

import httpx
import pytest
from qdrant_client import models
from qdrant_client.http.exceptions import UnexpectedResponse

from . import LoopbackServer
from .samples import COUNT, NAME, SIZE, make_collection, only, points


def test_collections_come_and_go(loopback):
    client = loopback.client()
    assert not client.collection_exists(NAME)
    make_collection(client)
    assert client.collection_exists(NAME)
    assert [one.name for one in client.get_collections().collections] == [NAME]
    with pytest.raises(UnexpectedResponse, match="already exists") as caught:
        make_collection(client)
    assert caught.value.status_code == 409
    assert client.delete_collection(NAME)
    assert not client.delete_collection(NAME)
    with pytest.raises(UnexpectedResponse, match="Not found: Collection") as caught:
        client.get_collection(NAME)
    assert caught.value.status_code == 404
    assert set(caught.value.structured()) == {"status", "time"}


def test_settings_are_remembered(loopback):
    client = loopback.client()
    scalar = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99)
    make_collection(
        client,
        shard_number=12,
        replication_factor=2,
        write_consistency_factor=1,
        on_disk_payload=True,
        hnsw_config=models.HnswConfigDiff(m=0),
        optimizers_config=models.OptimizersConfigDiff(indexing_threshold=1),
        quantization_config=models.ScalarQuantization(scalar=scalar),
        strict_mode_config=models.StrictModeConfig(enabled=True, max_query_limit=100),
        metadata={"encoder": "abc", "count": 1},
    )
    config = client.get_collection(NAME).config
    assert (config.params.shard_number, config.params.replication_factor) == (12, 2)
    assert config.params.vectors["image"].size == SIZE
    assert config.params.sparse_vectors["text"].modifier == models.Modifier.IDF
    assert (config.hnsw_config.m, config.hnsw_config.ef_construct) == (0, 100)
    assert config.optimizer_config.indexing_threshold == 1
    assert config.quantization_config.scalar.quantile == pytest.approx(0.99)
    assert config.strict_mode_config.max_query_limit == 100
    assert config.metadata == {"encoder": "abc", "count": 1}


def test_settings_change(openapi_document):
    with LoopbackServer(openapi_document, yellow_answers=2) as server:
        client = server.client()
        make_collection(
            client,
            hnsw_config=models.HnswConfigDiff(m=0),
            optimizers_config=models.OptimizersConfigDiff(indexing_threshold=1),
            metadata={"encoder": "abc", "count": 1},
        )
        client.upsert(NAME, points(range(COUNT)))
        before = client.get_collection(NAME)
        assert (before.status, before.indexed_vectors_count) == ("green", 0)
        client.update_collection(
            NAME,
            hnsw_config=models.HnswConfigDiff(m=16),
            vectors_config={"image": models.VectorParamsDiff(on_disk=True)},
            collection_params=models.CollectionParamsDiff(write_consistency_factor=2),
            quantization_config=models.Disabled.DISABLED,
            metadata={"count": 2},
        )
        infos = [client.get_collection(NAME) for _ in range(3)]
        assert [info.status for info in infos] == ["yellow", "yellow", "green"]
        assert infos[2].indexed_vectors_count == infos[2].points_count == COUNT
        config = infos[2].config
        assert config.hnsw_config.m == 16
        assert config.params.vectors["image"].on_disk
        assert config.params.write_consistency_factor == 2
        assert config.metadata == {"encoder": "abc", "count": 2}
        assert server.violations == server.own_faults == []


def test_a_vector_without_a_name(loopback):
    client = loopback.client()
    client.create_collection(NAME, models.VectorParams(size=2, distance=models.Distance.DOT))
    name = "0b5c3a2e-7c1d-5d4e-8f00-1234567890ab"
    batch = models.Batch(ids=[1, name], vectors=[[1, 0], [0, 2]], payloads=[{"a": 1}, {}])
    client.upsert(NAME, batch)
    answer = client.query_points(NAME, [0.0, 1.0], with_vectors=True, with_payload=True).points
    assert [(hit.id, hit.score, hit.vector, hit.payload) for hit in answer] == [
        (name, 2.0, [0.0, 2.0], {}),
        (1, 0.0, [1.0, 0.0], {"a": 1}),
    ]


def test_several_vectors_in_one(loopback):
    client = loopback.client()
    several = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
    size = models.VectorParams(
        size=2,
        distance=models.Distance.DOT,
        multivector_config=several,
        datatype=models.Datatype.FLOAT16,
    )
    client.create_collection(NAME, {"pieces": size})
    pieces = {1: [[1.0, 0.0], [0.0, 1.0]], 2: [[0.5, 0.0]]}
    client.upsert(NAME, models.Batch(ids=list(pieces), vectors={"pieces": list(pieces.values())}))
    answer = client.query_points(NAME, [[1.0, 0.0], [0.0, 1.0]], using="pieces").points
    assert [(hit.id, hit.score) for hit in answer] == [(1, 2.0), (2, 0.5)]
    assert client.retrieve(NAME, [2], with_vectors=True)[0].vector == {"pieces": [[0.5, 0.0]]}


def test_indexes(client):
    client.upsert(NAME, points(range(8)))
    with pytest.raises(UnexpectedResponse, match="index for faceting"):
        client.facet(NAME, "group")
    parameters = models.KeywordIndexParams(
        type=models.KeywordIndexType.KEYWORD, enable_hnsw=False, on_disk=True
    )
    client.create_payload_index(NAME, "group", parameters)
    client.create_payload_index(NAME, "row", models.PayloadSchemaType.INTEGER)
    schema = client.get_collection(NAME).payload_schema
    assert {field: (one.data_type, one.points) for field, one in schema.items()} == {
        "group": ("keyword", 8),
        "row": ("integer", 8),
    }
    assert schema["group"].params.enable_hnsw is False
    hits = client.facet(NAME, "group", exact=True, facet_filter=only("g1")).hits
    assert [(hit.value, hit.count) for hit in hits] == [("g1", 2)]
    client.delete_payload_index(NAME, "group")
    assert set(client.get_collection(NAME).payload_schema) == {"row"}


def test_indexes_of_every_type(client):
    schemas = {
        "bool": models.PayloadSchemaType.BOOL,
        "datetime": models.DatetimeIndexParams(type="datetime", is_principal=True),
        "float": models.FloatIndexParams(type="float", enable_hnsw=False),
        "geo": models.GeoIndexParams(type="geo", memory=models.Memory.COLD),
        "integer": models.IntegerIndexParams(type="integer", lookup=True, range=True),
        "keyword": models.KeywordIndexParams(type="keyword", is_tenant=True),
        "text": models.TextIndexParams(type="text", tokenizer="prefix", min_token_len=2),
        "uuid": models.PayloadSchemaType.UUID,
    }
    for name, schema in schemas.items():
        client.create_payload_index(NAME, name, schema)
    told = client.get_collection(NAME).payload_schema
    assert {name: one.data_type for name, one in told.items()} == {name: name for name in schemas}
    assert told["geo"].params == schemas["geo"]
    assert told["uuid"].params is None


def test_health(loopback):
    with httpx.Client(base_url=loopback.url) as http:
        assert http.get("/").json()["version"].startswith("1.")
        for path in ("/healthz", "/readyz", "/livez"):
            assert http.get(path).status_code == 200
    assert [request.path for request in loopback.requests] == ["/", "/healthz", "/readyz", "/livez"]


def test_what_is_not_served(client):
    with pytest.raises(UnexpectedResponse, match="does not serve") as caught:
        client.get_aliases()
    assert caught.value.status_code == 501


def test_a_vector_that_is_added_later(loopback):
    client = loopback.client()
    make_collection(client)
    client.upsert(NAME, points(range(4)))
    size = models.DenseVectorConfig(size=3, distance=models.Distance.COSINE)
    for _ in range(2):
        client.create_vector_name(NAME, "later", models.DenseVectorNameConfig(dense=size))
    assert client.get_collection(NAME).config.params.vectors["later"].size == 3
    client.update_vectors(NAME, [models.PointVectors(id=2, vector={"later": [0, 3, 4]})])
    (point,) = client.query_points(NAME, query=[0, 0, 1], using="later", with_vectors=True).points
    assert (point.id, point.score) == (2, pytest.approx(0.8))
    assert set(point.vector) == {"image", "text", "later"}
    size.size = 4
    with pytest.raises(UnexpectedResponse, match="already exists with different parameters"):
        client.create_vector_name(NAME, "later", models.DenseVectorNameConfig(dense=size))
    with pytest.raises(UnexpectedResponse, match="sparse vectors that are added later"):
        client.create_vector_name(
            NAME, "words", models.SparseVectorNameConfig(sparse=models.SparseVectorConfig())
        )
