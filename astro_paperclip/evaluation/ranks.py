"""Ranks of the right answers among all images and captions of a set of pairs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["COSINE_EDGES", "TIE", "Ranks", "rank_pairs", "unit_rows"]

TIE = 1e-9
"""Scores that differ by no more than this are equal: far above the rounding of a product of
unit vectors in double precision (1e-15), so that ranks do not depend on how it is computed,
and below what float32 vectors can tell apart."""

COSINE_EDGES = np.linspace(-1, 1, 40)
"""Edges of the bins of cosine similarities (arXiv:2403.08851, figure 3)."""

_CHUNK_ENTRIES = 2**21  # of a block of scores: 16 MiB in double precision


@dataclass(frozen=True)
class Ranks:
    """Ranks from 1, ties counted against the model.

    A rank is 1 plus the number of wrong candidates that score as high as the right one, or
    higher. Below, n is the number of pairs and u that of different captions.

    Parameters
    ----------
    paper_image_to_text : `numpy.ndarray`
        Shape (n,): of each row's caption among the captions of all rows. An equal caption
        of another row is wrong, and ties.
    paper_text_to_image : `numpy.ndarray`
        Shape (n,): of each row's image among all images. Another image with an equal
        caption is wrong.
    grouped_image_to_text : `numpy.ndarray`
        Shape (n,): of each row's caption among the different captions.
    grouped_text_to_image : `numpy.ndarray`
        Shape (u,): for each caption, of the best of its images among the images of others.
    caption_of_row : `numpy.ndarray`
        Shape (n,): number of each row's caption.
    row_of_caption : `numpy.ndarray`
        Shape (u,): first row that has a caption.
    true_cosine, shuffled_cosine : tuple of float
        Mean and standard deviation of the cosine similarity of an image with its caption,
        and with every row's caption that differs from it (NaN where there is none).
    true_histogram, shuffled_histogram : `numpy.ndarray`
        Shape (39,): numbers of these similarities between the ``COSINE_EDGES``.
    """

    paper_image_to_text: np.ndarray
    paper_text_to_image: np.ndarray
    grouped_image_to_text: np.ndarray
    grouped_text_to_image: np.ndarray
    caption_of_row: np.ndarray
    row_of_caption: np.ndarray
    true_cosine: tuple[float, float]
    shuffled_cosine: tuple[float, float]
    true_histogram: np.ndarray
    shuffled_histogram: np.ndarray


def rank_pairs(
    image_vectors: np.ndarray,
    text_vectors: np.ndarray,
    captions: Sequence[str],
    *,
    chunk_rows: int | None = None,
) -> Ranks:
    """Rank the right answers of all queries, in both directions and protocols.

    Every row's image is compared with every different caption, a block of rows at a time,
    so that memory grows with the number of rows and not with its square.

    Parameters
    ----------
    image_vectors, text_vectors : `numpy.ndarray`
        Shape (n, d), one row a pair; brought to unit length here. Of rows with equal
        captions, the text vector of the first is used for all.
    captions : sequence of str
        The n captions.
    chunk_rows : int, optional
        Rows in a block; the ranks do not depend on it. Default: what fills about 16 MiB.

    Returns
    -------
    Ranks
        Arrays of dtype int64.

    Raises
    ------
    ValueError
        If shapes differ, there is no row, or a vector is not finite.
    """
    images, texts = unit_rows(image_vectors), unit_rows(text_vectors)
    captions = np.asarray(captions, dtype=object)
    if images.shape != texts.shape or len(captions) != len(images):
        raise ValueError(
            f"Image vectors {images.shape}, text vectors {texts.shape} and {len(captions)} "
            "captions do not belong together."
        )
    _, first, of_row, counts = np.unique(
        captions, return_index=True, return_inverse=True, return_counts=True
    )
    texts = texts[first]
    right = np.einsum("nd,nd->n", images, texts[of_row])
    best = np.full(len(first), -np.inf)
    np.maximum.at(best, of_row, right)

    n, u = len(images), len(first)
    chunk_rows = chunk_rows or max(1, _CHUNK_ENTRIES // n)
    paper_texts, grouped_texts = np.empty(n, np.int64), np.empty(n, np.int64)
    paper_images, grouped_images = np.zeros(n, np.int64), np.zeros(u, np.int64)
    total = square = 0.0
    histogram = np.zeros(len(COSINE_EDGES) - 1)
    for start in range(0, n, chunk_rows):
        block = slice(start, start + chunk_rows)
        scores = images[block] @ texts.T
        wrong = of_row[block, None] != np.arange(u)
        as_high = scores >= right[block, None] - TIE
        grouped_texts[block] = 1 + np.count_nonzero(as_high & wrong, axis=1)
        paper_texts[block] = (as_high & wrong) @ counts + counts[of_row[block]]
        paper_images += _images_as_high(scores, start, of_row, right)
        grouped_images += np.count_nonzero((scores >= best - TIE) & wrong, axis=0)
        total += float(np.sum(scores * wrong @ counts))
        square += float(np.sum(scores**2 * wrong @ counts))
        histogram += _histogram(scores, wrong * counts)
    return Ranks(
        paper_texts,
        1 + paper_images,
        grouped_texts,
        1 + grouped_images,
        of_row,
        first,
        (float(right.mean()), float(right.std())),
        _moments(total, square, n * n - int(counts[of_row].sum())),
        _histogram(right, np.ones(n)).astype(np.int64),
        histogram.astype(np.int64),
    )


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Bring rows to unit length in double precision.

    Parameters
    ----------
    vectors : `numpy.ndarray`
        Shape (n, d), of any real dtype.

    Returns
    -------
    `numpy.ndarray`
        Shape (n, d), float64; rows of zeros stay zero.

    Raises
    ------
    ValueError
        If there is no row, or a vector is not finite.
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    if vectors.ndim != 2 or not vectors.size:
        raise ValueError(f"Vectors must have shape (n, d) with n and d above 0: {vectors.shape}.")
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise ValueError(f"Vectors must be finite; row {row} is not.")
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)


def _images_as_high(
    scores: np.ndarray, start: int, of_row: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """Count, for each row's caption, the other images of a block that score as its own does."""
    as_high = scores[:, of_row] >= right - TIE
    rows = np.arange(len(scores))
    as_high[rows, start + rows] = False
    return np.count_nonzero(as_high, axis=0)


def _moments(total: float, square: float, count: int) -> tuple[float, float]:
    """Return mean and standard deviation from sums."""
    if not count:
        return float("nan"), float("nan")
    mean = total / count
    return mean, max(0.0, square / count - mean**2) ** 0.5


def _histogram(cosines: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Add up weights by the bin of their similarity, many times faster than `numpy.histogram`."""
    bins = len(COSINE_EDGES) - 1
    place = np.clip((cosines + 1) * (bins / 2), 0, bins - 1).astype(np.int64)
    return np.bincount(place.ravel(), weights=weights.ravel(), minlength=bins)
