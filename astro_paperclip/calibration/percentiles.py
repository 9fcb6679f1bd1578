"""How many queries of a bank a match fits less well than the query that found it."""

from collections.abc import Mapping, Sequence

import numpy as np

from astro_paperclip.calibration.bank import Bank

__all__ = ["TIE", "Term", "bank_queries", "score_percentiles"]

Term = tuple[float, str]
"""A part of a query: its weight, and the name of the bank that has others of its kind."""

TIE = 1e-6
"""Scores that differ by less are equal: above the rounding of float32 scores of unit vectors."""


def score_percentiles(
    scores: np.ndarray,
    vectors: np.ndarray,
    terms: Sequence[Term],
    banks: Mapping[str, Bank],
    ids: Sequence[str] = (),
) -> np.ndarray:
    """Return the share of a bank's queries that each match fits less well than its own query.

    Parameters
    ----------
    scores : array_like
        Cosine similarities of the matches with the query that found them, shape ``(n,)``.
    vectors : array_like
        Unit vectors of the matches, shape ``(n, d)``.
    terms : sequence of (float, str)
        What the query is the sum of: the weight of each term, and the name of its bank.
    banks : mapping of str to Bank
        Banks by name. In the place of the terms, vectors of these make other queries.
    ids : sequence of str, optional
        The points of the matches. A match is not compared with queries made of itself.

    Returns
    -------
    percentiles : `~numpy.ndarray`
        Shape ``(n,)``, float64, in percent from 0 to 100; NaN where there is nothing to compare
        with. Queries whose scores differ by less than ``TIE``, 1e-6, do not count as worse.

    Examples
    --------
    Two of four other queries suit this picture less than a query that scores 0.7:

    >>> import numpy as np
    >>> from astro_paperclip.calibration import Bank, score_percentiles
    >>> bank = Bank(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-1.0, 0.0]]))
    >>> score_percentiles([0.7], [[1.0, 0.0]], [(1, "text")], {"text": bank})
    array([50.])
    """
    scores = np.asarray(scores, dtype=np.float64)
    vectors = np.asarray(vectors, dtype=np.float32)
    queries, members = bank_queries(terms, banks)
    if not len(queries):
        return np.full(len(scores), np.nan)
    is_other = np.ones((len(scores), len(queries)), dtype=bool)
    for (_, name), rows in zip(terms, members, strict=True):
        places = {point: place for place, point in enumerate(banks[name].ids)}
        own = np.array([places.get(point, -1) for point in ids], dtype=np.int64)
        if len(own):
            is_other &= own[:, np.newaxis] != rows[np.newaxis, :]
    # Not a matrix product: BLAS keeps its threads busy waiting for 20 times as long as this takes.
    fits = np.einsum("ik,jk->ij", vectors, queries)
    is_worse = fits < scores[:, np.newaxis] - TIE
    total = np.count_nonzero(is_other, axis=1)
    worse = np.count_nonzero(is_worse & is_other, axis=1)
    return np.divide(100.0 * worse, total, out=np.full(len(scores), np.nan), where=total > 0)


def bank_queries(
    terms: Sequence[Term], banks: Mapping[str, Bank]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return queries of the same form as another one, with terms out of banks.

    Parameters
    ----------
    terms : sequence of (float, str)
        Weight and bank of each term.
    banks : mapping of str to Bank
        Banks by name.

    Returns
    -------
    queries : `~numpy.ndarray`
        Shape ``(m, d)``, float32, unit length: directions of weighted sums of one vector from each
        term's bank. A query of one term gives the bank itself, times the sign of the weight. Of
        several terms the largest bank is gone through once; what the others add is drawn, always
        in the same way.
    members : list of `~numpy.ndarray`
        For each term, which vector of its bank is in each query, shape ``(m,)``.
    """
    sizes = [len(banks[name].vectors) for _, name in terms]
    if not min(sizes):
        return np.empty((0, 0)), [np.empty(0, dtype=np.int64) for _ in terms]
    if len(terms) == 1:
        (weight, name), (size,) = terms[0], sizes
        sign = np.sign(np.float32(weight))
        return sign * banks[name].vectors.astype(np.float32), [np.arange(size)]
    members = []
    for term, size in enumerate(sizes):
        # Without another order, equal banks would only give sums of a vector with itself.
        order = np.random.default_rng(term).permutation(size) if term else np.arange(size)
        members.append(np.resize(order, max(sizes)))
    weights = np.array([weight for weight, _ in terms], dtype=np.float64)
    # Neither very large nor very small weights may leave the range of a float32.
    weights = (weights / np.abs(weights).max()).astype(np.float32)
    total = sum(
        weight * banks[name].vectors[rows].astype(np.float32)
        for weight, (_, name), rows in zip(weights, terms, members, strict=True)
    )
    lengths = np.linalg.norm(total, axis=1)
    # Vectors that cancel have no direction.
    kept = lengths > TIE * np.abs(weights).sum()
    return total[kept] / lengths[kept, np.newaxis], [rows[kept] for rows in members]
