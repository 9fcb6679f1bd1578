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

_ROWS_AT_ONCE = 2**12
"""Rows of a Parquet file that are decoded together."""

_BYTES_AT_ONCE = 2**16
"""Bytes of each column of a Parquet file that are read together."""

_LONG_TEXT = 100
"""Longer texts of a CSV file are kept once: captions repeat, and are most of the file."""

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
    shared: dict[str, str] = {}
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
                if len(value) > _LONG_TEXT:
                    value = shared.setdefault(value, value)
                values[name].append(value)
    return values, faults


def _read_ecsv(path: Path) -> tuple[dict[str, Column], list[str]]:
    return dict(Table.read(path, format="ascii.ecsv").columns), []


def _read_parquet(path: Path) -> tuple[dict[str, list | np.ndarray], list[str]]:
    import pyarrow as pa
    from pyarrow import parquet

    def is_text(kind: pa.DataType) -> bool:
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        return pa.types.is_string(kind) or pa.types.is_large_string(kind)

    # A plain file, so that folder names such as "year=2024" above it do not become columns;
    # little of it at a time, as a million captions take gigabytes before equal ones are shared.
    with parquet.ParquetFile(path, pre_buffer=False, buffer_size=_BYTES_AT_ONCE) as file:
        schema = file.schema_arrow
        texts = {name: {} for name in schema.names if is_text(schema.field(name).type)}
        parts: dict[str, list] = {name: [] for name in schema.names}
        for batch in file.iter_batches(_ROWS_AT_ONCE, use_threads=False):
            for name, array in zip(batch.schema.names, batch.columns, strict=True):
                values = _shared_texts(array, texts[name]) if name in texts else array
                parts[name].append(values)
    values = {}
    for name, arrays in parts.items():
        if name in texts:
            values[name] = np.concatenate([np.empty(0, object), *arrays])
        else:
            values[name] = _plain_values(pa.chunked_array(arrays, schema.field(name).type))
    pa.default_memory_pool().release_unused()  # which it would keep for the next file
    return values, []


def _shared_texts(array, known: dict[str, str]) -> np.ndarray:
    """Return the texts of an Arrow array, empty where there is none.

    Equal texts are one object, which `known` holds.
    """
    if not hasattr(array, "dictionary"):
        array = array.dictionary_encode()
    words = [known.setdefault(word, word) for word in array.dictionary.to_pylist()]
    numbers = array.indices.fill_null(len(words)).to_numpy()
    return np.array([*words, ""], object)[numbers]


def _plain_values(array) -> list | Column:
    """Return the values of an Arrow array: a column if NumPy has their type, else a list."""
    import pyarrow as pa

    kind = array.type
    if pa.types.is_boolean(kind):
        filled = array.fill_null(False)
    elif pa.types.is_integer(kind) or pa.types.is_float32(kind) or pa.types.is_float64(kind):
        filled = array.fill_null(0)
    else:
        return array.to_pylist()
    return MaskedColumn(filled.to_numpy(), mask=array.is_null().to_numpy())


def _column(name: str, values, path: Path, faults: list[str]) -> Column:
    """Make a column of the dtype that its name asks for, else of the dtype of its values."""
    unit = _UNITS.get(name) or getattr(values, "unit", None)
    description = getattr(values, "description", None)
    dtype = _DTYPES.get(name)
    if isinstance(values, np.ndarray):
        column = _unconverted(values, dtype)
        if column is not None:
            column.unit, column.description = unit, description
            return column
        values = values.tolist()
    dtype = dtype or _natural_dtype(values)
    convert = {"str": _to_text, "int64": _to_int, "float64": _to_float, "bool": _to_bool}[dtype]
    converted = []
    for number, item in enumerate(values, start=1):
        if item is None or (dtype != "str" and item == ""):
            converted.append(None)
            continue
        try:
            converted.append(convert(item))
        except (TypeError, ValueError):
            faults.append(f"{path}, row {number}: {name} is no {dtype}: {item!r}")
            converted.append(None)
    return _packed(converted, dtype, unit, description)


def _unconverted(values: np.ndarray, dtype: str | None) -> Column | None:
    """Make a column of an array whose values need not be looked at one by one, if it is one."""
    if not isinstance(values, Column):  # texts
        return Column(text_array(values)) if dtype in (None, "str") else None
    kinds = {"bool": "b", "int64": "iu", "float64": "iuf", "str": "", None: "biuf"}[dtype]
    kind = values.dtype.kind
    if kind not in kinds or values.dtype == np.uint64:
        return None
    dtype = dtype or {"b": "bool", "f": "float64"}.get(kind, "int64")
    data = np.array(np.ma.getdata(values), dtype=dtype)
    mask = np.ma.getmaskarray(values)
    if kind == "f":
        mask = mask | ~np.isfinite(data)
    data[mask] = 0
    return MaskedColumn(data, mask=mask) if mask.any() else Column(data)


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
    if number != (item if isinstance(item, int) else float(item)) or abs(number) >= 2**63:
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
