"""Results in the order in which a language model rates them."""

import json
import re

import numpy as np
import pytest

from astro_paperclip import Like, PaperclipMastClass
from astro_paperclip.columns import CONTRACT_COLUMNS
from astro_paperclip.exceptions import InvalidQueryError, LanguageModelError, NoResultsWarning
from astro_paperclip.index import Hit
from astro_paperclip.language import LanguageModel, loading
from astro_paperclip.searching import Found

TITLES = [f"title-{letter}" for letter in "abcde"]


class Service:
    """Finds five observations, whatever is asked."""

    def search(
        self, likes, where=None, *, limit, offset=0, score_threshold=None, max_per_proposal=None
    ):
        hits = [
            Hit(title, 1 - row / 10, {"obsid": row + 1, "title": title})
            for row, title in enumerate(TITLES)
        ]
        return [Found(hits[offset : offset + limit]) for _ in likes]

    def info(self):
        return {}

    def close(self):
        pass


class Rater:
    """Likes later letters better, and keeps the questions."""

    def __init__(self):
        self.prompts = []

    def __call__(self, prompt, schema, seed):
        self.prompts.append(prompt)
        (letter,) = re.findall(r"title-(\w)", prompt)
        return json.dumps({"rating": 1 + "abcde".index(letter)})


@pytest.fixture
def paperclip(monkeypatch):
    with PaperclipMastClass("/here") as made:
        monkeypatch.setattr(made, "_opened", lambda location: Service())
        yield made


@pytest.fixture
def refusing():
    """Give an instance that must not open anything."""
    with PaperclipMastClass("/here") as made:
        made._opened = lambda location: pytest.fail("something was opened")
        yield made


def test_the_best_rated_come_first(paperclip):
    rater = Rater()
    result = paperclip.query_text("a galaxy", limit=4, rerank=rater)
    assert result["title"].tolist() == TITLES[3::-1]
    assert result["rating"].tolist() == [4, 3, 2, 1]
    assert result["rank"].tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(result["score"], [0.7, 0.8, 0.9, 1])
    assert "a galaxy" in rater.prompts[0]
    assert len(result.searches) == 1


def test_off_by_default(paperclip):
    result = paperclip.query_text("a galaxy")
    assert result["title"].tolist() == TITLES
    assert "rating" not in result.colnames
    assert "rerank" not in result.query


@pytest.mark.parametrize(
    ("like", "words"),
    [
        (2 * Like("spiral galaxy"), "spiral galaxy"),
        (Like("a") - 0.5 * Like("b") + "c" - Like(similar_to=3), "a, c, not b"),
        ('- "a"', "not a"),
    ],
)
def test_the_model_is_told_what_is_wanted_and_what_is_not(paperclip, like, words):
    rater = Rater()
    paperclip.query_text(like, rerank=rater)
    assert f"\n{words}\n" in rater.prompts[0]


def test_each_of_a_list_is_rated_by_its_own_words(paperclip):
    rater = Rater()
    results = paperclip.query_text(["a galaxy", "a comet"], limit=2, rerank=rater)
    assert [result["rating"].tolist() for result in results] == [[2, 1], [2, 1]]
    assert sum("a comet" in prompt for prompt in rater.prompts) == len(rater.prompts) / 2


def test_selected_columns_have_the_rating(paperclip):
    result = paperclip.query_criteria(text="a galaxy", select_cols="s_ra", rerank=Rater())
    assert result.colnames == [*CONTRACT_COLUMNS, "rating", "s_ra"]
    assert result["obsid"][0] == "5"
    rater = Rater()
    with pytest.raises(InvalidQueryError, match="no column 'titl'"):
        paperclip.query_text("a galaxy", select_cols="titl", rerank=rater)
    assert rater.prompts == []


def test_nothing_found(paperclip):
    with pytest.warns(NoResultsWarning):
        assert len(paperclip.query_text("a galaxy", offset=9, rerank=Rater())) == 0


@pytest.mark.parametrize(
    "query",
    [
        lambda paperclip: paperclip.query_text(Like(similar_to=3), rerank=Rater()),
        lambda paperclip: paperclip.query_text(["a", Like(similar_to=3)], rerank=Rater()),
        lambda paperclip: paperclip.query_criteria(similar_to=3, rerank=Rater()),
    ],
)
def test_a_query_without_words_is_refused_before_any_work(refusing, query):
    with pytest.raises(InvalidQueryError, match=r"rerank needs words.*similar to 3"):
        query(refusing)


def test_a_list_without_a_ranking_is_not_rated(refusing):
    with pytest.raises(InvalidQueryError, match="needs something to compare with"):
        refusing.query_criteria(obsid="3", rerank="some/model")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (5, "neither a model of outlines nor a function"),
        ("https://user:secret@host/v1", "holds a user or a password"),
        ("ftp://host/v1", "no address of a server"),
    ],
)
@pytest.mark.parametrize("get_query_payload", [True, False])
def test_what_is_no_model_is_refused_before_any_work(refusing, wrong, message, get_query_payload):
    with pytest.raises(LanguageModelError, match=message) as caught:
        refusing.query_text("a", rerank=wrong, get_query_payload=get_query_payload)
    assert "secret" not in str(caught.value)


def test_provenance_names_the_model(paperclip, monkeypatch):
    model = LanguageModel(Rater(), "the-rater")
    result = paperclip.query_text("a galaxy", rerank=model)
    assert result.query["rerank"] == "the-rater"
    assert result.query == paperclip.query_text("a galaxy", rerank=model, get_query_payload=True)
    address = "http://localhost:8000/v1#rater"
    payload = paperclip.query_text("a galaxy", rerank=address, get_query_payload=True)
    assert payload["rerank"] == address


def test_a_model_is_loaded_once(paperclip, monkeypatch):
    loaded = []

    def load(name, device):
        loaded.append(name)
        return Rater()

    monkeypatch.setattr(loading, "_local", load)
    for _ in range(2):
        assert paperclip.query_text("a", rerank="some/model").query["rerank"] == "some/model"
    paperclip.query_text("a", rerank="another/model")
    assert loaded == ["some/model", "another/model"]
