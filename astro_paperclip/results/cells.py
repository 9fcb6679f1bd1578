"""What the index keeps of an observation, as the columns of a table."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from astropy.table import Column, MaskedColumn

from astro_paperclip.columns import COLUMNS, CONTRACT_COLUMNS, RANKING_COLUMNS, ColumnInfo

__all__ = ["hit_columns", "text_column", "unknown_column", "unmasked"]


def hit_columns(hits: Iterable, first_rank: int = 1) -> list[Column]:
    """Return what the index found as columns, ranked.

    Parameters
    ----------
    hits : iterable
        Objects with ``.id`` (str), ``.score`` (float; NaN where nothing was ranked),
        ``.payload`` (mapping of column names to values; `None`, NaN or absence is a missing
        value) and, where it is known, ``.percentile`` (float).
    first_rank : int
        Rank of the best hit.

    Returns
    -------
    columns : list of `~astropy.table.Column`
        `CONTRACT_COLUMNS` first; one row a hit, by falling score; equal scores by ``obsid``,
        then by id. Where nothing was ranked they stay in their order, and scores are masked.
        Masked where a value is missing, but for the other contract columns.
    """
    hits = list(hits)
    scores = np.array([hit.score for hit in hits], dtype=np.float64)
    if not np.isnan(scores).any():
        hits.sort(key=lambda hit: (-hit.score, _obsid(hit.payload.get("obsid")), hit.id))
        scores[::-1].sort()
    payloads = [hit.payload for hit in hits]
    values = {
        "rank": np.arange(first_rank, first_rank + len(hits), dtype=np.int64),
        "score": _masked_where_unknown(scores),
        "score_percentile": _masked_where_unknown(
            np.array([getattr(hit, "percentile", np.nan) for hit in hits], dtype=np.float64)
        ),
        "obsid": text_column([_obsid(payload.get("obsid")) for payload in payloads]),
    }
    for name in CONTRACT_COLUMNS[len(RANKING_COLUMNS) + 1 :]:
        values[name] = text_column([_text(_known(p.get(name))) or "" for p in payloads])
    made = {name: _kind_of(column)(column, name=name) for name, column in values.items()}
    columns = [_described(column, COLUMNS[name]) for name, column in made.items()]
    others = (name for name in _payload_names(payloads) if name not in values)
    columns += [_payload_column(name, [_known(p.get(name)) for p in payloads]) for name in others]
    return columns


def _masked_where_unknown(numbers: np.ndarray) -> np.ndarray:
    return np.ma.masked_invalid(numbers) if np.isnan(numbers).any() else numbers


def _kind_of(values: np.ndarray) -> type[Column]:
    return MaskedColumn if isinstance(values, np.ma.MaskedArray) else Column


def text_column(texts: list[str]) -> np.ndarray:
    """Return texts as an array of a type that holds text, even where there are none.

    Parameters
    ----------
    texts : list of str
        The texts.

    Returns
    -------
    array : `~numpy.ndarray`
        Of a dtype ``U`` with one character at least.
    """
    # An empty list would become numbers, and an all-empty one text without width.
    return np.array(texts, dtype=f"U{max((len(text) for text in texts), default=0) or 1}")


def unmasked(column: MaskedColumn) -> Column:
    """Return a column of text with "" in the place of what is missing.

    Parameters
    ----------
    column : `~astropy.table.MaskedColumn`
        Text.

    Returns
    -------
    column : `~astropy.table.Column`
        With the description and UCD of the other.
    """
    filled = Column(column.filled("").astype(str), name=column.name)
    filled.description = column.description
    filled.meta.update(column.meta)
    return filled


def _known(value: Any) -> Any:
    """Return the value, or `None` for what stands for a missing one."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _text(value: Any) -> str | None:
    """Write a payload value as text; a whole number never gets a decimal point."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        # MAST joins several values of one cell, as of filters, in this way.
        return ";".join(value)
    if isinstance(value, list | dict):
        return json.dumps(value, sort_keys=True)
    return str(value)


def _obsid(value: Any) -> str:
    """Return the observation's key in MAST as digits, or "" where there is none."""
    text = (_text(_known(value)) or "").strip()
    return text if text.isascii() and text.isdigit() and int(text) > 0 else ""


def unknown_column(name: str, length: int) -> Column:
    """Return a column of MAST in which nothing is known, with its type and its unit.

    Parameters
    ----------
    name : str
        One of `COLUMNS`.
    length : int
        Number of rows.

    Returns
    -------
    column : `~astropy.table.Column`
        Masked in each row.
    """
    return _payload_column(name, [None] * length)


def _payload_names(payloads: list[Mapping]) -> list[str]:
    """Return all names of the payloads: those of `COLUMNS` in its order, then the others."""
    present = dict.fromkeys(name for payload in payloads for name in payload)
    known = [name for name in COLUMNS if name in present]
    return known + [name for name in present if name not in COLUMNS]


def _payload_column(name: str, values: list) -> Column:
    info = COLUMNS.get(name)
    present = [value for value in values if value is not None]
    if info and all(_FITS[info.dtype](value) for value in present):
        return _described(_column(name, values, info.dtype), info)
    # Without a column's own type its unit means nothing, so that it is not set.
    return _column(name, values, _common_type(present))


def _common_type(values: list) -> str:
    """Return the narrowest type that holds all values as they are."""
    types = {type(value) for value in values}
    if types == {bool}:
        return "bool"
    if types == {int}:
        return "int64" if all(map(_is_integer, values)) else "str"
    if types and types <= {int, float}:
        return "float64"
    return "str"


def _is_integer(value: Any) -> bool:
    limits = np.iinfo(np.int64)
    return _is_number(value) and value == value // 1 and limits.min <= value <= limits.max


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_FITS = {
    "str": lambda _: True,
    "bool": lambda value: isinstance(value, bool),
    "int64": _is_integer,
    "float64": _is_number,
}

_FILL = {"str": "", "bool": False, "int64": 0, "float64": 0.0}


def _column(name: str, values: list, dtype: str) -> Column:
    cells = [_text(value) for value in values] if dtype == "str" else values
    missing = [cell is None for cell in cells]
    filled = [_FILL[dtype] if cell is None else cell for cell in cells]
    data = text_column(filled) if dtype == "str" else np.array(filled, dtype=dtype)
    if any(missing):
        return MaskedColumn(data, name=name, mask=missing)
    return Column(data, name=name)


def _described(column: Column, info: ColumnInfo) -> Column:
    column.unit = info.unit
    column.description = info.description
    # Lower-case keys are those that astropy's VOTable writer turns into attributes of a FIELD.
    identity = {"ucd": info.ucd, "utype": info.utype}
    column.meta.update({key: value for key, value in identity.items() if value is not None})
    return column
