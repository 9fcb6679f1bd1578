"""Galleries of what queries found, in the style of the other figures."""

import textwrap
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from astro_paperclip.evaluation.figures.style import BLACK
from astro_paperclip.notebook.tiles import TileStyle, draw_tiles, read_tile

__all__ = ["draw_gallery"]

_STYLE = TileStyle(
    tile=1.6,
    gap=0.14,
    margin=0.2,
    heading=0.34,
    label=0.66,
    background="white",
    text=BLACK,
    heading_size=10,
)
_LETTERS, _LINES = 27, 3
_MISSING = "#e1e1e1"


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
    if not any(shown.values()):
        raise ValueError("There is no image to show.")
    return draw_tiles(shown, _STYLE, _draw_answer)


def _draw_answer(axes: Axes, answer: Mapping) -> None:
    axes.imshow(read_tile(answer["image"], _MISSING), interpolation="lanczos")
    axes.spines[:].set_visible(False)
    axes.set_xlabel(
        f"{answer['score']:.2f}  {_wrapped(answer['caption'])}",
        color=BLACK,
        fontsize=6.5,
        loc="left",
        labelpad=3,
        parse_math=False,
    )


def _wrapped(caption: str) -> str:
    lines = textwrap.wrap(
        caption, _LETTERS, initial_indent=" " * 6, max_lines=_LINES, placeholder=" …"
    )
    return "\n".join(lines).strip()
