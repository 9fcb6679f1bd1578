"""What a picture may be called at a step, and its tokens."""

import copy
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from astropy.table import Table

from astro_paperclip.captions import cut_to_context, split_sentences
from astro_paperclip.encoders import Encoder
from astro_paperclip.exceptions import TrainingError
from astro_paperclip.training.head.captions import PART_TOKENS, share_bounds

__all__ = ["KINDS", "CaptionTexts"]

KINDS = ("whole", "chunk", "part", "title", "summary")
"""What a picture may be called, see `CaptionTexts`."""

#: Captions whose sentences are kept once they were split: at 1,500 characters each, some 90 MB.
_KEPT_CAPTIONS = 2**15

#: Texts whose tokens are kept: with 256 tokens each, some 50 MB.
_KEPT_TOKENS = 2**15

#: Sentences that are longer than the limit, and what was kept of them.
_KEPT_CUTS = 2**12


@dataclass(frozen=True)
class _Sentences:
    """The sentences of a caption, and the number of tokens of those that were counted so far."""

    texts: tuple[str, ...]
    sizes: dict[int, int]


class CaptionTexts:
    """The texts that each row may be paired with, of which one is drawn whenever it is seen.

    Nothing is computed before a row is drawn, so that a million rows are ready at once; what is
    computed is kept within bounds.

    Parameters
    ----------
    texts : sequence of str
        The caption of each row. Like the other sequences it is held, not copied.
    titles, summaries : sequence of str or None
        The title and the summary of each row, empty where a row has none.
    shares : dict of str to float
        How often each of `KINDS` is drawn; only the ratios count.

        ``whole``
            As many sentences from the start of the caption as fit.
        ``chunk``
            Consecutive sentences from a random one on, as many as fit.
        ``part``
            The same with at most 64 tokens, the length of a detailed query.
        ``title``, ``summary``
            Those of the row, cut if they do not fit. A row without one gives a chunk instead.
    encoder : Encoder
        Its tokenizer says how long a text is.
    context : int, optional
        Largest number of tokens, where that is less than the encoder's context.
    categories : sequence of str, optional
        ``Category: ... .`` stands before the caption of each row that has a category, and
        counts as its first sentence.

    Raises
    ------
    TrainingError
        If the sequences differ in length, a kind is unknown or a share makes no sense, or no
        word fits into the context.

    Notes
    -----
    The paper (arXiv 2403.08851, section 3) speaks of random chunks of the abstracts. A
    ``chunk`` is what its code makes of that: the sentences are turned round to begin at a
    random one, so that the start of the abstract follows its end, and taken in turn while they
    fit; a caption that fits as a whole stays as it is; the category stands in front before the
    sentences are turned. The code however counts 77 words and then cuts at 77 tokens, which is
    in the midst of a sentence more often than not. Here tokens are counted, so that all
    sentences are whole; only one that is too long by itself is cut, between words, where the
    code leaves the picture without a caption.

    Sentences are counted one by one. That is exact for tokenizers that never join characters
    across a space, as open_clip's own and those of BERT.
    """

    def __init__(
        self,
        texts: Sequence[str],
        titles: Sequence[str] | None,
        summaries: Sequence[str] | None,
        shares: Mapping[str, float],
        encoder: Encoder,
        context: int | None = None,
        *,
        categories: Sequence[str] | None = None,
    ) -> None:
        self._texts, self._categories = texts, categories
        self._others = {"title": titles, "summary": summaries}
        for name, column in (self._others | {"category": categories}).items():
            if column is not None and len(column) != len(texts):
                raise TrainingError(f"{len(texts)} texts do not fit {len(column)} of {name!r}.")
        self._bounds = share_bounds(shares, KINDS)
        # A tokenizer works for one thread at a time: this object's is nobody else's.
        self._encoder = copy.copy(encoder)
        self._encoder.tokenizer = copy.deepcopy(encoder.tokenizer)
        self._lock = threading.Lock()
        self._marks = self._count("")
        self.context = min(context or encoder.context_length, encoder.context_length)
        if self.context <= self._marks:
            raise TrainingError(
                f"No word fits into {self.context} tokens: the encoder {encoder.name!r} needs "
                f"{self._marks} of them as marks. Allow up to {encoder.context_length}."
            )
        self._sentences = lru_cache(_KEPT_CAPTIONS)(_split)
        self._cut = lru_cache(_KEPT_CUTS)(self._cut_sentence)
        self._tokens: OrderedDict[str, np.ndarray] = OrderedDict()

    @classmethod
    def from_table(
        cls,
        pairs: Table,
        shares: Mapping[str, float],
        encoder: Encoder,
        context: int | None = None,
        *,
        category_prefix: bool = False,
    ) -> "CaptionTexts":
        """Take the texts from a pairs table.

        Parameters
        ----------
        pairs : `~astropy.table.Table`
            With the column ``text`` and, where known, ``title``, ``summary`` and ``category``.
        shares, encoder, context
            As for the class.
        category_prefix : bool
            Whether the category stands before the caption.

        Returns
        -------
        texts : CaptionTexts
            For the rows of the table.
        """
        return cls(
            _column(pairs, "text"),
            _column(pairs, "title"),
            _column(pairs, "summary"),
            shares,
            encoder,
            context,
            categories=_column(pairs, "category") if category_prefix else None,
        )

    def __len__(self) -> int:
        return len(self._texts)

    def draw(
        self, rows: np.ndarray, rng: np.random.Generator, within: slice = slice(None)
    ) -> list[str]:
        """Draw one text for each row.

        Parameters
        ----------
        rows : `~numpy.ndarray` of int
            Row numbers, shape (n,).
        rng : `numpy.random.Generator`
            Where all chance comes from. Two numbers are drawn for each row, whatever its texts.
        within : slice
            Which of the rows to give texts for. Chance falls on all of them, so that processes
            that share a batch see what one process would.

        Returns
        -------
        texts : list of str
            Each with at most ``context`` tokens.
        """
        rows = np.asarray(rows)
        kinds = np.searchsorted(self._bounds, rng.random(len(rows)), side="right")
        places = rng.random(len(rows))
        drawn = zip(rows[within], kinds[within], places[within], strict=True)
        return [self._text(int(row), KINDS[kind], place) for row, kind, place in drawn]

    def whole(self, rows: np.ndarray) -> list[str]:
        """Return the whole captions of rows, as far as they fit.

        Parameters
        ----------
        rows : `~numpy.ndarray` of int
            Row numbers, shape (n,).

        Returns
        -------
        texts : list of str
            Each with at most ``context`` tokens.
        """
        return [self._text(int(row), "whole", 0.0) for row in np.asarray(rows)]

    def tokens(self, texts: Sequence[str]) -> torch.Tensor:
        """Return the tokens of texts.

        Parameters
        ----------
        texts : sequence of str
            At least one, as `draw` returned them.

        Returns
        -------
        tokens : `torch.Tensor`
            Shape (n, length), int64. ``length`` is that of the longest text where the text
            tower masks padding, else the encoder's context.
        """
        with self._lock:
            new = [text for text in dict.fromkeys(texts) if text not in self._tokens]
            if new:
                # A tower that takes the whole context in any case has no use for less.
                length = self.context if self._encoder.masks_padding else None
                rows = self._encoder.tokenizer(new, context_length=length)
                self._tokens.update(zip(new, rows.numpy().astype(np.int32), strict=True))
            found = np.stack([self._tokens[text] for text in texts])
            for text in texts:
                self._tokens.move_to_end(text)
            while len(self._tokens) > _KEPT_TOKENS:
                self._tokens.popitem(last=False)
        return self._encoder.trim_padding(torch.from_numpy(found.astype(np.int64)))

    def _text(self, row: int, kind: str, place: float) -> str:
        """Return one text of a row; ``place``, in [0, 1), tells where a chunk begins."""
        other = self._others.get(kind)
        other = _plain(other[row]) if other is not None else ""
        if other:
            return self._fitting(other, 0.0, self.context)
        limit = min(PART_TOKENS, self.context) if kind == "part" else self.context
        return self._fitting(self._caption(row), 0.0 if kind == "whole" else place, limit)

    def _caption(self, row: int) -> str:
        text = _plain(self._texts[row])
        category = "" if self._categories is None else _plain(self._categories[row])
        prefix = f"Category: {category}. "
        # Pairs with the caption "paper" have it in their texts already.
        return prefix + text if category and not text.startswith(prefix) else text

    def _fitting(self, text: str, place: float, limit: int) -> str:
        """Return consecutive whole sentences, from a place in [0, 1) on, that fit."""
        sentences = self._sentences(text)
        number = len(sentences.texts)
        start = int(place * number)
        taken, room = 0, limit - self._marks
        while taken < number:
            room -= self._size(sentences, (start + taken) % number)
            if room < 0:
                break
            taken += 1
        if taken == number:
            return " ".join(sentences.texts)
        if taken == 0:
            return self._cut(sentences.texts[start], limit)
        return " ".join(sentences.texts[(start + i) % number] for i in range(taken))

    def _size(self, sentences: _Sentences, number: int) -> int:
        """Return the number of tokens of a sentence, without the marks."""
        if number not in sentences.sizes:
            sentences.sizes[number] = self._count(sentences.texts[number]) - self._marks
        return sentences.sizes[number]

    def _cut_sentence(self, sentence: str, limit: int) -> str:
        return cut_to_context(sentence, self._count, limit)

    def _count(self, text: str) -> int:
        with self._lock:
            return self._encoder.count_tokens(text)


def _split(text: str) -> _Sentences:
    return _Sentences(tuple(split_sentences(text)), {})


def _column(pairs: Table, name: str) -> np.ndarray | None:
    if name not in pairs.colnames:
        return None
    column = pairs[name]
    return np.asarray(column.filled("") if hasattr(column, "filled") else column)


def _plain(text: object) -> str:
    return "" if text is None else str(text).strip()
