"""Regions of the sky in filters, against shapes that are asked about every point."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from astro_paperclip.criteria import And, Match, Not, Or, Overlaps, Within
from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.index import open_store, point_id
from astro_paperclip.sky import Box, Circle, Moc, Polygon, Union, overlaps, parse_footprint

REGIONS = {
    "arcseconds": Circle(150.1, 2.2, 3 / 3600),
    "round the pole": Circle(77, 89.9, 0.5),
    "more than half": Circle(200, -30, 100),
    "box over RA 0": Box(359, 1, -1, 1),
    "polar cap": Box(0, 360, 88, 90),
    "wedge at the pole": Box(350, 20, -90, -80),
    "ring": Box(0, 360, -45.5, -45),
    "polygon over RA 0": Polygon(((359.5, -0.5), (0.7, -0.6), (0.2, 0.8))),
    "polygon round the pole": Polygon(((0, 88), (120, 88.5), (240, 89))),
    "octant": Polygon(((0, 0), (90, 0), (0, 90))),
    "concave": Polygon(((10, 60), (14, 60), (14, 60.3), (10.6, 60.3), (14, 61), (10, 61))),
    "cells": Moc.from_text("0/4 3/0,1,700-720 5/12-14 9/3000000 14/77"),
    "union": Union((Circle(150, 2, 1), Box(179, 181, 40, 42), Moc(((3, 5),)))),
}


def positions(count, seed):
    """Return positions all over the sky, packed where arithmetic goes wrong, and on rims."""
    rng = np.random.default_rng(seed)
    ra = [rng.uniform(0, 360, count // 2)]
    dec = [np.degrees(np.arcsin(rng.uniform(-1, 1, count // 2)))]
    places = [(0, 90), (0, -90), (0, 0), (180, 41), (150.1, 2.2), (12, 60.3), (359.99, -45.2)]
    share = count // 2 // len(places)
    for place in places:
        offsets = 10 ** rng.uniform(-5, 0.7, share) * u.deg
        centre = SkyCoord(*place, unit="deg")
        around = centre.directional_offset_by(rng.uniform(0, 360, share) * u.deg, offsets)
        ra += [around.ra.deg, [place[0]]]
        dec += [around.dec.deg, [place[1]]]
    return np.concatenate(ra), np.concatenate(dec)


def fill(place, rows, batch=20_000):
    """Store rows, and return their ids."""
    ids = np.array([point_id(f"{row}.jpg") for row in range(len(rows))])
    with open_store(place, mode="w") as store:
        for start in range(0, len(rows), batch):
            part = rows[start : start + batch]
            store.upsert(ids[start : start + batch].tolist(), np.ones((len(part), 2)), part)
    return ids


def rows_at(ra, dec):
    return [{"s_ra": a, "s_dec": d} for a, d in zip(ra.tolist(), dec.tolist(), strict=True)]


def found(store, where):
    return {record.id for record in store.scroll(where)}


def test_a_hundred_thousand_positions(tmp_path):
    ra, dec = positions(100_000, seed=1)
    ids = fill(tmp_path, rows_at(ra, dec))
    with open_store(tmp_path) as store:
        for name, region in REGIONS.items():
            inside = region.contains(ra, dec)
            assert inside.any(), name
            assert found(store, Within(region)) == set(ids[inside]), name
            assert store.count(Not(Within(region))) == len(ids) - inside.sum(), name


def test_circles_against_astropy(tmp_path):
    ra, dec = positions(20_000, seed=2)
    ids = fill(tmp_path, rows_at(ra, dec))
    coordinates = SkyCoord(ra, dec, unit="deg")
    with open_store(tmp_path) as store:
        for place in [(0, 90), (10, 89.5), (0.01, 0), (180, 41), (150.1, 2.2)]:
            separation = coordinates.separation(SkyCoord(*place, unit="deg")).deg
            for radius in (1e-4, 0.03, 1, 20, 95):
                clear = np.abs(separation - radius) > 1e-9 + 2e-9 * radius
                hits = np.isin(ids, list(found(store, Within(Circle(*place, radius)))))
                assert (hits == (separation < radius))[clear].all(), (place, radius)


def footprint(rng, ra, dec, size):
    """Return a footprint at a position, in one of the forms that archives use."""
    centre = SkyCoord(ra, dec, unit="deg")
    turns = (np.arange(4) * 90 + rng.uniform(0, 90)) * u.deg
    corners = centre.directional_offset_by(turns, size * u.deg)
    pairs = " ".join(f"{c.ra.deg:.9f} {c.dec.deg:.9f}" for c in corners)
    kind = rng.integers(4)
    if kind == 0:
        return f"CIRCLE ICRS {ra:.9f} {dec:.9f} {size:.9f}"
    if kind == 1:
        return f"POLYGON GSC1 {pairs}"
    other = centre.directional_offset_by(40 * u.deg, 3 * size * u.deg)
    return (
        f"POLYGON J2000 {pairs} CIRCLE J2000 {other.ra.deg:.9f} {other.dec.deg:.9f} {size / 3:.9f}"
    )


@pytest.fixture(scope="module")
def outlined():
    """Rows with footprints, without, with one that cannot be read, and with nothing."""
    rng = np.random.default_rng(3)
    ra, dec = positions(1500, seed=4)
    rows = rows_at(ra, dec)
    for number, row in enumerate(rows):
        size = 10 ** rng.uniform(-3.5, 0.5)
        row["filters"] = str(rng.choice(["F814W", "F606W"]))
        if number % 10 < 8:
            row["s_region"] = footprint(rng, row["s_ra"], row["s_dec"], size)
        elif number % 10 == 8:
            row["s_region"] = "no footprint at all"
    return [*rows, {"filters": "F814W"}]


def is_met(region, row):
    text = row.get("s_region", "")
    if text.startswith(("POLYGON", "CIRCLE")):
        return overlaps(region, parse_footprint(text))
    return "s_ra" in row and bool(region.contains(row["s_ra"], row["s_dec"]))


def test_footprints(place, outlined):
    ids = fill(place, outlined)
    with open_store(place) as store:
        for name, region in REGIONS.items():
            met = np.array([is_met(region, row) for row in outlined])
            assert found(store, Overlaps(region)) == set(ids[met]), name
            within = [
                "s_ra" in row and bool(region.contains(row["s_ra"], row["s_dec"]))
                for row in outlined
            ]
            assert found(store, Within(region)) == set(ids[within]), name


def test_with_other_criteria(place, outlined):
    ids = fill(place, outlined)
    region = REGIONS["more than half"]
    is_wide = np.array([row["filters"] == "F814W" for row in outlined])
    met = np.array([is_met(region, row) for row in outlined])
    wide = Match("filters", ("F814W",))
    with open_store(place) as store:
        assert found(store, And((wide, Overlaps(region)))) == set(ids[is_wide & met])
        assert found(store, Or((wide, Overlaps(region)))) == set(ids[is_wide | met])
        assert found(store, And((wide, Not(Overlaps(region))))) == set(ids[is_wide & ~met])
        hits = store.search(np.ones(2), Overlaps(region), limit=len(ids))
        assert {hit.id for hit in hits} == set(ids[met])
        assert all(set(hit.payload) <= {"s_ra", "s_dec", "s_region", "filters"} for hit in hits)


def test_before_the_first_point(place):
    with open_store(place, mode="w") as store:
        assert list(store.scroll(Within(Box(0, 1, 0, 1)))) == []
        assert store.count(Overlaps(Box(0, 1, 0, 1))) == 0


def test_what_is_no_region():
    with pytest.raises(InvalidQueryError):
        Within("somewhere near Orion")
