"""Every column of a product list and of a manifest of downloads: dtype, unit, meaning."""

from collections.abc import Iterable

import numpy as np
from astropy.table import Column, MaskedColumn, Table

from astro_paperclip.archive.obsids import obsid_text
from astro_paperclip.columns import COLUMNS, ColumnInfo

__all__ = ["MANIFEST_COLUMNS", "PRODUCT_COLUMNS", "RANKING_COLUMNS", "conformed", "described"]


def _info(name: str, description: str, dtype: str = "str", unit: str | None = None) -> ColumnInfo:
    return ColumnInfo(name, dtype, unit, None, None, description)


_PRODUCTS = (
    _info("obsID", "Database identifier of the observation that the product belongs to"),
    COLUMNS["obs_collection"],
    COLUMNS["dataproduct_type"],
    COLUMNS["obs_id"],
    _info("description", "What the product is"),
    _info("type", "Type of observation: S (simple), C (composite), D (derived)"),
    _info("dataURI", "MAST URI of the product; the key to the file"),
    _info("productType", "SCIENCE, PREVIEW, AUXILIARY, CALIBRATION, INFO, THUMBNAIL, ..."),
    _info("productGroupDescription", "Larger group that the product belongs to"),
    _info("productSubGroupDescription", "Abbreviation of the kind of product"),
    _info("productDocumentationURL", "Address of a documentation of the product"),
    COLUMNS["project"],
    _info("prvversion", "Version of the processing pipeline"),
    COLUMNS["proposal_id"],
    _info("productFilename", "File name of the product"),
    _info("size", "Size of the file; 0 if unknown", "int64", "byte"),
    _info("parent_obsid", "obsid of the observation that was asked for"),
    COLUMNS["dataRights"],
    COLUMNS["calib_level"],
    COLUMNS["filters"],
)

PRODUCT_COLUMNS = {info.name: info for info in _PRODUCTS}
"""What is known of each of MAST's columns of a product, by name, in MAST's order."""

_FILES = (
    _info("Local Path", "Where the file is, or would be"),
    _info("Status", "COMPLETE, ERROR (may be tried again) or SKIPPED (can never be used)"),
    _info("Message", "What went wrong"),
    _info("URL", "Address that the file is fetched from"),
    PRODUCT_COLUMNS["dataURI"],
    COLUMNS["obsid"],
    _info("size", "Size of the file on disk, else as MAST says; 0 if unknown", "int64", "byte"),
    _info("sha256", "SHA-256 of the file on disk"),
)

MANIFEST_COLUMNS = {info.name: info for info in _FILES} | {
    info.name: info for info in _PRODUCTS if info.name not in ("dataURI", "size")
}
"""What is known of each column of a manifest, by name; the first four are astroquery's."""

RANKING_COLUMNS = ("rank", "score")
"""Columns that products and files have where the observations were ranked."""

_KEYS = ("obsID", "parent_obsid")
_NEVER_MASKED = {info.name for info in _FILES} | {
    *("obs_collection", "obs_id", "productType", "productFilename"),
}
"""Columns where "" and 0 stand for what is unknown, instead of a mask."""


def conformed(table: Table, columns: Iterable[ColumnInfo] = _PRODUCTS) -> Table:
    """Return a table with exactly the columns that are named, with their types.

    Parameters
    ----------
    table : `~astropy.table.Table`
        As MAST's services gave it; columns may lack.
    columns : iterable of ColumnInfo
        The columns wanted; by default those of a product list.

    Returns
    -------
    conformed : `~astropy.table.Table`
        Masked where something is unknown, but for texts that identify something, which are ""
        there, and ``size``, which is 0.

    Raises
    ------
    ValueError
        If a value does not fit the type of its column.
    """
    return Table({info.name: _column(table, info) for info in columns})


def described(values, info: ColumnInfo, mask=None) -> Column:
    """Return a column with its unit and description.

    Parameters
    ----------
    values : array_like
        The values.
    info : ColumnInfo
        What is known of the column.
    mask : array_like of bool, optional
        Which values are unknown.

    Returns
    -------
    column : `~astropy.table.Column`
        Masked if anything is unknown.
    """
    values = np.array(values, dtype=info.dtype)
    what = {"name": info.name, "unit": info.unit, "description": info.description}
    if mask is not None and np.any(mask):
        return MaskedColumn(values, mask=mask, **what)
    return Column(values, **what)


def _column(table: Table, info: ColumnInfo) -> Column:
    is_there = info.name in table.colnames
    cells = table[info.name].tolist() if is_there else [None] * len(table)
    if info.name in _KEYS:
        return described([_key(cell) for cell in cells], info)
    unknown = [cell is None or cell == "" or cell != cell for cell in cells]
    fill = "" if info.dtype == "str" else 0
    cells = [fill if is_unknown else cell for cell, is_unknown in zip(cells, unknown, strict=True)]
    if info.dtype == "str":
        cells = [cell if isinstance(cell, str) else _written(cell) for cell in cells]
    return described(cells, info, None if info.name in _NEVER_MASKED else unknown)


def _written(cell) -> str:
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)


def _key(cell) -> str:
    """Return an obsid as MAST gave it as digits, "" where it says nothing of use."""
    try:
        return obsid_text(cell)
    except ValueError:
        return ""
