"""What all figures have in common: colours, axes, legends, labels."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

__all__ = [
    "BLACK",
    "COLOURS",
    "DIRECTIONS",
    "REFERENCE_STYLES",
    "add_legend",
    "by_label",
    "make_axes",
    "paper_name",
    "percent_axis",
    "png",
    "set_title",
    "shorten",
    "with_short_labels",
]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Colours that people with any colour vision can tell apart: those of Okabe & Ito (2008),
without the yellow, which is too pale for lines on white."""

BLACK = "#222222"
"""Of text, and of what is neither a model nor a reference."""

REFERENCE_STYLES = (
    ("#6b6b6b", (0, (5, 1.5))),
    ("#6b6b6b", (0, (1, 1.2))),
    ("#8a8a8a", (0, (5, 1.5, 1, 1.5))),
    ("#a6a6a6", (0, (2.5, 1.5))),
    ("#a6a6a6", (0, (1, 2.5))),
)
"""Greys and dashes of the paper's curves."""

DIRECTIONS = {"image_to_text": "image → text", "text_to_image": "text → image"}
"""How the directions of a search are written, by their names in metrics."""

_PAPER_NAMES = {
    "abstract_ft": "raw abstracts",
    "base": "base CLIP",
    "head": "frozen, MLP head",
    "scratch": "from scratch",
    "shuffled": "shuffled pairs",
    "summary_ft": "summaries",
}

_LINE = "#b8b8b8"
_GRID = "#e6e6e6"
_LONGEST = 44
_DOTS_PER_INCH = 150
_HANDLE, _LETTER, _LEGEND_ROW = 0.62, 0.066, 0.19  # inches


def make_axes(
    rows: int = 1, columns: int = 1, *, size: tuple[float, float], **options: object
) -> tuple[Figure, np.ndarray]:
    """Make a figure, and its panels in the common style.

    Parameters
    ----------
    rows, columns : int
        Numbers of panels.
    size : tuple of float
        Width and height of the figure [inch].
    **options
        Of `matplotlib.figure.Figure.subplots`.

    Returns
    -------
    figure : `matplotlib.figure.Figure`
        Not known to pyplot.
    axes : `numpy.ndarray`
        Shape (rows, columns).
    """
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    panels = figure.subplots(rows, columns, squeeze=False, **options)
    for axes in panels.flat:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(_LINE)
        axes.grid(color=_GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(color=_LINE, labelcolor=BLACK, labelsize=8.5)
    return figure, panels


def percent_axis(
    axes: Axes, which: str, label: str, *, unit: str = "%", limits: tuple | None = (0, 1)
) -> None:
    """Show fractions as per cent.

    Parameters
    ----------
    axes : `matplotlib.axes.Axes`
        The panel.
    which : {"x", "y"}
        Which of its axes.
    label : str
        What is shown.
    unit : str
        What stands in brackets behind it.
    limits : tuple of float, optional
        Ends of the axis, as fractions.
    """
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.6g}"))
    axis.set_label_text(f"{label} [{unit}]", fontsize=9, color=BLACK)
    if limits is not None:
        (axes.set_xlim if which == "x" else axes.set_ylim)(*limits)


def set_title(axes: Axes, title: str) -> None:
    """Write a panel's title; a dollar in it is a dollar.

    Parameters
    ----------
    axes : `matplotlib.axes.Axes`
        The panel.
    title : str
        The title.
    """
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold", color=BLACK, parse_math=False)


def add_legend(where: Axes | Figure, artists: Sequence[Artist]) -> None:
    """Add a legend of artists that have labels; a dollar in a label is a dollar.

    Parameters
    ----------
    where : `matplotlib.axes.Axes` or `matplotlib.figure.Figure`
        What gets the legend: a panel in its upper left; a figure below its panels, in as many
        columns as its width allows, and grows by it.
    artists : sequence of `matplotlib.artist.Artist`
        Lines, bars, ...
    """
    if not artists:
        return
    options = {"loc": "upper left"}
    if isinstance(where, Figure):
        widest = _HANDLE + _LETTER * max(len(artist.get_label()) for artist in artists)
        columns = max(1, min(len(artists), int(where.get_figwidth() / widest)))
        # Columns of equal length, however many there could be.
        rows = -(-len(artists) // columns)
        columns = -(-len(artists) // rows)
        where.set_figheight(where.get_figheight() + _LEGEND_ROW * rows)
        options = {"loc": "outside lower center", "ncols": columns}
    # Labels are put in afterwards: given at once, one that begins with "_" would be left out.
    stand_ins = ["label"] * len(artists)
    legend = where.legend(artists, stand_ins, frameon=False, fontsize=8.5, **options)
    for text, artist in zip(legend.get_texts(), artists, strict=True):
        text.set(parse_math=False, text=artist.get_label(), color=BLACK)


def by_label(metrics: Mapping) -> dict[str, Mapping]:
    """Return metrics by label, whether one evaluation's were given or those of several.

    Parameters
    ----------
    metrics : dict
        What `~astro_paperclip.evaluation.evaluate` returns, or several of these by label.

    Returns
    -------
    dict
        Labels, shortened where they are long, to metrics; of one evaluation the name of the
        encoder.
    """
    if "protocols" in metrics:
        metrics = {metrics.get("encoder", {}).get("name", "the encoder"): metrics}
    return with_short_labels(metrics)


def with_short_labels(items: Mapping) -> dict:
    """Shorten the labels of a mapping, and keep them apart.

    Parameters
    ----------
    items : dict
        Anything by label.

    Returns
    -------
    dict
        The same in the same order; a label that comes up again has a number.
    """
    found: dict[str, object] = {}
    for label, item in items.items():
        short = shorten(label)
        found[short if short not in found else f"{short} ({len(found) + 1})"] = item
    return found


def shorten(label: str, length: int = _LONGEST) -> str:
    """Return a label that fits a legend, its middle left out where it is long.

    Parameters
    ----------
    label : str
        Any text.
    length : int
        Largest number of characters.

    Returns
    -------
    str
        One line.
    """
    label = " ".join(str(label).split())
    if len(label) <= length:
        return label
    return f"{label[: length // 3]}…{label[len(label) - (length - length // 3 - 1) :]}"


def paper_name(name: str) -> str:
    """Return how a curve of the paper is called in a legend.

    Parameters
    ----------
    name : str
        As in the file.

    Returns
    -------
    str
    """
    return f"paper: {_PAPER_NAMES.get(name, name)}"


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG file, the same bytes for the same figure.

    Parameters
    ----------
    figure : `matplotlib.figure.Figure`
        What to save.

    Returns
    -------
    bytes
        With 150 dots an inch.
    """
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return stream.getvalue()
