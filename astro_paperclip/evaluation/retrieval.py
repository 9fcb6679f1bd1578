"""Retrieval accuracy in all protocols: curves, ceilings and how sure they are."""

from collections.abc import Sequence

import numpy as np

from astro_paperclip.evaluation.accuracy import accuracies, accuracy_curve, group_intervals
from astro_paperclip.evaluation.in_batch import LOGIT_SCALE, in_batch_metrics
from astro_paperclip.evaluation.ranks import COSINE_EDGES, rank_pairs

__all__ = ["retrieval_metrics"]


def retrieval_metrics(
    image_vectors: np.ndarray,
    text_vectors: np.ndarray,
    captions: Sequence[str],
    groups: Sequence[str],
    *,
    seed: int = 0,
    logit_scale: float = LOGIT_SCALE,
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
        Of the random numbers behind the intervals, and of the order in which pairs are put
        into batches.
    logit_scale : float, optional
        Factor on the cosine similarities in the loss, see
        `~astro_paperclip.evaluation.in_batch_metrics`.

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
            ``curve``
                ``fraction`` (k as a fraction of n) and ``accuracy`` (share of queries with
                the right answer in the first k), lists of at most 200 points.
            ``ceiling``
                Largest values of ``top_percent``, ``top_k`` and ``auc`` that any model
                could reach.
            ``ties_by_position``
                Only of ``paper``, ``image_to_text``: all of the above but ``candidates`` and
                ``interval95``, with the ties between rows of one caption decided as the paper
                decides them. This is what its figure 3 shows; see the notes.
        ``in_batch``
            What `~astro_paperclip.evaluation.in_batch_metrics` returns.
        ``cosine``
            ``mean`` and ``std`` of the similarity of an image with its own caption
            (``true``) and with all other captions (``shuffled``; None where there is one
            caption only).
        ``cosine_histogram``
            Numbers of these similarities, ``true`` and ``shuffled``, between ``edges`` (40,
            from -1 to 1).

    Raises
    ------
    ValueError
        If shapes or lengths differ, there is no row, or a vector is not finite.

    Notes
    -----
    The protocol called ``paper`` is that of PAPERCLIP [1]_, but for ties. When m rows have one
    caption, these rows score equally as answers to an image. Here ties count against the
    model: all m rows rank m at best, and images of a caption with more than k rows are never
    found among the first k. The paper's code lets the position in the table decide; so a
    perfect model finds min(k, m) of the m rows of a caption among its first k answers. Both are
    given, and compare the second with published figures. From text to image nothing ties
    (images differ), and min(k, m) is the ceiling. The paper measures from image to text, draws
    random augmentations of its images and leaves out the rows that do not fill a batch; here
    each image is encoded once, and all rows count.

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
    size, place = _caption_rows(ranks.caption_of_row)

    def measure(achieved, best, candidates, group):
        intervals = {"interval95": group_intervals(achieved, candidates, group, seed)}
        return {"candidates": candidates} | _measures(achieved, best, candidates) | intervals

    by_position = _measures(ranks.paper_image_to_text - size + place, place, n)
    return {
        "n_images": n,
        "n_captions": u,
        "n_groups": len(names),
        "protocols": {
            "paper": {
                "image_to_text": measure(ranks.paper_image_to_text, size, n, group_of_row)
                | {"ties_by_position": by_position},
                "text_to_image": measure(ranks.paper_text_to_image, place, n, group_of_row),
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
        "in_batch": in_batch_metrics(
            image_vectors,
            np.asarray(text_vectors)[ranks.row_of_caption][ranks.caption_of_row],
            logit_scale=logit_scale,
            seed=seed,
        ),
        "cosine": {
            "true": _spread(ranks.true_cosine),
            "shuffled": _spread(ranks.shuffled_cosine),
        },
        "cosine_histogram": {
            "edges": COSINE_EDGES.tolist(),
            "true": ranks.true_histogram.tolist(),
            "shuffled": ranks.shuffled_histogram.tolist(),
        },
    }


def _caption_rows(caption_of_row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each row, how many rows have its caption, and which of them it is, from 1.

    These are the ranks of a perfect model in the paper's protocol: from image to text the m
    rows of a caption tie at rank m; from text to image they take the ranks 1 ... m.
    """
    counts = np.bincount(caption_of_row)
    order = np.argsort(caption_of_row, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.concatenate([np.arange(1, count + 1) for count in counts])
    return counts[caption_of_row], place


def _measures(ranks: np.ndarray, best: np.ndarray, candidates: int) -> dict:
    """Summarise the ranks of one direction of one protocol, and those of a perfect model."""
    return accuracies(ranks, candidates) | {
        "median_rank": float(np.median(ranks)),
        "curve": accuracy_curve(ranks, candidates),
        "ceiling": accuracies(best, candidates),
    }


def _spread(moments: tuple[float, float]) -> dict:
    mean, std = (value if np.isfinite(value) else None for value in moments)
    return {"mean": mean, "std": std}
