"""Regions of the sky in filters, against shapes that are asked about every point."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from astro_paperclip.criteria import And, Match, Not, Or, Overlaps, Within
from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.index import open_store, point_id, regions
from astro_paperclip.sky import Box, Circle

from .sky import REGIONS, footprint, is_met, positions, rows_at


def fill(place, rows, batch=20_000):
    """Store rows, and return their ids."""
    ids = np.array([point_id(f"{row}.jpg") for row in range(len(rows))])
    with open_store(place, mode="w") as store:
        for start in range(0, len(rows), batch):
            part = rows[start : start + batch]
            store.upsert(ids[start : start + batch].tolist(), np.ones((len(part), 2)), part)
    return ids


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


def test_what_is_stored_later_is_found_in_a_region_that_was_asked_for(place, outlined):
    region = REGIONS["more than half"]
    half = len(outlined) // 2
    ids = np.array([point_id(f"{row}.jpg") for row in range(len(outlined))])
    met = np.array([is_met(region, row) for row in outlined])
    with open_store(place, mode="w") as store:
        store.upsert(ids[:half].tolist(), np.ones((half, 2)), outlined[:half])
        assert found(store, Overlaps(region)) == set(ids[:half][met[:half]])
        rest = outlined[half:]
        store.upsert(ids[half:].tolist(), np.ones((len(rest), 2)), rest)
        assert found(store, Overlaps(region)) == set(ids[met])
    with open_store(place) as store:
        for _ in range(2):
            assert found(store, Overlaps(region)) == set(ids[met])


class Contended(dict):
    """What is kept of regions where other threads throw it out again at once."""

    def __setitem__(self, node, found):
        super().__setitem__(node, found)
        self.clear()


def test_other_threads_search_other_regions(place, outlined):
    ids = fill(place, outlined)
    with open_store(place) as store:
        store._known_regions = Contended()
        for name in ("octant", "union"):
            met = np.array([is_met(REGIONS[name], row) for row in outlined])
            assert found(store, Overlaps(REGIONS[name])) == set(ids[met]), name


def test_more_regions_than_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(regions, "_KEPT_REGIONS", 3)
    ids = fill(tmp_path, rows_at(np.arange(0.5, 360), np.zeros(360)))
    with open_store(tmp_path) as store:
        for start in [*range(5), *range(5)]:
            assert found(store, Within(Box(start, start + 2, -1, 1))) == set(ids[start : start + 2])
        assert len(store._known_regions) == 3


def test_before_the_first_point(place):
    with open_store(place, mode="w") as store:
        assert list(store.scroll(Within(Box(0, 1, 0, 1)))) == []
        assert store.count(Overlaps(Box(0, 1, 0, 1))) == 0


def test_what_is_no_region():
    with pytest.raises(InvalidQueryError):
        Within("somewhere near Orion")
