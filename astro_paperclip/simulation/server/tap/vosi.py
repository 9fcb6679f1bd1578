"""What the simulated TAP service says of itself: capabilities, availability, tables."""

import html
from collections.abc import Iterable

from astro_paperclip.simulation.server.tap.schema import TapTable
from astro_paperclip.simulation.server.tap.xml import document, element

__all__ = ["availability", "capabilities", "tables"]

_GEOMETRY = (
    *("POINT", "CIRCLE", "POLYGON", "BOX", "CONTAINS", "INTERSECTS", "DISTANCE"),
    *("COORD1", "COORD2"),
)

_INSTANCE = {"xmlns__xsi": "http://www.w3.org/2001/XMLSchema-instance"}

_RESOURCE = {
    "xmlns__vr": "http://www.ivoa.net/xml/VOResource/v1.0",
    "xmlns__vs": "http://www.ivoa.net/xml/VODataService/v1.1",
    **_INSTANCE,
}


def capabilities(url: str, max_rows: int) -> bytes:
    """
    Say what the service can do.

    Parameters
    ----------
    url : str
        Its address.
    max_rows : int
        Largest number of rows of an answer.

    Returns
    -------
    bytes
        VOSI capabilities.
    """
    features = "".join(element("feature", element("form", name)) for name in _GEOMETRY)
    language = (
        element("name", "ADQL")
        + element("version", "2.0", **{"ivo-id": "ivo://ivoa.net/std/ADQL#v2.0"})
        + element("description", "ADQL-2.0")
        + element(
            "languageFeatures", features, type="ivo://ivoa.net/std/TAPRegExt#features-adqlgeo"
        )
    )
    votable = element("mime", "application/x-votable+xml") + element("alias", "votable")
    limits = element("default", str(max_rows), unit="row")
    limits += element("hard", str(max_rows), unit="row")
    described = (
        _interface(url)
        + element("language", language)
        + element(
            "outputFormat",
            votable,
            **{"ivo-id": "ivo://ivoa.net/std/TAPRegExt#output-votable-td"},
        )
        + element("outputLimit", limits)
    )
    service = element(
        "capability",
        described,
        xmlns__tr="http://www.ivoa.net/xml/TAPRegExt/v1.0",
        standardID="ivo://ivoa.net/std/TAP",
        xsi__type="tr:TableAccess",
    )
    about = "".join(
        element(
            "capability", _interface(f"{url}/{part}"), standardID=f"ivo://ivoa.net/std/VOSI#{part}"
        )
        for part in ("capabilities", "availability", "tables")
    )
    vosi = {"xmlns__vosi": "http://www.ivoa.net/xml/VOSICapabilities/v1.0"}
    return document(element("vosi:capabilities", service + about, **vosi, **_RESOURCE))


def availability() -> bytes:
    """
    Say that the service is up.

    Returns
    -------
    bytes
        VOSI availability.
    """
    vosi = {"xmlns__vosi": "http://www.ivoa.net/xml/VOSIAvailability/v1.0"}
    return document(element("vosi:availability", element("vosi:available", "true"), **vosi))


def tables(listed: Iterable[TapTable]) -> bytes:
    """
    Describe tables.

    Parameters
    ----------
    listed : iterable of `TapTable`
        The tables.

    Returns
    -------
    bytes
        VOSI tables.
    """
    schemas = {}
    for table in listed:
        schemas.setdefault(table.schema, []).append(_table(table))
    content = "".join(
        element("schema", element("name", name) + "".join(described))
        for name, described in schemas.items()
    )
    vosi = {"xmlns__vosi": "http://www.ivoa.net/xml/VOSITables/v1.0"}
    return document(element("vosi:tableset", content, **vosi, **_RESOURCE))


def _interface(url):
    address = element("accessURL", html.escape(url), use="full")
    return element("interface", address, role="std", version="1.1", xsi__type="vs:ParamHTTP")


def _table(table):
    columns = "".join(element("column", _column(column)) for column in table.columns)
    described = element("name", table.name) + element("description", table.description)
    return element("table", described + columns, type="output")


def _column(column):
    parts = {name: getattr(column, name) for name in ("name", "description", "unit", "ucd")}
    parts["utype"] = column.utype
    size = {"arraysize": "*"} if column.datatype == "char" else {}
    return "".join(
        element(name, html.escape(text)) for name, text in parts.items() if text
    ) + element("dataType", column.datatype, xsi__type="vs:VOTableType", **size)
