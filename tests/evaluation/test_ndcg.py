"""nDCG against scikit-learn, against all orders of tied items, and by hand."""

from itertools import permutations

import numpy as np
import pytest

from astro_paperclip.evaluation import ndcg, relevance_matrix


def loop_ndcg(relevance, order, k):
    """Return nDCG by its definition, for items in a given order."""

    def gain(items):
        return sum((2**r - 1) / np.log2(place + 2) for place, r in enumerate(items[:k]))

    return gain([relevance[item] for item in order]) / gain(sorted(relevance, reverse=True))


@pytest.mark.parametrize("k", [1, 3, 10, 50])
def test_definition(k):
    rng = np.random.default_rng(k)
    relevance, scores = rng.uniform(0, 3, (6, 20)), rng.normal(size=(6, 20))
    expected = [
        loop_ndcg(list(r), np.argsort(-s), k) for r, s in zip(relevance, scores, strict=True)
    ]
    assert ndcg(relevance, scores, k) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(4))
def test_scikit_learn(seed):
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    relevance = rng.integers(0, 4, (30, 25)) / 3
    scores = rng.integers(0, 6, (30, 25)).astype(float)  # many ties
    for k in (1, 5, 10):
        expected = metrics.ndcg_score(2**relevance - 1, scores, k=k)
        assert np.mean(ndcg(relevance, scores, k)) == pytest.approx(expected)


def test_ties_count_as_the_mean_over_their_orders():
    relevance = [1.0, 0.0, 0.5, 0.2, 0.9]
    scores = [2.0, 2.0, 2.0, 5.0, 1.0]
    expected = np.mean([loop_ndcg(relevance, [3, *tied, 4], 3) for tied in permutations(range(3))])
    assert ndcg([relevance], [scores], 3) == pytest.approx([expected])


def test_by_hand():
    found = ndcg([[1, 0, 1, 0]], [[4, 3, 2, 1]], k=10)
    assert found == pytest.approx([(1 + 1 / 2) / (1 + 1 / np.log2(3))])


def test_items_without_judgement_are_left_out():
    relevance = np.array([[1.0, np.nan, 0.5, 0.0]])
    scores = np.array([[2.0, 9.0, 1.0, 3.0]])
    known = [0, 2, 3]
    assert ndcg(relevance, scores) == pytest.approx(ndcg(relevance[:, known], scores[:, known]))


def test_nothing_relevant():
    assert np.isnan(ndcg([[0, 0], [1, 0]], [[1, 2], [2, 1]])).tolist() == [True, False]
    assert np.isnan(ndcg([[np.nan, np.nan]], [[1, 2]])).all()


@pytest.mark.parametrize(
    ("relevance", "scores", "k", "message"),
    [
        ([[1, 2]], [[1, 2, 3]], 1, r"\(1, 2\) and scores \(1, 3\)"),
        ([1, 2], [1, 2], 1, "one shape"),
        ([[-1, 2]], [[1, 2]], 1, "0 or above"),
        ([[np.inf, 2]], [[1, 2]], 1, "finite"),
        ([[1, 2]], [[np.nan, 2]], 1, "Scores must be finite"),
        ([[1, 2]], [[1, 2]], 0, "k=0"),
    ],
)
def test_bad_input(relevance, scores, k, message):
    with pytest.raises(ValueError, match=message):
        ndcg(relevance, scores, k)


def test_long_table():
    matrix, queries, items = relevance_matrix(
        ["ring", "bar", "ring"], ["b.png", "a.png", "a.png"], [0.2, 0.9, 0]
    )
    assert (queries, items) == (["ring", "bar"], ["b.png", "a.png"])
    np.testing.assert_array_equal(matrix, [[0.2, 0], [np.nan, 0.9]])
    filled, *_ = relevance_matrix(["ring", "bar"], ["a", "b"], [1, 1], missing=0)
    np.testing.assert_array_equal(filled, np.eye(2))


def test_faulty_long_table():
    with pytest.raises(ValueError, match="two judgements of 'a' for 'ring'"):
        relevance_matrix(["ring", "ring"], ["a", "a"], [1, 1])
    with pytest.raises(ValueError, match="1 queries, 2 items"):
        relevance_matrix(["ring"], ["a", "b"], [1, 1])
