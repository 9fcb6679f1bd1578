"""From expressions to the directions that are searched; what was encoded is remembered."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astroquery.exceptions import InputWarning

from astro_paperclip.exceptions import InvalidQueryError, UntrainedEncoderWarning
from astro_paperclip.expressions import Content, Like, Picture, Words

__all__ = ["Encodings", "direction", "notes_on_encoder"]

_REMEMBERED = 128
"""Number of texts and pictures whose vectors are kept for a collection."""


@dataclass(frozen=True)
class _Encoded:
    """A vector, and what to say of it."""

    vector: np.ndarray
    notes: tuple[Warning, ...] = ()


class Encodings:
    """Vectors of texts and pictures, encoded together and not again while they are remembered.

    Parameters
    ----------
    encoder : callable
        Returns the encoder; called when something has to be encoded.
    views : str
        The views in which pictures are compared.
    """

    def __init__(self, encoder: Callable[[], Any], views: str):
        self._encoder = encoder
        self._views = views
        self._lock = threading.Lock()
        self._remembered: OrderedDict[Content, _Encoded] = OrderedDict()

    def encode(self, likes: Iterable[Like]) -> dict[Content, _Encoded]:
        """Return the vector and the notes of each text and picture of some expressions."""
        wanted = dict.fromkeys(
            term.content
            for like in likes
            for term in like.terms
            if isinstance(term.content, Words | Picture)
        )
        known = {content: self._remembered.get(content) for content in wanted}
        new = [content for content, encoded in known.items() if encoded is None]
        known.update(self._encode_words([one for one in new if isinstance(one, Words)]))
        known.update(self._encode_pictures([one for one in new if isinstance(one, Picture)]))
        with self._lock:
            for content, encoded in known.items():
                self._remembered[content] = encoded
                self._remembered.move_to_end(content)
            while len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        return known

    def _encode_words(self, words: Sequence[Words]) -> dict[Content, _Encoded]:
        if not words:
            return {}
        encoder = self._encoder()
        vectors = encoder.encode_texts([one.text for one in words])
        notes = [_notes_on_text(encoder, one.text) for one in words]
        return dict(zip(words, map(_Encoded, vectors, notes), strict=True))

    def _encode_pictures(self, pictures: Sequence[Picture]) -> dict[Content, _Encoded]:
        if not pictures:
            return {}
        vectors = self._encoder().encode_images([one.source for one in pictures], self._views)
        return dict(zip(pictures, map(_Encoded, vectors), strict=True))


def _notes_on_text(encoder: Any, text: str) -> tuple[Warning, ...]:
    """Say where a text will find little."""
    notes = []
    if (count := encoder.count_tokens(text)) > encoder.context_length:
        notes.append(
            InputWarning(
                f"The text has {count} tokens, but the encoder {encoder.name} reads only "
                f"{encoder.context_length}: sentences at its end were left out. Ask in parts."
            )
        )
    return (*notes, *notes_on_encoder(encoder))


def notes_on_encoder(encoder: Any) -> tuple[Warning, ...]:
    """Say whether words and pictures are strangers to an encoder.

    Parameters
    ----------
    encoder : `~astro_paperclip.encoders.Encoder`
        The encoder.

    Returns
    -------
    tuple of Warning
        Empty, where its towers were trained together.
    """
    if encoder.trained:
        return ()
    return (
        UntrainedEncoderWarning(
            f"The towers of the encoder {encoder.name} were never trained together: texts find "
            "pictures by chance. 'astro-paperclip train' makes an encoder that knows both."
        ),
    )


def direction(vectors: Sequence[np.ndarray], weights: Sequence[float] | None = None) -> np.ndarray:
    """Return the direction of a weighted sum of unit vectors.

    Parameters
    ----------
    vectors : sequence of `~numpy.ndarray`
        Each of shape ``(d,)``.
    weights : sequence of float, optional
        Finite, not all 0. Default: all are the same.

    Returns
    -------
    vector : `~numpy.ndarray`
        Shape ``(d,)``, float32, of unit length.

    Raises
    ------
    InvalidQueryError
        If they cancel each other.
    """
    weights = np.ones(len(vectors)) if weights is None else np.asarray(weights, dtype=np.float64)
    # Neither very large nor very small weights may leave the range of a float.
    weights = weights / np.abs(weights).max()
    total = weights @ np.asarray(vectors, dtype=np.float64)
    length = np.linalg.norm(total)
    if length < 1e-6 * np.abs(weights).sum():
        raise InvalidQueryError(
            "What is searched for has opposite directions, which cancel out: change a weight."
        )
    return (total / length).astype(np.float32)
