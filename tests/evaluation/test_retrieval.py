"""Retrieval metrics: their values, ceilings, chance levels and form."""

import json

import numpy as np
import pytest

from astro_paperclip.evaluation import rank_pairs, retrieval_metrics

PERCENTS = ["1", "2", "5", "10", "20", "50"]
SIZES = [1, 1, 2, 3, 5, 7, 12, 30]  # rows of each caption


def perfect_pairs(dim=64, spread=0.0):
    """Return pairs whose images are their captions' vectors, all captions far apart."""
    number = np.repeat(np.arange(len(SIZES)), SIZES)
    texts = np.eye(len(SIZES), dim)[number]
    noise = np.random.default_rng(0).normal(size=texts.shape)
    return texts + spread * noise, texts, [f"{n}" for n in number], [f"g{n // 2}" for n in number]


def each_direction(metrics):
    for protocol, directions in metrics["protocols"].items():
        for direction, measures in directions.items():
            yield protocol, direction, measures


def test_form():
    metrics = retrieval_metrics(*perfect_pairs())
    assert list(metrics) == ["n_images", "n_captions", "n_groups", "protocols", "cosine"]
    assert (metrics["n_images"], metrics["n_captions"], metrics["n_groups"]) == (61, 8, 4)
    assert set(metrics["protocols"]) == {"paper", "grouped"}
    candidates = {}
    for protocol, direction, measures in each_direction(metrics):
        candidates[protocol, direction] = measures["candidates"]
        for part in (measures, measures["ceiling"]):
            assert list(part["top_percent"]) == PERCENTS
            assert list(part["top_k"]) == ["1", "5", "10"]
            assert 0 <= part["auc"] <= 1
        assert list(measures["interval95"]) == PERCENTS
        assert measures["median_rank"] >= 1
    assert candidates == {
        ("paper", "image_to_text"): 61,
        ("paper", "text_to_image"): 61,
        ("grouped", "image_to_text"): 8,
        ("grouped", "text_to_image"): 61,
    }
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics


@pytest.mark.parametrize("seed", range(5))
def test_definitions(seed):
    """Accuracies are counted from ranks, k by k."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(20, 150))
    images, texts = rng.normal(size=(2, n, 6))
    captions = [f"{number}" for number in rng.integers(0, n // 2, n)]
    metrics = retrieval_metrics(images + 0.5 * texts, texts, captions, captions)
    ranks = rank_pairs(images + 0.5 * texts, texts, captions)
    for protocol, direction, measures in each_direction(metrics):
        of_query = getattr(ranks, f"{protocol}_{direction}").tolist()
        count = measures["candidates"]

        def accuracy(k, of_query=of_query):
            return sum(rank <= k for rank in of_query) / len(of_query)

        for percent in PERCENTS:
            whole, rest = divmod(max(100, int(percent) * count), 100)
            expected = accuracy(whole) + rest / 100 * (accuracy(whole + 1) - accuracy(whole))
            assert measures["top_percent"][percent] == pytest.approx(expected)
        for k in ("1", "5", "10"):
            assert measures["top_k"][k] == pytest.approx(accuracy(int(k)))
        mean = sum(accuracy(k) for k in range(1, count + 1)) / count
        assert measures["auc"] == pytest.approx(mean)
        assert measures["median_rank"] == np.median(of_query)


def test_ceilings_follow_from_how_often_captions_repeat():
    metrics = retrieval_metrics(*perfect_pairs())
    n = sum(SIZES)
    paper = metrics["protocols"]["paper"]
    for k in (1, 5, 10):
        tied = sum(size for size in SIZES if size <= k) / n
        apart = sum(min(size, k) for size in SIZES) / n
        assert paper["image_to_text"]["ceiling"]["top_k"][str(k)] == pytest.approx(tied)
        assert paper["text_to_image"]["ceiling"]["top_k"][str(k)] == pytest.approx(apart)
    for direction in metrics["protocols"]["grouped"].values():
        ceiling = direction["ceiling"]
        assert {*ceiling["top_percent"].values(), *ceiling["top_k"].values(), ceiling["auc"]} == {1}


@pytest.mark.parametrize("spread", [0.0, 1e-3])
def test_perfect_vectors_reach_the_ceiling(spread):
    for protocol, direction, measures in each_direction(
        retrieval_metrics(*perfect_pairs(spread=spread))
    ):
        if (protocol, direction) == ("paper", "text_to_image") and not spread:
            continue  # equal images tie; only images that differ can reach it
        assert measures["top_percent"] == pytest.approx(measures["ceiling"]["top_percent"])
        assert measures["top_k"] == measures["ceiling"]["top_k"]
        assert measures["auc"] == pytest.approx(measures["ceiling"]["auc"])


@pytest.mark.parametrize("seed", range(5))
def test_no_model_exceeds_the_ceiling(seed):
    rng = np.random.default_rng(seed)
    images, texts, captions, groups = perfect_pairs(spread=0.3)
    images = images + rng.normal(0, rng.uniform(0, 0.5), images.shape)
    for _, _, measures in each_direction(retrieval_metrics(images, texts, captions, groups)):
        ceiling = measures["ceiling"]
        for kind in ("top_percent", "top_k"):
            assert all(measures[kind][key] <= ceiling[kind][key] for key in ceiling[kind])
        assert measures["auc"] <= ceiling["auc"] + 1e-12


def test_random_vectors_are_at_chance():
    rng = np.random.default_rng(0)
    images, texts = rng.normal(size=(2, 1500, 32))
    captions = [f"{n}" for n in range(1500)]
    for _, _, measures in each_direction(retrieval_metrics(images, texts, captions, captions)):
        assert measures["auc"] == pytest.approx(0.5, abs=0.03)
        for percent in PERCENTS:
            chance = int(percent) / 100
            sigma = np.sqrt(chance * (1 - chance) / 1500)
            assert abs(measures["top_percent"][percent] - chance) < 4 * sigma


def test_two_equal_captions_in_other_groups_are_both_right():
    images = np.array([[1.0, 0], [0, 1], [0.9, 0.1]])
    texts = np.array([[1.0, 0], [0, 1], [1, 0]])
    metrics = retrieval_metrics(images, texts, ["same", "other", "same"], ["a", "b", "c"])
    assert metrics["n_groups"] == 3
    grouped = metrics["protocols"]["grouped"]
    assert {grouped[direction]["top_k"]["1"] for direction in grouped} == {1}


def test_single_pair():
    metrics = retrieval_metrics(np.ones((1, 4)), np.ones((1, 4)), ["a"], ["g"])
    for _, _, measures in each_direction(metrics):
        assert measures["auc"] == measures["top_k"]["1"] == measures["median_rank"] == 1
    assert metrics["cosine"]["true"] == {"mean": pytest.approx(1), "std": pytest.approx(0)}
    assert metrics["cosine"]["shuffled"] == {"mean": None, "std": None}


def test_intervals_are_wide_where_groups_are_few():
    rng = np.random.default_rng(0)
    texts = rng.normal(size=(200, 16))
    images = rng.normal(size=(200, 16))
    images[:100] += 3 * texts[:100]  # half of the rows are found
    captions = [f"{n:03}" for n in range(200)]
    many = retrieval_metrics(images, texts, captions, captions)
    few = retrieval_metrics(images, texts, captions, [caption[0] for caption in captions])
    widths = []
    for metrics in (many, few):
        measures = metrics["protocols"]["grouped"]["image_to_text"]
        low, high = measures["interval95"]["10"]
        assert low <= measures["top_percent"]["10"] <= high
        widths.append(high - low)
    p = many["protocols"]["grouped"]["image_to_text"]["top_percent"]["10"]
    binomial = 2 * 1.96 * np.sqrt(p * (1 - p) / 200)
    assert widths[0] == pytest.approx(binomial, rel=0.15)
    assert widths[1] > 2 * widths[0]


def test_intervals_are_seeded():
    pairs = perfect_pairs(spread=0.5)
    first, again, other = (retrieval_metrics(*pairs, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_groups_of_another_length():
    with pytest.raises(ValueError, match="2 groups"):
        retrieval_metrics(np.ones((3, 2)), np.ones((3, 2)), ["a", "b", "c"], ["g", "h"])
