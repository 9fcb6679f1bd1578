"""What MAST answers about observations, by whichever route, as one and the same table."""

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Column, MaskedColumn, Table

from astro_paperclip.archive.obsids import obsid_text
from astro_paperclip.columns import COLUMNS, CONTRACT_COLUMNS, OBSERVATION_COLUMNS, text_array
from astro_paperclip.logger import log

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["observation_table"]

_NAMES = tuple(name for name in OBSERVATION_COLUMNS if name != "distance")
_ALWAYS_TEXT = set(CONTRACT_COLUMNS) & set(OBSERVATION_COLUMNS)
_LONGEST_OBSID = 18
"""Digits that a whole number of 64 bits always has room for."""

_NO_INTEGER = -999
"""What astroquery puts where the portal has no whole number."""

_FLAGS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_EMPTY = {"str": "", "int64": 0, "float64": math.nan, "bool": False}


def observation_table(replies: Table | Iterable[Table]) -> Table:
    """Gather replies of MAST into a table with known columns.

    Parameters
    ----------
    replies : `~astropy.table.Table` or iterable of them
        Rows of observations as the portal or the TAP service gave them: upper and lower case
        of names, and the types of values, may differ. They are taken one by one, so that a
        generator need not hold more than one at a time.

    Returns
    -------
    table : `~astropy.table.Table`
        The columns `~astro_paperclip.columns.OBSERVATION_COLUMNS` in their order, but for
        ``distance``, with the dtypes, units, descriptions and UCDs of
        `~astro_paperclip.columns.COLUMNS`; masked where MAST says nothing. ``obsid``,
        ``obs_id``, ``target_name`` and ``obs_collection`` are never masked, ``obsid`` holds
        digits only. One row an ``obsid``, in ascending order; of several rows with one
        ``obsid`` that with the lowest ``objID`` stays. ``meta["left_out"]`` says
        by reason how many rows are not there.
    """
    import pyarrow as pa

    tables, n_rows = [_conformed(Table())], 0
    for reply in [replies] if isinstance(replies, Table) else replies:
        n_rows += len(reply)
        tables.append(_conformed(reply))
    rows = pa.concat_tables(tables)
    n_without = n_rows - len(rows)
    if n_without:
        log.warning(f"{n_without} of {n_rows} observations came without an obsid: left out.")
    distinct = rows.take(_first_of_each(rows))
    left_out = {"without an obsid": n_without, "listed twice": len(rows) - len(distinct)}
    del rows, tables
    return Table(
        {name: _column(distinct[name], name) for name in _NAMES},
        meta={"left_out": {reason: number for reason, number in left_out.items() if number}},
        copy=False,
    )


def _conformed(reply: Table) -> "pa.Table":
    """Return the known columns of the rows that have an obsid."""
    import pyarrow as pa

    found = {name.lower(): name for name in reversed(reply.colnames)}
    arrays = {}
    for name in _NAMES:
        source = found.get(name.lower())
        cells = [None] * len(reply) if source is None else reply[source].tolist()
        convert = _obsid if name == "obsid" else _CONVERTERS[COLUMNS[name].dtype]
        arrow_type = {"str": pa.string(), "bool": pa.bool_()}.get(COLUMNS[name].dtype)
        arrays[name] = pa.array(map(convert, cells), arrow_type or COLUMNS[name].dtype)
    rows = pa.table(arrays)
    return rows.filter(rows["obsid"].is_valid())


def _first_of_each(rows: "pa.Table") -> np.ndarray:
    """Return the indices of one row an obsid, in ascending order of the obsids."""
    obsids = np.array(rows["obsid"].to_pylist(), dtype=np.int64)
    planes = [_obsid(text) for text in rows["objID"].to_pylist()]
    order = np.lexsort([np.array([int(plane or 0) for plane in planes], dtype=np.int64), obsids])
    return order[np.diff(obsids[order], prepend=0) > 0]


def _column(values: "pa.ChunkedArray", name: str) -> Column:
    info = COLUMNS[name]
    missing = np.array(values.is_null())
    filled = values.fill_null(_EMPTY[info.dtype])
    data = text_array(filled.to_pylist()) if info.dtype == "str" else filled.to_numpy()
    if missing.any() and name not in _ALWAYS_TEXT:
        column = MaskedColumn(data, name=name, mask=missing)
    else:
        column = Column(data, name=name)
    column.unit, column.description = info.unit, info.description
    identity = {"ucd": info.ucd, "utype": info.utype}
    column.meta.update({key: value for key, value in identity.items() if value is not None})
    return column


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        value = int(value) if value.is_integer() else value
    return None if value is None else str(value).strip() or None


def _obsid(value: Any) -> str | None:
    """Return the digits of a key, or `None` for what can be none."""
    try:
        obsid = obsid_text(value)
    except ValueError:
        return None
    return obsid if 0 < len(obsid) <= _LONGEST_OBSID else None


def _number(value: Any) -> float | None:
    try:
        number = None if value is None else float(value)
    except ValueError:
        return None
    return None if number is None or not math.isfinite(number) else number


def _integer(value: Any) -> int | None:
    number = _number(value)
    if number is None or number == _NO_INTEGER or not number.is_integer():
        return None
    return int(number)


def _flag(value: Any) -> bool | None:
    return _FLAGS.get((_text(value) or "").lower())


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "str": _text,
    "int64": _integer,
    "float64": _number,
    "bool": _flag,
}
