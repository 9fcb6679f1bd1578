"""Describe images: the labels of a vocabulary that an encoder puts nearest to them."""

import operator
import os
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table
from PIL.Image import Image

from astro_paperclip.evaluation.ranks import TIE
from astro_paperclip.exceptions import (
    ImageError,
    InvalidQueryError,
    SkippedImageWarning,
    UntrainedEncoderWarning,
)
from astro_paperclip.vocabulary import Concept, Vocabulary

if TYPE_CHECKING:
    from astro_paperclip.encoders import Encoder

__all__ = [
    "Describer",
    "as_vocabulary",
    "checked_number",
    "describe",
    "encode_labels",
    "nearest_labels",
]

_SLOT = "{}"


def describe(
    encoder: "Encoder",
    images: Iterable,
    vocabulary: Vocabulary | str | os.PathLike | Iterable[str] | None = None,
    *,
    n: int = 5,
    templates: str | Sequence[str] = _SLOT,
    progress: bool = False,
) -> Table:
    """Find the labels that suit images best: the description retrieval of arXiv:2403.08851.

    Parameters
    ----------
    encoder : `~astro_paperclip.encoders.Encoder`
        A loaded encoder.
    images : iterable
        Anything that `astro_paperclip.images.read_image` takes, in any number.
    vocabulary : `~astro_paperclip.vocabulary.Vocabulary`, path or iterable of str, optional
        Whose labels are compared, or a file or list of labels. Default: this package's own.
        Concepts of the kind ``topic``, which no picture shows, are passed over. Labels are
        encoded once a call.
    n : int
        Labels for each image; all, where the vocabulary has fewer.
    templates : str or sequence of str
        Sentences with ``{}`` where the label goes, such as ``"a Hubble image of {}"``. By
        default the label alone, as encoders trained by this package know short texts. With
        several templates, the vector of a label is the mean of those of its sentences
        (arXiv:2103.00020, section 3.1.4).
    progress : bool
        Whether to show a progress bar while images are encoded.

    Returns
    -------
    `~astropy.table.Table`
        Up to n rows an image, the best first: ``image`` (the path as it was given; of what has
        none "image" and its number, from 1), ``rank`` (from 1), ``label``, ``score`` (cosine
        similarity; equal ones in the order of the vocabulary) and ``broader`` (the broader
        labels, joined by "; "). ``meta`` names encoder, vocabulary and templates.

    Raises
    ------
    InvalidQueryError
        If there is no image, n is no number from 1, or a template has not one ``{}``.
    VocabularyError
        If the vocabulary cannot be used.
    ImageError
        If none of the images can be read.

    Warns
    -----
    SkippedImageWarning
        If an image cannot be read; it has no row.
    UntrainedEncoderWarning
        If the two towers of the encoder were never trained together.
    """
    images = _listed(images)
    checked_number(n)
    describer = Describer(encoder, vocabulary, templates, stacklevel=3)
    return describer.describe(images, n=n, progress=progress, stacklevel=3)


class Describer:
    """Describes images in the words of a vocabulary, whose labels are encoded once.

    Parameters
    ----------
    encoder, vocabulary, templates
        As for `describe`.
    stacklevel : int, optional
        Whose line a warning names: 2 is the caller's.

    Raises
    ------
    InvalidQueryError
        If a template has not one ``{}``, or all concepts are topics.
    VocabularyError
        If the vocabulary cannot be used.

    Warns
    -----
    UntrainedEncoderWarning
        If the two towers of the encoder were never trained together.
    """

    def __init__(
        self,
        encoder: "Encoder",
        vocabulary: Vocabulary | str | os.PathLike | Iterable[str] | None = None,
        templates: str | Sequence[str] = _SLOT,
        *,
        stacklevel: int = 2,
    ):
        self._encoder = encoder
        self._templates = _checked_templates(templates)
        self._vocabulary = as_vocabulary(vocabulary)
        self._concepts = _visible(self._vocabulary)
        if not encoder.trained:
            warnings.warn(
                f"The towers of the encoder {encoder.name} were never trained together: its "
                "labels are random. 'astro-paperclip train' makes an encoder that knows words and "
                "pictures.",
                UntrainedEncoderWarning,
                stacklevel=stacklevel,
            )
        labels = [concept.label for concept in self._concepts]
        self._vectors = encode_labels(encoder, labels, self._templates)

    def describe(
        self, images: Sequence, *, n: int = 5, progress: bool = False, stacklevel: int = 2
    ) -> Table:
        """Find the labels that suit images best.

        Parameters
        ----------
        images, n, progress
            As for `describe`.
        stacklevel : int, optional
            Whose line a warning names: 2 is the caller's.

        Returns
        -------
        `~astropy.table.Table`
            As of `describe`.

        Raises
        ------
        InvalidQueryError
            If n is no number from 1.
        ImageError
            If none of the images can be read.

        Warns
        -----
        SkippedImageWarning
            If an image cannot be read; it has no row.
        """
        n = checked_number(n)
        rows: list[tuple] = []
        broken: list[str] = []
        batches = self._encoder.encode_image_files(images, skip_broken=True, progress=progress)
        for positions, vectors, failures in batches:
            broken += [reason for _, reason in failures]
            nearest, scores = nearest_labels(vectors, self._vectors, n)
            for position, places, values in zip(positions, nearest, scores, strict=True):
                concepts = [self._concepts[place] for place in places]
                rows += _rows(_name(images, position), concepts, values)
        _report(broken, len(images), stacklevel + 1)
        table = Table(
            rows=rows,
            names=("image", "rank", "label", "score", "broader"),
            dtype=("str", "int64", "str", "float64", "str"),
        )
        table.meta |= {
            "encoder": {"name": self._encoder.name, "fingerprint": self._encoder.fingerprint},
            "vocabulary": {"name": self._vocabulary.name, "labels": len(self._concepts)},
            "templates": self._templates,
        }
        return table


def encode_labels(
    encoder: "Encoder", labels: Sequence[str], templates: Sequence[str] = (_SLOT,)
) -> np.ndarray:
    """Encode labels, each in one or several sentences.

    Parameters
    ----------
    encoder : `~astro_paperclip.encoders.Encoder`
        A loaded encoder.
    labels : sequence of str
        The m labels.
    templates : sequence of str
        Sentences with ``{}`` where the label goes.

    Returns
    -------
    `numpy.ndarray`
        Shape (m, d), float32, unit length: the direction of the mean over the templates.
    """
    sentences = [template.replace(_SLOT, label) for label in labels for template in templates]
    vectors = encoder.encode_texts(sentences)
    if len(templates) == 1:
        return vectors
    mean = vectors.reshape(len(labels), len(templates), -1).mean(axis=1)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def nearest_labels(
    image_vectors: np.ndarray, label_vectors: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find the labels nearest to images.

    Parameters
    ----------
    image_vectors : `numpy.ndarray`
        Shape (k, d), unit length.
    label_vectors : `numpy.ndarray`
        Shape (m, d), unit length.
    n : int
        Labels for each image.

    Returns
    -------
    positions : `numpy.ndarray`
        Shape (k, min(n, m)), int64: which labels, the nearest first. Of labels whose scores
        differ by rounding only (``TIE``), the first comes first.
    scores : `numpy.ndarray`
        Of the same shape, float64: their cosine similarities.
    """
    scores = image_vectors.astype(np.float64) @ label_vectors.astype(np.float64).T
    order = np.argsort(-np.rint(scores / TIE), axis=1, kind="stable")[:, :n]
    return order, np.take_along_axis(scores, order, axis=1)


def _listed(images: Iterable) -> list:
    is_one = (
        isinstance(images, str | bytes | os.PathLike | Image) or getattr(images, "ndim", 1) != 1
    )
    if is_one or not isinstance(images, Iterable):
        raise InvalidQueryError(
            f"A list of images is needed, not one {type(images).__name__}: describe([image])."
        )
    images = list(images)
    if not images:
        raise InvalidQueryError("There is no image to describe: give at least one.")
    return images


def checked_number(n: int) -> int:
    """Return a number of labels, or raise an error that names it."""
    try:
        number = operator.index(n)
    except TypeError:
        number = 0
    if number < 1 or isinstance(n, bool):
        raise InvalidQueryError(f"n={n!r} is no number of labels: give a whole number from 1.")
    return number


def _checked_templates(templates: str | Sequence[str]) -> list[str]:
    templates = [templates] if isinstance(templates, str) else list(templates)
    if not templates:
        raise InvalidQueryError(f"There is no template: {_SLOT!r} is the label alone.")
    for template in templates:
        if template.count(_SLOT) != 1:
            raise InvalidQueryError(
                f"The template {template!r} must have one {_SLOT}, where the label goes."
            )
    return templates


def as_vocabulary(vocabulary: object) -> Vocabulary:
    """Return the vocabulary that an argument of `describe` stands for."""
    if vocabulary is None:
        return Vocabulary.default()
    if isinstance(vocabulary, Vocabulary):
        return vocabulary
    if isinstance(vocabulary, str | os.PathLike):
        return Vocabulary.read(vocabulary)
    return Vocabulary(vocabulary, name="a list")


def _visible(vocabulary: Vocabulary) -> list[Concept]:
    concepts = [concept for concept in vocabulary if concept.kind != "topic"]
    if not concepts:
        raise InvalidQueryError(
            f"All concepts of {vocabulary.name} are topics, which no picture shows: give it "
            "objects or phenomena."
        )
    return concepts


def _name(images: list, position: int) -> str:
    image = images[position]
    return os.fspath(image) if isinstance(image, str | os.PathLike) else f"image {position + 1}"


def _rows(image: str, concepts: list[Concept], scores: np.ndarray) -> list[tuple]:
    return [
        (image, rank, concept.label, score, "; ".join(concept.broader))
        for rank, (concept, score) in enumerate(zip(concepts, scores, strict=True), start=1)
    ]


def _report(broken: list[str], asked: int, stacklevel: int) -> None:
    """Warn of images that cannot be read; refuse where there is no other."""
    if len(broken) == asked:
        raise ImageError(broken[0] if asked == 1 else f"None can be read, the first: {broken[0]}")
    if broken:
        warnings.warn(
            f"{len(broken)} of {asked} images cannot be read and have no row, the first: "
            f"{broken[0]}",
            SkippedImageWarning,
            stacklevel=stacklevel,
        )
