"""Filters through the server, against the same filters evaluated in plain Python."""

import math
from datetime import datetime
from itertools import pairwise

import numpy as np
import pytest
from qdrant_client import models

NAME = "filters"
COUNT = 150
EARTH_RADIUS = 6371008.8
WORDS = ["spiral", "galaxy", "dust", "lane", "cluster", "nebula"]


def make_payload(rng):
    """Return a payload with values of every type, some of them missing."""
    payload = {
        "word": str(rng.choice(["a", "b", "c"])),
        "number": int(rng.integers(0, 6)),
        "size": float(rng.integers(0, 20)) / 4,
        "flag": bool(rng.integers(2)),
        "tags": [str(tag) for tag in rng.choice(list("xyz"), size=rng.integers(0, 3))],
        "text": " ".join(rng.choice(WORDS, size=3)).capitalize(),
        "when": f"20{rng.integers(10, 25)}-0{rng.integers(1, 9)}-15T12:00:00Z",
        "place": {"lon": rng.uniform(-179, 179), "lat": rng.uniform(-80, 80)},
        "parts": [
            {"kind": str(rng.choice(["p", "q"])), "good": bool(rng.integers(2))}
            | {"order": int(rng.integers(0, 3))}
            for _ in range(rng.integers(0, 3))
        ],
        "note": [None, [], "seen"][rng.integers(3)],
    }
    for name in rng.choice(list(payload), size=2, replace=False):
        del payload[name]
    return payload


@pytest.fixture(scope="module")
def payloads():
    rng = np.random.default_rng(11)
    return [make_payload(rng) for _ in range(COUNT)]


@pytest.fixture(scope="module")
def filled(shared_loopback, payloads):
    """A client of a server that has the payloads; every third point has a second vector."""
    client = shared_loopback.client()
    size = models.VectorParams(size=2, distance=models.Distance.DOT)
    client.create_collection(NAME, vectors_config={"first": size, "second": size})
    text = models.TextIndexParams(
        type=models.TextIndexType.TEXT, lowercase=True, phrase_matching=True
    )
    client.create_payload_index(NAME, "text", field_schema=text, wait=True)
    client.upsert(
        NAME,
        [
            models.PointStruct(
                id=row,
                payload=payload,
                vector={"first": [1.0, row]} | ({} if row % 3 else {"second": [row, 1.0]}),
            )
            for row, payload in enumerate(payloads)
        ],
    )
    yield client
    client.delete_collection(NAME)


def values_of(payload, key):
    value = payload.get(key)
    values = value if isinstance(value, list) else [value]
    return [value for value in values if value is not None]


def same(one, other):
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def matches(match, value):
    """Say whether one value fits; texts are compared word by word, as they are indexed."""
    if "value" in match:
        return same(match["value"], value)
    if "any" in match:
        return any(same(one, value) for one in match["any"])
    if "except" in match:
        return not any(same(one, value) for one in match["except"])
    (asked,) = match.values()
    asked, words = asked.lower().split(), value.lower().split()
    if "text" in match:
        return set(asked) <= set(words)
    if "text_any" in match:
        return bool(set(asked) & set(words))
    return any(words[k : k + len(asked)] == asked for k in range(len(words)))


def within(bounds, value):
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
        bounds = {name: datetime.fromisoformat(bound) for name, bound in bounds.items()}
    compare = {"gte": value.__ge__, "gt": value.__gt__, "lte": value.__le__, "lt": value.__lt__}
    return all(compare[name](bound) for name, bound in bounds.items())


def distance(one, other):
    lat1, lat2 = math.radians(one["lat"]), math.radians(other["lat"])
    half = math.radians(one["lon"] - other["lon"]) / 2
    chord = math.sin((lat1 - lat2) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin(half) ** 2
    return 2 * EARTH_RADIUS * math.asin(math.sqrt(chord))


def is_inside(corners, place):
    """Count how often a line to the north crosses the sides of a polygon."""
    crossings = 0
    for one, other in pairwise(corners):
        if (one["lon"] > place["lon"]) != (other["lon"] > place["lon"]):
            share = (place["lon"] - one["lon"]) / (other["lon"] - one["lon"])
            crossings += one["lat"] + share * (other["lat"] - one["lat"]) > place["lat"]
    return crossings % 2 == 1


def is_in_box(box, place):
    west, east = box["top_left"]["lon"], box["bottom_right"]["lon"]
    south, north = box["bottom_right"]["lat"], box["top_left"]["lat"]
    return west < place["lon"] < east and south < place["lat"] < north


def field_holds(condition, payload):
    values = values_of(payload, condition["key"])
    tests = {
        "match": lambda: any(matches(condition["match"], value) for value in values),
        "range": lambda: any(within(condition["range"], value) for value in values),
        "geo_radius": lambda: any(
            distance(condition["geo_radius"]["center"], place) < condition["geo_radius"]["radius"]
            for place in values
        ),
        "geo_bounding_box": lambda: any(
            is_in_box(condition["geo_bounding_box"], place) for place in values
        ),
        "geo_polygon": lambda: any(
            is_inside(condition["geo_polygon"]["exterior"]["points"], place) for place in values
        ),
        "values_count": lambda: within(condition["values_count"], len(values)),
        "is_empty": lambda: (not values) == condition["is_empty"],
    }
    (kind,) = condition.keys() - {"key"}
    return tests[kind]()


def holds(condition, payload, row):
    """Evaluate a filter or a condition by its definition."""
    if "key" in condition:
        return field_holds(condition, payload)
    if "is_empty" in condition:
        return not values_of(payload, condition["is_empty"]["key"])
    if "is_null" in condition:
        key = condition["is_null"]["key"]
        return key in payload and payload[key] is None
    if "has_id" in condition:
        return row in condition["has_id"]
    if "has_vector" in condition:
        return condition["has_vector"] == "first" or row % 3 == 0
    if "nested" in condition:
        nested = condition["nested"]
        elements = payload.get(nested["key"], [])
        return any(holds(nested["filter"], element, row) for element in elements)
    counts = {
        clause: [holds(one, payload, row) for one in condition.get(clause) or []]
        for clause in ("must", "should", "must_not")
    }
    at_least = condition.get("min_should")
    return (
        all(counts["must"])
        and (not counts["should"] or any(counts["should"]))
        and not any(counts["must_not"])
        and (
            at_least is None
            or sum(holds(one, payload, row) for one in at_least["conditions"])
            >= at_least["min_count"]
        )
    )


def polygon(rng):
    lon, lat = rng.uniform(-100, 100), rng.uniform(-30, 30)
    corners = [(-60, -40), (70, -35), (50, 45), (-20, 15)]
    points = [{"lon": lon + dx, "lat": lat + dy} for dx, dy in corners]
    return {"exterior": {"points": [*points, points[0]]}}


def random_condition(rng):
    """Return one condition of any kind, in JSON."""
    place = {"lon": rng.uniform(-179, 179), "lat": rng.uniform(-80, 80)}
    words = " ".join(rng.choice(WORDS, size=2))
    low = int(rng.integers(0, 4))
    some = [str(word) for word in rng.choice(["a", "b", "c", "d"], size=2, replace=False)]
    ids = [int(row) for row in rng.choice(COUNT, size=50, replace=False)]
    box = {"top_left": {"lon": -120 + low, "lat": 60}, "bottom_right": {"lon": 30, "lat": -50}}
    nested = {"must": [{"key": "kind", "match": {"value": "p"}}]}
    nested["must"].append({"key": "good", "match": {"value": bool(rng.integers(2))}})
    conditions = [
        {"key": "word", "match": {"value": some[0]}},
        {"key": "number", "match": {"value": low}},
        {"key": "flag", "match": {"value": bool(rng.integers(2))}},
        {"key": "tags", "match": {"value": str(rng.choice(list("xyz")))}},
        {"key": "word", "match": {"any": some}},
        {"key": "number", "match": {"any": [low, low + 1]}},
        {"key": "word", "match": {"except": some}},
        {"key": "text", "match": {"text": words}},
        {"key": "text", "match": {"text_any": words}},
        {"key": "text", "match": {"phrase": words}},
        {"key": "size", "range": {"gte": low / 2, "lt": low / 2 + 1.5}},
        {"key": "number", "range": {"gt": low}},
        {"key": "when", "range": {"gt": f"20{12 + low}-05-15T12:00:00Z"}},
        {"key": "place", "geo_radius": {"center": place, "radius": rng.uniform(1e6, 1.5e7)}},
        {"key": "place", "geo_bounding_box": box},
        {"key": "place", "geo_polygon": polygon(rng)},
        {"key": "tags", "values_count": {"gte": 1 + low % 2}},
        {"key": "note", "is_empty": True},
        {"is_empty": {"key": "note"}},
        {"is_null": {"key": "note"}},
        {"has_id": ids},
        {"has_vector": str(rng.choice(["first", "second"]))},
        {"nested": {"key": "parts", "filter": nested}},
    ]
    return conditions[rng.integers(len(conditions))]


def random_filter(rng, depth=0):
    """Return a compound filter, in JSON."""

    def some():
        return [
            random_filter(rng, depth + 1)
            if depth < 2 and rng.random() < 0.3
            else random_condition(rng)
            for _ in range(rng.integers(1, 4))
        ]

    clauses = rng.choice(["must", "should", "must_not"], size=rng.integers(1, 3), replace=False)
    made = {str(clause): some() for clause in clauses}
    if rng.random() < 0.2:
        conditions = some()
        made["min_should"] = {"conditions": conditions, "min_count": min(2, len(conditions))}
    return made


def found_ids(client, where):
    points, following = client.scroll(
        NAME, scroll_filter=models.Filter(**where), limit=COUNT, with_payload=False
    )
    assert following is None
    return [point.id for point in points]


def test_random_compound_filters(filled, payloads):
    rng = np.random.default_rng(12)
    sizes = []
    for _ in range(200):
        where = random_filter(rng)
        expected = [row for row, payload in enumerate(payloads) if holds(where, payload, row)]
        assert found_ids(filled, where) == expected, where
        sizes.append(len(expected))
    # The filters must tell points apart, or they would prove nothing.
    assert sum(0 < size < COUNT for size in sizes) > 120


def test_every_condition(filled, payloads):
    rng = np.random.default_rng(13)
    kinds = set()
    for _ in range(150):
        condition = random_condition(rng)
        expected = [row for row, payload in enumerate(payloads) if holds(condition, payload, row)]
        assert found_ids(filled, {"must": [condition]}) == expected, condition
        (kind, *_) = condition.keys() - {"key"}
        detail = condition[kind]
        kinds.add((kind, *(detail if kind == "match" else ())))
    assert len(kinds) == 16


def test_clauses_may_be_single_conditions(filled, payloads):
    where = {"must": {"key": "flag", "match": {"value": True}}}
    expected = [row for row, payload in enumerate(payloads) if payload.get("flag") is True]
    assert found_ids(filled, where) == expected
