"""Filters in JSON, translated into those of Qdrant Edge."""

from typing import Any

import numpy as np
import qdrant_edge as edge

from .errors import bad_request, not_served

__all__ = ["filter_from"]


def filter_from(data: dict | None) -> edge.Filter | None:
    """Return a filter of the engine.

    Parameters
    ----------
    data : dict or None
        The filter in a request.

    Returns
    -------
    `qdrant_edge.Filter` or None
    """
    if data is None:
        return None
    clauses = {
        name: _conditions(data[name])
        for name in ("must", "should", "must_not")
        if data.get(name) is not None
    }
    at_least = data.get("min_should")
    if at_least is not None:
        clauses["min_should"] = edge.MinShould(
            _conditions(at_least["conditions"]), at_least["min_count"]
        )
    return edge.Filter(**clauses)


def _conditions(data: dict | list) -> list:
    return [_condition(one) for one in (data if isinstance(data, list) else [data])]


def _condition(data: dict) -> Any:
    if "key" in data:
        return _field_condition(data)
    if "is_empty" in data:
        return edge.IsEmptyCondition(data["is_empty"]["key"])
    if "is_null" in data:
        return edge.IsNullCondition(data["is_null"]["key"])
    if "has_id" in data:
        return edge.HasIdCondition(set(data["has_id"]))
    if "has_vector" in data:
        return edge.HasVectorCondition(data["has_vector"])
    if "nested" in data:
        nested = data["nested"]
        return edge.NestedCondition(nested["key"], filter_from(nested["filter"]))
    if "slice" in data:
        raise not_served("conditions on slices")
    return filter_from(data)


def _field_condition(data: dict) -> edge.FieldCondition:
    tests = {name: make(data[name]) for name, make in _TESTS.items() if data.get(name) is not None}
    if not tests:
        raise bad_request(f"the condition on {data['key']} asks for nothing")
    return edge.FieldCondition(key=data["key"], **tests)


def _match(data: dict) -> Any:
    if "value" in data:
        value = data["value"]
        # The engine reads Python's own booleans as the numbers 0 and 1, which match no boolean.
        return edge.MatchValue(np.bool_(value) if isinstance(value, bool) else value)
    (name,) = data
    return _MATCHES[name](data[name])


def _range(data: dict) -> Any:
    bounds = {name: bound for name, bound in data.items() if bound is not None}
    if any(isinstance(bound, str) for bound in bounds.values()):
        return edge.RangeDateTime(**bounds)
    return edge.RangeFloat(**bounds)


def _point(data: dict) -> edge.GeoPoint:
    return edge.GeoPoint(lon=data["lon"], lat=data["lat"])


def _line(data: dict) -> list[edge.GeoPoint]:
    return [_point(point) for point in data["points"]]


def _box(data: dict) -> edge.GeoBoundingBox:
    return edge.GeoBoundingBox(_point(data["top_left"]), _point(data["bottom_right"]))


def _circle(data: dict) -> edge.GeoRadius:
    return edge.GeoRadius(_point(data["center"]), data["radius"])


def _polygon(data: dict) -> edge.GeoPolygon:
    interiors = [_line(line) for line in data.get("interiors") or []]
    return edge.GeoPolygon(_line(data["exterior"]), interiors or None)


_MATCHES = {
    "text": edge.MatchText,
    "text_any": edge.MatchTextAny,
    "phrase": edge.MatchPhrase,
    "prefix": edge.MatchPrefix,
    "any": edge.MatchAny,
    "except": edge.MatchExcept,
}
_TESTS = {
    "match": _match,
    "range": _range,
    "geo_bounding_box": _box,
    "geo_radius": _circle,
    "geo_polygon": _polygon,
    "values_count": lambda data: edge.ValuesCount(**data),
    "is_empty": bool,
    "is_null": bool,
}
