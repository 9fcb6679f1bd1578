"""What a picture may be called in a training step: its caption, a part of it, title, summary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from astropy.table import Table

from astro_paperclip.captions import chunk_sentences, cut_to_context
from astro_paperclip.encoders import Encoder
from astro_paperclip.exceptions import TrainingError

__all__ = ["KINDS", "SHARES", "CaptionMixture", "caption_mixture", "share_bounds"]

KINDS = ("title", "whole", "part", "chunk", "summary")
"""What a picture may be called: see `astro_paperclip.training.HeadRecipe`."""

SHARES = {"title": 0.3, "whole": 0.3, "part": 0.4}
"""How often it is called so where a recipe says nothing."""

#: Tokens in a part of a caption: about two sentences, the length of a detailed query.
PART_TOKENS = 64


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
    chunks : list of `~numpy.ndarray`, optional
        For each row, the numbers of the chunks of its caption; only needed where they are drawn.
    summaries : `~numpy.ndarray`, optional
        For each row, the number of its summary, as for titles; only needed where they are drawn.
    shares : dict of str to float
        How often each of `KINDS` is drawn; only the ratios count.
    """

    texts: list[str]
    wholes: np.ndarray
    titles: np.ndarray
    parts: list[np.ndarray]
    chunks: list[np.ndarray] | None = None
    summaries: np.ndarray | None = None
    shares: Mapping[str, float] = field(default_factory=SHARES.copy)

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
        kinds = np.searchsorted(share_bounds(self.shares, KINDS), rng.random(len(rows)), "right")
        kinds = np.array(KINDS)[kinds]
        pieces = {"chunk": self.chunks}
        # A place in the caption is drawn for each row, whether it is used or not.
        drawn = np.array(
            [
                rng.choice(pieces.get(kind, self.parts)[row])
                for row, kind in zip(rows, kinds, strict=True)
            ]
        )
        for kind, numbers in (("title", self.titles), ("summary", self.summaries)):
            if numbers is not None:
                drawn = np.where(kinds == kind, numbers[rows], drawn)
        return np.where(kinds == "whole", self.wholes[rows], drawn)


def caption_mixture(
    pairs: Table, encoder: Encoder, shares: Mapping[str, float] = SHARES
) -> CaptionMixture:
    """Collect the texts that the rows of a pairs table may be paired with.

    Parameters
    ----------
    pairs : `~astropy.table.Table`
        With the column ``text`` and, where known, ``title`` and ``summary``.
    encoder : Encoder
        Its tokenizer tells how long a text is.
    shares : dict of str to float
        How often each of `KINDS` is to be drawn. Texts of kinds that are not drawn are left out,
        but for parts and whole captions, which stand in where others are missing.

    Returns
    -------
    mixture : CaptionMixture
        For `CaptionMixture.draw`.
    """
    numbers: dict[str, int] = {}
    known: dict[str, tuple[int, np.ndarray, np.ndarray]] = {}

    def number(text: str) -> int:
        return numbers.setdefault(text, len(numbers))

    def pieces_of(text: str, limit: int) -> np.ndarray:
        limit = min(limit, encoder.context_length)
        return np.array([number(t) for t in chunk_sentences(text, encoder.count_tokens, limit)])

    def other(row: Table.Row, kind: str, whole: int) -> int:
        text = _cell(row, kind) if shares.get(kind) else ""
        return number(text) if text else whole

    wholes, titles, summaries, parts, chunks = [], [], [], [], []
    for row in pairs:
        text = str(row["text"])
        if text not in known:
            whole = number(cut_to_context(text, encoder.count_tokens, encoder.context_length))
            longer = shares.get("chunk") and pieces_of(text, encoder.context_length)
            known[text] = whole, pieces_of(text, PART_TOKENS), longer
        whole, shorter, longer = known[text]
        wholes.append(whole)
        titles.append(other(row, "title", whole))
        summaries.append(other(row, "summary", whole))
        parts.append(shorter)
        chunks.append(longer)
    return CaptionMixture(
        list(numbers),
        np.array(wholes),
        np.array(titles),
        parts,
        chunks if shares.get("chunk") else None,
        np.array(summaries),
        dict(shares),
    )


def share_bounds(shares: Mapping[str, float], kinds: Sequence[str]) -> np.ndarray:
    """Return where kinds of captions end on a scale from 0 to 1.

    Parameters
    ----------
    shares : dict of str to float
        How often each kind is drawn; only the ratios count.
    kinds : sequence of str
        The kinds that there are, in the order of the scale.

    Returns
    -------
    bounds : `~numpy.ndarray`
        For each of the kinds, float64; the last is 1.

    Raises
    ------
    TrainingError
        If these are no shares by kind, a kind is unknown, a share is negative or no number, or
        none is positive.
    """
    if not isinstance(shares, Mapping):
        raise TrainingError(
            f"Captions {shares!r} must be shares by kind, such as {{'title': 0.5, 'chunk': 0.5}}."
        )
    unknown = [kind for kind in shares if kind not in kinds]
    if unknown:
        raise TrainingError(f"Unknown captions {', '.join(unknown)}: use {', '.join(kinds)}.")
    values = np.array([shares.get(kind, 0) for kind in kinds])
    is_number = values.dtype.kind in "iuf"
    if not (is_number and np.isfinite(values).all() and (values >= 0).all() and values.any()):
        raise TrainingError(
            f"The shares of captions {dict(shares)} must be 0 or more, and one more than 0."
        )
    ends = values.cumsum()
    return ends / ends[-1]


def _cell(row: Table.Row, name: str) -> str:
    """Return a row's text in a column, or nothing where it has none."""
    if name not in row.colnames or row[name] is np.ma.masked or row[name] is None:
        return ""
    return str(row[name]).strip()
