"""Search for words, against BM25 worked out in plain Python."""

import math

import numpy as np
import pytest

from astro_paperclip.criteria import Match, Not
from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.index import open_store, point_id

#: Words that are their own stems.
WORDS = ["quasar", "nebula", "comet", "disk", "jet", "halo", "dust", "star"]
ROWS = 60
K, B, MEAN_LENGTH = 1.2, 0.75, 256


@pytest.fixture(scope="module")
def rows():
    """Rows of random words; the rarer ones are rarer everywhere."""
    rng = np.random.default_rng(7)
    share = np.array([1, 2, 3, 4, 6, 8, 10, 12]) / 46
    rows = []
    for number in range(ROWS):
        words = rng.choice(WORDS, size=rng.integers(1, 30), p=share).tolist()
        half = len(words) // 2
        rows.append({"title": " ".join(words[:half]), "abstract": " ".join(words[half:])})
        rows[-1]["filters"] = "F814W" if number % 3 else "F606W"
    return rows


IDS = [point_id(f"{number}.jpg") for number in range(ROWS)]


def fill(place, rows):
    with open_store(place, mode="w") as store:
        store.upsert(IDS[: len(rows)], np.ones((len(rows), 2)), rows)


def expected(rows, *asked, keep=lambda row: True):
    """Return ids and scores of the rows that have one of the words, best first."""
    texts = [f"{row['title']} {row['abstract']}".split() for row in rows]
    scored = []
    for id_, row, text in zip(IDS, rows, texts, strict=True):
        score = 0
        for word in asked:
            holders = sum(word in other for other in texts)
            rarity = math.log(1 + (len(rows) - holders + 0.5) / (holders + 0.5))
            often = text.count(word)
            score += rarity * often * (K + 1) / (often + K * (1 - B + B * len(text) / MEAN_LENGTH))
        if score > 0 and keep(row):
            scored.append((id_, score))
    scored.sort(key=lambda pair: (-round(pair[1], 5), pair[0]))
    return scored


def test_ranking(place, rows):
    fill(place, rows)
    with open_store(place) as store:
        for asked in [("quasar",), ("comet", "nebula"), ("star", "jet", "halo")]:
            ranked = expected(rows, *asked)
            hits = store.search_words(" ".join(asked), limit=ROWS)
            assert len(ranked) > 5
            np.testing.assert_allclose([h.score for h in hits], [s for _, s in ranked], rtol=1e-4)
            assert {hit.id for hit in hits} == {id_ for id_, _ in ranked}
        best = store.search_words("quasar", limit=3)
        rest = store.search_words("quasar", limit=ROWS, offset=3)
        assert best + rest == store.search_words("quasar", limit=ROWS)
        assert best[0].payload == rows[IDS.index(best[0].id)]


def test_with_other_criteria(place, rows):
    fill(place, rows)
    where = Not(Match("filters", ("F814W",)))
    ranked = expected(rows, "comet", keep=lambda row: row["filters"] == "F606W")
    with open_store(place) as store:
        hits = store.search_words("comet", where, limit=ROWS)
    assert {hit.id for hit in hits} == {id_ for id_, _ in ranked}


def test_equal_scores_by_id(place):
    fill(place, [{"title": "comet"}] * 20)
    with open_store(place) as store:
        for limit, offset in [(1, 0), (7, 3), (20, 0)]:
            found = [hit.id for hit in store.search_words("comets", limit=limit, offset=offset)]
            assert found == sorted(IDS[:20])[offset : offset + limit]


def test_which_columns_count(place):
    columns = ["title", "obs_title", "text", "abstract", "summary", "target_name", "filters"]
    fill(place, [{column: "comet"} for column in columns])
    with open_store(place) as store:
        hits = store.search_words("The Comets of", limit=20)
        assert sorted(next(iter(hit.payload)) for hit in hits) == sorted(columns[:-1])
        assert store.search_words("galaxy") == []


def test_a_text_in_two_columns_counts_once(place):
    fill(place, [{"title": "comet", "text": "comet"}, {"title": "comet"}])
    with open_store(place) as store:
        one, other = store.search_words("comet")
    assert one.score == other.score


@pytest.mark.parametrize("text", ["", "the of and", "!?", None])
def test_nothing_to_look_for(place, rows, text):
    fill(place, rows[:2])
    with open_store(place) as store, pytest.raises(InvalidQueryError, match="no word to search"):
        store.search_words(text)


def test_before_the_first_point(place):
    with open_store(place, mode="w") as store:
        assert store.search_words("comet") == []


def test_rows_without_texts_are_stored(place):
    fill(place, [{"filters": "F814W"}, {}])
    with open_store(place) as store:
        assert store.count() == 2
        assert store.search_words("comet") == []


def test_a_row_that_is_stored_again_has_its_new_words(place):
    fill(place, [{"title": "comet"}])
    fill(place, [{"title": "quasar"}])
    with open_store(place) as store:
        assert store.search_words("comet") == []
        assert [hit.id for hit in store.search_words("quasars")] == IDS[:1]
