"""A picture of the best results of one or several queries."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Row, Table

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.files import written_whole
from astro_paperclip.notebook.rows import texts_of
from astro_paperclip.notebook.tiles import TileStyle, draw_tiles, read_tile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_gallery", "heading_of", "make_gallery", "require_matplotlib", "save_gallery"]

_BACKGROUND = "#0b0e14"
_TEXT = "#e8eaf0"
_MUTED = "#98a2b8"
_FRAME = "#2b3345"

_STYLE = TileStyle(
    tile=1.75,
    gap=0.12,
    margin=0.25,
    heading=0.42,
    label=0.52,
    background=_BACKGROUND,
    text=_TEXT,
    heading_size=12,
)

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
        If there is nothing to show, a number is none, or the suffix is unknown.
    ImportError
        If matplotlib is not installed.
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
        If there is nothing to show, or a number is none.
    ImportError
        If matplotlib is not installed.
    """
    _check_numbers(per_query=per_query)
    require_matplotlib()
    if isinstance(results, Table):
        results = {heading_of(results): results}
    shown = {heading: result[:per_query] for heading, result in results.items()}
    if not any(len(result) for result in shown.values()):
        raise InvalidQueryError("The results are empty: there is no picture to show.")
    figure = draw_tiles(shown, _STYLE, _draw_tile, footer=_STYLE.label / 2 if footer else 0.0)
    if footer:
        width, height = figure.get_size_inches()
        place = _STYLE.margin / width, 0.6 * _STYLE.margin / height
        figure.text(*place, footer, color=_MUTED, fontsize=8)
    return figure


def draw_gallery(result: Table, *, pictures: int, per_row: int, footer: str = "") -> "Figure":
    """Draw the best pictures of one result, in as many rows of pictures as it takes.

    Parameters
    ----------
    result : `~astro_paperclip.PaperclipResult`
        The result. The column ``image`` names the picture files.
    pictures, per_row : int
        Number of pictures, in all and side by side.
    footer : str
        A line below.

    Returns
    -------
    figure : `matplotlib.figure.Figure`
        The drawing.

    Raises
    ------
    InvalidQueryError
        If there is nothing to show, or a number is none.
    ImportError
        If matplotlib is not installed.
    """
    _check_numbers(pictures=pictures, per_row=per_row)
    shown = result[:pictures]
    headings = {}
    for start in range(0, len(shown), per_row):
        # Headings are keys: those of further rows are blanks, each with one more.
        heading = " " * (start // per_row) if start else heading_of(result)
        headings[heading] = shown[start : start + per_row]
    return make_gallery(headings, per_query=per_row, footer=footer)


def _check_numbers(**numbers: int) -> None:
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise InvalidQueryError(f"{name} must be a whole number above 0, not {value!r}.")


def require_matplotlib() -> None:
    """Raise `ImportError`, with the way out, if matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "A drawing needs the package matplotlib: pip install "
            "'astro_paperclip[notebook]', or pip install matplotlib"
        ) from error


def heading_of(result: Table) -> str:
    """Return what a result was asked for."""
    query = getattr(result, "query", None) or {}
    terms = query.get("terms") or []
    parts = [query.get("text"), *(term.get("image") for term in terms)]
    for obsids in (term["similar_to"] for term in terms if "similar_to" in term):
        which = obsids[0] if len(obsids) == 1 else f"{len(obsids)} observations"
        parts.append(f"similar to {which}")
    return ", ".join(filter(None, parts)) or "Results"


def _draw_tile(axes: "Axes", row: Row) -> None:
    """Draw one picture with its rank, score and name below."""
    path = str(row["image"]) if "image" in row.colnames else ""
    axes.imshow(read_tile(path, _FRAME), interpolation="lanczos")
    for spine in axes.spines.values():
        spine.set_color(_FRAME)
    name = _shorten(next(iter(texts_of(row, _NAMES)), ""), 26)
    details = " · ".join(_shorten(text, 12) for text in texts_of(row, _DETAILS))
    # Where nothing was ranked there is no score.
    scores = [f"{float(score):.2f}" for score in texts_of(row, ("score",))]
    axes.set_xlabel(
        "   ".join([*texts_of(row, ("rank",)), name]),
        color=_TEXT,
        fontsize=7.5,
        loc="left",
        labelpad=3,
        parse_math=False,
    )
    axes.text(
        0,
        -0.135,
        _shorten("   ".join([*scores, details]), 34),
        color=_MUTED,
        fontsize=6.5,
        transform=axes.transAxes,
        va="top",
        parse_math=False,
    )


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
