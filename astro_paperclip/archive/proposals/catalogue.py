"""Parse STScI's catalogue of Hubble proposals, ``abstracts.cat``, and records like its own.

The catalogue is a text file. Lines of dashes stand between its records, and a record is::

    Prop. Type: GO
    Category: GALAXIES
    ID: 10001
    Cycle: 12
    Title: Locating Ultraluminous X-Ray Sources
    PI: Philip Kaaret

    The abstract, over several lines.
"""

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from typing import BinaryIO

__all__ = ["FIELDS", "Catalogue", "clean_text", "gather", "parse_catalogue", "plain_number"]

FIELDS = (
    "proposal_id",
    "title",
    "abstract",
    "category",
    "proposal_type",
    "proposal_pi",
    "cycle",
)
"""What is known of a proposal; each a text, empty where unknown."""

_LABELS = {
    "prop. type": "proposal_type",
    "prop.type": "proposal_type",
    "category": "category",
    "id": "proposal_id",
    "cycle": "cycle",
    "title": "title",
    "pi": "proposal_pi",
}
_LABEL = re.compile(r"[\s\ufeff]*(Prop\. ?Type|Category|ID|Cycle|Title|PI)\s*:", re.IGNORECASE)
_RULE = re.compile(r"\s*-{5,}\s*")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});")
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\ufeff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_NUMBER = re.compile(r"0*(\d+)(?:\.0*)?")

_LONGEST_NAME = 60
"""Characters after the label ``PI`` that can still be a name that was wrapped."""


@dataclass(frozen=True)
class Catalogue:
    """Proposals, and what was wrong with their records; the numbers add up.

    Parameters
    ----------
    rows : list of dict
        One a proposal, with all of `FIELDS`.
    faults : list of tuple
        Line number and message of each record that was left out and should not have been.
    n_records : int
        Records that were found: proposals, damaged ones and duplicates.
    n_damaged : int
        Records that cannot be used.
    n_duplicates : int
        Records of a proposal that another record stands for.
    """

    rows: list[dict[str, str]]
    faults: list[tuple[int, str]]
    n_records: int
    n_damaged: int
    n_duplicates: int


def parse_catalogue(stream: BinaryIO) -> Catalogue:
    """Parse a catalogue of proposals.

    Parameters
    ----------
    stream : binary file
        A file like ``abstracts.cat``: UTF-8, Windows-1252, or a mixture of them, with any
        kind of line ends. It is read line by line.

    Returns
    -------
    catalogue : Catalogue
        Proposals in the order of the file.
    """
    # Latin-1 keeps every byte, so that the encoding can be chosen record by record.
    lines = TextIOWrapper(stream, encoding="latin-1", newline=None)
    try:
        return gather(_records(lines))
    finally:
        lines.detach()


def gather(records: Iterable[tuple[int, dict[str, str]]]) -> Catalogue:
    """Check records, and keep one for each proposal.

    Of two different records of a proposal the one that says more is kept, or the later one.

    Parameters
    ----------
    records : iterable of tuple
        Line number, and the `FIELDS` that are known. A record ``{"fault": message}`` could
        not be read at all.

    Returns
    -------
    catalogue : Catalogue
        The proposals, with all fields cleaned, in the order of their first records.
    """
    kept: dict[str, tuple[int, dict[str, str]]] = {}
    faults: list[tuple[int, str]] = []
    n_records = n_damaged = 0
    for line, record in records:
        n_records += 1
        row, fault = _checked(record)
        if fault:
            n_damaged += 1
            faults.append((line, fault))
            continue
        identifier = row["proposal_id"]
        other_line, other = kept.get(identifier, (line, row))
        if other == row:
            kept.setdefault(identifier, (line, row))
            continue
        is_better = _fullness(row) >= _fullness(other)
        dropped, used = (other_line, line) if is_better else (line, other_line)
        faults.append((dropped, f"proposal {identifier} differs from line {used}, which is used"))
        if is_better:
            kept[identifier] = (line, row)
    return Catalogue(
        rows=[row for _, row in kept.values()],
        faults=sorted(faults),
        n_records=n_records,
        n_damaged=n_damaged,
        n_duplicates=n_records - n_damaged - len(kept),
    )


def clean_text(text: str) -> str:
    """Return a text in one line: entities resolved, nothing invisible, single blanks.

    Parameters
    ----------
    text : str
        As it was found.

    Returns
    -------
    text : str
    """
    if "&" in text:
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    return " ".join(_CONTROL.sub(" ", _INVISIBLE.sub("", text)).split())


def plain_number(text: str) -> str:
    """Return a cycle or an ID plainly: ``"29"`` for ``"Cycle 29"``, ``"1073"`` for ``"01073"``.

    Parameters
    ----------
    text : str
        As it was found.

    Returns
    -------
    text : str
        Unchanged where it is no number.
    """
    name = re.sub(r"^cycle\s*", "", text.strip(), flags=re.IGNORECASE)
    number = _NUMBER.fullmatch(name)
    return number[1] if number else name


def _checked(record: dict[str, str]) -> tuple[dict[str, str], str]:
    """Return a record with all fields cleaned, and what is wrong with it."""
    if "fault" in record:
        return {}, record["fault"]
    row = {name: clean_text(record.get(name, "")) for name in FIELDS}
    identifier = _NUMBER.fullmatch(row["proposal_id"])
    if identifier is None:
        found = repr(row["proposal_id"]) if row["proposal_id"] else "none"
        return row, f"a proposal needs a number as its ID, found {found}"
    if not (row["title"] or row["abstract"]):
        return row, f"proposal {identifier[1]} has neither a title nor an abstract"
    row["proposal_id"] = identifier[1]
    row["proposal_pi"] = re.sub(r"^PI:\s*", "", row["proposal_pi"])
    row["cycle"] = plain_number(row["cycle"])
    return row, ""


def _fullness(row: dict[str, str]) -> int:
    return sum(map(bool, row.values()))


def _records(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the fields of each record with the number of its first line."""
    introduced = False  # before the first record there may be any text
    for start, block in _blocks(lines):
        text = _decoded(block)
        first = next((n for n, line in enumerate(text) if clean_text(line)), None)
        if first is None:
            continue
        record = _fields(text)
        if record or introduced:
            yield start + first, record or {"fault": "text that belongs to no proposal"}
        introduced = introduced or bool(record)


def _blocks(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield what stands between lines of dashes, with the number of its first line."""
    start, block = 1, []
    for number, line in enumerate(lines, start=1):
        if "-----" in line and _RULE.fullmatch(line):
            yield start, block
            start, block = number + 1, []
        elif _label(line) == "proposal_type" and "proposal_pi" in map(_label, block):
            yield start, block  # the line of dashes is missing
            start, block = number, [line]
        else:
            block.append(line)
    yield start, block


def _decoded(block: list[str]) -> list[str]:
    """Decode lines that hold a byte a character: as UTF-8, or else as Windows-1252."""
    whole = "".join(block)
    if whole.isascii():
        return block
    try:
        return whole.encode("latin-1").decode().split("\n")
    except UnicodeDecodeError:
        return [_decoded_line(line.encode("latin-1")) for line in block]


def _decoded_line(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace")


def _label(line: str) -> str:
    """Return the field whose label a line begins with."""
    match = _LABEL.match(line)
    return _LABELS[match[1].lower()] if match else ""


def _fields(lines: list[str]) -> dict[str, str]:
    """Return the fields of a record: labelled ones, which may be wrapped, then the abstract."""
    record: dict[str, str] = {}
    name = ""
    for number, line in enumerate(lines):
        label = _label(line)
        if label and label not in record:
            name = label
            record[name] = line.partition(":")[2]
        elif name == "proposal_pi":
            rest, record["abstract"] = _name_and_abstract(lines[number:])
            record["proposal_pi"] += f" {rest}"
            break
        elif name and line.strip() and not lines[number - 1].strip():
            record["abstract"] = " ".join(lines[number:])
            break
        elif name:
            record[name] += f" {line}"
    return record


def _name_and_abstract(lines: list[str]) -> tuple[str, str]:
    """Tell the end of a name that was wrapped from an abstract: a blank line follows it."""
    blank = next((number for number, line in enumerate(lines) if not line.strip()), len(lines))
    name, abstract = " ".join(lines[:blank]), " ".join(lines[blank:])
    if abstract.strip() and len(name.strip()) <= _LONGEST_NAME:
        return name, abstract
    return "", f"{name} {abstract}"
