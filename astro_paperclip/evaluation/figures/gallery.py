"""Galleries of what queries found, in the style of the other figures."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from astro_paperclip.evaluation.figures.style import BLACK
from astro_paperclip.exceptions import ImageError
from astro_paperclip.images import letterbox, read_image

__all__ = ["draw_gallery"]

_TILE, _GAP, _MARGIN = 1.6, 0.14, 0.2  # inches
_HEADING, _CAPTION = 0.34, 0.66  # inches, above and below a row of tiles
_PIXELS = 320
_LETTERS, _LINES = 27, 3
_MISSING = (225, 225, 225)


def draw_gallery(answers: Mapping[str, Sequence[Mapping]], *, per_query: int = 6) -> Figure:
    """Draw the best images of queries, a row of them for each.

    Parameters
    ----------
    answers : dict
        For each query its images, the best first, with ``image`` (path), ``caption`` and
        ``score``: what `~astro_paperclip.evaluation.evaluate` returns as ``answers``.
    per_query : int, optional
        Largest number of images in a row.

    Returns
    -------
    `matplotlib.figure.Figure`
        Each image with its score and the beginning of its caption; grey where an image
        cannot be read.

    Raises
    ------
    ValueError
        If there is no image to show.
    """
    shown = {query: list(found)[:per_query] for query, found in answers.items()}
    most = max(map(len, shown.values()), default=0)
    if not most:
        raise ValueError("There is no image to show.")
    row_height = _HEADING + _TILE + _CAPTION
    width = 2 * _MARGIN + most * (_TILE + _GAP) - _GAP
    height = 2 * _MARGIN + len(shown) * row_height
    figure = Figure(figsize=(width, height), facecolor="white")
    for row, (query, found) in enumerate(shown.items()):
        top = height - _MARGIN - row * row_height
        figure.text(
            _MARGIN / width,
            (top - 0.6 * _HEADING) / height,
            query,
            color=BLACK,
            fontsize=10,
            fontweight="bold",
            parse_math=False,
        )
        for place, answer in enumerate(found):
            left = _MARGIN + place * (_TILE + _GAP)
            bottom = top - _HEADING - _TILE
            box = (left / width, bottom / height, _TILE / width, _TILE / height)
            axes = figure.add_axes(box, xticks=[], yticks=[])
            axes.imshow(_tile(answer["image"]), interpolation="lanczos")
            axes.spines[:].set_visible(False)
            axes.set_xlabel(
                f"{answer['score']:.2f}  {_wrapped(answer['caption'])}",
                color=BLACK,
                fontsize=6.5,
                loc="left",
                labelpad=3,
                parse_math=False,
            )
    return figure


def _tile(path: str) -> np.ndarray:
    try:
        picture = letterbox(read_image(path, at_least=_PIXELS), _PIXELS)
    except ImageError:
        picture = Image.new("RGB", (_PIXELS, _PIXELS), _MISSING)
    return np.asarray(picture)


def _wrapped(caption: str) -> str:
    lines = textwrap.wrap(
        caption, _LETTERS, initial_indent=" " * 6, max_lines=_LINES, placeholder=" …"
    )
    return "\n".join(lines).strip()
