from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table

from astro_paperclip.exceptions import TrainingError
from astro_paperclip.training import HeadRecipe
from astro_paperclip.training.head.captions import PART_TOKENS, caption_mixture

SENTENCES = [
    "The first sentence speaks of a distant galaxy.",
    "The second one of its many star clusters.",
    "The third one tells how they will be observed.",
    "The fourth one is about the filters and the time.",
    "The last one promises a paper.",
]
LONG = " ".join(SENTENCES)
SHORT = "A comet."


@pytest.fixture
def pairs():
    """Two pictures with one long caption, one with a short caption."""
    return Table({"image": ["a", "b", "c"], "text": [LONG, LONG, SHORT]})


def test_wholes_hold_what_fits_the_context(pairs, make_encoder):
    mixture = caption_mixture(pairs, make_encoder(context_length=20))
    wholes = [mixture.texts[number] for number in mixture.wholes]
    # Eight words each and the two marks: a third sentence would not fit into 20.
    assert wholes == [" ".join(SENTENCES[:2])] * 2 + [SHORT]


def test_parts_cover_the_caption_and_fit(pairs, make_encoder):
    encoder = make_encoder(context_length=20)
    mixture = caption_mixture(pairs, encoder)
    parts = [mixture.texts[number] for number in mixture.parts[0]]
    assert len(parts) > 2
    assert " ".join(parts) == LONG
    assert all(encoder.count_tokens(part) <= 20 for part in parts)
    np.testing.assert_array_equal(mixture.parts[0], mixture.parts[1])
    assert [mixture.texts[number] for number in mixture.parts[2]] == [SHORT]


def test_parts_are_short_where_the_context_is_long(make_encoder):
    encoder = make_encoder(context_length=1000)
    text = " ".join(SENTENCES * 5)
    mixture = caption_mixture(Table({"text": [text]}), encoder)
    assert mixture.texts[mixture.wholes[0]] == text
    parts = [mixture.texts[number] for number in mixture.parts[0]]
    assert " ".join(parts) == text
    assert all(encoder.count_tokens(part) <= PART_TOKENS for part in parts)
    # No part could take the next one's first sentence as well.
    for part, following in pairwise(parts):
        first = following.split(".")[0]
        assert encoder.count_tokens(f"{part} {first}") > PART_TOKENS


def test_equal_texts_are_kept_once(pairs, make_encoder):
    mixture = caption_mixture(pairs, make_encoder())
    assert len(mixture.texts) == len(set(mixture.texts))
    used = {*mixture.wholes, *mixture.titles, *np.concatenate(mixture.parts)}
    assert used == set(range(len(mixture.texts)))


def test_without_titles_the_whole_stands_in(pairs, make_encoder):
    mixture = caption_mixture(pairs, make_encoder())
    np.testing.assert_array_equal(mixture.titles, mixture.wholes)


def test_titles_where_there_are_any(pairs, make_encoder):
    pairs["title"] = MaskedColumn(["Galaxy  ", "never seen", " "], mask=[False, True, False])
    mixture = caption_mixture(pairs, make_encoder())
    assert mixture.texts[mixture.titles[0]] == "Galaxy"
    np.testing.assert_array_equal(mixture.titles[1:], mixture.wholes[1:])
    assert not any("never" in text for text in mixture.texts)


def test_shares_of_what_is_drawn(pairs, make_encoder):
    pairs["title"] = ["Galaxy", "Galaxy", "Comet"]
    mixture = caption_mixture(pairs, make_encoder(context_length=20))
    draws = 4000
    drawn = mixture.draw(np.repeat([0, 2], draws), np.random.default_rng(0))
    counts = Counter(drawn[:draws].tolist())
    n_parts = len(mixture.parts[0])
    expected = Counter({int(part): 0.4 / n_parts for part in mixture.parts[0]})
    expected[int(mixture.wholes[0])] += 0.3
    expected[int(mixture.titles[0])] += 0.3
    assert set(counts) == set(expected)
    for number, share in expected.items():
        assert counts[number] / draws == pytest.approx(share, abs=0.04)
    # The other row gets its own texts only.
    assert {mixture.texts[number] for number in drawn[draws:]} == {SHORT, "Comet"}


def test_same_generator_same_draw(pairs, make_encoder):
    mixture = caption_mixture(pairs, make_encoder())
    rows = np.tile([0, 1, 2], 20)
    first, again = (mixture.draw(rows, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(first, again)


class TestShares:
    """Kinds of captions that a recipe asks for."""

    @pytest.fixture
    def pairs(self, pairs):
        pairs["title"] = ["Galaxy", "Galaxy", "Comet"]
        pairs["summary"] = MaskedColumn(["galaxies; history", "", "x"], mask=[False, False, True])
        return pairs

    def drawn(self, pairs, encoder, shares, row):
        mixture = caption_mixture(pairs, encoder, shares)
        numbers = mixture.draw(np.full(400, row), np.random.default_rng(0))
        return Counter(mixture.texts[number] for number in numbers)

    @pytest.mark.parametrize(
        ("kind", "expected"),
        [("summary", "galaxies; history"), ("title", "Galaxy"), ("whole", " ".join(SENTENCES[:2]))],
    )
    def test_one_kind_only(self, pairs, make_encoder, kind, expected):
        encoder = make_encoder(context_length=20)
        assert self.drawn(pairs, encoder, {kind: 2.0}, 0) == {expected: 400}

    @pytest.mark.parametrize(("row", "caption"), [(1, LONG), (2, SHORT)])
    def test_the_whole_stands_in_for_a_summary(self, pairs, make_encoder, row, caption):
        encoder = make_encoder(context_length=1000)
        assert self.drawn(pairs, encoder, {"summary": 1.0}, row) == {caption: 400}

    def test_chunks_are_as_long_as_the_context_and_parts_are_not(self, make_encoder):
        encoder = make_encoder(context_length=2 * PART_TOKENS)
        text = " ".join(f"Here sentence {number} speaks of galaxies." for number in range(60))
        for kind, shortest, longest in (("part", 0, PART_TOKENS), ("chunk", PART_TOKENS, 128)):
            drawn = self.drawn(Table({"text": [text]}), encoder, {kind: 1.0}, 0)
            assert " ".join(sorted(drawn, key=text.index)) == text
            assert shortest < max(map(encoder.count_tokens, drawn)) <= longest

    def test_a_mixture(self, pairs, make_encoder):
        shares = {"summary": 1.0, "title": 3.0}
        drawn = self.drawn(pairs, make_encoder(context_length=1000), shares, 0)
        assert set(drawn) == {"galaxies; history", "Galaxy"}
        assert drawn["Galaxy"] / 400 == pytest.approx(0.75, abs=0.07)

    def test_texts_that_are_not_drawn_are_left_out(self, pairs, make_encoder):
        texts = caption_mixture(pairs, make_encoder(), {"title": 1.0}).texts
        assert "galaxies; history" not in texts


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"poem": 1.0}, "Unknown captions poem: use title, whole"),
        ({}, "one more than 0"),
        ({"title": 0.0}, "one more than 0"),
        ({"title": -1.0, "whole": 2.0}, "must be 0 or more"),
        ({"title": float("nan")}, "must be 0 or more"),
        ({"title": "often"}, "must be 0 or more"),
        ("title", "'title' must be shares by kind"),
    ],
)
def test_shares_without_sense_are_refused(shares, message):
    with pytest.raises(TrainingError, match=message):
        HeadRecipe(captions=shares)
