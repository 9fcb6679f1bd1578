"""Retrieval accuracy from ranks: curves, ceilings and how sure they are."""

from collections.abc import Sequence

import numpy as np

from astro_paperclip.evaluation.ranks import Ranks, rank_pairs

__all__ = ["PERCENTS", "TOP_K", "retrieval_metrics"]

PERCENTS = (1, 2, 5, 10, 20, 50)
"""Sizes of a list of answers, in percent of the candidates."""

TOP_K = (1, 5, 10)
"""Sizes of a list of answers, as numbers."""

_RESAMPLES = 1000


def retrieval_metrics(
    image_vectors: np.ndarray,
    text_vectors: np.ndarray,
    captions: Sequence[str],
    groups: Sequence[str],
    *,
    seed: int = 0,
) -> dict:
    """Measure how well images and captions find each other.

    Parameters
    ----------
    image_vectors, text_vectors : `numpy.ndarray`
        Shape (n, d), one row a pair.
    captions : sequence of str
        The n captions, as in the pairs file; rows with equal captions share one text vector.
    groups : sequence of str
        The n groups, which the intervals take to be independent of each other.
    seed : int, optional
        Of the random numbers behind the intervals.

    Returns
    -------
    dict
        Ready for JSON, all accuracies as fractions:

        ``n_images``, ``n_captions``, ``n_groups``
            Numbers of images, of different captions and of groups.
        ``protocols``
            ``paper`` counts only the image's own row among all rows, and ``grouped``
            different captions, any image with that caption being right. Each holds
            ``image_to_text`` and ``text_to_image`` with:

            ``candidates``
                Number n of answers that are ranked.
            ``top_percent``
                Share of queries with the right answer in the first p per cent of n, by p,
                but in the first one at least. Where p per cent of n is no whole number, the
                shares for the whole numbers below and above are interpolated, so that
                chance is p per cent whatever n is (of 15 answers, 10 % are 1.5: taking one
                for it would make chance 6.7 %, taking two 13.3 %).
            ``top_k``
                Share of queries with the right answer in the first k, by k.
            ``auc``
                Area under the curve: mean of the accuracy at k over k = 1 ... n.
            ``median_rank``
                Median rank of the right answer, from 1.
            ``interval95``
                For each p the 2.5th and 97.5th percentile of ``top_percent`` when groups
                are drawn with replacement, ranks unchanged.
            ``ceiling``
                Largest values of ``top_percent``, ``top_k`` and ``auc`` that any model
                could reach.
        ``cosine``
            ``mean`` and ``std`` of the similarity of an image with its own caption
            (``true``) and with all other captions (``shuffled``; None where there is one
            caption only).

    Notes
    -----
    The protocol called ``paper`` is that of PAPERCLIP [1]_, but for ties. When several rows
    have one caption, these rows score equally as answers to an image, and the paper's code
    lets their position decide; so a perfect model finds min(k, m) of the m rows of a caption
    among its first k answers. Here ties count against the model: all m rows rank m at best,
    and images of a caption with more than k rows are never found among the first k. From
    text to image nothing ties (images differ), and min(k, m) is the ceiling. The paper
    measures from image to text and draws random augmentations of its images; here each
    image is encoded once.

    References
    ----------
    .. [1] Mishra-Sharma, S., Song, Y., & Thaler, J. 2024, arXiv:2403.08851, figure 3
    """
    ranks = rank_pairs(image_vectors, text_vectors, captions)
    if len(groups) != len(captions):
        raise ValueError(f"{len(groups)} groups do not belong to {len(captions)} captions.")
    names, group_of_row = np.unique(np.asarray(groups, dtype=object), return_inverse=True)
    group_of_caption = group_of_row[ranks.row_of_caption]
    n, u = len(ranks.caption_of_row), len(ranks.row_of_caption)
    tied, apart = _best_paper_ranks(ranks)

    def measure(achieved, best, candidates, group):
        return _measures(achieved, best, candidates, group, seed)

    return {
        "n_images": n,
        "n_captions": u,
        "n_groups": len(names),
        "protocols": {
            "paper": {
                "image_to_text": measure(ranks.paper_image_to_text, tied, n, group_of_row),
                "text_to_image": measure(ranks.paper_text_to_image, apart, n, group_of_row),
            },
            "grouped": {
                "image_to_text": measure(
                    ranks.grouped_image_to_text, np.ones(n, np.int64), u, group_of_row
                ),
                "text_to_image": measure(
                    ranks.grouped_text_to_image, np.ones(u, np.int64), n, group_of_caption
                ),
            },
        },
        "cosine": {
            "true": _spread(ranks.true_cosine),
            "shuffled": _spread(ranks.shuffled_cosine),
        },
    }


def _best_paper_ranks(ranks: Ranks) -> tuple[np.ndarray, np.ndarray]:
    """Return the ranks of a perfect model in the paper's protocol, in both directions.

    From image to text the m rows of a caption tie at rank m; from text to image they take
    the ranks 1 ... m.
    """
    counts = np.bincount(ranks.caption_of_row)
    apart = np.concatenate([np.arange(1, count + 1) for count in counts])
    return counts[ranks.caption_of_row], apart


def _measures(
    ranks: np.ndarray, best: np.ndarray, candidates: int, groups: np.ndarray, seed: int
) -> dict:
    """Summarise the ranks of one direction of one protocol."""
    return {
        "candidates": candidates,
        **_accuracies(ranks, candidates),
        "median_rank": float(np.median(ranks)),
        "interval95": _intervals(ranks, candidates, groups, seed),
        "ceiling": _accuracies(best, candidates),
    }


def _accuracies(ranks: np.ndarray, candidates: int) -> dict:
    return {
        "top_percent": {
            str(percent): float(np.mean(_found(ranks, percent, candidates))) for percent in PERCENTS
        },
        "top_k": {str(k): float(np.mean(ranks <= k)) for k in TOP_K},
        # a query with rank r is right at k = r ... n, that is at n - r + 1 of n places
        "auc": float(np.mean(candidates - ranks + 1) / candidates),
    }


def _found(ranks: np.ndarray, percent: int, candidates: int) -> np.ndarray:
    """Return how far each query counts as answered within some per cent of the candidates.

    1 within the whole number of answers below the length of the list, 0 beyond the one above,
    and for the answer in between the fraction of it that the list holds.
    """
    length = max(1.0, percent * candidates / 100)
    return np.clip(length - ranks + 1, 0, 1)


def _intervals(ranks: np.ndarray, candidates: int, groups: np.ndarray, seed: int) -> dict:
    """Return 95 % intervals of the accuracies by drawing groups with replacement."""
    _, groups = np.unique(groups, return_inverse=True)
    sizes = np.bincount(groups)
    hits = np.zeros((len(sizes), len(PERCENTS)))
    found = np.stack([_found(ranks, percent, candidates) for percent in PERCENTS], axis=1)
    np.add.at(hits, groups, found)
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=_RESAMPLES)
    accuracies = (draws @ hits) / (draws @ sizes)[:, None]
    limits = np.percentile(accuracies, [2.5, 97.5], axis=0).T
    return {
        str(percent): [float(low), float(high)]
        for percent, (low, high) in zip(PERCENTS, limits, strict=True)
    }


def _spread(moments: tuple[float, float]) -> dict:
    mean, std = (value if np.isfinite(value) else None for value in moments)
    return {"mean": mean, "std": std}
