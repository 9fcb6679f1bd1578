"""Vectors against what people judged: how well a model's order agrees with theirs."""

from collections.abc import Sequence

import numpy as np

from astro_paperclip.evaluation.human_judgements import ImageDistances, Votes
from astro_paperclip.evaluation.ndcg import ndcg
from astro_paperclip.evaluation.ranks import unit_rows

__all__ = ["graded_metrics", "similarity_metrics", "vote_metrics"]

_NEAR_SHARE = 0.05


def graded_metrics(
    relevance: np.ndarray, scores: np.ndarray, queries: Sequence[str], k: int = 10
) -> dict:
    """Compare a ranking with graded relevance, query by query.

    Parameters
    ----------
    relevance, scores : `numpy.ndarray`
        As for `ndcg`.
    queries : sequence of str
        Names of the q queries.
    k : int, optional
        Length of the list of answers.

    Returns
    -------
    dict
        Ready for JSON: ``k``; ``n_queries``, the number of those to which anything is
        relevant; ``ndcg``, their mean, and ``chance``, that of a random order; ``by_query``
        with both for each of them.

    Raises
    ------
    ValueError
        As `ndcg`; or if the number of names is another, or nothing is relevant to any query.
    """
    achieved, chance = ndcg(relevance, scores, k), ndcg(relevance, np.zeros_like(scores), k)
    if len(queries) != len(achieved):
        raise ValueError(f"{len(queries)} names do not belong to {len(achieved)} queries.")
    by_query = {
        str(name): {"ndcg": float(one), "chance": float(random)}
        for name, one, random in zip(queries, achieved, chance, strict=True)
        if np.isfinite(one)
    }
    if not by_query:
        raise ValueError("No item is relevant to any of the queries.")
    return {
        "k": k,
        "n_queries": len(by_query),
        "ndcg": float(np.nanmean(achieved)),
        "chance": float(np.nanmean(chance)),
        "by_query": by_query,
    }


def similarity_metrics(image_vectors: np.ndarray, people: ImageDistances, k: int = 10) -> dict:
    """Compare similarities of image vectors with what people find similar.

    Parameters
    ----------
    image_vectors : `numpy.ndarray`
        Shape (n, d): vectors of ``people.images`` in their order; brought to unit length here.
    people : ImageDistances
        What people find.
    k : int, optional
        Length of the list of answers.

    Returns
    -------
    dict
        Ready for JSON:

        ``k``, ``n_images``
            Length of the lists; number of images.
        ``ndcg``, ``chance``
            Mean nDCG of the first k images to each image (itself left out), and that of a
            random order. The image that people put nearest has relevance 1, and relevance
            falls linearly with the place in people's order, to 0 at 5 % of all images (but at
            k at least). The rule is ours, and uses the order of the distances only.
        ``spearman``
            Rank correlation, over all pairs, of people's distances with one minus the cosine
            similarity.
        ``spearman_by_image``
            The same over the pairs of one image, mean over the images.

        Correlations are None where all distances are equal.

    Raises
    ------
    ValueError
        If the number of vectors is another, or no pair was compared.
    """
    vectors = unit_rows(image_vectors)
    n = len(people.images)
    if len(vectors) != n:
        raise ValueError(f"{len(vectors)} vectors do not belong to {n} images.")
    known = ~np.isnan(people.distances)
    if not known.any():
        raise ValueError("No pair of images was compared.")
    scores = vectors @ vectors.T
    relevance = _relevance_of_order(people.distances, max(k, int(np.ceil(_NEAR_SHARE * n))))
    by_image = [
        _spearman(people.distances[row][known[row]], -scores[row][known[row]]) for row in range(n)
    ]
    upper = np.triu(known)
    found = [value for value in by_image if value is not None]
    return {
        "k": k,
        "n_images": n,
        "ndcg": float(np.nanmean(ndcg(relevance, scores, k))),
        "chance": float(np.nanmean(ndcg(relevance, np.zeros_like(scores), k))),
        "spearman": _spearman(people.distances[upper], -scores[upper]),
        "spearman_by_image": float(np.mean(found)) if found else None,
    }


def vote_metrics(
    image_vectors: np.ndarray, query_vectors: np.ndarray, votes: Votes, k: int = 10
) -> dict:
    """Compare what queries find with what people see.

    Parameters
    ----------
    image_vectors : `numpy.ndarray`
        Shape (n, d): vectors of ``votes.images`` in their order; brought to unit length here.
    query_vectors : `numpy.ndarray`
        Shape (q, d): vectors of ``votes.queries`` in their order; brought to unit length here.
    votes : Votes
        What people see. The fraction of votes is the relevance.
    k : int, optional
        Length of the list of answers.

    Returns
    -------
    dict
        What `~astro_paperclip.evaluation.graded_metrics` returns.

    Raises
    ------
    ValueError
        If the number of vectors is another, or nobody voted for anything.
    """
    scores = unit_rows(query_vectors) @ unit_rows(image_vectors).T
    return graded_metrics(votes.fractions, scores, votes.queries, k)


def _relevance_of_order(distances: np.ndarray, reach: int) -> np.ndarray:
    """Return relevance that falls from 1 for the nearest image to 0 at a place in the order."""
    from scipy.stats import rankdata

    places = rankdata(distances, axis=1, nan_policy="omit")
    return np.clip(1 - (places - 1) / reach, 0, None)


def _spearman(first: np.ndarray, second: np.ndarray) -> float | None:
    from scipy.stats import rankdata

    first, second = rankdata(first), rankdata(second)
    if len(first) < 2 or not first.std() or not second.std():
        return None
    return float(np.corrcoef(first, second)[0, 1])
