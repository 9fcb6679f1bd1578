"""Which observations are meant: obsids read from whatever a user holds."""

import math
import numbers
import re
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from astropy.table import Column, Row, Table, vstack
from astroquery.exceptions import InputWarning

from astro_paperclip.exceptions import InvalidQueryError

__all__ = ["as_table", "obsid_text", "read_obsids"]

_WHOLE_NUMBER = re.compile(r"(?=[0-9])0*([0-9]*)(?:\.0*)?")
_LARGEST_EXACT = 2**53
"""Above this a float cannot tell neighbouring whole numbers."""

_FULL_FRAMES = ("TESS FFI", "TICA FFI")
"""Targets whose product lists are too long to ask for; astroquery leaves them out too."""


def obsid_text(value: Any) -> str:
    """Write an obsid as MAST's services take it.

    Parameters
    ----------
    value : object
        Text, bytes, a whole number, or what stands for a missing value.

    Returns
    -------
    obsid : str
        Digits; "" for what is missing: None, NaN, 0, "" and a masked value.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    if value is None or value is np.ma.masked:
        return ""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if isinstance(value, str):
        value = value.strip()
        if not value:
            return ""
        if match := _WHOLE_NUMBER.fullmatch(value):
            return match[1]
    elif isinstance(value, numbers.Integral) and not isinstance(value, bool):
        if value >= 0:
            return str(int(value)) if value else ""
    elif isinstance(value, numbers.Real) and not isinstance(value, bool):
        if math.isnan(value):
            return ""
        if 0 <= value < _LARGEST_EXACT and value == int(value):
            return obsid_text(int(value))
    raise ValueError(value)


def read_obsids(observations: Any) -> Table:
    """Read which observations are meant, and check it before anything is asked.

    Parameters
    ----------
    observations : `~astropy.table.Table`, `~astropy.table.Row`, iterable, str or int
        Observations with a column ``obsid``, some of their rows, or obsids.

    Returns
    -------
    wanted : `~astropy.table.Table`
        Column ``obsid`` (str), each once; ``rank`` (int) and ``score`` (float) where the
        observations have them, masked where they are there, by rank.

    Raises
    ------
    InvalidQueryError
        If something is no obsid, or a table has none.
    """
    table = as_table(observations)
    _check_is_of_observations(table)
    obsids = [_checked(value) for value in _values(table, "obsid")]
    kept = np.array([obsid != "" for obsid in obsids], dtype=bool)
    if not kept.all():
        _warn(f"{np.sum(~kept)} of {len(kept)} observations have no obsid")
    if "target_name" in table.colnames:
        full_frame = np.isin(_values(table, "target_name"), _FULL_FRAMES)
        if full_frame.any():
            _warn(f"{np.sum(full_frame)} of {len(kept)} are full frames of TESS (use TESScut)")
        kept &= ~full_frame

    columns = {"obsid": np.array(obsids, dtype=str)}
    for name, dtype in (("rank", np.int64), ("score", np.float64)):
        if name in table.colnames and table[name].dtype.kind in "iuf":
            values = np.ma.asarray(table[name]).astype(dtype)
            columns[name] = values if np.ma.is_masked(values) else np.ma.getdata(values)
    wanted = Table(columns)[kept]
    if "rank" in wanted.colnames:
        ranks = np.ma.filled(wanted["rank"], np.iinfo(np.int64).max)
        wanted = wanted[np.argsort(ranks, kind="stable")]
    _, first = np.unique(wanted["obsid"], return_index=True)
    return wanted[np.sort(first)]


def as_table(rows: Any) -> Table:
    """Return whatever names observations or products as a table.

    Parameters
    ----------
    rows : `~astropy.table.Table`, `~astropy.table.Row`, iterable, str or int
        A table, which is returned as it is, some of its rows, or obsids.

    Returns
    -------
    table : `~astropy.table.Table`
        Of obsids: a table with the one column ``obsid``, not checked.

    Raises
    ------
    InvalidQueryError
        If it is nothing of this kind.
    """
    if isinstance(rows, Table):
        return rows
    if isinstance(rows, Row):
        return rows.table[rows.index : rows.index + 1]
    if isinstance(rows, str | bytes | numbers.Number):
        rows = [rows]
    elif getattr(rows, "ndim", None) == 0:
        # A masked value, or an array without a length.
        rows = [rows[()]]
    if not isinstance(rows, Iterable):
        raise InvalidQueryError(f"{rows!r} names no observations: give a table or obsids.")
    items = list(rows)
    if items and all(isinstance(item, Row) for item in items):
        table = items[0].table
        if all(item.table is table for item in items):
            return table[[item.index for item in items]]
        tables = [as_table(item) for item in items]
        return vstack(tables, join_type="inner", metadata_conflicts="silent")
    obsids = np.empty(len(items), dtype=object)
    obsids[:] = items
    # A table would make columns of other kinds of some objects.
    return Table([Column(obsids, name="obsid")])


def _check_is_of_observations(table: Table) -> None:
    if "obsid" not in table.colnames:
        kind = "a table of products" if "dataURI" in table.colnames else "no table of observations"
        raise InvalidQueryError(
            f"This is {kind}: it has no column 'obsid', only {', '.join(table.colnames)}. Give "
            "the result of a query, some of its rows, or obsids."
        )


def _values(table: Table, name: str) -> list:
    """Return the cells of a column, None where they are masked."""
    return table[name].tolist()


def _checked(value: Any) -> str:
    try:
        return obsid_text(value)
    except ValueError:
        advice = (
            f" It looks like an obs_id: query_criteria(obs_id={value!r}) finds its obsid, or give "
            "the table of observations as it is."
            if isinstance(value, str) and value.strip()
            else ""
        )
        raise InvalidQueryError(
            f"{value!r} is no obsid, which is a whole number such as 2003738726.{advice}"
        ) from None


def _warn(fault: str) -> None:
    warnings.warn(f"{fault}: they are left out.", InputWarning, stacklevel=4)
