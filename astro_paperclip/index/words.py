"""The words of a row, weighted for BM25: what a search for words is answered from.

Weights of documents are stored beside the vectors, as sparse vectors; how rare a word is, the
engine works out when it is asked. Words are stemmed and stop words left out, in English.
"""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from astro_paperclip.exceptions import InvalidQueryError

if TYPE_CHECKING:
    import qdrant_edge

__all__ = ["TEXT_COLUMNS", "WORDS", "WordWeights", "query_words", "row_words"]

WORDS = "words"
"""Name of the sparse vector."""

TEXT_COLUMNS = ("title", "obs_title", "text", "abstract", "summary", "target_name")
"""Columns whose words count, where a row has them."""


class WordWeights(NamedTuple):
    """Words as numbers, and the weight of each.

    Attributes
    ----------
    indices : list of int
        Hashes of the words' stems.
    values : list of float
        Their weights.
    """

    indices: list[int]
    values: list[float]


def row_words(payload: Mapping[str, Any]) -> WordWeights | None:
    """Return the weights of a row's words, or `None` where it has no texts.

    Parameters
    ----------
    payload : mapping
        The row. A text that several columns have counts once.

    Returns
    -------
    WordWeights or None
        f (k + 1) / (f + k (1 - b + b n / m)), of a word that occurs f times in n words, with
        k = 1.2, b = 0.75 and m = 256 (Robertson & Zaragoza 2009, "The Probabilistic Relevance
        Framework: BM25 and Beyond").
    """
    texts = [payload[name] for name in TEXT_COLUMNS if isinstance(payload.get(name), str)]
    return _weights(_model().embed_document(" ".join(dict.fromkeys(texts)))) if texts else None


def query_words(text: str) -> WordWeights:
    """Return the words to look for, each with the weight 1.

    Raises
    ------
    InvalidQueryError
        If there is no word but stop words.
    """
    words = _weights(_model().embed_query(text)) if isinstance(text, str) else None
    if words is None:
        raise InvalidQueryError(f"{text!r} has no word to search for: give one that says more.")
    return words


@cache
def _model() -> "qdrant_edge.Bm25":
    # Names of this module are imported by those who open no index, and need no engine.
    import qdrant_edge

    return qdrant_edge.Bm25()


def _weights(sparse: "qdrant_edge.SparseVector") -> WordWeights | None:
    indices = list(sparse.indices)
    return WordWeights(indices, list(sparse.values)) if indices else None
