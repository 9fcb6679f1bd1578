"""How a row of a table is stored: the id of its point, and its columns as plain JSON."""

import datetime
import math
import numbers
import os
import uuid
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from astro_paperclip.columns import COLUMNS
from astro_paperclip.exceptions import InvalidQueryError

__all__ = [
    "CELLS_FIELD",
    "FLAGS_FIELD",
    "FOOTPRINT_FIELD",
    "FORMER_FIELDS",
    "INDEXED_FIELDS",
    "NAMESPACE",
    "POSITION_COLUMNS",
    "RESERVED_FIELDS",
    "SCHEMA_VERSION",
    "flag",
    "from_payload",
    "point_id",
    "position_of",
    "to_payload",
]

SCHEMA_VERSION = 3
"""Version of what this module writes."""

NAMESPACE = uuid.UUID("0d0a82eb-5b32-50f9-ab8f-0aed36d2a0aa")
"""Namespace of the ids of points: ``uuid5(NAMESPACE_URL, "urn:astro_paperclip:preview")``."""

CELLS_FIELD = "_cells"
"""Payload field with the HEALPix cells (NUNIQ) that the position lies in, at some orders."""

FOOTPRINT_FIELD = "_footprint"
"""Payload field with the HEALPix cells (NUNIQ) that the footprint may touch, at some orders."""

FLAGS_FIELD = "_flags"
"""Payload field that lists the booleans of a row as ``"column=true"`` or ``"column=false"``.

The engine's Python interface turns `True` into the number 1 in a filter, which no stored
boolean equals, so that booleans are searched through this list.
"""

INDEXED_FIELDS = {
    "target_name": "keyword",
    "instrument_name": "keyword",
    "filters": "keyword",
    "proposal_id": "keyword",
    "group_id": "keyword",
    "t_min": "float",
    FLAGS_FIELD: "keyword",
    CELLS_FIELD: "integer",
    FOOTPRINT_FIELD: "integer",
}
"""Payload fields with an index, and its type. Filters on other fields work too, but slower."""

FORMER_FIELDS = frozenset({"loc"})
"""Payload fields that earlier versions made: ``loc`` was the position, with an index of its own."""

RESERVED_FIELDS = frozenset({CELLS_FIELD, FOOTPRINT_FIELD, FLAGS_FIELD}) | FORMER_FIELDS
"""Payload fields that are no columns: they are made when a row is stored."""

POSITION_COLUMNS = (("s_ra", "s_dec"), ("ra", "dec"))
"""Columns with a position (ICRS, deg), the best first."""

_LONGEST_SHORT = 16
"""Characters of a number with a point and up to 15 digits: its neighbours all have more."""

_INT64 = range(-(2**63), 2**63)


def point_id(uri_or_path: str | os.PathLike) -> str:
    """Return the id of the point of a picture.

    Parameters
    ----------
    uri_or_path : str or path-like
        The MAST URI of the preview, or the path of the image where there is none. The same
        text always gives the same id, on any machine, so that a path should be relative.

    Returns
    -------
    str
        UUID, version 5, in the namespace ``NAMESPACE``.
    """
    text = uri_or_path.as_posix() if isinstance(uri_or_path, PurePath) else os.fspath(uri_or_path)
    if not text:
        raise InvalidQueryError("A point needs a URI or a path to take its id from, not ''.")
    return str(uuid.uuid5(NAMESPACE, text))


def to_payload(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as plain JSON, with what is needed to search it.

    Parameters
    ----------
    row : mapping
        Column names to values. Values of known columns are brought to the declared type; NumPy
        scalars and arrays become Python's; missing values (`None`, NaN, masked) are left out.

    Returns
    -------
    dict
    """
    for name in RESERVED_FIELDS:
        if name in row:
            raise InvalidQueryError(
                f"The column name {name!r} is reserved for the index: rename the column."
            )
    payload = {}
    for name, value in row.items():
        value = _declared(name, _plain(value))
        if value is not None:
            payload[str(name)] = value
    flags = [flag(name, value) for name, value in payload.items() if isinstance(value, bool)]
    if flags:
        payload[FLAGS_FIELD] = flags
    return payload


def from_payload(payload: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the columns of a stored row, as they were before `to_payload` added to them.

    The engine's JSON reader is off by one unit in the last place for some float64. Of such a
    number and its neighbours the shortest is taken, so that one with up to 15 significant
    digits comes back as it was written.
    """
    return {
        name: _restored(value)
        for name, value in (payload or {}).items()
        if name not in RESERVED_FIELDS
    }


def flag(field: str, value: bool) -> str:
    """Return how a boolean is listed in `FLAGS_FIELD`."""
    return f"{field}={'true' if value else 'false'}"


def position_of(payload: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return right ascension and declination (ICRS, deg) of a row, or `None` without them."""
    for ra_name, dec_name in POSITION_COLUMNS:
        ra, dec = payload.get(ra_name), payload.get(dec_name)
        if isinstance(ra, float) and isinstance(dec, float) and abs(dec) <= 90:
            return ra, dec
    return None


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, or `None` where it is missing."""
    if value is None or value is np.ma.masked:
        return None
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
        if value is None:
            return None
    if isinstance(value, bool | str):
        return value
    if isinstance(value, numbers.Integral):
        return int(value) if int(value) in _INT64 else str(int(value))
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return str(value)


def _declared(name: str, value: Any) -> Any:
    """Return a value in the type that its column declares, if it can be had without loss."""
    column = COLUMNS.get(name)
    if column is None or isinstance(value, list | dict) or value is None:
        return value
    if column.dtype == "str":
        return value if isinstance(value, str) else str(value)
    if column.dtype == "bool":
        flags = {"true": True, "false": False, "1": True, "0": False}
        return flags.get(str(value).strip().lower(), value)
    try:
        number = float(value)
    except ValueError:
        return value
    if not math.isfinite(number):
        return None
    if column.dtype == "int64":
        return int(number) if number.is_integer() else value
    return number


def _restored(value: Any) -> Any:
    if isinstance(value, float):
        digits = repr(value)
        if len(digits) <= _LONGEST_SHORT and "e" not in digits:
            return value
        neighbours = (value, math.nextafter(value, -math.inf), math.nextafter(value, math.inf))
        return min(neighbours, key=lambda number: len(repr(number)))
    if isinstance(value, list):
        return [_restored(item) for item in value]
    if isinstance(value, dict):
        return {name: _restored(item) for name, item in value.items()}
    return value
