"""Precision of the first answers, by image and by proposal."""

import builtins
import json

import numpy as np
import pytest

from astro_paperclip.evaluation import PAPER_QUERIES, KeywordJudge, query_relevance
from astro_paperclip.evaluation.relevance import tfidf_scores

QUERIES = ["ring", "bar"]


def says(query, text, image_path=None):
    """Judge by whether the text holds the query."""
    return query in text


def scored(scores):
    """Return image and query vectors of which the first query has these scores."""
    scores = np.asarray(scores, float)
    images = np.stack([scores, np.sqrt(1 - scores**2), np.zeros(len(scores))], axis=1)
    return images, np.array([[1.0, 0, 0], [0, 0, 1.0]])


def measure(scores, captions, groups, **options):
    images, wanted = scored(scores)
    options = {"judge": says, "queries": QUERIES, "k": 3} | options
    return query_relevance(images, captions, groups, wanted, **options)


def test_by_hand():
    """Proposal a fills the list of images; the list of proposals goes on to b and c."""
    result = measure(
        [0.9, 0.8, 0.7, 0.6, 0.5],
        ["a ring", "a ring", "a ring", "nothing", "a ring too"],
        ["a", "a", "a", "b", "c"],
    )
    ring = {kind: result[kind]["by_query"]["ring"] for kind in ("model", "chance", "ceiling")}
    assert ring["model"] == {"images": 1, "proposals": pytest.approx(2 / 3), "unique_proposals": 1}
    assert ring["chance"] == {"images": 0.8, "proposals": pytest.approx(2 / 3)}
    assert ring["ceiling"] == {"images": 1, "proposals": pytest.approx(2 / 3)}
    assert result["model"]["by_query"]["bar"]["images"] == 0
    assert result["model"]["images"] == 0.5  # mean over both queries
    assert (result["k"], result["judge"], result["queries"]) == (3, "function", QUERIES)
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_a_proposal_is_judged_by_its_best_image():
    captions, groups = ["a ring", "nothing", "nothing"], ["a", "a", "b"]
    best_first = measure([0.9, 0.5, 0.1], captions, groups, k=1)
    best_last = measure([0.5, 0.9, 0.1], captions, groups, k=1)
    assert best_first["model"]["by_query"]["ring"]["proposals"] == 1
    assert best_last["model"]["by_query"]["ring"]["proposals"] == 0
    assert best_last["ceiling"]["by_query"]["ring"]["proposals"] == 1
    assert best_last["chance"]["by_query"]["ring"]["proposals"] == 0.25


def test_fewer_images_than_asked_for():
    result = measure([0.9, 0.5], ["a ring", "nothing"], ["a", "b"], k=10)
    assert result["model"]["by_query"]["ring"]["images"] == 0.5
    assert result["ceiling"]["by_query"]["ring"]["images"] == 0.5


@pytest.mark.parametrize("seed", range(3))
def test_nothing_exceeds_the_ceiling_and_random_vectors_are_at_chance(seed):
    rng = np.random.default_rng(seed)
    n, queries = 2000, [f"w{number}" for number in range(40)]
    captions = [f"w{number} w{other}" for number, other in rng.integers(0, 40, (n, 2))]
    groups = [f"g{number}" for number in rng.integers(0, 600, n)]
    result = query_relevance(
        rng.normal(size=(n, 16)), captions, groups, rng.normal(size=(40, 16)), queries=queries
    )
    for kind in ("images", "proposals"):
        assert result["chance"][kind] == pytest.approx(0.05, abs=0.01)
        assert result["model"][kind] == pytest.approx(result["chance"][kind], abs=0.045)
        for query in queries:
            found = result["model"]["by_query"][query][kind]
            assert found <= result["ceiling"]["by_query"][query][kind]


def test_the_judge_is_asked_no_question_twice():
    asked = []

    def judge(query, text, image_path=None):
        asked.append((query, text, image_path))
        return True

    captions, groups = ["one", "one", "two"], ["a", "a", "b"]
    measure([0.9, 0.8, 0.1], captions, groups, judge=judge)
    assert sorted(asked) == sorted((q, t, None) for q in QUERIES for t in ("one", "two"))
    asked.clear()
    measure([0.9, 0.8, 0.1], captions, groups, judge=judge, image_paths=["1", "2", "3"])
    expected = {(q, c, p) for q in QUERIES for c, p in zip(captions, "123", strict=True)}
    assert len(asked) == len(expected)
    assert set(asked) == expected
    asked.clear()
    judge.sees_images = False
    measure([0.9, 0.8, 0.1], captions, groups, judge=judge, image_paths=["1", "2", "3"])
    assert sorted(asked) == sorted((q, t, None) for q in QUERIES for t in ("one", "two"))


def test_without_baseline_only_answers_are_judged():
    asked = set()

    def judge(query, text, image_path=None):
        asked.add(text)
        return True

    judge.name = "always"
    scores, captions = np.linspace(0.9, 0.1, 8), [f"c{n}" for n in range(8)]
    images, _ = scored(scores)
    result = query_relevance(
        images, captions, captions, [[1, 0, 0]], queries=["x"], judge=judge, k=2, baseline=False
    )
    assert asked == {"c0", "c1"}
    assert set(result) == {"k", "judge", "queries", "model"}
    assert result["judge"] == "always"


def test_equal_scores_are_in_a_seeded_random_order():
    captions = ["a ring"] * 50 + ["nothing"] * 50
    groups = [f"{n}" for n in range(100)]
    found = [
        measure([0.5] * 100, captions, groups, k=10, seed=seed)["model"]["by_query"]["ring"]
        for seed in (0, 0, *range(1, 12))
    ]
    assert found[0] == found[1]
    shares = [one["images"] for one in found]
    assert 0.3 < np.mean(shares) < 0.7


def test_text_search_finds_the_words():
    pytest.importorskip("sklearn")
    captions = ["a comet", "comets and more comets", "the dark matter of a halo", "a galaxy"] * 3
    result = query_relevance(
        np.eye(12), captions, [str(n // 2) for n in range(12)], np.ones((10, 12)), k=3
    )
    assert result["queries"] == list(PAPER_QUERIES)
    assert result["tfidf"]["by_query"]["dark matter"]["images"] == 1
    assert result["tfidf"]["by_query"]["comets"]["images"] == 1
    assert result["judge"] == KeywordJudge.name


def test_text_search_is_that_of_its_formula():
    pytest.importorskip("sklearn")
    captions = ["ring ring bar", "bar halo", "halo"]
    scores = tfidf_scores(captions, ["ring bar", "unknown"])
    words = ["bar", "halo", "ring"]
    counts = np.array([[c.split().count(w) for w in words] for c in [*captions, "ring bar"]], float)
    seen = (counts[:3] > 0).sum(axis=0)
    weights = counts * (np.log((1 + 3) / (1 + seen)) + 1)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    np.testing.assert_allclose(scores, [weights[:3] @ weights[3], np.zeros(3)])


def test_captions_without_words():
    pytest.importorskip("sklearn")
    result = measure([0.9, 0.1], ["a", "?"], ["a", "b"])
    assert result["tfidf"] == {"skipped": "the captions hold no words"}


def test_scikit_learn_is_not_installed(monkeypatch):
    imported = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("sklearn"):
            raise ModuleNotFoundError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    result = measure([0.9, 0.1], ["a ring", "nothing"], ["a", "b"])
    assert result["tfidf"] == {"skipped": "scikit-learn is not installed"}
    assert result["chance"]["by_query"]["ring"]["images"] == 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"captions": ["a ring"]}, "2 image vectors, 1 captions"),
        ({"groups": ["a"]}, "1 groups"),
        ({"image_paths": ["a"]}, "1 image paths"),
        ({"queries": ["ring"]}, "do not belong to 1 queries"),
        ({"k": 0}, "k=0"),
    ],
)
def test_bad_input(options, message):
    usual = {"captions": ["a ring", "nothing"], "groups": ["a", "b"]}
    with pytest.raises(ValueError, match=message):
        measure([0.9, 0.1], **(usual | options))


def test_no_queries():
    with pytest.raises(ValueError, match="above 0"):
        query_relevance(np.eye(2), ["a", "b"], ["a", "b"], np.zeros((0, 2)), queries=[])
