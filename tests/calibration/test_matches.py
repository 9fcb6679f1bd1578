"""What is returned of a ranking, against filtering all of it."""

import pytest

from astro_paperclip.calibration import best_matches, matches
from astro_paperclip.index import Hit

N_ROWS = 700


@pytest.fixture
def ranking():
    """Hits whose percentiles go up and down along the ranking."""
    return [
        Hit(
            f"{row:04d}",
            1 - row / N_ROWS,
            {"proposal_id": str(row % 5)},
            percentile=float((row * 37) % 101),
        )
        for row in range(N_ROWS)
    ]


@pytest.fixture
def search(ranking):
    def search(*, limit, offset, max_per_group):
        hits, seen = [], {}
        for hit in ranking:
            group = hit.payload["proposal_id"]
            seen[group] = seen.get(group, 0) + 1
            if max_per_group is None or seen[group] <= max_per_group:
                hits.append(Hit(hit.id, hit.score, hit.payload))
        return hits[offset : offset + limit]

    return search


@pytest.fixture
def calibrate(ranking):
    known = {hit.id: hit for hit in ranking}
    return lambda hits: [known[hit.id] for hit in hits]


@pytest.mark.parametrize("offset", [0, 4])
@pytest.mark.parametrize("limit", [1, 3, N_ROWS])
@pytest.mark.parametrize("percentile", [0, 60, 97, 100])
def test_all_that_reach_a_percentile_are_found(
    search, calibrate, ranking, percentile, limit, offset
):
    reaching = [hit for hit in ranking if hit.percentile >= percentile]
    found = best_matches(search, calibrate, limit=limit, offset=offset, threshold=f"{percentile}%")
    assert found.hits == reaching[offset : offset + limit]
    assert found.is_cut == (len(reaching) > offset + limit)
    assert found.depth is None


def test_proposals_are_counted_among_what_reaches_the_percentile(search, calibrate, ranking):
    expected, seen = [], {}
    for hit in ranking:
        if hit.percentile >= 90:
            group = hit.payload["proposal_id"]
            seen[group] = seen.get(group, 0) + 1
            if seen[group] <= 2:
                expected.append(hit)
    options = {"limit": N_ROWS, "offset": 0, "max_per_proposal": 2}
    assert best_matches(search, calibrate, threshold="90%", **options).hits == expected


@pytest.mark.parametrize(("limit", "is_cut"), [(5, True), (6, False), (7, False)])
def test_reading_stops_at_the_largest_depth_and_says_so(
    search, calibrate, ranking, monkeypatch, limit, is_cut
):
    monkeypatch.setattr(matches, "LARGEST_DEPTH", 300)
    reaching = [hit for hit in ranking[:300] if hit.percentile >= 98]
    assert len(reaching) > 6
    threshold = f"{sorted(hit.percentile for hit in reaching)[-6]}%"
    reaching = [hit for hit in reaching if hit.percentile >= float(threshold[:-1])]
    found = best_matches(search, calibrate, limit=limit, offset=0, threshold=threshold)
    assert found.hits == reaching[:limit]
    assert found.is_cut == (len(reaching) > limit)
    assert found.depth == (None if found.is_cut else 300)


def test_a_ranking_as_long_as_the_largest_depth_was_read_to_its_end(search, calibrate, monkeypatch):
    monkeypatch.setattr(matches, "LARGEST_DEPTH", N_ROWS)
    found = best_matches(search, calibrate, limit=N_ROWS, offset=0, threshold="99%")
    assert found.depth is None


def test_a_cosine_is_a_limit_of_the_score(search, calibrate, ranking):
    found = best_matches(search, calibrate, limit=10, offset=2, threshold=0.99)
    assert found.hits == [hit for hit in ranking if hit.score >= 0.99][2:12]
    assert not found.is_cut
    assert best_matches(search, calibrate, limit=2, offset=2, threshold=0.99).is_cut


def test_without_a_threshold_nothing_is_cut(search, calibrate, ranking):
    found = best_matches(search, calibrate, limit=4, offset=3)
    assert (found.hits, found.is_cut, found.depth) == (ranking[3:7], False, None)
