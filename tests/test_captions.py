"""Captions cut by whole sentences."""

import numpy as np
import pytest

from astro_paperclip.captions import chunk_sentences, cut_to_context, split_sentences
from astro_paperclip.pairs import read_pairs


def count_words(text):
    return len(text.split())


@pytest.mark.parametrize(
    "sentences",
    [
        ["We image NGC 1300.", "It is barred."],
        ["Smith et al. 2019 found it, i.e. At z = 3.5 and 10.5 Gyr (see Fig. 3 or Eq. 4)."],
        ["Is it real?", "Yes!", '"Never."', "(It is.)", "2 orbits suffice."],
        ["Following E. P. Hubble we look at M 31, approx. 2.5 million ly away.", "So what?"],
        ["ca. 10 stars vs. 12 stars cf. Table 1."],
        ["no capital letter. follows here"],
        ["One... and more."],
    ],
)
def test_sentences(sentences):
    assert split_sentences(" ".join(sentences)) == sentences


def test_empty_lines_end_sentences_and_line_breaks_do_not():
    assert split_sentences("A title\n\nFirst\nsentence. Second.\n \n") == [
        "A title",
        "First sentence.",
        "Second.",
    ]


@pytest.mark.parametrize("text", ["", "  \n\n "])
def test_nothing(text):
    assert split_sentences(text) == []
    assert cut_to_context(text, count_words, 5) == ""
    assert chunk_sentences(text, count_words, 5) == []


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (1, "One"),
        (2, "One two"),
        (3, "One two three."),
        (4, "One two three."),
        (5, "One two three. Four five."),
        (99, "One two three. Four five. Six seven eight nine."),
    ],
)
def test_cut(limit, expected):
    text = "One two three. Four five. Six seven eight nine."
    assert cut_to_context(text, count_words, limit) == expected


def test_chunks():
    text = "A one. B two. A sentence that is far too long for it. C three. D four."
    assert chunk_sentences(text, count_words, 4) == [
        "A one. B two.",
        "A sentence that is",
        "far too long for",
        "it. C three.",
        "D four.",
    ]


def test_word_that_is_too_long_is_cut():
    assert cut_to_context("abcdefgh ij. Kl.", len, 3) == "abc"
    chunks = chunk_sentences("abcdefgh ij. Kl.", len, 3)
    assert max(map(len, chunks)) == 3
    assert "".join("".join(chunks).split()) == "abcdefghij.Kl."


@pytest.mark.parametrize("seed", range(30))
def test_chunks_fit_and_cover_random_prose(seed):
    rng = np.random.default_rng(seed)
    words = rng.choice(["Galaxy", "dust.", "et", "al.", "3.5", "e.g.", "Why?", "\n\n", "x"], 80)
    text = " ".join(words)
    limit = int(rng.integers(1, 20))
    chunks = chunk_sentences(text, count_words, limit)
    assert " ".join(chunks) == " ".join(text.split())
    assert all(0 < count_words(chunk) <= limit for chunk in chunks)
    assert cut_to_context(text, count_words, limit) == chunks[0]
    sentences = split_sentences(text)
    if count_words(sentences[0]) <= limit:
        longest = max(
            n for n in range(len(sentences) + 1) if count_words(" ".join(sentences[:n])) <= limit
        )
        assert chunks[0] == " ".join(sentences[:longest])


def test_real_abstracts(shared):
    table = read_pairs(shared / "data/jwst_proposals/pairs.csv", check_images=False)
    abstracts = {row["text"] for row in table if row["text_kind"] == "abstract"}
    sentences = [sentence for text in abstracts for sentence in split_sentences(text)]
    lengths = np.array([count_words(sentence) for sentence in sentences])
    assert 15 < np.median(lengths) < 30
    assert np.mean(lengths < 4) < 0.02
