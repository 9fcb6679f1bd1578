"""Percentiles against counting by hand."""

import numpy as np
import pytest

from astro_paperclip.calibration import Bank, score_percentiles

DIMENSION = 6


def directions(count, seed):
    vectors = np.random.default_rng(seed).normal(size=(count, DIMENSION))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def texts():
    return Bank(directions(57, 1))


@pytest.fixture
def images():
    return Bank(directions(40, 2), tuple(f"point {row}" for row in range(40)))


@pytest.fixture
def rows():
    return directions(9, 3)


def test_a_query_of_one_text(texts, rows):
    query = directions(1, 4)[0]
    found = score_percentiles(rows @ query, rows, [(1.0, "text")], {"text": texts})
    expected = [
        100 * sum(row @ other < row @ query for other in texts.vectors) / 57 for row in rows
    ]
    np.testing.assert_allclose(found, expected)
    assert found.dtype == np.float64
    assert len(set(found)) > 3


def test_rows_of_the_bank_are_left_out_of_their_own_comparison(images):
    query = directions(1, 5)[0]
    rows = images.vectors[:7]
    found = score_percentiles(
        rows @ query, rows, [(1.0, "image")], {"image": images}, images.ids[:7]
    )
    expected = [
        100 * sum(row @ o < row @ query for p, o in enumerate(images.vectors) if p != place) / 39
        for place, row in enumerate(rows)
    ]
    np.testing.assert_allclose(found, expected)


def test_a_query_that_is_in_the_bank_is_not_worse_than_itself(texts, rows):
    # An engine rounds scores to float32.
    scores = (rows @ texts.vectors[0]).astype(np.float32) + np.float32(1e-7)
    found = score_percentiles(scores, rows, [(1.0, "text")], {"text": texts})
    others = texts.vectors[1:]
    expected = [100 * sum(row @ o < row @ texts.vectors[0] for o in others) / 57 for row in rows]
    np.testing.assert_allclose(found, expected)


def test_a_sum_is_compared_with_sums_of_the_same_form(texts, images, rows):
    """The bank of the sum is known by what it does to rows that tell its terms apart."""
    terms = [(1.0, "text"), (-0.5, "image")]
    banks = {"text": Bank(np.eye(DIMENSION)[:1]), "image": Bank(np.eye(DIMENSION)[1:2], ("x",))}
    other = (np.eye(DIMENSION)[0] - 0.5 * np.eye(DIMENSION)[1]) / np.hypot(1, 0.5)
    for shift, expected in ((1e-3, 100.0), (-1e-3, 0.0)):
        found = score_percentiles(rows @ other + shift, rows, terms, banks)
        np.testing.assert_array_equal(found, expected)
    found = score_percentiles(np.full(9, 2.0), rows, terms, {"text": texts, "image": images})
    np.testing.assert_array_equal(found, 100.0)


def test_weights_count_by_their_ratio_only(texts, images, rows):
    banks, query = {"text": texts, "image": images}, directions(1, 6)[0]
    scores = rows @ query
    light, heavy = (
        score_percentiles(scores, rows, [(w, "text"), (-w / 3, "image")], banks) for w in (1, 50)
    )
    np.testing.assert_array_equal(light, heavy)


def test_a_small_weight_changes_little_and_a_large_one_all(texts, images, rows):
    banks, scores = {"text": texts, "image": images}, rows @ directions(1, 7)[0]
    one = score_percentiles(scores, rows, [(1.0, "text")], banks)
    almost = score_percentiles(scores, rows, [(1.0, "text"), (1e-9, "image")], banks)
    np.testing.assert_array_equal(almost, one)
    against = score_percentiles(scores, rows, [(-1.0, "text")], banks)
    expected = 100 * np.mean(-(rows @ texts.vectors.T) < scores[:, np.newaxis], axis=1)
    np.testing.assert_allclose(against, expected)


def test_equal_terms_are_not_replaced_by_one_text_twice(texts, rows):
    """Sums of two texts are shorter than their parts, so that scores lie nearer to zero."""
    scores = np.full(9, 0.5)
    once = score_percentiles(scores, rows, [(1.0, "text")], {"text": texts})
    twice = score_percentiles(scores, rows, [(1.0, "text")] * 2, {"text": texts})
    assert (once != twice).any()
    # A difference of a text and itself would have no direction.
    both = score_percentiles(scores, rows, [(1.0, "text"), (-1.0, "text")], {"text": texts})
    assert np.isfinite(both).all()


def test_percentiles_are_the_same_each_time(texts, rows):
    terms, scores = [(1.0, "text"), (1.0, "text")], np.full(9, 0.3)
    first, second = (score_percentiles(scores, rows, terms, {"text": texts}) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("terms", [[(1.0, "image")], [(1.0, "text"), (1.0, "image")]])
def test_without_anything_to_compare_with_nothing_is_said(texts, rows, terms):
    banks = {"text": texts, "image": Bank(np.empty((0, DIMENSION)))}
    assert np.isnan(score_percentiles(np.ones(9), rows, terms, banks)).all()
    alone = Bank(rows[:1], ("a",))
    found = score_percentiles([0.5], rows[:1], [(1.0, "image")], {"image": alone}, ["a"])
    assert np.isnan(found).all()
