"""What queries find: the images nearest to each, for a person to look at."""

import textwrap
from collections.abc import Sequence

import numpy as np
from astropy.table import Table

from astro_paperclip.evaluation.ranks import unit_rows

__all__ = ["best_images"]

_LENGTH = 160


def best_images(
    image_vectors: np.ndarray,
    table: Table,
    query_vectors: np.ndarray,
    queries: Sequence[str],
    *,
    n: int = 10,
) -> dict[str, list[dict]]:
    """Find the images nearest to queries.

    Parameters
    ----------
    image_vectors : `numpy.ndarray`
        Shape (m, d), one row a pair; brought to unit length here.
    table : `~astropy.table.Table`
        The m pairs.
    query_vectors : `numpy.ndarray`
        Shape (q, d).
    queries : sequence of str
        The q queries.
    n : int, optional
        Images for each query; all, where there are fewer.

    Returns
    -------
    dict
        Ready for JSON. For each query its images, the best first (equal ones in the order of
        the pairs), each a dict of ``image`` (path), ``group_id``, ``caption`` (the title,
        where the pairs have one, else how the caption begins) and ``score`` (cosine
        similarity).
    """
    scores = unit_rows(query_vectors) @ unit_rows(image_vectors).T
    answers = {}
    for query, row_scores in zip(queries, scores, strict=True):
        best = np.argsort(-row_scores, kind="stable")[:n]
        answers[str(query)] = [
            {
                "image": str(table["image"][row]),
                "group_id": str(table["group_id"][row]),
                "caption": _caption(table, row),
                "score": float(row_scores[row]),
            }
            for row in best
        ]
    return answers


def _caption(table: Table, row: int) -> str:
    title = table["title"][row] if "title" in table.colnames else ""
    known = "" if title is np.ma.masked else str(title).strip()
    return textwrap.shorten(known or str(table["text"][row]), _LENGTH, placeholder=" …")
