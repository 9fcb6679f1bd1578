"""Ranking against graded relevance: the normalised discounted cumulative gain."""

from collections.abc import Sequence

import numpy as np

from astro_paperclip.evaluation.ranks import TIE

__all__ = ["ndcg", "relevance_matrix"]


def ndcg(relevance: np.ndarray, scores: np.ndarray, k: int = 10) -> np.ndarray:
    """Return the normalised discounted cumulative gain of the first k answers.

    Parameters
    ----------
    relevance : `numpy.ndarray`
        Shape (q, n): how relevant each of n items is to each of q queries, from 0 up. NaN
        stands for items that nobody judged; they are left out of the ranking.
    scores : `numpy.ndarray`
        Shape (q, n): scores of a model, higher for what it finds more relevant.
    k : int, optional
        Length of the list of answers.

    Returns
    -------
    `numpy.ndarray`
        Shape (q,), float64, from 0 to 1; NaN for queries to which nothing is relevant.

    Raises
    ------
    ValueError
        If shapes differ, a relevance is negative or infinite, a score is not finite, or k is
        below 1.

    Notes
    -----
    An item of relevance r at rank i contributes a gain of 2^r - 1 divided by log2(i + 1)
    [1]_, and the sum over the first k is divided by that of the best order. Items of equal
    score contribute the mean over all their orders [2]_; so a model that gives every item the
    same score has what a random order has on average.

    References
    ----------
    .. [1] Burges, C., et al. 2005, Learning to Rank using Gradient Descent, ICML 22, 89
    .. [2] McSherry, F., & Najork, M. 2008, Computing Information Retrieval Performance
       Measures Efficiently in the Presence of Tied Scores, ECIR 30, 414
    """
    relevance = np.asarray(relevance, dtype=np.float64)
    scores = np.asarray(scores, dtype=np.float64)
    if relevance.ndim != 2 or relevance.shape != scores.shape:
        raise ValueError(
            f"Relevance {relevance.shape} and scores {scores.shape} must have one shape (q, n)."
        )
    if np.any(relevance < 0) or np.any(np.isinf(relevance)):
        raise ValueError("A relevance must be 0 or above, and finite; NaN where it is unknown.")
    if not np.isfinite(scores).all():
        raise ValueError("Scores must be finite.")
    if k < 1:
        raise ValueError(f"The list of answers must hold one at least: k={k}.")
    return np.array(
        [_ndcg_of_query(one, score, k) for one, score in zip(relevance, scores, strict=True)]
    )


def relevance_matrix(
    queries: Sequence[str],
    items: Sequence[str],
    relevance: Sequence[float],
    *,
    missing: float = np.nan,
) -> tuple[np.ndarray, list[str], list[str]]:
    """Turn a long table of judgements into a matrix.

    Parameters
    ----------
    queries, items, relevance : sequence
        Shape (m,): one judgement a row.
    missing : float, optional
        What stands for pairs without a judgement. The default leaves them out of rankings;
        give 0 where all that is relevant has been judged.

    Returns
    -------
    matrix : `numpy.ndarray`
        Shape (q, n), float64.
    query_names, item_names : list of str
        What its rows and columns are, each in the order of first appearance.

    Raises
    ------
    ValueError
        If lengths differ, or a query and an item have two judgements.
    """
    if not len(queries) == len(items) == len(relevance):
        raise ValueError(
            f"{len(queries)} queries, {len(items)} items and {len(relevance)} judgements do not "
            "belong together."
        )
    rows = {name: place for place, name in enumerate(dict.fromkeys(map(str, queries)))}
    columns = {name: place for place, name in enumerate(dict.fromkeys(map(str, items)))}
    matrix = np.full((len(rows), len(columns)), missing, dtype=np.float64)
    seen = set()
    for query, item, value in zip(map(str, queries), map(str, items), relevance, strict=True):
        if (query, item) in seen:
            raise ValueError(f"There are two judgements of {item!r} for {query!r}.")
        seen.add((query, item))
        matrix[rows[query], columns[item]] = value
    return matrix, list(rows), list(columns)


def _ndcg_of_query(relevance: np.ndarray, scores: np.ndarray, k: int) -> float:
    judged = ~np.isnan(relevance)
    gains = 2.0 ** relevance[judged] - 1
    discount = 1 / np.log2(np.arange(2, min(k, len(gains)) + 2))
    ideal = discount @ np.sort(gains)[::-1][: len(discount)]
    if not ideal:
        return np.nan
    order = np.argsort(-scores[judged], kind="stable")
    sorted_scores = scores[judged][order]
    tied = np.concatenate([[0], np.cumsum(sorted_scores[:-1] - sorted_scores[1:] > TIE)])
    mean_gain = np.bincount(tied, weights=gains[order]) / np.bincount(tied)
    return float(discount @ mean_gain[tied][: len(discount)] / ideal)
