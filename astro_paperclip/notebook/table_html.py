"""A table of observations with their pictures."""

import html
from collections.abc import Sequence

from astropy.table import Row, Table

from astro_paperclip.notebook.html_view import HtmlView
from astro_paperclip.notebook.rows import (
    PictureLimits,
    cell_text,
    linked_cell,
    picture_html,
    pictures_of,
    web_origin,
)
from astro_paperclip.notebook.thumbnails import Thumbnail

__all__ = ["table_view"]

_LONG = 30
"""Texts with more characters than this get room for a line of some words."""


def table_view(
    table: Table,
    names: Sequence[str],
    limits: PictureLimits,
    *,
    rows: int,
    remote: bool = False,
) -> HtmlView | None:
    """Make a table with pictures, one row an observation.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The observations.
    names : sequence of str
        Columns to show, those that the table has. All others are named below.
    limits : PictureLimits
        How much of pictures is put in.
    rows : int
        Largest number of rows; how many more there are is said below.
    remote : bool
        Whether the browser may load pictures from MAST that are not on disk.

    Returns
    -------
    view : HtmlView or None
        `None` if there is no picture of any row.
    """
    shown = table[:rows]
    pictures, left_out = pictures_of(shown, limits, remote=remote)
    if not any(pictures):
        return None
    names = [name for name in names if name in table.colnames]
    lines = [
        f"<p><i>{html.escape(type(table).__name__)} length={len(table)}</i></p>",
        '<div class="scroll"><table>',
        _head(table, names),
        "<tbody>",
        *(_row(row, picture, names) for row, picture in zip(shown, pictures, strict=True)),
        "</tbody></table></div>",
        *_notes(table, names, len(shown), left_out),
    ]
    return HtmlView("\n".join(lines), "Observations", web_origin() if remote else "")


def _head(table: Table, names: Sequence[str]) -> str:
    cells = ['<th scope="col">picture</th>']
    for name in names:
        column = table[name]
        unit = "" if column.info.unit is None else f"<small>{html.escape(str(column.unit))}</small>"
        title = html.escape(column.info.description or "")
        kind = ' class="number"' if _is_number(table, name) else ""
        cells.append(f'<th scope="col" title="{title}"{kind}>{html.escape(name)}{unit}</th>')
    return f"<thead><tr>{''.join(cells)}</tr></thead>"


def _row(row: Row, picture: Thumbnail | None, names: Sequence[str]) -> str:
    cells = [f"<td>{picture_html(row, picture)}</td>"]
    for name in names:
        kind = ' class="number"' if _is_number(row.table, name) else ""
        kind = ' class="long"' if len(cell_text(row, name)) > _LONG else kind
        cells.append(f"<td{kind}>{linked_cell(row, name)}</td>")
    return f"<tr>{''.join(cells)}</tr>"


def _is_number(table: Table, name: str) -> bool:
    return table[name].info.dtype is not None and table[name].info.dtype.kind in "iuf"


def _notes(table: Table, names: Sequence[str], rows: int, left_out: int) -> list[str]:
    """Say what is not shown: nothing is left out in silence."""
    notes = []
    if rows < len(table):
        notes.append(f"{len(table) - rows} more rows: show_table(rows=...) shows more of them.")
    if left_out:
        notes.append(
            f"{left_out} more pictures are on disk: show_table(pictures=..., side=...) sets how "
            "many are shown, and how large."
        )
    lines = [f'<p class="soft">{html.escape(note)}</p>' for note in notes]
    others = [name for name in table.colnames if name not in names]
    if others:
        plural = "column" if len(others) == 1 else "columns"
        listed = html.escape(", ".join(others))
        lines.append(
            f"<details><summary>{len(others)} {plural} not shown</summary>"
            f'<p class="soft">{listed}</p></details>'
        )
    return lines
