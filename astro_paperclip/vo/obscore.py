"""Observations as the Virtual Observatory describes them: ObsCore 1.1 [1]_.

An ObsCore table is no renaming of MAST's columns but a conversion: wavelengths in m instead of
nm, sizes in kB, footprints in ICRS, addresses where MAST has URIs.

References
----------
.. [1] Observation Data Model Core Components and its Implementation in the Table Access
   Protocol, version 1.1, table 1 and appendix C, https://www.ivoa.net/documents/ObsCore/
"""

import mimetypes
import tomllib
from collections.abc import Callable
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from astropy import units as u
from astropy.table import MaskedColumn, Table

from astro_paperclip.archive.mast import Mast
from astro_paperclip.columns import COLUMNS, ColumnInfo
from astro_paperclip.exceptions import ArchiveError, InvalidQueryError
from astro_paperclip.sky import known_footprint, stcs_of

__all__ = ["OBSCORE_COLUMNS", "obscore_table"]

_TABLE = tomllib.loads(
    files("astro_paperclip.vo").joinpath("obscore.toml").read_text(encoding="utf-8")
)


def _columns(kind: str) -> tuple[ColumnInfo, ...]:
    return tuple(
        ColumnInfo(
            name=name,
            dtype=facts["dtype"],
            unit=facts.get("unit"),
            ucd=facts["ucd"],
            utype=f"obscore:{facts['utype']}",
            description=facts["description"],
        )
        for name, facts in _TABLE[kind].items()
    )


OBSCORE_COLUMNS = _columns("mandatory")
"""What is known of each mandatory column, in the standard's order."""

_ADDED_COLUMNS = (*_columns("optional"), COLUMNS["rank"], COLUMNS["score"])

_PRODUCT_TYPES = {"image", "cube", "spectrum", "sed", "timeseries"}
_PRODUCT_TYPES |= {"visibility", "event", "measurements"}
"""Values of ``dataproduct_type`` that the standard knows."""

_FACILITIES = {"HLA": "HST", "HLSP": None, "SWIFT": "Swift", "KEPLER": "Kepler", "K2": "Kepler"}
"""Telescopes of collections that are not named after one."""

_AUTHORITY = "ivo://archive.stsci.edu"

_FORMATS = {".fits": "image/fits", ".fit": "image/fits", ".asdf": "application/x-asdf"}
"""MIME types that the standard library does not know."""


def obscore_table(observations: Table, sizes: dict[str, int] | None = None) -> Table:
    """Return observations as a table of ObsCore 1.1.

    Parameters
    ----------
    observations : `~astropy.table.Table`
        In MAST's columns; any may lack.
    sizes : dict of int, optional
        Sizes of files [byte] by their MAST URI.

    Returns
    -------
    table : `~astropy.table.Table`
        One row an observation, in their order: `OBSCORE_COLUMNS`, then ``obs_title``,
        ``proposal_id``, and ``rank`` and ``score``. Masked where nothing is known.

    Notes
    -----
    ``access_url`` is where the file that MAST names in ``dataURL`` can be had from; where it
    names none it is the preview (``jpegURL``, else ``preview``), as ``access_format`` tells.
    ``s_fov`` is the diameter of a circle round the footprint, not always the smallest one.
    MAST gives its observations no dataset identifiers (``obs_publisher_did``): these are made
    up of its authority, so that they are unique, and no registry resolves them.
    """
    return Table(
        [
            _column(info, _VALUES.get(info.name, _own(info)), observations, sizes or {})
            for info in (*OBSCORE_COLUMNS, *_ADDED_COLUMNS)
        ]
    )


def _column(info: ColumnInfo, values_of: Callable, observations: Table, sizes: dict) -> Any:
    """Return a column with its unit, UCD and utype."""
    values = values_of(observations, sizes)
    missing = [value is None or value != value for value in values]
    fill = "" if info.dtype == "str" else 0
    cells = [fill if is_missing else v for v, is_missing in zip(values, missing, strict=True)]
    dtype = "U1" if info.dtype == "str" and not any(cells) else info.dtype
    column = MaskedColumn(np.array(cells, dtype), name=info.name, mask=missing, unit=info.unit)
    column.description = info.description
    xtype = _TABLE["mandatory"].get(info.name, {}).get("xtype")
    identity = {"ucd": info.ucd, "utype": info.utype, "xtype": xtype}
    column.meta.update({key: value for key, value in identity.items() if value is not None})
    return column


def _own(info: ColumnInfo) -> Callable:
    """Return a function that gives the values of the observations' own column of this name."""

    def values(observations: Table, _: dict) -> list:
        if info.dtype == "str":
            return _texts(observations, info.name)
        return _numbers(observations, info.name, info.unit)

    return values


def _texts(observations: Table, name: str) -> list[str | None]:
    """Return the cells of a column of text, `None` where there is none or it is empty."""
    if name not in observations.colnames:
        return [None] * len(observations)
    cells = observations[name].tolist()
    return [None if cell is None or str(cell).strip() == "" else str(cell) for cell in cells]


def _numbers(observations: Table, name: str, unit: str | None) -> list[float | None]:
    """Return the cells of a column of numbers in a unit, `None` where there is none."""
    if name not in observations.colnames or observations[name].dtype.kind not in "iuf":
        return [None] * len(observations)
    column = observations[name]
    own = column.unit or (name in COLUMNS and COLUMNS[name].unit)
    factor = u.Unit(own).to(unit) if own and unit else 1
    missing = np.ma.getmaskarray(np.ma.asarray(column))
    values = np.ma.getdata(column.value if hasattr(column, "value") else column)
    if factor != 1:
        values = values * factor
    cells = zip(values.tolist(), missing.tolist(), strict=True)
    return [None if is_missing else value for value, is_missing in cells]


def _product_types(observations: Table, _: dict) -> list[str | None]:
    kinds = [(kind or "").lower() for kind in _texts(observations, "dataproduct_type")]
    return [kind if kind in _PRODUCT_TYPES else None for kind in kinds]


def _calibration_levels(observations: Table, _: dict) -> list[int | None]:
    # MAST has -1 for what is planned, which the standard has no level for.
    levels = _numbers(observations, "calib_level", None)
    return [level if level in (0, 1, 2, 3, 4) else None for level in levels]


def _identifiers(observations: Table, _: dict) -> list[str | None]:
    keys = (_texts(observations, name) for name in ("obs_collection", "obsid"))
    return [
        f"{_AUTHORITY}/{collection}?{obsid}" if collection and obsid else None
        for collection, obsid in zip(*keys, strict=True)
    ]


def _uris(observations: Table) -> list[str | None]:
    """Return what names the data, or a preview of them."""
    names = ("dataURL", "jpegURL", "preview")
    rows = zip(*(_texts(observations, name) for name in names), strict=True)
    return [next((uri for uri in row if uri and _address(uri)), None) for row in rows]


def _address(uri: str) -> str | None:
    try:
        return Mast().file_url(uri)
    except ArchiveError:
        return None


def _addresses(observations: Table, _: dict) -> list[str | None]:
    return [uri and _address(uri) for uri in _uris(observations)]


def _formats(observations: Table, _: dict) -> list[str | None]:
    return [uri and _format(uri) for uri in _uris(observations)]


def _format(uri: str) -> str | None:
    """Return the MIME type of a file by its name, `None` for what a program makes."""
    parts = urlsplit(uri)
    name = PurePosixPath(parse_qs(parts.query).get("uri", [parts.path])[0].lower())
    if name.suffix == ".gz":
        name = name.with_suffix("")
    return _FORMATS.get(name.suffix) or mimetypes.types_map.get(name.suffix)


def _sizes(observations: Table, sizes: dict) -> list[int | None]:
    known = (sizes.get(uri) if uri else None for uri in _uris(observations))
    # A file with anything in it is at least 1 kB, so that 0 cannot be taken for unknown.
    return [max(1, round(size / 1000)) if size else None for size in known]


def _footprints(observations: Table, _: dict) -> list[str | None]:
    return [shape and _outline(shape) for shape in _shapes(observations)]


def _outline(shape: Any) -> str | None:
    try:
        return stcs_of(shape)
    except InvalidQueryError:
        return None


def _diameters(observations: Table, _: dict) -> list[float | None]:
    return [
        shape and min(360.0, 2 * shape.bounding_circle().radius) for shape in _shapes(observations)
    ]


def _shapes(observations: Table) -> list:
    return [text and known_footprint(text) for text in _texts(observations, "s_region")]


def _facilities(observations: Table, _: dict) -> list[str | None]:
    collections = _texts(observations, "obs_collection")
    return [name and _FACILITIES.get(name.upper(), name) for name in collections]


_VALUES = {
    "dataproduct_type": _product_types,
    "calib_level": _calibration_levels,
    "obs_publisher_did": _identifiers,
    "access_url": _addresses,
    "access_format": _formats,
    "access_estsize": _sizes,
    "s_fov": _diameters,
    "s_region": _footprints,
    "facility_name": _facilities,
}
"""How to find the values of columns that are not MAST's own."""
