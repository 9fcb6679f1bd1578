"""The order in which a model that is told what to say puts results."""

import json
import re

import numpy as np
import pytest
from astropy.table import Table

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.language import LanguageModel, rerank
from astro_paperclip.results import PaperclipResult


def rating_model(ratings):
    """Return a model that rates by the title; a list has a rating for each seed."""

    def model(prompt, schema, seed):
        (title,) = re.findall(r"title-(\w)", prompt)
        rating = ratings[title]
        rating = rating[seed] if isinstance(rating, list) else rating
        return json.dumps({"rating": rating})

    return LanguageModel(model)


@pytest.fixture
def results():
    return Table(
        {
            "rank": [1, 2, 3, 4],
            "score": [0.4, 0.3, 0.2, 0.1],
            "title": [f"title-{letter}" for letter in "abcd"],
        }
    )


def titles(table):
    return "".join(title[-1] for title in table["title"])


def test_the_best_come_first(results):
    found = rerank(results, "q", rating_model({"a": 2, "b": 9, "c": 5, "d": 9}), samples=1)
    assert titles(found) == "bdca"
    assert list(found["rating"]) == [9, 9, 5, 2]
    assert list(found["rank"]) == [1, 2, 3, 4]
    assert list(found["score"]) == [0.3, 0.1, 0.2, 0.4]
    assert titles(results) == "abcd"
    assert "rating" not in results.colnames


def test_only_the_first_are_rated(results):
    found = rerank(results, "q", rating_model({"a": 1, "b": 10}), first=2, samples=1)
    assert titles(found) == "bacd"
    assert np.isnan(found["rating"][2:]).all()


def test_the_mean_of_the_samples_counts(results):
    ratings = {"a": [6, 6, 6], "b": [10, 1, 1], "c": [5, 7, 8], "d": [6, 6, 7]}
    found = rerank(results, "q", rating_model(ratings), samples=3)
    assert titles(found) == "cdab"
    np.testing.assert_allclose(found["rating"], [20 / 3, 19 / 3, 6, 4])


@pytest.mark.parametrize("wrong", [0, 11, 5.5, "high"])
def test_what_is_no_rating_comes_last(results, wrong):
    found = rerank(results, "q", rating_model({"a": wrong, "b": 1, "c": 2, "d": 3}))
    assert titles(found) == "dcba"
    assert np.isnan(found["rating"][3])


def test_results_stay_results(results):
    found = rerank(PaperclipResult(results), "q", rating_model(dict.fromkeys("abcd", 5)))
    assert isinstance(found, PaperclipResult)


def test_no_results(results):
    assert len(rerank(results[:0], "q", rating_model({}))) == 0


@pytest.mark.parametrize("number", ["first", "samples"])
def test_numbers_below_one(results, number):
    with pytest.raises(InvalidQueryError, match=number):
        rerank(results, "q", rating_model({}), **{number: 0})


def test_nothing_to_read(results):
    with pytest.raises(InvalidQueryError, match="no column abstract"):
        rerank(results, "q", rating_model({}), text_columns=["abstract"])
