"""`Vocabulary`: concepts, and which of them are kinds or parts of others."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.resources import as_file, files
from pathlib import Path

from astro_paperclip.exceptions import VocabularyError
from astro_paperclip.vocabulary.concept import KINDS, Concept, merge_concepts, plain_key
from astro_paperclip.vocabulary.formats import read_concepts

__all__ = ["Vocabulary"]

_LISTED = 10
"""Faults that a message lists at most."""


class Vocabulary:
    """Concepts in their order, found by label; neither case nor spacing of a label counts.

    Parameters
    ----------
    concepts : iterable of str or Concept
        A str is a concept of which nothing but the label is known. Those with the same label
        become one: the first spelling, kind and use stand, synonyms and broader labels are
        united.
    name : str, optional
        Where the concepts come from: for messages, and for the record.

    Raises
    ------
    VocabularyError
        If there is no concept, a label has no letter, a broader label is not in the
        vocabulary, a kind is unknown, or concepts are broader than themselves. The message
        lists the faults.

    Examples
    --------
    >>> from astro_paperclip.vocabulary import Vocabulary
    >>> vocabulary = Vocabulary.default()
    >>> vocabulary["globular clusters"].broader
    ('star clusters',)
    >>> vocabulary.narrower("circumstellar disks")
    ('protoplanetary disks', 'debris disks', 'photoevaporation')
    """

    def __init__(self, concepts: Iterable[str | Concept], *, name: str = "vocabulary") -> None:
        if isinstance(concepts, str):
            raise VocabularyError(
                f"Several concepts are needed, not {concepts!r}: Vocabulary.read reads a file."
            )
        self.name = name
        self._concepts = merge_concepts(
            Concept(concept) if isinstance(concept, str) else concept for concept in concepts
        )
        self._refuse(_faults(self._concepts))
        self._spell_broader_labels()
        self._narrower: dict[str, list[str]] = {}
        for concept in self:
            for label in concept.broader:
                self._narrower.setdefault(label, []).append(concept.label)
        self._refuse_circles()

    @classmethod
    def default(cls) -> "Vocabulary":
        """Return the vocabulary of this package: some 400 concepts of astronomy.

        Returns
        -------
        Vocabulary
            Worded for this package, and organised as the Unified Astronomy Thesaurus is.
        """
        return _default()

    @classmethod
    def read(cls, path: str | os.PathLike) -> "Vocabulary":
        """Read a vocabulary from a file.

        Parameters
        ----------
        path : str or path-like
            By its suffix a ``.csv`` file with a column ``label`` (others are ignored); a
            ``.json`` file, which holds a list of labels, or is the Unified Astronomy
            Thesaurus's own ``UAT_list.json``; a ``.toml`` file such as this package's, with a
            table for each concept, headed by its label; with any other suffix a plain text
            with one label a line. There, what follows a ``#`` at the start of a line or after
            a space is a comment.

        Returns
        -------
        Vocabulary
            Concepts in the order of the file. Those that the thesaurus has given up become
            synonyms of what it names in their place, if that is one concept.

        Raises
        ------
        VocabularyError
            If there is no such file, or it is no vocabulary.
        """
        return cls(read_concepts(Path(path).expanduser()), name=os.fspath(path))

    def __repr__(self) -> str:
        return f"<Vocabulary {self.name!r}: {len(self)} concepts>"

    def __len__(self) -> int:
        return len(self._concepts)

    def __iter__(self) -> Iterator[Concept]:
        return iter(self._concepts.values())

    def __contains__(self, label: object) -> bool:
        return isinstance(label, str) and plain_key(label) in self._concepts

    def __getitem__(self, label: str) -> Concept:
        try:
            return self._concepts[plain_key(label)]
        except KeyError:
            raise KeyError(f"{self.name} has no concept {label!r}") from None

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of all concepts, in their order."""
        return tuple(concept.label for concept in self)

    def narrower(self, label: str) -> tuple[str, ...]:
        """Return the labels of the concepts that are parts or kinds of one.

        Parameters
        ----------
        label : str
            The one.

        Returns
        -------
        tuple of str
            The next narrower ones only, in the order of the vocabulary.
        """
        return tuple(self._narrower.get(self[label].label, ()))

    def _refuse(self, faults: list[str]) -> None:
        if faults:
            more = [f"... and {len(faults) - _LISTED} more"] if len(faults) > _LISTED else []
            listed = "\n  ".join([*faults[:_LISTED], *more])
            raise VocabularyError(f"{self.name} is no vocabulary:\n  {listed}")

    def _spell_broader_labels(self) -> None:
        for key, concept in self._concepts.items():
            broader = tuple(self[label].label for label in concept.broader)
            self._concepts[key] = replace(concept, broader=broader)

    def _refuse_circles(self) -> None:
        try:
            TopologicalSorter({concept.label: concept.broader for concept in self}).prepare()
        except CycleError as error:
            circle = " > ".join(repr(label) for label in error.args[1])
            self._refuse([f"concepts are broader than themselves: {circle}"])


def _faults(concepts: dict[str, Concept]) -> list[str]:
    """Return what is wrong with concepts by their keys."""
    if not concepts:
        return ["it has no concept: give at least one label"]
    faults = []
    for concept in concepts.values():
        if not any(character.isalpha() for character in concept.label):
            faults.append(f"{concept.label!r} is no label: it has no letter")
        if concept.kind and concept.kind not in KINDS:
            faults.append(f"{concept.label!r}: kind {concept.kind!r} is none of {', '.join(KINDS)}")
        faults += [
            f"{concept.label!r}: broader {label!r} is not a label of this vocabulary"
            for label in concept.broader
            if plain_key(label) not in concepts
        ]
    return faults


@cache
def _default() -> Vocabulary:
    with as_file(files(__package__).joinpath("concepts.toml")) as path:
        return Vocabulary(read_concepts(path), name="astro_paperclip")
