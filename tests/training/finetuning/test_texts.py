from collections import Counter, OrderedDict
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from astropy.table import MaskedColumn, Table

from astro_paperclip.exceptions import TrainingError
from astro_paperclip.training.finetuning.texts import KINDS, CaptionTexts
from astro_paperclip.training.head.captions import PART_TOKENS

SENTENCES = [
    "We propose deep imaging of the barred spiral galaxy NGC 1300.",
    "Its HII regions (e.g. those of the northern arm) aren't resolved from the ground.",
    "ACS will measure 2,500 clusters in F435W, F555W and F814W.",
    "Their ages & masses tell how the bar feeds the star formation.",
    "Does it stop near co-rotation?",
    "Simulations say so for most bars of that length, yet none has been observed at a distance "
    "where single clusters can be seen.",
    "We ask for eight orbits.",
]
LONG = " ".join(SENTENCES)
SHORT = "A comet. Its tail."


@pytest.fixture(params=["tiny_clip", "compact"])
def encoder(request):
    """An encoder with open_clip's own tokenizer and a native tower, and one with BERT's."""
    return request.getfixturevalue(request.param)


def texts_of(encoder, captions, shares, context=None, titles=None, summaries=None, **options):
    return CaptionTexts(captions, titles, summaries, shares, encoder, context, **options)


def chunks(encoder, sentences, limit):
    """Return what may be drawn: from each sentence on, all that fit when counted together."""
    found = []
    for start in range(len(sentences)):
        turned = sentences[start:] + sentences[:start]
        fitting = [
            " ".join(turned[:taken])
            for taken in range(1, len(turned) + 1)
            if encoder.count_tokens(" ".join(turned[:taken])) <= limit
        ]
        found.append(fitting[-1])
    return found


@pytest.mark.parametrize(("kind", "limit"), [("chunk", 40), ("chunk", 77), ("part", 77)])
def test_a_chunk_is_all_that_fits_from_a_random_sentence_on(encoder, kind, limit):
    texts = texts_of(encoder, [LONG], {kind: 1}, limit)
    expected = chunks(encoder, SENTENCES, min(limit, PART_TOKENS) if kind == "part" else limit)
    drawn = Counter(texts.draw(np.zeros(1400, int), np.random.default_rng(0)))
    assert set(drawn) == set(expected)
    for chunk in expected:
        assert drawn[chunk] / 1400 == pytest.approx(1 / len(SENTENCES), abs=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_a_caption_that_fits_is_not_turned_round(encoder, kind):
    texts = texts_of(encoder, [SHORT], {kind: 1}, 20)
    assert set(texts.draw(np.zeros(20, int), np.random.default_rng(0))) == {SHORT}


def test_a_whole_caption_begins_at_the_start(encoder):
    texts = texts_of(encoder, [LONG, SHORT], {"whole": 1}, 40)
    expected = [chunks(encoder, SENTENCES, 40)[0], SHORT]
    assert texts.draw(np.array([0, 1]), np.random.default_rng(0)) == expected
    assert texts.whole(np.array([1, 0])) == expected[::-1]


def test_only_a_sentence_that_is_too_long_is_cut(encoder):
    words = [f"word{number}" for number in range(60)]
    texts = texts_of(encoder, [" ".join(words)], {"chunk": 1}, 20)
    (drawn,) = texts.draw(np.array([0]), np.random.default_rng(0))
    kept = len(drawn.split())
    assert drawn.split() == words[:kept]
    assert encoder.count_tokens(drawn) <= 20
    assert encoder.count_tokens(" ".join(words[: kept + 1])) > 20


def test_without_a_limit_the_context_is_the_encoders(encoder):
    caption = " ".join(SENTENCES * 3)
    (whole,) = texts_of(encoder, [caption], {"whole": 1}).whole(np.array([0]))
    sentences = SENTENCES * 3
    assert whole == chunks(encoder, sentences, encoder.context_length)[0]
    assert texts_of(encoder, [caption], {"whole": 1}, 10_000).whole(np.array([0])) == [whole]


def test_rows_without_a_title_or_a_summary_give_chunks(tiny_clip):
    captions = [LONG, LONG, SHORT]
    shares = {"title": 1, "summary": 1}
    summaries = ["spiral galaxy, star clusters; ages of clusters", "", "comet; tails"]
    texts = texts_of(tiny_clip, captions, shares, 40, ["NGC 1300", None, " "], summaries)
    rng = np.random.default_rng(1)
    drawn = [set(texts.draw(np.full(200, row), rng)) for row in range(3)]
    assert drawn[0] == {"NGC 1300", summaries[0]}
    assert drawn[1] == set(chunks(tiny_clip, SENTENCES, 40))
    assert drawn[2] == {SHORT, "comet; tails"}


def test_long_titles_are_cut_to_the_context(tiny_clip):
    texts = texts_of(tiny_clip, [SHORT], {"title": 1}, 12, [" ".join(["galaxy"] * 50)])
    assert texts.draw(np.array([0]), np.random.default_rng(0)) == [" ".join(["galaxy"] * 10)]


def test_shares_of_what_is_drawn(tiny_clip):
    shares = {"title": 3, "whole": 0, "summary": 1}
    texts = texts_of(tiny_clip, ["c"], shares, None, ["t"], ["s"])
    drawn = Counter(texts.draw(np.zeros(4000, int), np.random.default_rng(0)))
    assert set(drawn) == {"t", "s"}
    assert drawn["t"] / 4000 == pytest.approx(0.75, abs=0.03)


def test_categories_stand_before_the_caption_as_its_first_sentence(tiny_clip):
    known = "Category: Galaxies. "
    captions = [LONG, LONG, known + LONG]
    texts = texts_of(tiny_clip, captions, {"chunk": 1}, 40, categories=["Galaxies", "", "Galaxies"])
    expected = set(chunks(tiny_clip, ["Category: Galaxies.", *SENTENCES], 40))
    rng = np.random.default_rng(0)
    for row, allowed in enumerate([expected, set(chunks(tiny_clip, SENTENCES, 40)), expected]):
        assert set(texts.draw(np.full(300, row), rng)) == allowed
    assert all(text.startswith(known + "We propose") for text in texts.whole(np.array([0, 2])))


def test_tables_may_lack_columns_and_values(tiny_clip):
    pairs = Table({"text": [SHORT, "A star."], "category": ["Comets", "Stars"]})
    pairs["title"] = MaskedColumn(["Comets", "never seen"], mask=[False, True])
    rows = np.array([0, 1])
    texts = CaptionTexts.from_table(pairs, {"title": 1}, tiny_clip)
    assert texts.draw(rows, np.random.default_rng(0)) == ["Comets", "A star."]
    prefixed = CaptionTexts.from_table(pairs, {"summary": 1}, tiny_clip, category_prefix=True)
    expected = [f"Category: Comets. {SHORT}", "Category: Stars. A star."]
    assert prefixed.draw(rows, np.random.default_rng(0)) == expected
    del pairs["category"]
    plain = CaptionTexts.from_table(pairs, {"whole": 1}, tiny_clip, category_prefix=True)
    assert plain.whole(rows) == [SHORT, "A star."]
    assert len(plain) == 2


def test_processes_that_share_a_batch_draw_what_one_would(tiny_clip):
    shares = {"chunk": 1, "part": 1, "title": 1}
    titles = ["NGC 1300", "", "comets", "a planet"]
    captions = [LONG, SHORT, LONG, SHORT]
    texts = texts_of(tiny_clip, captions, shares, 40, titles)
    rows = np.tile(np.arange(4), 10)
    all_of_them = texts.draw(rows, np.random.default_rng([5, 1]))
    first = texts.draw(rows, np.random.default_rng([5, 1]), slice(0, 20))
    second = texts.draw(rows, np.random.default_rng([5, 1]), slice(20, 40))
    assert first + second == all_of_them
    fresh = texts_of(tiny_clip, captions, shares, 40, titles)
    assert fresh.draw(rows, np.random.default_rng([5, 1])) == all_of_them
    assert texts.draw(rows, np.random.default_rng([5, 2])) != all_of_them


def test_nothing_but_the_given_generator_is_drawn_from(tiny_clip):
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    texts = texts_of(tiny_clip, [LONG], {"chunk": 1}, 40)
    texts.tokens(texts.draw(np.zeros(5, int), np.random.default_rng(0)))
    legacy, number = np.random.random(), torch.rand(1)  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    assert (np.random.random(), torch.rand(1)) == (legacy, number)  # noqa: NPY002


def test_tokens_are_the_tokenizers(encoder):
    texts = texts_of(encoder, [LONG], {"chunk": 1}, 40)
    drawn = ["planet", LONG[:40], "planet"]
    for _ in range(2):  # the second time they are known
        tokens = texts.tokens(drawn)
        whole = encoder.tokenizer(drawn)
        assert tokens.dtype == torch.int64
        torch.testing.assert_close(tokens, whole[:, : tokens.shape[1]], rtol=0, atol=0)
    if encoder.masks_padding:
        assert tokens.shape[1] == max(map(encoder.count_tokens, drawn))
        assert texts.tokens(["planet"]).shape == (1, encoder.count_tokens("planet"))
    else:
        assert tokens.shape == (3, encoder.context_length)


@torch.inference_mode()
def test_tokens_give_the_encoders_vectors(encoder):
    drawn = ["planet", SHORT, SENTENCES[1]]
    tokens = texts_of(encoder, drawn, {"whole": 1}, 60).tokens(drawn)
    vectors = torch.nn.functional.normalize(encoder.model.encode_text(tokens), dim=-1)
    np.testing.assert_allclose(vectors, encoder.encode_texts(drawn), atol=1e-5)


def test_texts_that_were_forgotten_are_read_again(compact, monkeypatch):
    monkeypatch.setattr("astro_paperclip.training.finetuning.texts._KEPT_TOKENS", 2)
    texts = texts_of(compact, [LONG], {"chunk": 1})
    drawn = ["one", "two stars", "three", "four"]
    for part in (drawn, drawn[:2], drawn[::-1]):
        expected = compact.tokenizer(part)
        tokens = texts.tokens(part)
        torch.testing.assert_close(tokens, expected[:, : tokens.shape[1]], rtol=0, atol=0)


def test_threads_do_not_disturb_each_other(compact, monkeypatch):
    captions = [" ".join(np.roll(SENTENCES, turn)) for turn in range(7)]
    texts = texts_of(compact, captions, {"chunk": 1}, 40)
    rows = np.arange(21) % 7

    def work(step):
        return texts.tokens(texts.draw(rows, np.random.default_rng(step)))

    with ThreadPoolExecutor(4) as threads:
        working = [threads.submit(work, step) for step in range(12)]
        vectors = [compact.encode_texts([SHORT, LONG]) for _ in range(12)]
    monkeypatch.setattr(texts, "_tokens", OrderedDict())
    for step, future in enumerate(working):
        assert torch.equal(future.result(), work(step))
    assert all(np.array_equal(vector, vectors[0]) for vector in vectors)


class Counting:
    """A caption column that tells which rows were read."""

    def __init__(self, length):
        self.length, self.read = length, []

    def __len__(self):
        return self.length

    def __getitem__(self, row):
        self.read.append(row)
        return f"Caption {row}. It has two sentences."


def test_only_rows_that_are_drawn_are_read(tiny_clip):
    column = Counting(10**12)
    texts = texts_of(tiny_clip, column, {"chunk": 1}, 40)
    assert column.read == []
    row = 10**11
    assert texts.draw(np.array([row]), np.random.default_rng(0))[0].startswith(f"Caption {row}")
    assert set(column.read) == {row}


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"abstract": 1.0}, "Unknown captions abstract: use whole, chunk, part, title, summary"),
        ({}, "one more than 0"),
        ({"chunk": 0}, "one more than 0"),
        ({"chunk": 1, "title": -0.1}, "must be 0 or more"),
        ({"chunk": float("nan")}, "must be 0 or more"),
    ],
)
def test_shares_that_make_no_sense(tiny_clip, shares, message):
    with pytest.raises(TrainingError, match=message):
        texts_of(tiny_clip, [SHORT], shares)


def test_sequences_of_other_lengths(tiny_clip):
    with pytest.raises(TrainingError, match="2 texts do not fit 1 of 'summary'"):
        texts_of(tiny_clip, [SHORT, LONG], {"chunk": 1}, None, ["t", "t"], ["s"])


def test_a_context_without_room(tiny_clip):
    with pytest.raises(TrainingError, match=r"No word fits into 2 tokens.*up to 77"):
        texts_of(tiny_clip, [SHORT], {"chunk": 1}, 2)
