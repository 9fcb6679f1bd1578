"""Relevance of what queries find, image by image and proposal by proposal."""

from collections.abc import Callable, Sequence

import numpy as np

from astro_paperclip.evaluation.judges import Judge, KeywordJudge
from astro_paperclip.evaluation.ranks import unit_rows

__all__ = ["PAPER_QUERIES", "query_relevance", "tfidf_scores"]

PAPER_QUERIES = (
    "globular cluster",
    "dwarf galaxy",
    "SN1987A",
    "strong lensing",
    "galaxy clusters",
    "interstellar medium",
    "dark matter",
    "spiral galaxies",
    "lyman alpha",
    "comets",
)
"""The queries of the paper (arXiv:2403.08851, section 4)."""


def query_relevance(
    image_vectors: np.ndarray,
    captions: Sequence[str],
    groups: Sequence[str],
    query_vectors: np.ndarray,
    *,
    queries: Sequence[str] = PAPER_QUERIES,
    judge: Judge | None = None,
    image_paths: Sequence[str] | None = None,
    k: int = 10,
    baseline: bool = True,
    seed: int = 0,
) -> dict:
    """Measure how many of the first k answers to queries are relevant.

    Parameters
    ----------
    image_vectors : `numpy.ndarray`
        Shape (n, d), one row an image; brought to unit length here.
    captions : sequence of str
        The n captions, which the judge reads.
    groups : sequence of str
        The n groups: the proposal of each image.
    query_vectors : `numpy.ndarray`
        Shape (q, d), the queries as the encoder makes them.
    queries : sequence of str, optional
        The q queries.
    judge : Judge, optional
        Says whether an image is relevant. Default: a
        `~astro_paperclip.evaluation.KeywordJudge`. It is asked once for each different
        query, caption and image path.
    image_paths : sequence of str, optional
        The n image files, for a judge that looks at them.
    k : int, optional
        Length of the list of answers.
    baseline : bool, optional
        Whether to compare with a text search and with chance. Chance needs a judgement of
        every caption for every query: leave it out where judgements cost.
    seed : int, optional
        Of the order of equal scores, which is random.

    Returns
    -------
    dict
        Ready for JSON:

        ``k``, ``judge``, ``queries``
            Length of the lists, name of the judge, list of the queries.
        ``model``, ``tfidf``, ``chance``, ``ceiling``
            Of the model, of a search for the words of the query among the captions, of
            answers drawn at random (expectation), and the largest values that there could
            be. Each holds ``images`` (share of the first k images that are relevant),
            ``proposals`` (share of the first k proposals that are relevant, each taken once,
            by the best of its images) and ``by_query`` (the same for each query). ``model``
            and ``tfidf`` hold ``unique_proposals`` besides: the number of different
            proposals among the first k images. All are means over the queries.
            Where there are fewer than k images or proposals, shares are of those.
            ``tfidf`` is ``{"skipped": reason}`` where scikit-learn is not installed or the
            captions hold no words; ``tfidf``, ``chance`` and ``ceiling`` are absent without
            ``baseline``.

    Raises
    ------
    ValueError
        If lengths or shapes do not fit, there is no query, or k is below 1.

    Notes
    -----
    The paper [1]_ reports the share of relevant images only, for its models but not for a text
    search. Its judge reads the abstract and never the image, which favours a text search; and
    images of a proposal share their abstract, so that one proposal found ten times counts ten
    times. So this gives both shares, and both baselines.

    References
    ----------
    .. [1] Mishra-Sharma, S., Song, Y., & Thaler, J. 2024, arXiv:2403.08851, section 4
    """
    judge = KeywordJudge() if judge is None else judge
    images, wanted = unit_rows(image_vectors), unit_rows(query_vectors)
    captions, queries = list(captions), list(queries)
    paths = [None] * len(captions) if image_paths is None else list(image_paths)
    _check(images, wanted, captions, groups, paths, queries, k)
    if not getattr(judge, "sees_images", True):
        paths = [None] * len(captions)
    _, group_of_row = np.unique(np.asarray(groups, dtype=object), return_inverse=True)
    is_relevant = _remembering(judge, queries, captions, paths)

    def precision(scores: np.ndarray) -> dict:
        return _precision(scores, group_of_row, is_relevant, queries, k, seed)

    result = {
        "k": k,
        "judge": str(getattr(judge, "name", type(judge).__name__)),
        "queries": queries,
        "model": precision(wanted @ images.T),
    }
    if not baseline:
        return result
    try:
        scores = tfidf_scores(captions, queries)
    except ImportError:
        result["tfidf"] = {"skipped": "scikit-learn is not installed"}
    except ValueError:
        result["tfidf"] = {"skipped": "the captions hold no words"}
    else:
        result["tfidf"] = precision(scores)
    every = np.array(
        [[is_relevant(q, row) for q in range(len(queries))] for row in range(len(captions))]
    )
    return result | _bounds(every.T, group_of_row, queries, k)


def tfidf_scores(captions: Sequence[str], queries: Sequence[str]) -> np.ndarray:
    """Score captions by the words that they share with queries.

    Parameters
    ----------
    captions : sequence of str
        The n captions, whose words are weighted by how few captions hold them.
    queries : sequence of str
        The q queries.

    Returns
    -------
    `numpy.ndarray`
        Shape (q, n), float64: cosine similarities of scikit-learn's term frequencies times
        inverse document frequencies, all settings as they come.

    Raises
    ------
    ImportError
        If scikit-learn is not installed.
    ValueError
        If no caption holds a word of two letters.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer()
    texts = vectorizer.fit_transform(captions)
    return (vectorizer.transform(queries) @ texts.T).toarray()


def _check(images, wanted, captions, groups, paths, queries, k) -> None:
    """Refuse what does not belong together."""
    if not len(images) == len(captions) == len(groups) == len(paths):
        raise ValueError(
            f"{len(images)} image vectors, {len(captions)} captions, {len(groups)} groups and "
            f"{len(paths)} image paths do not belong together."
        )
    if wanted.shape != (len(queries), images.shape[1]):
        raise ValueError(
            f"Query vectors {wanted.shape} do not belong to {len(queries)} queries and image "
            f"vectors {images.shape}."
        )
    if k < 1:
        raise ValueError(f"The list of answers must hold one at least: k={k}.")


def _remembering(
    judge: Judge, queries: list[str], captions: list[str], paths: list[str | None]
) -> Callable[[int, int], bool]:
    """Return a function of query and row that asks the judge no question twice."""
    answers: dict[tuple[str, str, str | None], bool] = {}

    def is_relevant(query: int, row: int) -> bool:
        question = queries[query], captions[row], paths[row]
        if question not in answers:
            answers[question] = bool(judge(*question))
        return answers[question]

    return is_relevant


def _precision(
    scores: np.ndarray,
    group_of_row: np.ndarray,
    is_relevant: Callable[[int, int], bool],
    queries: list[str],
    k: int,
    seed: int,
) -> dict:
    """Judge the first k images, and the first k proposals, of every query."""
    random_order = np.random.default_rng(seed).permutation(scores.shape[1])
    by_query = {}
    for query, (name, row_scores) in enumerate(zip(queries, scores, strict=True)):
        order = np.lexsort((random_order, -row_scores))
        _, first = np.unique(group_of_row[order], return_index=True)
        best_of_group = order[np.sort(first)]
        by_query[name] = {
            "images": _share(is_relevant(query, row) for row in order[:k]),
            "proposals": _share(is_relevant(query, row) for row in best_of_group[:k]),
            "unique_proposals": len(set(group_of_row[order[:k]])),
        }
    return _means(by_query)


def _bounds(every: np.ndarray, group_of_row: np.ndarray, queries: list[str], k: int) -> dict:
    """Return what chance gives, and the most that there could be.

    A proposal drawn at random is judged by one of its images drawn at random; at most, by any
    relevant one.
    """
    sizes = np.bincount(group_of_row)
    chance, ceiling = {}, {}
    for name, judged in zip(queries, every, strict=True):
        of_group = np.bincount(group_of_row, weights=judged)
        chance[name] = {
            "images": float(judged.mean()),
            "proposals": float((of_group / sizes).mean()),
        }
        ceiling[name] = {
            "images": _most(int(judged.sum()), len(judged), k),
            "proposals": _most(int(np.count_nonzero(of_group)), len(sizes), k),
        }
    return {"chance": _means(chance), "ceiling": _means(ceiling)}


def _most(relevant: int, candidates: int, k: int) -> float:
    return min(k, relevant) / min(k, candidates)


def _share(judged) -> float:
    return float(np.mean(list(judged)))


def _means(by_query: dict[str, dict]) -> dict:
    """Return the means over the queries, and the queries themselves."""
    kinds = next(iter(by_query.values()))
    means = {kind: float(np.mean([one[kind] for one in by_query.values()])) for kind in kinds}
    return means | {"by_query": by_query}
