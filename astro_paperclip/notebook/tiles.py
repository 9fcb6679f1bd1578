"""Rows of pictures, each row below its heading: what all galleries are laid out by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image

from astro_paperclip.exceptions import ImageError
from astro_paperclip.images import letterbox, read_image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["TileStyle", "draw_tiles", "read_tile"]

_PIXELS = 320

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class TileStyle:
    """Sizes [inch] and colours of a gallery.

    Parameters
    ----------
    tile, gap, margin : float
        Side of a picture, distance between two, and distance to the edges.
    heading, label : float
        Room above and below a row of pictures.
    background, text : str
        Colours of the figure and of the headings.
    heading_size : float
        Of the letters [point].
    """

    tile: float
    gap: float
    margin: float
    heading: float
    label: float
    background: str
    text: str
    heading_size: float


def draw_tiles(
    rows: Mapping[str, Sequence[Item]],
    style: TileStyle,
    draw: Callable[["Axes", Item], None],
    *,
    footer: float = 0.0,
) -> "Figure":
    """Lay out a gallery.

    Parameters
    ----------
    rows : dict
        What to show in each row, by its heading; something in one of them at least.
    style : TileStyle
        Sizes and colours.
    draw : callable
        Draws one picture and what stands below it into its axes.
    footer : float
        Room to leave below all rows [inch].

    Returns
    -------
    figure : `matplotlib.figure.Figure`
        As wide as the longest row.
    """
    from astro_paperclip.notebook.shown_figure import ShownFigure

    row_height = style.heading + style.tile + style.label
    most = max(map(len, rows.values()))
    width = 2 * style.margin + most * (style.tile + style.gap) - style.gap
    height = 2 * style.margin + len(rows) * row_height + footer
    figure = ShownFigure(figsize=(width, height), facecolor=style.background)
    for number, (heading, items) in enumerate(rows.items()):
        top = height - style.margin - number * row_height
        figure.text(
            style.margin / width,
            (top - 0.6 * style.heading) / height,
            heading,
            color=style.text,
            fontsize=style.heading_size,
            fontweight="bold",
            parse_math=False,
        )
        for place, item in enumerate(items):
            left = style.margin + place * (style.tile + style.gap)
            bottom = top - style.heading - style.tile
            box = (left / width, bottom / height, style.tile / width, style.tile / height)
            draw(figure.add_axes(box, xticks=[], yticks=[]), item)
    return figure


def read_tile(path: str, missing: str) -> np.ndarray:
    """Read a picture for a gallery.

    Parameters
    ----------
    path : str
        An image file.
    missing : str
        Colour of what is shown where it cannot be read.

    Returns
    -------
    pixels : `~numpy.ndarray`
        Shape (320, 320, 3), uint8.
    """
    try:
        picture = read_image(path, at_least=_PIXELS)
    except ImageError:
        picture = Image.new("RGB", (_PIXELS, _PIXELS), missing)
    return np.asarray(letterbox(picture, _PIXELS))
