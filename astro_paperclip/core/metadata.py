"""The columns of results and of their products, as a table to read."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from astropy.table import Table

from astro_paperclip.archive.products.columns import PRODUCT_COLUMNS
from astro_paperclip.columns import COLUMNS, ColumnInfo
from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.index import Hit, Store
from astro_paperclip.results import PaperclipResult

__all__ = ["column_table", "metadata_kind", "own_columns"]

_KINDS = {"observations": COLUMNS, "products": PRODUCT_COLUMNS}

_ROWS_LOOKED_AT = 1000
"""Rows of a collection whose columns are taken for those of all."""

_TYPES = {"str": "string", "int64": "integer", "float64": "float", "bool": "boolean"}
"""What astroquery calls the types of columns."""

_LABELS = {
    "score_percentile": "Percentile",
    "obsid": "Product Group ID",
    "obs_id": "Observation ID",
    "obs_collection": "Mission",
    "instrument_name": "Instrument",
    "proposal_id": "Proposal ID",
    "obs_title": "Observation Title",
    "proposal_pi": "Principal Investigator",
    "s_ra": "RA",
    "s_dec": "Dec",
    "t_min": "Start Time",
    "t_max": "End Time",
    "t_exptime": "Exposure Length",
    "t_obs_release": "Release Date",
    "em_min": "Min. Wavelength",
    "em_max": "Max. Wavelength",
    "wavelength_region": "Waveband",
    "intentType": "Observation Type",
    "dataproduct_type": "Product Type",
    "calib_level": "Calibration Level",
    "s_region": "Footprint",
    "jpegURL": "Preview URL",
    "dataURL": "Data URL",
    "dataRights": "Data Rights",
    "mtFlag": "Moving Target",
    "srcDen": "Associated Catalogs",
    "objID": "Object ID",
    "group_id": "Group",
    "obsID": "Product Group ID",
    "parent_obsid": "Parent Product Group ID",
    "dataURI": "Data URI",
    "productType": "Product Type",
    "productGroupDescription": "Product Group",
    "productSubGroupDescription": "Product Subgroup",
    "productDocumentationURL": "Documentation URL",
    "productFilename": "File Name",
    "prvversion": "Pipeline Version",
}
"""Labels, MAST's where it has one, of columns whose name is not the label."""

_EXAMPLES = {
    "score": "0.27",
    "score_percentile": "99.5",
    "obsid": "24101632",
    "obs_id": "j8pu0y010",
    "target_name": "M-51, NGC-1300",
    "obs_collection": "HST, HLA",
    "instrument_name": "ACS/WFC, WFC3/IR, WFPC2",
    "filters": "F814W, F606W",
    "proposal_id": "10775",
    "proposal_pi": "Sarajedini",
    "t_min": "53796.1, as MJD",
    "t_max": "53796.2, as MJD",
    "t_obs_release": "54161.5, as MJD",
    "t_exptime": "1200",
    "em_min": "713.5",
    "em_max": "956.5",
    "wavelength_region": "OPTICAL, INFRARED, UV",
    "intentType": "Valid values: science, calibration",
    "dataproduct_type": "image, spectrum, timeseries, cube",
    "calib_level": "From 0 (raw) to 4 (contributed science product)",
    "s_region": "CIRCLE ICRS 17.7 -58.4 0.05",
    "dataRights": "PUBLIC, EXCLUSIVE_ACCESS",
    "preview": "mast:HST/product/j8pu0y010_drc.jpg",
    "cycle": "14",
    "type": "Valid values: S, C, D",
    "productType": "SCIENCE, PREVIEW, AUXILIARY, CALIBRATION, INFO, THUMBNAIL",
    "productGroupDescription": "Minimum Recommended Products",
    "productSubGroupDescription": "DRC, FLT, RAW",
    "productFilename": "j8pu0y010_drc.fits",
}
"""Values of columns, or how they are written."""


def metadata_kind(query_type: Any) -> str:
    """Return which columns are asked for, or raise an error that names the kinds."""
    kind = query_type.lower() if isinstance(query_type, str) else query_type
    if kind not in ("observations", "products"):
        raise InvalidQueryError(
            f"query_type must be 'observations' or 'products', not {query_type!r}."
        )
    return kind


def column_table(kind: str, others: Iterable[ColumnInfo] = ()) -> Table:
    """Return the columns of a kind of table, and some others.

    Parameters
    ----------
    kind : {"observations", "products"}
        What the columns belong to.
    others : iterable of ColumnInfo, optional
        Further columns.

    Returns
    -------
    `~astropy.table.Table`
        A row a column; empty texts where nothing is known.
    """
    infos = [*_KINDS[kind].values(), *others]
    return Table(
        {
            "Column Name": [info.name for info in infos],
            "Column Label": [_label(info.name) for info in infos],
            "Data Type": [_TYPES[info.dtype] for info in infos],
            "Units": [info.unit or "" for info in infos],
            "Description": [info.description for info in infos],
            "UCD": [info.ucd or "" for info in infos],
            "Examples/Valid Values": [_EXAMPLES.get(info.name, "") for info in infos],
        }
    )


def own_columns(store: Store) -> list[ColumnInfo]:
    """Return the columns of a collection that no other has.

    Parameters
    ----------
    store : `~astro_paperclip.index.Store`
        The index of the collection.

    Returns
    -------
    list of ColumnInfo
        Those of its first rows, without a unit or a UCD, which nobody has given.
    """
    rows = islice(store.scroll(), _ROWS_LOOKED_AT)
    table = PaperclipResult.from_hits([Hit(row.id, float("nan"), row.payload) for row in rows])
    kinds = {"U": "str", "O": "str", "i": "int64", "f": "float64", "b": "bool"}
    return [
        ColumnInfo(name, kinds[column.dtype.kind], None, None, None, "Column of this collection")
        for name, column in table.columns.items()
        if name not in COLUMNS
    ]


def _label(name: str) -> str:
    return _LABELS.get(name) or name.replace("_", " ").title()
