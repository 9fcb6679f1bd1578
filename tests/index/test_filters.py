"""Filters, against the tree evaluated in plain Python over the same rows."""

import re

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from astro_paperclip.criteria import And, Cone, Match, Not, Or, Range, Wildcard, parse
from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.index import open_store, point_id
from astro_paperclip.index.filters import json_path


def holds(where, payload):
    """Evaluate a tree, apart from cones, by its definition."""
    if isinstance(where, And):
        return all(holds(term, payload) for term in where.terms)
    if isinstance(where, Or):
        return any(holds(term, payload) for term in where.terms)
    if isinstance(where, Not):
        return not holds(where.term, payload)
    values = payload.get(where.field, [])
    values = values if isinstance(values, list) else [values]
    return any(holds_for(where, value) for value in values)


def holds_for(where, value):
    if isinstance(where, Match):
        return any(
            value == wanted and isinstance(value, bool) == isinstance(wanted, bool)
            for wanted in where.values
        )
    if isinstance(where, Wildcard):
        pattern = re.escape(where.pattern).replace(r"\*", ".*").replace("%", ".*")
        return isinstance(value, str) and bool(re.fullmatch(pattern, value, re.IGNORECASE))
    if isinstance(value, bool | str):
        return False
    return (
        (where.gte is None or value >= where.gte)
        and (where.lte is None or value <= where.lte)
        and (where.gt is None or value > where.gt)
        and (where.lt is None or value < where.lt)
    )


TEXTS = {
    "instrument_name": (["ACS/WFC", "WFC3/UVIS", "WFC3/IR", "COS"], ["WFC3*", "*ir", "%f%", "*"]),
    "filters": (["F814W", "F606W", "f814w"], ["f8%", "F*6*W", "F814W"]),
    "observer": (["Abell", "abell", "Baade"], ["AB*", "*a*", "nobody*"]),
    "proposal_id": (["10001", "10002", "9"], ["1000*", "*3"]),
}
NUMBERS = {
    "t_min": [50002.0, 50005.5],
    "calib_level": [0, 2, 3],
    "size (pix)": [0.5, 1, 1.5, 2.0],
    "seeing": [1, 2, 9],
}


def random_tree(rng, payloads, depth=0):
    """Return a random tree over the fields of the rows."""
    kind = rng.integers(0, 7 if depth < 3 else 4)
    if kind == 0:
        field = str(rng.choice(list(TEXTS)))
        values = rng.choice(TEXTS[field][0], size=rng.integers(0, 3), replace=False)
        return Match(field, tuple(map(str, values)))
    if kind == 1:
        field = str(rng.choice(list(TEXTS)))
        return Wildcard(field, str(rng.choice(TEXTS[field][1])))
    if kind == 2:
        field = str(rng.choice([*NUMBERS, "mtFlag"]))
        if field == "mtFlag":
            return Match(field, (bool(rng.integers(2)),))
        stored = [row[field] for row in payloads if field in row and field != "seeing"]
        value = rng.choice(NUMBERS[field] + stored[:3]).item()
        return Match(field, (int(value) if value == int(value) and rng.integers(2) else value,))
    if kind == 3:
        field = str(rng.choice(list(NUMBERS)))
        low, high = sorted(rng.choice(NUMBERS[field], size=2).tolist())
        bounds = {str(rng.choice(["gte", "gt"])): low, str(rng.choice(["lte", "lt"])): high}
        del bounds[str(rng.choice(list(bounds)))]
        return Range(field, **bounds) if rng.integers(2) else Range(field, gte=low, lte=high)
    if kind == 6:
        return Not(random_tree(rng, payloads, depth + 1))
    terms = tuple(random_tree(rng, payloads, depth + 1) for _ in range(rng.integers(0, 4)))
    return And(terms) if kind == 4 else Or(terms)


def test_random_trees(store, points):
    rng = np.random.default_rng(1)
    sizes = []
    for _ in range(300):
        where = random_tree(rng, points.payloads)
        rows = zip(points.ids, points.payloads, strict=True)
        expected = sorted(id_ for id_, payload in rows if holds(where, payload))
        assert [record.id for record in store.scroll(where)] == expected, where
        assert store.count(where) == len(expected)
        sizes.append(len(expected))
    # The trees must tell points apart, or they would prove nothing.
    assert sum(0 < size < len(points.ids) for size in sizes) > 150


def test_filtered_search(store, points):
    rng = np.random.default_rng(2)
    for _ in range(30):
        where = random_tree(rng, points.payloads)
        vector = rng.normal(size=points.vectors.shape[1])
        expected, scores = points.ranking(
            vector, lambda payload, where=where: holds(where, payload)
        )
        hits = store.search(vector, where, limit=7)
        assert [hit.id for hit in hits] == expected[:7]
        np.testing.assert_allclose([hit.score for hit in hits], scores[:7], atol=1e-6)


def test_criteria_reach_the_engine(store, points):
    where = parse(
        instrument_name="wfc3*", t_min=[50002, 50008], proposal_id=["!10001", 10002, 10003]
    )
    expected = [
        id_
        for id_, row in zip(points.ids, points.payloads, strict=True)
        if row.get("instrument_name", "").startswith("WFC3")
        and 50002 <= row.get("t_min", 0) <= 50008
        and row.get("proposal_id") in ("10002", "10003")
    ]
    assert expected
    assert [record.id for record in store.scroll(where)] == sorted(expected)


def test_floats_match_themselves(place):
    # The engine's JSON may move the last digit of a float64.
    values = np.random.default_rng(3).random(300) * 360
    ids = [point_id(str(row)) for row in range(300)]
    with open_store(place, mode="w") as store:
        store.upsert(ids, np.ones((300, 2)), [{"own": value, "t_min": value} for value in values])
        for id_, value in zip(ids, values.tolist(), strict=True):
            for field in ("own", "t_min"):
                assert [hit.id for hit in store.scroll(Match(field, (value,)))] == [id_]
                assert [hit.id for hit in store.scroll(Range(field, gte=value, lte=value))] == [id_]


def test_large_integers(place):
    ids = [point_id(str(row)) for row in range(2)]
    with open_store(place, mode="w") as store:
        store.upsert(ids, np.ones((2, 2)), [{"n": 2**60}, {"n": 2**60 + 1}])
        assert [hit.id for hit in store.scroll(Match("n", (2**60 + 1,)))] == [ids[1]]


def test_unusual_names(place):
    fields = ["a.b", "size (pix)", "x[0]", "ünits", "a-b", "with space"]
    rows = [dict.fromkeys(fields, "x"), dict.fromkeys(fields, "y")]
    with open_store(place, mode="w") as store:
        store.upsert([point_id("a"), point_id("b")], np.ones((2, 2)), rows)
        for field in fields:
            assert [hit.payload for hit in store.scroll(Match(field, ("y",)))] == rows[1:]
            assert store.facet(field) == {"x": 1, "y": 1}


def test_names_that_cannot_be_quoted():
    with pytest.raises(InvalidQueryError, match="rename"):
        json_path('a"b')


def test_what_is_no_filter(store):
    with pytest.raises(InvalidQueryError, match=r"criteria\.parse"):
        store.count({"instrument_name": "ACS/WFC"})


def sky():
    """Return positions all over the sky, and close around its difficult places."""
    rng = np.random.default_rng(4)
    ra = [rng.uniform(0, 360, 600)]
    dec = [np.degrees(np.arcsin(rng.uniform(-1, 1, 600)))]
    for ra0, dec0 in [(0, 90), (0, -90), (0, 0), (180, 0), (83.6, 22.0), (359.9999, -45)]:
        centre = SkyCoord(ra0, dec0, unit="deg")
        offsets = 10 ** rng.uniform(-5, 0.7, 60)
        around = centre.directional_offset_by(rng.uniform(0, 360, 60) * u.deg, offsets * u.deg)
        ra += [around.ra.deg, [ra0]]
        dec += [around.dec.deg, [dec0]]
    return np.concatenate(ra), np.concatenate(dec)


def test_cones(place):
    ra, dec = sky()
    ids = [point_id(str(row)) for row in range(len(ra))]
    payloads = [{"s_ra": a, "s_dec": d} for a, d in zip(ra, dec, strict=True)] + [{}]
    positions = SkyCoord(ra, dec, unit="deg")
    centres = [(0, 90), (77, -90), (0, 0), (180, 0.5), (83.6, 22), (10, 10), (300, -89.9)]
    centres += [(5, 80), (20, 10)]
    radii = [1 / 3600, 0.1, 1, 5, 10, 30, 80, 100, 179]
    cones = [(*centre, radius) for centre in centres for radius in radii]
    with open_store(place, mode="w") as store:
        store.upsert([*ids, point_id("nowhere")], np.ones((len(payloads), 2)), payloads)
        found_in_all = 0
        for centre_ra, centre_dec, radius in cones:
            found = {hit.id for hit in store.scroll(Cone(centre_ra, centre_dec, radius))}
            separation = SkyCoord(centre_ra, centre_dec, unit="deg").separation(positions).deg
            inside = {
                id_ for id_, s in zip(ids, separation, strict=True) if s < radius * (1 - 1e-8)
            }
            near = {
                id_
                for id_, s in zip(ids, separation, strict=True)
                if s < radius * (1 + 1e-8) + 1e-8
            }
            assert inside <= found <= near, (centre_ra, centre_dec, radius)
            found_in_all += len(found)
        assert found_in_all > 10000
        assert store.count(Cone(12, 34, 180)) == len(ids)
