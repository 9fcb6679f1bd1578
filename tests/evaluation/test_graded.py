"""Agreement of vectors with what people judged."""

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from astro_paperclip.evaluation import (
    ImageDistances,
    Votes,
    graded_metrics,
    ndcg,
    similarity_metrics,
    vote_metrics,
)


def people_who_see(vectors):
    """Return the distances of people whose eyes are the cosine similarity."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    distances = 1 - unit @ unit.T
    np.fill_diagonal(distances, np.nan)
    return ImageDistances([f"{n}" for n in range(len(vectors))], distances)


def test_people_and_model_agree():
    vectors = np.random.default_rng(0).normal(size=(60, 8))
    people = people_who_see(vectors)
    for distances in (people.distances, people.distances**3 * 7):  # only the order matters
        metrics = similarity_metrics(vectors, ImageDistances(people.images, distances))
        assert metrics["ndcg"] == pytest.approx(1)
        assert metrics["spearman"] == pytest.approx(1)
        assert metrics["spearman_by_image"] == pytest.approx(1)
        assert (metrics["k"], metrics["n_images"]) == (10, 60)
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics


def test_against_scipy_and_loops():
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(40, 5))
    people = people_who_see(vectors + rng.normal(size=vectors.shape))
    metrics = similarity_metrics(vectors, people, k=5)
    cosine = 1 - people_who_see(vectors).distances
    upper = np.triu_indices(40, 1)
    expected = spearmanr(people.distances[upper], -cosine[upper]).statistic
    assert metrics["spearman"] == pytest.approx(expected)
    by_image, gains = [], []
    for row in range(40):
        other = np.arange(40) != row
        near, score = people.distances[row][other], cosine[row][other]
        by_image.append(spearmanr(near, -score).statistic)
        relevance = [max(0, 1 - np.sum(near < one) / 5) for one in near]  # 5 % of 40 are below k
        gains.append(ndcg([relevance], [score], 5)[0])
    assert metrics["spearman_by_image"] == pytest.approx(np.mean(by_image))
    assert metrics["ndcg"] == pytest.approx(np.mean(gains))


def test_model_that_knows_nothing_is_at_chance():
    rng = np.random.default_rng(2)
    people = people_who_see(rng.normal(size=(400, 8)))
    metrics = similarity_metrics(rng.normal(size=(400, 8)), people)
    assert metrics["ndcg"] == pytest.approx(metrics["chance"], abs=0.01)
    assert metrics["chance"] < 0.1
    assert abs(metrics["spearman"]) < 0.03
    constant = similarity_metrics(np.ones((400, 8)), people)
    assert constant["ndcg"] == pytest.approx(constant["chance"])
    assert constant["spearman"] is None
    assert constant["spearman_by_image"] is None


def test_pairs_that_were_not_compared_do_not_count():
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(30, 6))
    people = people_who_see(vectors)
    people.distances[rng.uniform(size=(30, 30)) < 0.3] = np.nan
    people.distances[np.isnan(people.distances.T)] = np.nan
    metrics = similarity_metrics(vectors, people)
    assert metrics["ndcg"] == pytest.approx(1)
    assert metrics["spearman"] == pytest.approx(1)


def test_votes():
    """What looks like a query is found by it."""
    rng = np.random.default_rng(4)
    fractions = rng.uniform(size=(2, 50)).round(2)
    votes = Votes([f"{n}" for n in range(50)], ["spiral galaxy", "merger"], fractions)
    images = np.stack([*fractions, np.zeros(50)], axis=1)
    images[:, 2] = np.sqrt(4 - np.sum(images**2, axis=1))  # all of equal length
    metrics = vote_metrics(images, np.eye(2, 3), votes, k=10)
    assert metrics["ndcg"] == pytest.approx(1)
    assert list(metrics["by_query"]) == ["spiral galaxy", "merger"]
    assert 0.3 < metrics["chance"] < 0.7
    turned = vote_metrics(images, -np.eye(2, 3), votes, k=10)
    assert turned["ndcg"] < turned["chance"]


def test_queries_to_which_nothing_is_relevant_are_left_out():
    metrics = graded_metrics(np.array([[0, 0], [0, 1]]), np.array([[1, 2], [1, 2]]), ["a", "b"])
    assert (metrics["n_queries"], metrics["ndcg"]) == (1, 1)
    assert list(metrics["by_query"]) == ["b"]
    assert metrics["chance"] == pytest.approx((1 + 1 / np.log2(3)) / 2)


def test_bad_input():
    people = people_who_see(np.random.default_rng(0).normal(size=(4, 3)))
    with pytest.raises(ValueError, match="3 vectors do not belong to 4 images"):
        similarity_metrics(np.ones((3, 2)), people)
    with pytest.raises(ValueError, match="No pair"):
        similarity_metrics(np.ones((2, 2)), ImageDistances(["a", "b"], np.full((2, 2), np.nan)))
    with pytest.raises(ValueError, match="No item is relevant"):
        graded_metrics(np.zeros((1, 2)), np.ones((1, 2)), ["a"])
    with pytest.raises(ValueError, match="2 names do not belong to 1"):
        graded_metrics(np.ones((1, 2)), np.ones((1, 2)), ["a", "b"])
