"""Tables in CSV, ECSV and Parquet files."""

import csv
import math
from pathlib import Path

import numpy as np
from astropy.table import Column, MaskedColumn, Table

from astro_paperclip.columns import COLUMNS, text_array
from astro_paperclip.exceptions import PairsError
from astro_paperclip.files import written_whole

__all__ = ["SUFFIXES", "read_file", "write_file"]

SUFFIXES = (".csv", ".ecsv", ".parquet")
"""The formats that pairs are kept in."""

_DTYPES = {name: info.dtype for name, info in COLUMNS.items()} | {
    "image": "str",
    "text": "str",
    "group_id": "str",
    "ra": "float64",
    "dec": "float64",
}
_UNITS = {name: info.unit for name, info in COLUMNS.items()} | {"ra": "deg", "dec": "deg"}
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_READ_ERRORS = (OSError, ValueError, TypeError, KeyError, NotImplementedError, csv.Error)


def read_file(path: Path) -> tuple[Table, list[str]]:
    """Read a table, with what is wrong with it.

    Parameters
    ----------
    path : `pathlib.Path`
        A CSV file (UTF-8, with a header line), an ECSV file or a Parquet file.

    Returns
    -------
    table : `~astropy.table.Table`
        Known columns have their dtype and unit, see `astro_paperclip.columns`. Without
        columns where the file cannot be read at all.
    faults : list of str
        Each names the file, and the row (counted from 1, without the header) if there is one.
    """
    readers = {".csv": _read_csv, ".ecsv": _read_ecsv, ".parquet": _read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        return Table(), [f"{path}: unknown suffix, give one of {', '.join(SUFFIXES)}"]
    if not path.is_file():
        return Table(), [f"{path}: there is no such pairs file"]
    try:
        values, faults = reader(path)
    except _READ_ERRORS as error:
        return Table(), [f"{path}: cannot be read as {path.suffix[1:].upper()}: {error}"]
    table = Table()
    for name, column in values.items():
        table[name] = _column(name, column, path, faults)
    return table, faults


def write_file(table: Table, path: Path) -> None:
    """Write a table; the file appears whole or not at all.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Columns of strings, numbers and truth values; masked values become empty.
    path : `pathlib.Path`
        Where to; its suffix sets the format.

    Raises
    ------
    PairsError
        If the suffix is unknown.
    """
    writers = {".csv": _write_csv, ".ecsv": _write_ecsv, ".parquet": _write_parquet}
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise PairsError(f"Cannot write {path}: give one of the suffixes {', '.join(SUFFIXES)}.")
    with written_whole(path) as temporary:
        writer(table, temporary)


def _read_csv(path: Path) -> tuple[dict[str, list], list[str]]:
    faults = []
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream, strict=True)
        names = [name.strip() for name in next(rows, [])]
        if len(set(names)) < len(names):
            raise ValueError(f"column names repeat: {names}")
        values: dict[str, list] = {name: [] for name in names}
        for number, row in enumerate((row for row in rows if row), start=1):
            if len(row) != len(names):
                faults.append(f"{path}, row {number}: {len(row)} values for {len(names)} columns")
                row = (row + [""] * len(names))[: len(names)]
            for name, value in zip(names, row, strict=True):
                values[name].append(value)
    return values, faults


def _read_ecsv(path: Path) -> tuple[dict[str, Column], list[str]]:
    return dict(Table.read(path, format="ascii.ecsv").columns), []


def _read_parquet(path: Path) -> tuple[dict[str, list], list[str]]:
    from pyarrow import parquet

    # a plain file, so that folder names such as "year=2024" above it do not become columns
    table = parquet.ParquetFile(path).read()
    return {name: table[name].to_pylist() for name in table.column_names}, []


def _column(name: str, values, path: Path, faults: list[str]) -> Column:
    """Make a column of the dtype that its name asks for, else of the dtype of its values."""
    items = values.tolist() if isinstance(values, Column) else values
    dtype = _DTYPES.get(name) or _natural_dtype(items)
    convert = {"str": _to_text, "int64": _to_int, "float64": _to_float, "bool": _to_bool}[dtype]
    converted = []
    for number, item in enumerate(items, start=1):
        if item is None or (dtype != "str" and item == ""):
            converted.append(None)
            continue
        try:
            converted.append(convert(item))
        except (TypeError, ValueError):
            faults.append(f"{path}, row {number}: {name} is no {dtype}: {item!r}")
            converted.append(None)
    unit = _UNITS.get(name) or getattr(values, "unit", None)
    return _packed(converted, dtype, unit, getattr(values, "description", None))


def _packed(values: list, dtype: str, unit, description) -> Column:
    """Pack values into a column; None is masked, or the empty string in a column of text."""
    mask = [value is None and dtype != "str" for value in values]
    empty = "" if dtype == "str" else 0
    filled = [empty if value is None else value for value in values]
    data = text_array(filled) if dtype == "str" else np.array(filled, dtype=dtype)
    if any(mask):
        return MaskedColumn(data, mask=mask, unit=unit, description=description)
    return Column(data, unit=unit, description=description)


def _natural_dtype(items: list) -> str:
    kinds = {type(item) for item in items if item is not None}
    if kinds == {bool}:
        return "bool"
    if kinds == {int}:
        return "int64"
    if kinds and kinds <= {int, float}:
        return "float64"
    return "str"


def _to_text(item) -> str | None:
    if isinstance(item, bytes):
        return item.decode("utf-8")
    if isinstance(item, float):  # identifiers with gaps are often stored so
        if math.isnan(item):
            return None
        if item.is_integer():
            return str(int(item))
    return str(item)


def _to_int(item) -> int | None:
    if isinstance(item, float) and math.isnan(item):
        return None
    number = int(float(item)) if isinstance(item, str) else int(item)
    if number != float(item):
        raise ValueError(item)
    return number


def _to_float(item) -> float | None:
    number = float(item)
    return number if math.isfinite(number) else None


def _to_bool(item) -> bool:
    try:
        return _TRUTH[str(item).strip().lower()]
    except KeyError:
        raise ValueError(item) from None


def _write_csv(table: Table, path: Path) -> None:
    columns = [_items(table[name], missing="") for name in table.colnames]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(table.colnames)
        writer.writerows(zip(*columns, strict=True))


def _write_ecsv(table: Table, path: Path) -> None:
    plain = table.copy()
    for name in plain.colnames:
        if plain[name].dtype == object:
            plain[name] = plain[name].astype(str)
    plain.write(path, format="ascii.ecsv", overwrite=True)


def _write_parquet(table: Table, path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    columns = {name: _items(table[name], missing=None) for name in table.colnames}
    parquet.write_table(pa.table(columns), path)


def _items(column: Column, missing) -> list:
    return [missing if item is None else item for item in column.tolist()]
