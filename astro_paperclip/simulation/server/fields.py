"""Columns of the portal's tables: their types in a reply, and what it tells of them."""

from astro_paperclip.columns import COLUMNS
from astro_paperclip.simulation.server.holdings import CAOM_COLUMNS
from astro_paperclip.simulation.server.products import PRODUCT_TYPES

__all__ = ["OBSERVATION_TYPES", "columns_config", "declare"]

_TYPES = {"str": "string", "int64": "int", "float64": "float", "bool": "boolean"}

OBSERVATION_TYPES = {name: _TYPES[COLUMNS[name].dtype] for name in (*CAOM_COLUMNS, "distance")}
"""Type that MAST declares for each column of an observation."""

_DATATYPES = {"str": "char", "int64": "int", "float64": "double"}

# Where MAST's datatypes are not those that follow from a column's own.
_OTHER_DATATYPES = {
    **dict.fromkeys(("obsid", "objID"), "long"),
    **dict.fromkeys(("srcDen", "distance"), "float"),
    "dataURL": "string",
}

# Columns without a datatype of VOTable's, but with one of the portal's own.
_PORTAL_TYPES = {"mtFlag": "boolean", "dataRights": "string"}

# Columns that hold several values, between which a client puts this.
_SEPARATOR = ";"
_SEPARATED = {"obs_collection", "project", "filters", "wavelength_region", "target_classification"}


def declare(types: dict[str, str]) -> list[dict]:
    """
    List columns as a reply does.

    Parameters
    ----------
    types : dict of str
        Type of each column.

    Returns
    -------
    list of dict
    """
    return [{"name": name, "type": kind} for name, kind in types.items()]


def columns_config(name: str) -> dict[str, dict]:
    """
    Describe the columns of a service, in the form of MAST's columns configuration.

    What clients of the portal use is there: type, unit, UCD, description, separator; how the
    portal's own web page lays the columns out is not.

    Parameters
    ----------
    name : str
        Name of the service.

    Returns
    -------
    dict of dict
        Properties by column; nothing where there is no such service.
    """
    selected = {"_selected_": {"text": "selected", "add": True, "type": "boolean", "hidden": True}}
    if name == "Mast.Caom.Products":
        return selected | {column: _product(column) for column in PRODUCT_TYPES}
    if name.startswith("Mast.Caom."):
        return selected | {column: _observation(column) for column in OBSERVATION_TYPES}
    return {}


def _observation(name):
    info = COLUMNS[name]
    properties = {"text": name, "vot.description": info.description}
    if name in _PORTAL_TYPES:
        return properties | {"type": _PORTAL_TYPES[name]}
    datatype = _OTHER_DATATYPES.get(name) or _DATATYPES[info.dtype]
    properties |= {"vot.datatype": datatype, "vot.ID": name, "vot.name": name}
    if datatype == "char":
        properties["vot.arraysize"] = "*"
    if name in _SEPARATED:
        properties["separator"] = _SEPARATOR
    known = {"vot.unit": info.unit, "vot.ucd": info.ucd}
    return properties | {key: value for key, value in known.items() if value}


def _product(name):
    datatype = {"string": "char", "int": "int"}[PRODUCT_TYPES[name]]
    if name in ("obsID", "parent_obsid", "size"):
        datatype = "long"
    return {"text": name, "vot.datatype": datatype, "vot.ID": name, "vot.name": name}
