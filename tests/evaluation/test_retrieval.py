"""Retrieval metrics: their values, ceilings, chance levels and form."""

import json

import numpy as np
import pytest

from astro_paperclip.evaluation import in_batch_metrics, rank_pairs, retrieval_metrics

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
    counts = ["n_images", "n_captions", "n_groups"]
    assert list(metrics) == [*counts, "protocols", "in_batch", "cosine", "cosine_histogram"]
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
        curve = measures["curve"]
        k = [round(fraction * count) for fraction in curve["fraction"]]
        assert curve["accuracy"] == pytest.approx([accuracy(one) for one in k])
        assert k == list(range(1, count + 1))


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


def test_ceiling_of_the_paper():
    """429 abstracts of 3,194 images: at most 429/3194 = 13.4 % at k = 1, all from k = 20 on."""
    sizes = np.full(429, 7)
    sizes[:100] = 20
    sizes[100:] = np.diff(np.linspace(0, 3194 - 2000, 330).astype(int))
    number = np.repeat(np.arange(429), sizes)
    texts = np.random.default_rng(0).normal(size=(429, 16))[number]
    metrics = retrieval_metrics(texts, texts, [f"{n}" for n in number], number)
    published = metrics["protocols"]["paper"]["image_to_text"]["ties_by_position"]
    assert sizes.sum() == metrics["n_images"] == 3194
    assert published["ceiling"]["top_k"]["1"] == pytest.approx(0.134, abs=5e-4)
    for k in (1, 5, 10):
        expected = sum(min(k, size) for size in sizes) / 3194
        assert published["ceiling"]["top_k"][str(k)] == pytest.approx(expected)
    for part in ("top_k", "top_percent", "auc"):  # and a perfect model reaches it
        assert published[part] == pytest.approx(published["ceiling"][part])
    curve = dict(zip(published["curve"]["fraction"], published["curve"]["accuracy"], strict=True))
    assert all(accuracy == 1 for fraction, accuracy in curve.items() if fraction >= 20 / 3194)
    assert sum(accuracy < 1 for accuracy in curve.values()) > 5


def test_ties_by_position():
    """As in the paper, sorting decides between rows of one caption; and by luck only."""
    rng = np.random.default_rng(1)
    number = rng.integers(0, 30, 150)
    texts = rng.normal(size=(30, 8))[number]
    images = texts + rng.normal(size=texts.shape)
    captions = [f"{n}" for n in number]
    paper = retrieval_metrics(images, texts, captions, captions)["protocols"]["paper"]
    published = paper["image_to_text"]["ties_by_position"]
    unit = [vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (images, texts)]
    scores = np.round(unit[0] @ unit[1].T, 12)
    order = np.argsort(-scores, axis=1, kind="stable")
    rank = np.argmax(order == np.arange(150)[:, None], axis=1) + 1
    for k in (1, 5, 10):
        assert published["top_k"][str(k)] == pytest.approx(np.mean(rank <= k))
        assert published["top_k"][str(k)] >= paper["image_to_text"]["top_k"][str(k)]
    assert published["median_rank"] == np.median(rank)
    k = np.rint(np.array(published["curve"]["fraction"]) * 150)
    expected = [np.mean(rank <= one) for one in k]
    assert published["curve"]["accuracy"] == pytest.approx(expected)


def test_batches_are_part_of_it():
    images, texts, captions, groups = perfect_pairs(spread=0.5)
    metrics = retrieval_metrics(images, texts, captions, groups, seed=5, logit_scale=7)
    assert metrics["in_batch"] == in_batch_metrics(images, texts, seed=5, logit_scale=7)


def test_histogram_holds_every_pair():
    metrics = retrieval_metrics(*perfect_pairs(spread=0.5))
    histogram, n = metrics["cosine_histogram"], sum(SIZES)
    assert histogram["edges"] == pytest.approx(np.linspace(-1, 1, 40).tolist())
    assert (len(histogram["true"]), sum(histogram["true"])) == (39, n)
    assert sum(histogram["shuffled"]) == n * n - sum(size**2 for size in SIZES)
    centres = np.array(histogram["edges"][:-1]) + 1 / 39
    for kind in ("true", "shuffled"):
        mean = np.average(centres, weights=histogram[kind])
        assert mean == pytest.approx(metrics["cosine"][kind]["mean"], abs=1 / 39)


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
