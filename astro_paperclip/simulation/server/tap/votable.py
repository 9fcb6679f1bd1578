"""Answers and errors of the simulated TAP service, as VOTables."""

import html
import re
from io import BytesIO

from astropy.io.votable.tree import Field, Info, Resource, TableElement, VOTableFile

from astro_paperclip.simulation.server.tap.database import Answer
from astro_paperclip.simulation.server.tap.schema import TABLES, TapColumn

__all__ = ["CONTENT_TYPE", "write_answer", "write_error"]

CONTENT_TYPE = "application/x-votable+xml"

# Rows that are written at a time: all of them at once would take many times their size.
_CHUNK = 5000

# Expressions without a name are called what they are, "count ( * )" for instance.
_NOT_IN_ID = re.compile(r"\W|^(?=\d)", re.ASCII)

_KNOWN = {column.name: column for table in TABLES.values() for column in table.columns} | {
    column.name: column for column in TABLES["dbo.obspointing"].columns
}

_TYPES = {"char": {str}, "boolean": {int}, "int": {int}, "long": {int}, "double": {int, float}}


def write_answer(answer: Answer, query: str) -> bytes:
    """
    Write what a query found.

    Parameters
    ----------
    answer : `Answer`
        Names and rows.
    query : str
        The query, which is repeated.

    Returns
    -------
    bytes
        A VOTable, its cells as text (TABLEDATA). An INFO behind the table says if it was cut.
    """
    columns = _columns(answer)
    head, tail = _frame(columns, answer.is_cut, query)
    pieces = [head]
    writers = [_boolean if column.datatype == "boolean" else _text for column in columns]
    for start in range(0, len(answer.rows), _CHUNK):
        cells = zip(*answer.rows[start : start + _CHUNK], strict=True)
        written = [list(map(writer, values)) for writer, values in zip(writers, cells, strict=True)]
        lines = ["</TD><TD>".join(row) for row in zip(*written, strict=True)]
        pieces.append("".join(f"<TR><TD>{line}</TD></TR>\n" for line in lines).encode())
    return b"".join([*pieces, tail])


def write_error(message: str) -> bytes:
    """
    Write why there is no answer.

    Parameters
    ----------
    message : str
        For the author of the query.

    Returns
    -------
    bytes
        A VOTable without a table.
    """
    document, resource = _document()
    status = Info(name="QUERY_STATUS", value="ERROR")
    status.content = message
    resource.infos.append(status)
    return _xml(document)


def _document():
    document = VOTableFile(version="1.4")
    resource = Resource(type="results")
    document.resources.append(resource)
    return document, resource


def _xml(document):
    stream = BytesIO()
    document.to_xml(stream)
    return stream.getvalue()


def _frame(columns, is_cut, query):
    """Return what goes before the rows and what goes behind them, as astropy writes it."""
    document, resource = _document()
    resource.infos.append(Info(name="QUERY_STATUS", value="OK"))
    resource.infos.append(Info(name="QUERY", value=query))
    table = TableElement(document)
    resource.tables.append(table)
    for column in columns:
        field = Field(
            document,
            ID=_NOT_IN_ID.sub("_", column.name),
            name=column.name,
            datatype=column.datatype,
            arraysize="*" if column.datatype in ("char", "unicodeChar") else None,
            unit=column.unit,
            ucd=column.ucd,
            utype=column.utype,
        )
        field.description = column.description
        table.fields.append(field)
    table.create_arrays(0)
    head, mark, tail = _xml(document).partition(b"</TABLE>")
    overflow = b'<INFO name="QUERY_STATUS" value="OVERFLOW"/>' if is_cut else b""
    return head + b"<DATA><TABLEDATA>\n", b"</TABLEDATA></DATA>" + mark + overflow + tail


def _columns(answer):
    """Describe the columns: as their tables do, or else by what they hold."""
    values = list(zip(*answer.rows, strict=True)) or [()] * len(answer.names)
    columns, taken = [], set()
    for name, cells in zip(answer.names, values, strict=True):
        number = 2
        unique = name
        while unique in taken:
            unique, number = f"{name}_{number}", number + 1
        taken.add(unique)
        columns.append(_column(unique, cells))
    return columns


def _column(name, cells):
    types = set(map(type, cells)) - {type(None)}
    known = _KNOWN.get(name)
    if known is None or not types <= _TYPES[known.datatype]:
        known = TapColumn(name, "char" if str in types else "double" if float in types else "long")
    if str in types and not all(cell.isascii() for cell in cells if cell is not None):
        return TapColumn(name, "unicodeChar", *_attributes(known))
    return known


def _attributes(column):
    return column.description, column.unit, column.ucd, column.utype


def _text(cell):
    if cell is None:
        return ""
    return html.escape(cell, quote=False) if isinstance(cell, str) else repr(cell)


def _boolean(cell):
    return "" if cell is None else "true" if cell else "false"
