"""Points, selections and queries in JSON, translated into those of Qdrant Edge, and back."""

from typing import Any

import qdrant_edge as edge

from .errors import bad_request, not_served
from .filters import filter_from

__all__ = [
    "index_schema",
    "params_from",
    "payload_selection",
    "plain_id",
    "plain_record",
    "plain_vector",
    "points_from",
    "vector_from",
]

_INDEX_PARAMETERS = {
    "bool": edge.BoolIndexParams,
    "datetime": edge.DatetimeIndexParams,
    "float": edge.FloatIndexParams,
    "geo": edge.GeoIndexParams,
    "integer": edge.IntegerIndexParams,
    "keyword": edge.KeywordIndexParams,
    "text": edge.TextIndexParams,
    "uuid": edge.UuidIndexParams,
}
_STORAGE = ("on_disk", "memory")
"""Where an index lies makes no difference to what it finds."""


def vector_from(data: Any) -> Any:
    """Return a vector of the engine, or the vectors of a point by name."""
    if isinstance(data, dict) and data.keys() == {"indices", "values"}:
        return edge.SparseVector(data["indices"], data["values"])
    if isinstance(data, dict):
        if isinstance(data.get("model"), str):
            raise not_served("inference")
        return {name: vector_from(vector) for name, vector in data.items()}
    return data


def points_from(data: dict) -> list[edge.Point]:
    """Return the points of an upsert, from a list of points or from columns."""
    if "batch" in data:
        return _points_of_columns(data["batch"])
    return [
        edge.Point(point["id"], vector_from(point["vector"]), point.get("payload") or {})
        for point in data["points"]
    ]


def _points_of_columns(batch: dict) -> list[edge.Point]:
    ids, columns = batch["ids"], batch["vectors"]
    payloads = batch.get("payloads") or [None] * len(ids)
    named = columns if isinstance(columns, dict) else {"": columns}
    lengths = {len(ids), len(payloads), *map(len, named.values())}
    if len(lengths) > 1:
        raise bad_request(f"the columns of the batch have the lengths {sorted(lengths)}")
    points = []
    for row, (point, payload) in enumerate(zip(ids, payloads, strict=True)):
        vectors = {name: vector_from(column[row]) for name, column in named.items()}
        points.append(edge.Point(point, vectors, payload or {}))
    return points


def payload_selection(data: Any, default: bool) -> Any:
    """Return which of the payload is asked for."""
    if data is None:
        return default
    if isinstance(data, dict):
        include = "include" in data
        select = edge.PayloadSelector.Include if include else edge.PayloadSelector.Exclude
        return select(data["include" if include else "exclude"])
    return data


def params_from(data: dict | None) -> edge.SearchParams | None:
    """Return how to search."""
    if data is None:
        return None
    given = {name: value for name, value in data.items() if value is not None}
    makers = {
        "quantization": lambda one: edge.QuantizationSearchParams(**one),
        "acorn": lambda one: edge.AcornSearchParams(**one),
        "idf": lambda one: edge.IdfParams(corpus=filter_from(one.get("corpus"))),
    }
    for name in makers.keys() & given.keys():
        given[name] = makers[name](
            {key: value for key, value in given[name].items() if value is not None}
        )
    return edge.SearchParams(**given)


def index_schema(data: str | dict) -> tuple[str, Any]:
    """Return the name of a field's type, and the index of the engine."""
    data = {"type": data} if isinstance(data, str) else dict(data)
    kind = data.pop("type")
    given = {
        name: value for name, value in data.items() if value is not None and name not in _STORAGE
    }
    for name in ("stopwords", "stemmer", "scoring"):
        if name in given:
            raise not_served(f"text indexes with {name}")
    if "tokenizer" in given:
        given["tokenizer"] = getattr(edge.TokenizerType, given["tokenizer"].capitalize())
    return kind, _INDEX_PARAMETERS[kind](**given)


def plain_id(point: Any) -> int | str:
    """Return an id as JSON has it."""
    return point if isinstance(point, int) else str(point)


def plain_vector(vector: Any) -> Any:
    """Return a vector, or the vectors of a point, as JSON has them."""
    if isinstance(vector, edge.SparseVector):
        return {"indices": list(vector.indices), "values": list(vector.values)}
    if isinstance(vector, dict):
        return {name: plain_vector(one) for name, one in vector.items()}
    return vector


def plain_record(point: Any) -> dict:
    """Return a point, or a hit, as JSON has it."""
    record = {"id": plain_id(point.id)}
    if hasattr(point, "score"):
        record |= {"version": point.version, "score": point.score}
    if point.payload is not None:
        record["payload"] = point.payload
    if point.vector is not None:
        record["vector"] = plain_vector(point.vector)
    if point.order_value is not None:
        record["order_value"] = point.order_value
    return record
