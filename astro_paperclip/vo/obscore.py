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
from collections.abc import Callable, Iterable
from functools import cached_property
from importlib.resources import files
from pathlib import PurePosixPath
from urllib.parse import parse_qs, urlsplit

import numpy as np
from astropy import units as u
from astropy.table import MaskedColumn, Table

from astro_paperclip.archive.mast import Mast
from astro_paperclip.columns import COLUMNS, ColumnInfo
from astro_paperclip.exceptions import ArchiveError, InvalidQueryError
from astro_paperclip.sky import Shape, known_footprint, stcs_of

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

_NAMING_FILES = ("dataURL", "jpegURL", "preview")
"""Columns that may name a file, the data themselves before pictures of them."""

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

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_paperclip.vo import obscore_table
    >>> table = obscore_table(Table({"em_min": [713.5], "obs_collection": ["HLA"]}))
    >>> table["em_min"].unit, table["facility_name"].tolist(), table["access_url"].tolist()
    (Unit("m"), ['HST'], [None])
    """
    rows = _Rows(observations, sizes or {})
    infos = (*OBSCORE_COLUMNS, *_ADDED_COLUMNS)
    return Table([_column(info, _VALUES.get(info.name, _own(info))(rows)) for info in infos])


class _Rows:
    """Observations in MAST's columns, and what several columns are made of."""

    def __init__(self, table: Table, sizes: dict[str, int]):
        self.table = table
        self.sizes = sizes

    def __len__(self) -> int:
        return len(self.table)

    def texts(self, name: str) -> list[str | None]:
        """Return the cells of a column of text, `None` where there is none or it is empty."""
        if name not in self.table.colnames:
            return [None] * len(self)
        cells = self.table[name].tolist()
        return [None if cell is None or str(cell).strip() == "" else str(cell) for cell in cells]

    def numbers(self, name: str, unit: str | None) -> list[float | None]:
        """Return the cells of a column of numbers in a unit, `None` where there is none."""
        if name not in self.table.colnames or self.table[name].dtype.kind not in "iuf":
            return [None] * len(self)
        column = self.table[name]
        own = column.unit or (name in COLUMNS and COLUMNS[name].unit)
        missing = np.ma.getmaskarray(np.ma.asarray(column))
        values = np.ma.getdata(column.value)
        if own and unit and (factor := u.Unit(own).to(unit)) != 1:
            values = values * factor
        cells = zip(values.tolist(), missing.tolist(), strict=True)
        return [None if is_missing else value for value, is_missing in cells]

    @cached_property
    def files(self) -> list[tuple[str, str] | tuple[None, None]]:
        """What names the data, or a preview of them, and its address."""
        mast = Mast()
        rows = zip(*(self.texts(name) for name in _NAMING_FILES), strict=True)
        return [_first_address(mast, filter(None, row)) for row in rows]

    @cached_property
    def footprints(self) -> list:
        """The shapes of the footprints, `None` where there is none."""
        return [text and known_footprint(text) for text in self.texts("s_region")]


def _column(info: ColumnInfo, values: list) -> MaskedColumn:
    """Return a column with its unit, UCD and utype."""
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


def _own(info: ColumnInfo) -> Callable[[_Rows], list]:
    """Return a function that gives the values of the observations' own column of this name."""
    if info.dtype == "str":
        return lambda rows: rows.texts(info.name)
    return lambda rows: rows.numbers(info.name, info.unit)


def _product_types(rows: _Rows) -> list[str | None]:
    kinds = [(kind or "").lower() for kind in rows.texts("dataproduct_type")]
    return [kind if kind in _PRODUCT_TYPES else None for kind in kinds]


def _calibration_levels(rows: _Rows) -> list[int | None]:
    # MAST has -1 for what is planned, which the standard has no level for.
    levels = rows.numbers("calib_level", None)
    return [level if level in (0, 1, 2, 3, 4) else None for level in levels]


def _identifiers(rows: _Rows) -> list[str | None]:
    keys = zip(rows.texts("obs_collection"), rows.texts("obsid"), strict=True)
    return [f"{_AUTHORITY}/{key[0]}?{key[1]}" if all(key) else None for key in keys]


def _first_address(mast: Mast, uris: Iterable[str]) -> tuple[str, str] | tuple[None, None]:
    for uri in uris:
        try:
            return uri, mast.file_url(uri)
        except ArchiveError:
            continue
    return None, None


def _addresses(rows: _Rows) -> list[str | None]:
    return [address for _, address in rows.files]


def _formats(rows: _Rows) -> list[str | None]:
    return [uri and _format(uri) for uri, _ in rows.files]


def _format(uri: str) -> str | None:
    """Return the MIME type of a file by its name, `None` for what a program makes."""
    parts = urlsplit(uri)
    name = PurePosixPath(parse_qs(parts.query).get("uri", [parts.path])[0].lower())
    if name.suffix == ".gz":
        name = name.with_suffix("")
    return _FORMATS.get(name.suffix) or mimetypes.types_map.get(name.suffix)


def _sizes(rows: _Rows) -> list[int | None]:
    known = (rows.sizes.get(uri) for uri, _ in rows.files)
    # A file with anything in it is at least 1 kB, so that 0 cannot be taken for unknown.
    return [max(1, round(size / 1000)) if size else None for size in known]


def _footprints(rows: _Rows) -> list[str | None]:
    return [shape and _outline(shape) for shape in rows.footprints]


def _outline(shape: Shape) -> str | None:
    try:
        return stcs_of(shape)
    except InvalidQueryError:
        return None


def _diameters(rows: _Rows) -> list[float | None]:
    return [shape and min(360.0, 2 * shape.bounding_circle().radius) for shape in rows.footprints]


def _facilities(rows: _Rows) -> list[str | None]:
    return [name and _FACILITIES.get(name.upper(), name) for name in rows.texts("obs_collection")]


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
