"""Ranks against their definition, written as loops."""

import numpy as np
import pytest

from astro_paperclip.evaluation import rank_pairs


def loop_ranks(images, texts, captions):
    """Return the four kinds of rank by their definition; captions in sorted order."""
    n = len(captions)
    first = {caption: captions.index(caption) for caption in captions}
    names = sorted(first)

    def score(image, caption):
        a, b = images[image].astype(float), texts[first[caption]].astype(float)
        return round(float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)), 10)

    def rank(right, wrong):
        return 1 + sum(other >= right for other in wrong)

    return (
        [
            rank(score(i, captions[i]), [score(i, captions[j]) for j in range(n) if j != i])
            for i in range(n)
        ],
        [
            rank(score(i, captions[i]), [score(j, captions[i]) for j in range(n) if j != i])
            for i in range(n)
        ],
        [
            rank(score(i, captions[i]), [score(i, name) for name in names if name != captions[i]])
            for i in range(n)
        ],
        [
            rank(
                max(score(i, name) for i in range(n) if captions[i] == name),
                [score(i, name) for i in range(n) if captions[i] != name],
            )
            for name in names
        ],
    )


def found_ranks(ranks):
    return (
        ranks.paper_image_to_text.tolist(),
        ranks.paper_text_to_image.tolist(),
        ranks.grouped_image_to_text.tolist(),
        ranks.grouped_text_to_image.tolist(),
    )


def random_pairs(seed, n=25, dim=4, n_captions=10):
    """Return pairs with repeated captions and, by small integers, many equal scores."""
    rng = np.random.default_rng(seed)
    captions = [f"caption {number}" for number in rng.integers(0, n_captions, n)]
    vectors = rng.integers(-2, 3, (2, n, dim)).astype(np.float32)
    vectors[..., 0] += 0.5  # no vector is zero
    return vectors[0], vectors[1], captions


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("n_captions", [1, 5, 1000])
def test_brute_force(seed, n_captions):
    pairs = random_pairs(seed, n_captions=n_captions)
    assert found_ranks(rank_pairs(*pairs)) == loop_ranks(*pairs)


@pytest.mark.parametrize("chunk_rows", [1, 3, 7, 25, 100])
def test_chunks_do_not_matter(chunk_rows):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(2, 60, 33)).astype(np.float32)
    captions = [f"{number}" for number in rng.integers(0, 30, 60)]
    whole = rank_pairs(*vectors, captions)
    parts = rank_pairs(*vectors, captions, chunk_rows=chunk_rows)
    assert found_ranks(parts) == found_ranks(whole)
    np.testing.assert_allclose(parts.shuffled_cosine, whole.shuffled_cosine)
    np.testing.assert_array_equal(parts.shuffled_histogram, whole.shuffled_histogram)


def test_order_of_rows_does_not_matter():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(60, 16)).astype(np.float32)
    number = rng.integers(0, 25, 60)
    texts = rng.normal(size=(25, 16)).astype(np.float32)[number]
    captions = np.array([f"{n:02}" for n in number])
    order = rng.permutation(60)
    straight = rank_pairs(images, texts, captions)
    turned = rank_pairs(images[order], texts[order], captions[order])
    for name in ("paper_image_to_text", "paper_text_to_image", "grouped_image_to_text"):
        np.testing.assert_array_equal(getattr(turned, name), getattr(straight, name)[order])
    np.testing.assert_array_equal(turned.grouped_text_to_image, straight.grouped_text_to_image)


def test_equal_captions_tie_exactly():
    """Every row of a caption ranks as low as the caption has rows, never in between."""
    rng = np.random.default_rng(0)
    number = np.repeat(np.arange(40), 7)
    texts = rng.normal(size=(40, 512)).astype(np.float32)[number]
    ranks = rank_pairs(texts, texts, [f"{n}" for n in number])
    assert set(ranks.paper_image_to_text) == {7}
    assert set(ranks.paper_text_to_image) == {7}
    assert set(ranks.grouped_image_to_text) == set(ranks.grouped_text_to_image) == {1}


def test_constant_vectors_rank_last():
    vectors = np.ones((10, 3), dtype=np.float32)
    ranks = rank_pairs(vectors, vectors, [f"{n}" for n in range(10)])
    assert {rank for kind in found_ranks(ranks) for rank in kind} == {10}


def test_length_of_vectors_does_not_matter():
    images, texts, captions = random_pairs(3)
    scaled = rank_pairs(images * 7, texts * 0.1, captions)
    assert found_ranks(scaled) == found_ranks(rank_pairs(images, texts, captions))


def test_cosines():
    rng = np.random.default_rng(0)
    images, texts = rng.normal(size=(2, 20, 8))
    number = np.arange(20) // 2
    texts = texts[number]
    ranks = rank_pairs(images, texts, [f"{n:02}" for n in number])
    unit = [vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (images, texts)]
    cosines = unit[0] @ unit[1].T
    other = number[:, None] != number
    assert ranks.true_cosine == pytest.approx((np.diag(cosines).mean(), np.diag(cosines).std()))
    assert ranks.shuffled_cosine == pytest.approx((cosines[other].mean(), cosines[other].std()))
    edges = np.linspace(-1, 1, 40)
    true, shuffled = (
        np.histogram(values, edges)[0] for values in (np.diag(cosines), cosines[other])
    )
    np.testing.assert_array_equal(ranks.true_histogram, true)
    np.testing.assert_array_equal(ranks.shuffled_histogram, shuffled)


def test_cosines_at_the_ends():
    """Rounding puts no similarity of equal or opposite vectors outside the histogram."""
    images = np.random.default_rng(0).normal(size=(50, 7))
    same = rank_pairs(images, images, [f"{n:02}" for n in range(50)])
    opposite = rank_pairs(images, -images, [f"{n:02}" for n in range(50)])
    assert same.true_histogram.tolist() == [0] * 38 + [50]
    assert opposite.true_histogram.tolist() == [50] + [0] * 38
    assert same.shuffled_histogram.sum() == 50 * 49


@pytest.mark.parametrize(
    ("images", "texts", "captions", "message"),
    [
        (np.ones((3, 2)), np.ones((2, 2)), ["a"] * 3, "do not belong together"),
        (np.ones((3, 2)), np.ones((3, 2)), ["a"] * 2, "do not belong together"),
        (np.ones((0, 2)), np.ones((0, 2)), [], "above 0"),
        (np.ones(3), np.ones(3), ["a"] * 3, "shape"),
        (np.array([[1, 2], [np.nan, 1]]), np.ones((2, 2)), ["a"] * 2, "row 1 is not"),
    ],
)
def test_bad_input(images, texts, captions, message):
    with pytest.raises(ValueError, match=message):
        rank_pairs(images, texts, captions)
