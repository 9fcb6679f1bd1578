"""What a page says of each observation: its picture, its words, its links."""

import html
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np
from astropy.table import Row, Table

from astro_paperclip.archive.links import portal_url, proposal_url
from astro_paperclip.archive.mast import Mast
from astro_paperclip.columns import MEASURE_FORMATS
from astro_paperclip.exceptions import ArchiveError, InvalidQueryError
from astro_paperclip.notebook.html_view import link
from astro_paperclip.notebook.thumbnails import Album, Thumbnail

__all__ = [
    "PictureLimits",
    "cell_text",
    "details_of",
    "linked_cell",
    "name_of",
    "picture_html",
    "pictures_of",
    "texts_of",
    "web_origin",
]

_NAMES = ("target_name", "title", "obs_title", "obs_id")
_DETAILS = ("instrument_name", "instrument", "filters")


@dataclass(frozen=True, kw_only=True)
class PictureLimits:
    """How much a page may hold of pictures.

    Parameters
    ----------
    side : int
        Longest side of a picture [pixel], 8 to 1024.
    pictures : int
        Largest number of pictures.
    total : int
        Largest size of all pictures together, as they stand in the page [byte].

    Raises
    ------
    InvalidQueryError
        If one of them is no such number.
    """

    side: int
    pictures: int
    total: int = 4_000_000

    def __post_init__(self):
        for name, least, most in (("side", 8, 1024), ("pictures", 0, None), ("total", 0, None)):
            value = getattr(self, name)
            is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if not is_whole or value < least or (most is not None and value > most):
                limits = f"from {least} to {most}" if most else f"of {least} or more"
                raise InvalidQueryError(f"{name} must be a whole number {limits}, not {value!r}.")


def pictures_of(
    table: Table, limits: PictureLimits, *, remote: bool = False
) -> tuple[list[Thumbnail | None], int]:
    """Return the pictures of observations, as far as they may be shown.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Observations. The column ``image`` names picture files.
    limits : PictureLimits
        Most of what is shown.
    remote : bool
        Whether the reader's browser may load a picture from MAST (``preview``, ``jpegURL``) where
        there is no file. Other servers are never named.

    Returns
    -------
    pictures : list of (Thumbnail or None)
        One for each row; `None` where there is nothing to show.
    left_out : int
        Number of files that were not read because the limits were reached.
    """
    album = Album(side=limits.side, most=limits.pictures, most_bytes=limits.total)
    pictures, loaded = [], 0
    for row in table:
        picture = album.thumbnail(cell_text(row, "image"))
        if picture is None and remote and album.number + loaded < limits.pictures:
            address = _picture_at_mast(row)
            picture = Thumbnail(address, width=limits.side) if address else None
            loaded += picture is not None
        pictures.append(picture)
    return pictures, album.refused


def web_origin() -> str:
    """Return the one server that pictures may be loaded from: that of MAST."""
    parts = urlsplit(Mast().server)
    return f"{parts.scheme}://{parts.netloc}"


def picture_html(row: Row, picture: Thumbnail | None) -> str:
    """Make the ``img`` element of a row, which leads to the whole picture at MAST.

    Parameters
    ----------
    row : `~astropy.table.Row`
        An observation.
    picture : Thumbnail or None
        What to show.

    Returns
    -------
    str
        HTML; "" where there is no picture. Who cannot see it reads what it shows.
    """
    if picture is None:
        return ""
    sizes = {"width": picture.width, "height": picture.height}
    described = ", ".join([f"Preview of {name_of(row) or 'an observation'}", *details_of(row)])
    size = "".join(f' {name}="{value}"' for name, value in sizes.items() if value is not None)
    element = (
        f'<img src="{html.escape(picture.source)}" alt="{html.escape(described)}"{size} '
        'loading="lazy" referrerpolicy="no-referrer">'
    )
    return link(element, _picture_at_mast(row))


def cell_text(row: Row, name: str) -> str:
    """Return what a table says in one cell, as it is printed; "" where nothing is known."""
    if name not in row.colnames or row[name] is np.ma.masked:
        return ""
    value = row[name]
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else format(value, MEASURE_FORMATS.get(name, ".6g"))
    return " ".join(str(value).split())


def linked_cell(row: Row, name: str) -> str:
    """Make the HTML of one cell: its text, with a link where there is a page about it."""
    text = cell_text(row, name)
    address = ""
    if name == "obsid":
        address = portal_url(text)
    elif name == "proposal_id":
        address = proposal_url(text, cell_text(row, "obs_collection"))
    return link(html.escape(text), address)


def name_of(row: Row) -> str:
    """Return what an observation is of: its target, else the best that is known."""
    return next(iter(texts_of(row, _NAMES)), "")


def details_of(row: Row) -> list[str]:
    """Return which instrument and filters an observation was made with."""
    return texts_of(row, _DETAILS)


def texts_of(row: Row, names: Iterable[str]) -> list[str]:
    """Return what a table says in some cells, without those where nothing is known."""
    return [text for text in (cell_text(row, name) for name in names) if text]


def _picture_at_mast(row: Row) -> str:
    """Return the address of the picture at MAST; "" for any other place."""
    for name in ("preview", "jpegURL"):
        uri = cell_text(row, name)
        try:
            address = Mast().file_url(uri)
        except ArchiveError:
            continue
        parts = urlsplit(address)
        if f"{parts.scheme}://{parts.netloc}" == web_origin():
            return address
    return ""
