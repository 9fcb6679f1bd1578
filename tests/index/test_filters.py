"""Filters, against the tree evaluated in NumPy over the same rows."""

import os
import sys

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from astro_paperclip.criteria import Cone, Match, Range, Wildcard, parse
from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.index import finish_index, open_store, point_id
from astro_paperclip.index.embedded import packing
from astro_paperclip.index.filters import json_path
from astro_paperclip.index.schema import INDEXED_FIELDS

from .fuzzing import Truth, make_rows, random_tree

N_FILTERS = "ASTRO_PAPERCLIP_FILTERS"
"""Environment variable with how many random filters are tried, and told about, with each engine."""


@pytest.fixture(scope="module")
def rows():
    """Points with a row of every kind of column, positions and footprints among them."""
    return make_rows(400)


@pytest.fixture(scope="module")
def truth(rows):
    return Truth(rows)


def test_random_trees(place, rows, truth, capsys):
    with open_store(place, mode="w") as store:
        store.upsert(rows.ids, rows.vectors, rows.payloads)
    assert_filters(place, rows, truth, capsys)


def test_random_trees_on_packed_points(tmp_path, rows, truth, capsys, monkeypatch):
    with open_store(tmp_path, mode="w") as store:
        store.upsert(rows.ids, rows.vectors, rows.payloads)
        counted = {field: store.facet(field) for field in INDEXED_FIELDS}
    monkeypatch.setattr(packing, "_MOST_UNPACKED", 100)
    finish_index(tmp_path, progress=False)
    with open_store(tmp_path) as store:
        assert store._engine.packed_size() == len(rows.ids)
        assert {field: store.facet(field) for field in INDEXED_FIELDS} == counted
    assert_filters(tmp_path, rows, truth, capsys)


def assert_filters(place, rows, truth, capsys):
    """Assert that random filters give the ids that NumPy finds."""
    rng = np.random.default_rng(1)
    count, differing, sizes = int(os.environ.get(N_FILTERS, 200)), [], []
    with open_store(place) as store:
        for _ in range(count):
            where = random_tree(rng, rows.payloads)
            expected = truth.ids(where)
            found = [record.id for record in store.scroll(where)]
            if found != expected or store.count(where) != len(expected):
                differing.append(where)
            sizes.append(len(expected))
    if N_FILTERS in os.environ:
        with capsys.disabled():
            sys.stdout.write(
                f"\n{place}: {count} filters, {np.count_nonzero(sizes)} with a match, "
                f"{sizes.count(0)} with none, {len(differing)} differences\n"
            )
    assert not differing, f"{len(differing)} of {count} filters, the first is {differing[0]}"
    # The trees must tell points apart, or they would prove nothing.
    assert sum(0 < size < len(rows.ids) for size in sizes) > count / 2


def test_filtered_search(store, points):
    rng = np.random.default_rng(2)
    truth = Truth(points)
    for _ in range(30):
        where = random_tree(rng, points.payloads)
        vector = rng.normal(size=points.vectors.shape[1])
        kept = set(truth.ids(where))
        ranked = zip(*points.ranking(vector), strict=True)
        expected = [(id_, score) for id_, score in ranked if id_ in kept][:7]
        hits = store.search(vector, where, limit=7)
        assert [hit.id for hit in hits] == [id_ for id_, _ in expected]
        np.testing.assert_allclose(
            [hit.score for hit in hits], [score for _, score in expected], atol=1e-6
        )


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


def test_more_values_than_points(place):
    """One row with a list of filters: each of them is counted, and found by a wildcard."""
    names = [f"F{number}W" for number in range(7)]
    with open_store(place, mode="w") as store:
        store.upsert([point_id("a")], np.ones((1, 2)), [{"filters": names}])
        assert store.facet("filters") == dict.fromkeys(names, 1)
        for name in names:
            assert store.count(Wildcard("filters", f"*{name[1:]}")) == 1
        assert store.count(Wildcard("filters", "G*")) == 0


def test_values_that_no_point_has_any_more(place):
    with open_store(place, mode="w") as store:
        for name in ("F606W", "F814W"):
            store.upsert([point_id("a")], np.ones((1, 2)), [{"filters": name}])
        assert store.facet("filters") == {"F814W": 1}


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
