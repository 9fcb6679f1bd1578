"""Retrieval inside batches, and the loss, against loops and against open_clip."""

import json
import subprocess
import sys

import numpy as np
import pytest

from astro_paperclip.evaluation import in_batch_metrics


def random_pairs(n, dim=16, agreement=0.5, seed=0):
    rng = np.random.default_rng(seed)
    images, texts = rng.normal(size=(2, n, dim)).astype(np.float32)
    return images + agreement * texts, texts


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_definition():
    """One batch, every pair of it looked at."""
    images, texts = random_pairs(30)
    metrics = in_batch_metrics(images, texts, logit_scale=20)
    scores = unit(texts) @ unit(images).T
    for direction, matrix in (("text_to_image", scores), ("image_to_text", scores.T)):
        ranks = [sorted(row, reverse=True).index(row[i]) + 1 for i, row in enumerate(matrix)]
        found = metrics[direction]
        for k in (1, 5, 10):
            assert found["top_k"][str(k)] == pytest.approx(np.mean([rank <= k for rank in ranks]))
        assert found["top_percent"]["10"] == pytest.approx(np.mean([rank <= 3 for rank in ranks]))
    losses = []
    for matrix in (scores, scores.T):
        for i, row in enumerate(20 * matrix.astype(float)):
            losses.append(np.log(np.sum(np.exp(row))) - row[i])
    assert metrics["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert (metrics["batches"], metrics["batch_size"], metrics["logit_scale"]) == (1, 30, 20)
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics


def test_batches_are_those_of_the_seeded_order():
    images, texts = random_pairs(250)
    metrics = in_batch_metrics(images, texts, seed=3)
    order = np.random.default_rng(3).permutation(250)
    parts = [in_batch_metrics(images[o], texts[o]) for o in (order[:100], order[100:200])]
    assert (metrics["batches"], metrics["batch_size"]) == (2, 100)
    assert metrics["loss"] == pytest.approx(np.mean([part["loss"] for part in parts]))
    for direction in ("text_to_image", "image_to_text"):
        top = [part[direction]["top_percent"]["10"] for part in parts]
        assert metrics[direction]["top_percent"]["10"] == pytest.approx(np.mean(top))
    assert in_batch_metrics(images, texts, seed=3) == metrics
    assert in_batch_metrics(images, texts, seed=4) != metrics


def test_loss_is_that_of_open_clip():
    torch = pytest.importorskip("torch")
    open_clip = pytest.importorskip("open_clip")
    images, texts = (unit(vectors) for vectors in random_pairs(80, agreement=2))
    for scale in (1.0, 14.3, 100.0):
        expected = open_clip.ClipLoss()(*map(torch.tensor, (images, texts)), torch.tensor(scale))
        found = in_batch_metrics(images, texts, logit_scale=scale)["loss"]
        assert found == pytest.approx(float(expected), rel=1e-4, abs=1e-6)


def test_a_model_that_knows_nothing():
    images, texts = random_pairs(3000, dim=256, agreement=0)
    metrics = in_batch_metrics(images, texts, logit_scale=0.1)
    assert metrics["loss"] == pytest.approx(np.log(100), abs=1e-3)
    for direction in ("text_to_image", "image_to_text"):
        assert metrics[direction]["top_percent"]["10"] == pytest.approx(0.1, abs=0.02)
        assert metrics[direction]["top_k"]["1"] == pytest.approx(0.01, abs=0.008)


def test_equal_vectors_are_counted_against_the_model():
    vectors = np.ones((100, 3))
    metrics = in_batch_metrics(vectors, vectors)
    assert metrics["text_to_image"]["top_percent"]["10"] == 0
    assert metrics["loss"] == pytest.approx(np.log(100))


def test_large_scales_do_not_overflow():
    vectors = np.eye(4)
    assert in_batch_metrics(vectors, vectors, logit_scale=1e4)["loss"] == 0
    assert in_batch_metrics(vectors, -vectors, logit_scale=1e4)["loss"] == pytest.approx(
        1e4 + np.log(3)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text_vectors": np.ones((2, 2))}, "do not belong together"),
        ({"logit_scale": 0}, "above 0: 0"),
        ({"logit_scale": np.nan}, "above 0: nan"),
        ({"batch_size": 0}, "one pair at least: 0"),
        ({"image_vectors": np.full((3, 2), np.inf)}, "must be finite; row 0"),
    ],
)
def test_bad_input(arguments, message):
    usual = {"image_vectors": np.ones((3, 2)), "text_vectors": np.ones((3, 2))}
    with pytest.raises(ValueError, match=message):
        in_batch_metrics(**(usual | arguments))


def test_needs_nothing_heavy():
    code = (
        "import sys; import astro_paperclip.evaluation\n"
        "heavy = {'matplotlib', 'open_clip', 'scipy', 'sklearn', 'torch'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
