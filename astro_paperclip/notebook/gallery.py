"""A picture of the best results of one or several queries."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Row, Table
from PIL import Image

from astro_paperclip.exceptions import ImageError, InvalidQueryError
from astro_paperclip.files import written_whole
from astro_paperclip.images import letterbox, read_image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["make_gallery", "save_gallery"]

_BACKGROUND = "#0b0e14"
_TEXT = "#e8eaf0"
_MUTED = "#98a2b8"
_FRAME = "#2b3345"

_TILE = 1.75  # inches
_TILE_PIXELS = 320
_LABEL = 0.52  # inches, below a tile
_HEADING = 0.42  # inches, above a row of tiles
_MARGIN = 0.25  # inches
_GAP = 0.12  # inches

#: Columns that say what a picture shows, the best first.
_NAMES = ("target_name", "title", "obs_id", "image")
_DETAILS = ("instrument_name", "instrument", "proposal_id", "filters")


def save_gallery(
    results: Table | Mapping[str, Table],
    path: str | Path,
    *,
    per_query: int = 6,
    footer: str = "",
) -> Path:
    """Draw the best pictures of results and save the drawing.

    Parameters
    ----------
    results : `~astro_paperclip.PaperclipResult` or dict
        A result, or several by their headings. The column ``image`` names the picture files.
    path : str or path
        Where to; the suffix tells the format (``.png``, ``.pdf``, ``.jpg``, ...), without one
        it is PNG.
    per_query : int
        Number of pictures of each result.
    footer : str
        A line below.

    Returns
    -------
    path : `~pathlib.Path`
        The file.

    Raises
    ------
    InvalidQueryError
        If there is nothing to show, or the suffix is unknown.
    """
    path = Path(path)
    figure = make_gallery(results, per_query=per_query, footer=footer)
    kind = path.suffix[1:].lower() or "png"
    known = figure.canvas.get_supported_filetypes()
    if kind not in known:
        raise InvalidQueryError(
            f"A gallery cannot be saved as {path.name!r}: use one of the suffixes "
            f"{', '.join(f'.{name}' for name in sorted(known))}."
        )
    with written_whole(path) as temporary:
        figure.savefig(temporary, format=kind, facecolor=figure.get_facecolor(), dpi=110)
    return path


def make_gallery(
    results: Table | Mapping[str, Table], *, per_query: int = 6, footer: str = ""
) -> "Figure":
    """Draw the best pictures of results, one row of pictures a result.

    Parameters
    ----------
    results, per_query, footer
        As for `save_gallery`.

    Returns
    -------
    figure : `matplotlib.figure.Figure`
        The drawing.

    Raises
    ------
    InvalidQueryError
        If there is nothing to show.
    """
    from matplotlib.figure import Figure

    if isinstance(results, Table):
        results = {_heading(results): results}
    shown = {heading: result[:per_query] for heading, result in results.items()}
    most = max((len(result) for result in shown.values()), default=0)
    if most == 0:
        raise InvalidQueryError("The results are empty: there is no picture to show.")
    row_height = _HEADING + _TILE + _LABEL
    width = 2 * _MARGIN + most * (_TILE + _GAP) - _GAP
    height = 2 * _MARGIN + len(shown) * row_height + (_LABEL / 2 if footer else 0)
    figure = Figure(figsize=(width, height), facecolor=_BACKGROUND)
    for number, (heading, result) in enumerate(shown.items()):
        top = height - _MARGIN - number * row_height
        figure.text(
            _MARGIN / width,
            (top - 0.6 * _HEADING) / height,
            heading,
            color=_TEXT,
            fontsize=12,
            fontweight="bold",
            parse_math=False,
        )
        for place, row in enumerate(result):
            left = _MARGIN + place * (_TILE + _GAP)
            bottom = top - _HEADING - _TILE
            box = (left / width, bottom / height, _TILE / width, _TILE / height)
            _draw_tile(figure, box, row)
    if footer:
        figure.text(_MARGIN / width, 0.6 * _MARGIN / height, footer, color=_MUTED, fontsize=8)
    return figure


def _heading(result: Table) -> str:
    query = getattr(result, "query", None) or {}
    return str(query.get("text") or query.get("image") or "Results")


def _draw_tile(figure: "Figure", box: tuple[float, float, float, float], row: Row) -> None:
    """Draw one picture with its rank, score and name below."""
    axes = figure.add_axes(box, xticks=[], yticks=[])
    axes.imshow(_tile(row), interpolation="lanczos")
    for spine in axes.spines.values():
        spine.set_color(_FRAME)
    name = _shorten(_first(row, _NAMES), 26)
    details = " · ".join(_shorten(text, 12) for text in _all(row, _DETAILS))
    axes.set_xlabel(
        f"{row['rank']}   {name}",
        color=_TEXT,
        fontsize=7.5,
        loc="left",
        labelpad=3,
        parse_math=False,
    )
    axes.text(
        0,
        -0.135,
        _shorten(f"{row['score']:.2f}   {details}", 34),
        color=_MUTED,
        fontsize=6.5,
        transform=axes.transAxes,
        va="top",
        parse_math=False,
    )


def _tile(row: Row) -> np.ndarray:
    """Return a row's picture, or an empty tile where it is gone."""
    try:
        picture = read_image(str(row["image"]), at_least=_TILE_PIXELS)
    except (KeyError, ImageError):
        picture = Image.new("RGB", (_TILE_PIXELS, _TILE_PIXELS), _FRAME)
    return np.asarray(letterbox(picture, _TILE_PIXELS))


def _all(row: Row, names: tuple[str, ...]) -> list[str]:
    """Return what a row says under some names, without what it does not."""
    known = (row[name] for name in names if name in row.colnames)
    return [str(value) for value in known if value is not np.ma.masked and str(value).strip()]


def _first(row: Row, names: tuple[str, ...]) -> str:
    return next(iter(_all(row, names)), "")


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
