"""Ranks to accuracies: the share of queries answered within the first k."""

import numpy as np

__all__ = [
    "CURVE_POINTS",
    "PERCENTS",
    "TOP_K",
    "accuracies",
    "accuracy_curve",
    "found_within",
    "group_intervals",
]

PERCENTS = (1, 2, 5, 10, 20, 50)
"""Sizes of a list of answers, in percent of the candidates."""

TOP_K = (1, 5, 10)
"""Sizes of a list of answers, as numbers."""

CURVE_POINTS = 200
"""Largest number of points of a curve of accuracy against k."""

_RESAMPLES = 1000


def found_within(ranks: np.ndarray, percent: float, candidates: int) -> np.ndarray:
    """Return how far each query counts as answered within some per cent of the candidates.

    Where p per cent of the candidates is no whole number, the shares for the whole numbers
    below and above are interpolated, so that chance is p per cent whatever their number is:
    of 15 answers, 10 % are 1.5; taking one for it would make chance 6.7 %, taking two 13.3 %.
    The list holds one answer at least.

    Parameters
    ----------
    ranks : `numpy.ndarray`
        Ranks of the right answers, from 1; any shape.
    percent : float
        Length of the list of answers, in percent of the candidates.
    candidates : int
        Number of answers that are ranked.

    Returns
    -------
    `numpy.ndarray`
        Of float64 and the shape of ``ranks``: 1 within the whole number of answers below the
        length of the list, 0 beyond the one above, and for the answer in between the fraction
        of it that the list holds.
    """
    length = max(1.0, percent * candidates / 100)
    return np.clip(length - ranks + 1, 0.0, 1.0)


def accuracies(ranks: np.ndarray, candidates: int) -> dict:
    """Summarise ranks by the accuracies of lists of several lengths.

    Parameters
    ----------
    ranks : `numpy.ndarray`
        Shape (n,): ranks of the right answers, from 1.
    candidates : int
        Number of answers that are ranked.

    Returns
    -------
    dict
        ``top_percent`` and ``top_k``, the accuracies by the elements of `PERCENTS` and
        `TOP_K` as strings, and ``auc``, the mean of the accuracy at k over all k.
    """
    return {
        "top_percent": {
            str(percent): float(np.mean(found_within(ranks, percent, candidates)))
            for percent in PERCENTS
        },
        "top_k": {str(k): float(np.mean(ranks <= k)) for k in TOP_K},
        # a query with rank r is right at k = r ... n, that is at n - r + 1 of n places
        "auc": float(np.mean(candidates - ranks + 1) / candidates),
    }


def accuracy_curve(ranks: np.ndarray, candidates: int) -> dict:
    """Return the accuracy at every k, thinned to what a figure can show.

    Parameters
    ----------
    ranks : `numpy.ndarray`
        Shape (n,): ranks of the right answers, from 1.
    candidates : int
        Number of answers that are ranked.

    Returns
    -------
    dict
        ``fraction`` (k as a fraction of the candidates, ascending, the last 1) and
        ``accuracy`` (share of queries with the right answer in the first k, exact), lists
        of equal length, at most `CURVE_POINTS`. Their k start at 1 and lie the closer the
        smaller they are, where the curve bends.
    """
    steps = np.linspace(0, 1, min(candidates, CURVE_POINTS))
    if candidates > CURVE_POINTS:
        steps = steps**2
    k = np.unique(np.rint(1 + steps * (candidates - 1)).astype(np.int64))
    found = np.searchsorted(np.sort(ranks), k, side="right")
    return {"fraction": (k / candidates).tolist(), "accuracy": (found / len(ranks)).tolist()}


def group_intervals(ranks: np.ndarray, candidates: int, groups: np.ndarray, seed: int) -> dict:
    """Return 95 % intervals of accuracies by drawing groups with replacement.

    Parameters
    ----------
    ranks : `numpy.ndarray`
        Shape (n,): ranks of the right answers, from 1; they stay as they are.
    candidates : int
        Number of answers that are ranked.
    groups : `numpy.ndarray`
        Shape (n,): the group of each query. Queries of one group are drawn together.
    seed : int
        Of the random numbers.

    Returns
    -------
    dict
        For each of `PERCENTS` as a string, the 2.5th and the 97.5th percentile of the
        accuracy.
    """
    _, groups = np.unique(groups, return_inverse=True)
    sizes = np.bincount(groups)
    hits = np.zeros((len(sizes), len(PERCENTS)))
    found = np.stack([found_within(ranks, percent, candidates) for percent in PERCENTS], axis=1)
    np.add.at(hits, groups, found)
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=_RESAMPLES)
    shares = (draws @ hits) / (draws @ sizes)[:, None]
    limits = np.percentile(shares, [2.5, 97.5], axis=0).T
    return {
        str(percent): [float(low), float(high)]
        for percent, (low, high) in zip(PERCENTS, limits, strict=True)
    }
