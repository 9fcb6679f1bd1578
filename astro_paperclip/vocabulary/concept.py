"""One concept of a vocabulary, and when two are the same."""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["KINDS", "Concept", "merge_concepts", "plain_key"]

KINDS = ("object", "phenomenon", "topic")
"""What concepts are: things, what things do or have, and fields or methods."""


@dataclass(frozen=True)
class Concept:
    """Something that has a name.

    Parameters
    ----------
    label : str
        The name.
    synonyms : tuple of str
        Other names.
    broader : tuple of str
        Labels of the concepts that this one is a part or a kind of.
    kind : str
        One of ``KINDS``, or empty where it is not known.
    use : str
        What observing it is good for, in a few words; may be empty.
    """

    label: str
    synonyms: tuple[str, ...] = ()
    broader: tuple[str, ...] = ()
    kind: str = ""
    use: str = ""


def plain_key(name: str) -> str:
    """Return what two spellings of a name have in common: neither case nor spacing counts."""
    return " ".join(name.split()).casefold()


def merge_concepts(concepts: Iterable[Concept]) -> dict[str, Concept]:
    """Join concepts of the same label.

    Parameters
    ----------
    concepts : iterable of Concept
        In any number, with repeated labels.

    Returns
    -------
    dict
        Concepts by the `plain_key` of their label, in the order in which the labels first
        appear. The first spelling, kind and use stand; synonyms and broader labels are united,
        and names are freed of surplus space.
    """
    merged: dict[str, Concept] = {}
    for concept in concepts:
        key = plain_key(concept.label)
        known = merged.get(key, Concept(" ".join(concept.label.split())))
        merged[key] = Concept(
            known.label,
            _united(known.synonyms + concept.synonyms, leave_out=key),
            _united(known.broader + concept.broader),
            known.kind or concept.kind,
            known.use or concept.use,
        )
    return merged


def _united(names: Iterable[str], leave_out: str = "") -> tuple[str, ...]:
    """Return each name once, in its first spelling."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(plain_key(name), " ".join(name.split()))
    first.pop(leave_out, None)
    return tuple(first.values())
