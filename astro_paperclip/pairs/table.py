"""Pairs tables: one row an image with its caption and its group."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack

from astro_paperclip.columns import text_array
from astro_paperclip.exceptions import PairsError
from astro_paperclip.pairs.formats import read_file, write_file

__all__ = ["REQUIRED_COLUMNS", "read_pairs", "write_pairs"]

REQUIRED_COLUMNS = ("image", "text", "group_id")
"""What every pairs file has: a path, a caption, and what must never be split."""

_LISTED_FAULTS = 20

_MOST_ROWS = 2**40
"""More rows than any file has: a file and a row make one number, a million of which are small."""


def read_pairs(
    paths: str | os.PathLike | Iterable[str | os.PathLike], *, check_images: bool = True
) -> Table:
    """Read pairs files, and check them as a whole.

    Parameters
    ----------
    paths : str, `os.PathLike` or an iterable of them
        Pairs files (CSV, ECSV or Parquet by their suffix) with the columns ``image`` (path,
        relative to the file, or absolute), ``text`` (caption) and ``group_id`` (what must
        never be split between training and validation). The rows of several files follow
        one another.
    check_images : bool, optional
        Whether to check that the image files exist; their content is not read.

    Returns
    -------
    `~astropy.table.Table`
        Columns ``image`` (absolute path), ``text`` and ``group_id``, all strings, then the
        other columns of the files. Columns that the package knows have the dtype that
        `astro_paperclip.columns` gives them, ``ra`` and ``dec`` are floats in degrees; what
        a CSV file holds besides stays text. Where a value is missing, or only another file
        has its column, text is empty and numbers are masked.

    Raises
    ------
    PairsError
        With all faults at once: files or columns that are missing, images that are missing
        or listed twice, captions or groups that are empty, values that are no numbers.
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    tables, faults, seen, read = [], [], {}, []
    for path in map(Path, paths):
        read.append(path)
        table, file_faults = read_file(path)
        missing = [name for name in REQUIRED_COLUMNS if name not in table.colnames]
        if missing and not (file_faults and not table.colnames):
            file_faults.append(f"{path}: column missing: {', '.join(missing)}")
        elif not missing:
            table = _prepared(table, path.parent)
            file_faults += _row_faults(table, read, seen, check_images)
        faults += file_faults
        tables.append(table)
    if not faults and not any(len(table) for table in tables):
        faults.append(f"no rows in {', '.join(map(str, paths)) or 'no files'}")
    if faults:
        raise PairsError(_summary(faults))
    return _stacked(tables)


def write_pairs(table: Table, path: str | os.PathLike) -> None:
    """Write a pairs table; the file appears whole or not at all.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With the columns that `read_pairs` returns.
    path : str or `os.PathLike`
        Where to; the suffix (``.csv``, ``.ecsv``, ``.parquet``) sets the format. Image paths
        are written relative to its folder, so that the folder can be moved.

    Raises
    ------
    PairsError
        If a column is missing or the suffix is unknown.
    """
    path = Path(path)
    missing = [name for name in REQUIRED_COLUMNS if name not in table.colnames]
    if missing:
        raise PairsError(f"Cannot write {path}: column missing: {', '.join(missing)}")
    written = table.copy()
    written["image"] = [_relative(image, path.parent) for image in table["image"]]
    write_file(written, path)


def _relative(image: str, folder: Path) -> str:
    try:
        return Path(os.path.relpath(image, folder)).as_posix()
    except ValueError:  # another drive on Windows
        return str(Path(image).absolute())


def _prepared(table: Table, folder: Path) -> Table:
    """Return the table with absolute image paths, the required columns first."""
    # Not with pathlib, which takes several times as long: there may be a million.
    join, home = os.path.join, str(folder.absolute())
    images = [image.strip() for image in table["image"].tolist()]
    paths = [os.path.normpath(join(home, image)) if image else "" for image in images]
    table["image"] = text_array(paths)
    others = [name for name in table.colnames if name not in REQUIRED_COLUMNS]
    return Table([table[name] for name in (*REQUIRED_COLUMNS, *others)], copy=False)


def _row_faults(
    table: Table, read: list[Path], seen: dict[str, int], check_images: bool
) -> list[str]:
    """List what is wrong with the rows of the file that was read last.

    `seen` maps images to where they were listed first: the number of the file and of the row.
    """
    faults = []

    def add(fault: str) -> None:
        faults.append(f"{read[-1]}, row {number}: {fault}")

    rows = zip(*(table[name].tolist() for name in REQUIRED_COLUMNS), strict=True)
    before = (len(read) - 1) * _MOST_ROWS
    is_file = os.path.isfile  # several times as quick as pathlib's
    for number, (image, text, group) in enumerate(rows, start=1):
        if not text or text.isspace():
            add("the caption is empty")
        if not group or group.isspace():
            add("the group_id is empty")
        if not image:
            add("the image path is empty")
            continue
        first = seen.setdefault(image, before + number)
        if first != before + number:
            file, row = divmod(first, _MOST_ROWS)
            add(f"{image} is listed twice, first in {read[file]}, row {row}")
        if check_images and not is_file(image):
            add(f"no such image file: {image}")
    return faults


def _summary(faults: list[str]) -> str:
    listed = "\n".join(f"  {fault}" for fault in faults[:_LISTED_FAULTS])
    if len(faults) > _LISTED_FAULTS:
        listed += f"\n  ... and {len(faults) - _LISTED_FAULTS} more"
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    return f"{count} in the pairs:\n{listed}"


def _stacked(tables: list[Table]) -> Table:
    if len(tables) == 1:
        return tables[0]
    for name in {name for table in tables for name in table.colnames}:
        having = [table for table in tables if name in table.colnames]
        kinds = {table[name].dtype.kind.replace("f", "i") for table in having}
        if len(kinds) > 1:  # astropy stacks no numbers with text, nor text with objects
            common = object if kinds <= {"U", "O"} else str
            for table in having:
                table[name] = table[name].astype(common)
    stacked = vstack(tables, join_type="outer", metadata_conflicts="silent")
    for name in stacked.colnames:
        if stacked[name].dtype.kind in "UO" and np.ma.isMaskedArray(stacked[name]):
            stacked[name] = stacked[name].filled("")
    return stacked
