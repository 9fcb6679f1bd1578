"""A page of the best pictures, side by side."""

import html

from astropy.table import Row, Table

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.notebook.html_view import HtmlView
from astro_paperclip.notebook.rows import (
    PictureLimits,
    cell_text,
    details_of,
    linked_cell,
    name_of,
    picture_html,
    pictures_of,
    web_origin,
)
from astro_paperclip.notebook.thumbnails import Thumbnail

__all__ = ["grid_view"]


def grid_view(table: Table, limits: PictureLimits, *, title: str, remote: bool = False) -> HtmlView:
    """Make a grid of pictures, each with its rank, score and name below.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Observations, the best first.
    limits : PictureLimits
        Number of observations that are shown, and how large.
    title : str
        What was looked for.
    remote : bool
        Whether the browser may load pictures from MAST that are not on disk.

    Returns
    -------
    view : HtmlView

    Raises
    ------
    InvalidQueryError
        If there is nothing to show.
    """
    shown = table[: limits.pictures]
    if not len(shown):
        raise InvalidQueryError("The results are empty: there is no picture to show.")
    pictures, left_out = pictures_of(shown, limits, remote=remote)
    tiles = [_tile(row, picture) for row, picture in zip(shown, pictures, strict=True)]
    columns = f"grid-template-columns: repeat(auto-fill, minmax(min({limits.side}px, 45%), 1fr))"
    lines = [
        f"<p><b>{html.escape(title)}</b></p>",
        f'<ul class="grid" style="{columns}; max-width: {6 * (limits.side + 14)}px">',
        *tiles,
        "</ul>",
    ]
    if len(shown) < len(table):
        lines.append(f'<p class="soft">{len(shown)} of {len(table)} observations.</p>')
    if left_out:
        lines.append(f'<p class="soft">{left_out} pictures are too large together.</p>')
    return HtmlView("\n".join(lines), title, web_origin() if remote else "")


def _tile(row: Row, picture: Thumbnail | None) -> str:
    image = picture_html(row, picture) or '<div class="gone">no picture</div>'
    first = " ".join(filter(None, (cell_text(row, "rank"), name_of(row))))
    details = map(html.escape, details_of(row))
    links = [linked_cell(row, name) for name in ("proposal_id", "obsid") if cell_text(row, name)]
    second = " · ".join([*filter(None, [cell_text(row, "score")]), *details, *links])
    return (
        f'<li>{image}<div>{html.escape(first)}</div><div class="soft"><small>{second}</small></div>'
        "</li>"
    )
