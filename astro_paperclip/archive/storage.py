"""Tables of the archive in Parquet files, with units and descriptions."""

import os
from pathlib import Path

import numpy as np
from astropy.table import Column, MaskedColumn, Table

from astro_paperclip.columns import text_array
from astro_paperclip.exceptions import CollectionError
from astro_paperclip.files import written_whole

__all__ = ["read_table", "write_table"]

_HEADER = b"table_meta_yaml"
"""Where astropy keeps what Parquet has no place for: units, descriptions, metadata."""


def write_table(table: Table, path: str | os.PathLike) -> None:
    """Write a table; the file appears whole or not at all.

    Masked values become nulls, so that other readers of Parquet see what is missing.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Columns of texts, numbers and truth values.
    path : str or path-like
        Where to.
    """
    import pyarrow as pa
    from astropy.table.meta import get_yaml_from_table
    from pyarrow import parquet

    arrays = [_arrow(table[name]) for name in table.colnames]
    header = "\n".join(get_yaml_from_table(table)).encode()
    schema = pa.schema(
        [pa.field(name, array.type) for name, array in zip(table.colnames, arrays, strict=True)],
        metadata={_HEADER: header},
    )
    with written_whole(path) as temporary:
        parquet.write_table(pa.table(arrays, schema=schema), temporary, compression="zstd")


def read_table(path: str | os.PathLike) -> Table:
    """Read a table that `write_table` wrote, or any Parquet file of plain columns.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    table : `~astropy.table.Table`
        Columns with missing values are masked.

    Raises
    ------
    CollectionError
        If it cannot be read.
    """
    import pyarrow as pa
    from astropy.table.meta import get_header_from_yaml
    from pyarrow import parquet

    path = Path(path)
    try:
        # a plain file, so that folder names such as "year=2024" above it do not become columns
        stored = parquet.ParquetFile(path).read()
        written = (stored.schema.metadata or {}).get(_HEADER)
        header = get_header_from_yaml(written.decode().split("\n")) if written else {}
        table = Table(meta=header.get("meta"))
        described = {column["name"]: column for column in header.get("datatype", [])}
        for name in stored.column_names:
            table[name] = _column(stored[name], described.get(name, {}))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise CollectionError(f"{path} cannot be read as a Parquet table: {error}") from error
    return table


def _arrow(column: Column):
    import pyarrow as pa

    kinds = {"U": pa.string(), "O": pa.string(), "S": pa.string()}
    values = np.asarray(getattr(column, "data", column))
    mask = np.asarray(column.mask) if isinstance(column, MaskedColumn) else None
    return pa.array(values, type=kinds.get(values.dtype.kind), mask=mask)


def _column(stored, described: dict) -> Column:
    import pyarrow.compute as pc
    from pyarrow import types

    missing = pc.is_null(stored).to_numpy() if stored.null_count else None
    if types.is_null(stored.type):
        stored = stored.cast("string")
    if types.is_string(stored.type) or types.is_large_string(stored.type):
        values = text_array(stored.fill_null("").to_pylist())
    elif missing is not None:
        values = stored.fill_null(False if types.is_boolean(stored.type) else 0).to_numpy()
    else:
        values = stored.to_numpy()
    what = {key: described.get(key) for key in ("unit", "description", "meta")}
    if missing is None:
        return Column(values, **what)
    return MaskedColumn(values, mask=missing, **what)
