"""What a picture may be called in a training step: the whole caption, a part of it, its title."""

from dataclasses import dataclass

import numpy as np
from astropy.table import Table

from astro_paperclip.captions import chunk_sentences, cut_to_context
from astro_paperclip.encoders import Encoder

__all__ = ["CaptionMixture", "caption_mixture"]

#: Tokens in a part of a caption: about two sentences, the length of a detailed query.
PART_TOKENS = 64

_TITLE_SHARE = 0.3
_WHOLE_SHARE = 0.3


@dataclass(frozen=True)
class CaptionMixture:
    """The texts that each row may be paired with.

    Parameters
    ----------
    texts : list of str
        All texts, each once.
    wholes : `~numpy.ndarray`
        For each row, the number of its whole caption.
    titles : `~numpy.ndarray`
        For each row, the number of its title; of its whole caption where it has none.
    parts : list of `~numpy.ndarray`
        For each row, the numbers of the parts of its caption.
    """

    texts: list[str]
    wholes: np.ndarray
    titles: np.ndarray
    parts: list[np.ndarray]

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw one text for each row.

        Parameters
        ----------
        rows : `~numpy.ndarray`
            Row numbers, shape (n,).
        rng : `numpy.random.Generator`
            Where chance comes from.

        Returns
        -------
        numbers : `~numpy.ndarray`
            Of texts, shape (n,).
        """
        chance = rng.random(len(rows))
        drawn = np.array([rng.choice(self.parts[row]) for row in rows])
        drawn = np.where(chance < _TITLE_SHARE + _WHOLE_SHARE, self.wholes[rows], drawn)
        return np.where(chance < _TITLE_SHARE, self.titles[rows], drawn)


def caption_mixture(pairs: Table, encoder: Encoder) -> CaptionMixture:
    """Collect the texts that the rows of a pairs table may be paired with.

    Parameters
    ----------
    pairs : `~astropy.table.Table`
        With the column ``text`` and, where known, ``title``.
    encoder : Encoder
        Its tokenizer tells how long a text is.

    Returns
    -------
    mixture : CaptionMixture
        For `CaptionMixture.draw`.
    """
    numbers: dict[str, int] = {}
    known: dict[str, tuple[int, np.ndarray]] = {}

    def number(text: str) -> int:
        return numbers.setdefault(text, len(numbers))

    part_tokens = min(PART_TOKENS, encoder.context_length)
    wholes, titles, parts = [], [], []
    for row in pairs:
        text = str(row["text"])
        if text not in known:
            whole = cut_to_context(text, encoder.count_tokens, encoder.context_length)
            pieces = chunk_sentences(text, encoder.count_tokens, part_tokens)
            known[text] = number(whole), np.array([number(piece) for piece in pieces])
        whole, pieces = known[text]
        title = _title(row)
        wholes.append(whole)
        titles.append(number(title) if title else whole)
        parts.append(pieces)
    return CaptionMixture(list(numbers), np.array(wholes), np.array(titles), parts)


def _title(row: Table.Row) -> str:
    """Return a row's title, or nothing where it has none."""
    if "title" not in row.colnames or row["title"] is np.ma.masked:
        return ""
    return str(row["title"]).strip()
