"""Read concepts from the files that vocabularies come in."""

import csv
import io
import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from astro_paperclip.exceptions import VocabularyError
from astro_paperclip.vocabulary.concept import Concept

__all__ = ["read_concepts"]

_COMMENT = re.compile(r"(^|\s)#.*")
_MARKUP = ("<", "@prefix")
"""How XML, HTML and Turtle begin: the other forms in which thesauri are handed out."""


def read_concepts(path: Path) -> list[Concept]:
    """Read concepts from a file; `Vocabulary.read` says which files there are.

    Parameters
    ----------
    path : `pathlib.Path`
        The file.

    Returns
    -------
    list of Concept
        As they are in the file, repeated ones too.

    Raises
    ------
    VocabularyError
        If the file cannot be read as what its suffix says.
    """
    readers: dict[str, Callable[[str], list[Concept]]] = {
        ".csv": _read_csv,
        ".json": _read_json,
        ".toml": _read_toml,
    }
    reader = readers.get(path.suffix.lower(), _read_lines)
    try:
        return reader(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise VocabularyError(f"Cannot read the vocabulary {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise VocabularyError(
            f"The vocabulary {path} is no text in UTF-8: write one label a line, or give a .csv, "
            ".json or .toml file."
        ) from error
    except (ValueError, csv.Error) as error:  # those of JSON and TOML among them
        raise VocabularyError(f"Cannot read the vocabulary {path}: {error}") from error


def _read_lines(text: str) -> list[Concept]:
    if text.lstrip().lower().startswith(_MARKUP):
        raise ValueError(
            "it is markup, not a list of labels. The Unified Astronomy Thesaurus is read from its "
            "UAT_list.json."
        )
    labels = (_COMMENT.sub("", line).strip() for line in text.splitlines())
    return [Concept(label) for label in labels if label]


def _read_csv(text: str) -> list[Concept]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    names = [name.strip().lower() for name in next(rows, [])]
    if "label" not in names:
        raise ValueError(f"its first line must name a column 'label', but names {names}.")
    place = names.index("label")
    concepts = []
    for number, row in enumerate((row for row in rows if row), start=1):
        label = row[place].strip() if place < len(row) else ""
        if not label:
            raise ValueError(f"row {number} has no label.")
        concepts.append(Concept(label))
    return concepts


def _read_json(text: str) -> list[Concept]:
    entries = json.loads(text)
    if not isinstance(entries, list):
        raise ValueError("it must hold a list of labels, or be the thesaurus's UAT_list.json.")
    concepts, given_up = [], {}
    for number, entry in enumerate(entries, start=1):
        try:
            if isinstance(entry, str):
                concepts.append((Concept(entry), ""))
            elif "status" in entry:
                _give_up(given_up, entry)
            else:
                concepts.append((_thesaurus_concept(entry), entry.get("uri", "")))
        except (AttributeError, KeyError, TypeError):
            raise ValueError(
                f"entry {number} is neither a label nor a concept as in the thesaurus's "
                "UAT_list.json, with a 'name'."
            ) from None
    return [
        replace(concept, synonyms=(*concept.synonyms, *given_up.get(address, ())))
        for concept, address in concepts
    ]


def _thesaurus_concept(entry: dict) -> Concept:
    """Return a concept as the Unified Astronomy Thesaurus keeps it."""
    broader = tuple(parent["name"] for parent in entry.get("broader") or ())
    names = (entry["name"], *(entry.get("altNames") or ()), *broader)
    if not all(isinstance(name, str) for name in names):
        raise TypeError
    return Concept(entry["name"], names[1 : len(names) - len(broader)], broader)


def _give_up(given_up: dict[str, list[str]], entry: dict) -> None:
    """Note a name that the thesaurus no longer uses, at the address of what replaces it."""
    successors = entry.get("useInstead") or []
    if len(successors) == 1:
        given_up.setdefault(successors[0], []).append(entry["name"])


def _read_toml(text: str) -> list[Concept]:
    return [_concept(label, fields) for label, fields in tomllib.loads(text).items()]


def _concept(label: str, fields: object) -> Concept:
    """Make a concept of a table, whose every field has to be right."""
    if not isinstance(fields, dict):
        raise ValueError(f"{label!r} must head a table: write [{json.dumps(label)}] in a line.")
    values = {}
    for name, value in fields.items():
        if name in ("synonyms", "broader"):
            is_right = isinstance(value, list) and all(isinstance(item, str) for item in value)
            wanted = "a list of texts"
        elif name in ("kind", "use"):
            is_right, wanted = isinstance(value, str), "a text"
        else:
            raise ValueError(f"{label!r}: {name!r} is none of synonyms, broader, kind, use.")
        if not is_right:
            raise ValueError(f"{label!r}: {name} must be {wanted}, not {value!r}.")
        values[name] = tuple(value) if isinstance(value, list) else value
    return Concept(label, **values)
