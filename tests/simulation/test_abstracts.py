"""The grammar of titles and abstracts."""

import numpy as np
import pytest

from astro_paperclip.simulation import KINDS
from astro_paperclip.simulation.abstracts import (
    WORDS,
    expand,
    load_vocabulary,
    write_abstract,
    write_title,
)

SETUP = {"instrument": "ACS/WFC", "filters": ["F606W", "F814W"], "targets": 4}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def many(kind, number, **options):
    rng = np.random.default_rng(1)
    return [write_abstract(kind, rng, **SETUP, **options) for _ in range(number)]


def test_choices_are_all_made(rng):
    worded = {expand("[a|the [old|new]] {thing}", rng, {"thing": "star"}) for _ in range(60)}
    assert worded == {"A star", "The old star", "The new star"}


def test_missing_slot_is_an_error(rng):
    with pytest.raises(KeyError, match="orbits"):
        expand("{orbits} orbits", rng)


def sentences():
    vocabulary = load_vocabulary()
    for part in (vocabulary["common"], *vocabulary["kind"].values()):
        for value in part.values():
            if isinstance(value, list):
                yield from (sentence for sentence in value if " " in sentence)


def test_every_sentence_is_well_formed(rng):
    slots = {"instrument": "ACS", "filters": "F606W", "number": "four", "orbits": "7"}
    for template in sentences():
        for _ in range(5):
            worded = expand(template, rng, slots)
            assert not set(worded) & set("[]{}|"), template
            assert "  " not in worded, template
            assert worded[0].isupper(), template
            assert worded == worded.strip(), template


def test_the_grammar_knows_the_kinds():
    kinds = load_vocabulary()["kind"]
    assert set(kinds) == set(KINDS)
    for kind, traits in kinds.items():
        assert traits["partner"] in kinds
        assert traits["partner"] != kind
        for part in ("titles", "motivation", "targets", "analysis", "results"):
            assert len(traits[part]) >= 2


@pytest.mark.parametrize("kind", KINDS)
def test_abstracts_are_long_different_and_more_than_a_name(kind):
    abstracts = many(kind, 60)
    assert len(set(abstracts)) == 60
    lengths = [len(abstract.split()) for abstract in abstracts]
    assert WORDS[0] <= min(lengths)
    assert max(lengths) <= WORDS[1]
    # Most are about the object without its usual name.
    named = [kind in abstract.lower() for abstract in abstracts]
    assert np.mean(named) < 0.6
    titles = {write_title(kind, np.random.default_rng(seed)) for seed in range(40)}
    assert len(titles) > 8


@pytest.mark.parametrize("kind", KINDS)
def test_a_partner_is_described_too(kind):
    partner = load_vocabulary()["kind"][kind]["partner"]
    lengths = [len(abstract.split()) for abstract in many(kind, 40, partner=partner)]
    assert WORDS[0] <= min(lengths)
    assert max(lengths) <= WORDS[1]


def test_abstracts_name_the_instrument_and_filters():
    for abstract in many("comet", 20):
        assert "F606W and F814W" in abstract
        assert "ACS/WFC" in abstract


def test_abstracts_share_words_within_a_kind_but_not_only_there():
    """Words tell the kinds apart, though abstracts of all kinds have sentences in common."""
    known = {kind: many(kind, 25) for kind in KINDS}
    asked = {kind: write_abstract(kind, np.random.default_rng(99), **SETUP) for kind in KINDS}
    words = sorted({word for texts in known.values() for text in texts for word in text.split()})
    index = {word: number for number, word in enumerate(words)}

    def vector(text):
        counts = np.zeros(len(words))
        for word in text.split():
            if word in index:
                counts[index[word]] += 1
        return counts

    documents = np.array([sum(vector(text) for text in known[kind]) for kind in KINDS])
    weights = np.log(len(KINDS) / (documents > 0).sum(axis=0))
    documents = documents * weights
    documents /= np.linalg.norm(documents, axis=1)[:, None]
    right = [
        KINDS[int(np.argmax(documents @ (vector(text) * weights)))] == kind
        for kind, text in asked.items()
    ]
    assert np.mean(right) > 0.9
    # Words that abstracts of every kind hold weigh nothing.
    assert np.sum(weights == 0) > 50
