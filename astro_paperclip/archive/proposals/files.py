"""Read files and tables of proposals, whatever their columns are called."""

import csv
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from astropy.table import Table

from astro_paperclip.archive.proposals.catalogue import Catalogue, gather, parse_catalogue
from astro_paperclip.archive.storage import read_table
from astro_paperclip.exceptions import CollectionError, InvalidQueryError

__all__ = ["gather_table", "read_catalogue"]

_NAMES = {
    "proposal_id": ("proposal_id", "prop_id", "propid", "program_id", "programme_id", "id"),
    "title": ("title", "proposal_title", "obs_title"),
    "abstract": ("abstract",),
    "category": ("category", "science_category", "scientific_category"),
    "proposal_type": ("proposal_type", "prop_type", "program_type", "type"),
    "proposal_pi": ("proposal_pi", "pi", "pi_name", "principal_investigator"),
    "cycle": ("cycle",),
}
"""Under which names other tables have the columns of a proposal, the best first."""


def read_catalogue(path: Path) -> Catalogue:
    """Read a file of proposals.

    Parameters
    ----------
    path : `~pathlib.Path`
        A table (``.csv``, ``.ecsv``, ``.parquet``, or ``.jsonl`` with one object a line); any
        other file is taken for STScI's catalogue.

    Returns
    -------
    catalogue : Catalogue
        The proposals.

    Raises
    ------
    InvalidQueryError
        If the file can't be read, or has no columns that a proposal needs.
    """
    readers: dict[str, Callable[[Path], Iterable[tuple[int, dict]]]] = {
        ".csv": _csv_records,
        ".ecsv": lambda path: _table_records(Table.read(path, format="ascii.ecsv"), path),
        ".json": _json_records,
        ".jsonl": _json_records,
        ".parquet": lambda path: _table_records(read_table(path), path),
    }
    reader = readers.get(path.suffix.lower())
    try:
        if reader is not None:
            return gather(reader(path))
        with path.open("rb") as stream:
            return parse_catalogue(stream)
    except (OSError, ValueError, csv.Error, CollectionError) as error:
        raise InvalidQueryError(f"{path} holds no proposals that can be read: {error}") from error


def gather_table(table: Table) -> Catalogue:
    """Read a table of proposals.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With an ID, a title or an abstract, and what else it knows.

    Returns
    -------
    catalogue : Catalogue
        The proposals.

    Raises
    ------
    InvalidQueryError
        If it has no columns that a proposal needs.
    """
    return gather(_table_records(table, "The table"))


def _csv_records(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        _check_names(reader.fieldnames or [], path)
        for row in reader:
            yield reader.line_num, _renamed(row)


def _json_records(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with path.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                row = {"fault": f"this is no JSON: {error}"}
            if not isinstance(row, dict):
                row = {"fault": "this is no JSON object"}
            yield number, row if "fault" in row else _renamed(row)


def _table_records(table: Table, source) -> Iterator[tuple[int, dict[str, str]]]:
    _check_names(table.colnames, source)
    columns = [table[name].tolist() for name in table.colnames]
    for number, values in enumerate(zip(*columns, strict=True), start=1):
        yield number, _renamed(dict(zip(table.colnames, values, strict=True)))


def _check_names(names: Iterable[str], source) -> None:
    known = _renamed(dict.fromkeys(names, "known"))
    if "proposal_id" not in known or not {"title", "abstract"} & set(known):
        raise InvalidQueryError(
            f"{source} has no columns proposal_id and title or abstract, only: {', '.join(names)}"
        )


def _renamed(row: dict) -> dict[str, str]:
    """Return the known fields of a row under their own names, as texts."""
    found = {re.sub("[^a-z]+", "_", str(name).lower()).strip("_"): name for name in row}
    record = {}
    for field, names in _NAMES.items():
        values = (_text(row[found[name]]) for name in names if name in found)
        values = [value for value in values if value is not None]
        if values:
            record[field] = next(filter(None, values), "")
    return record


def _text(value) -> str:
    """Return a value as a text, empty where there is none."""
    if value is None or value is np.ma.masked:
        return ""
    if isinstance(value, float) and math.isnan(value):
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
