"""How many answers to queries are relevant, by image and by proposal."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from astro_paperclip.evaluation.figures.style import (
    BLACK,
    COLOURS,
    add_legend,
    by_label,
    make_axes,
    percent_axis,
    set_title,
    shorten,
)

__all__ = ["draw_relevance"]

_PANELS = {"images": "Images", "proposals": "Proposals, each once"}
_MEAN = "mean"
_MOST = 24  # queries that a figure can show
_LONGEST_QUERY = 32


def draw_relevance(metrics: Mapping) -> Figure:
    """Draw the share of relevant answers to each query as bars.

    Parameters
    ----------
    metrics : dict
        What `~astro_paperclip.evaluation.evaluate` returns, or several of these by label, all
        with ``relevance`` of the same queries.

    Returns
    -------
    `matplotlib.figure.Figure`
        A panel for images and one for proposals, with a bar for each of the metrics, for a
        search for words in captions and for chance, as the first of the metrics gives them,
        and a black mark at the best possible; of no more than 24 queries. The first row is the
        mean over all queries.

    Raises
    ------
    ValueError
        If there is no query, or not the same for all.
    """
    models = {label: one["relevance"] for label, one in by_label(metrics).items()}
    first = next(iter(models.values()))
    queries = list(first["queries"])[:_MOST]
    if not queries:
        raise ValueError("No query was asked: there is no relevance to draw.")
    if any(set(one["queries"]) != set(first["queries"]) for one in models.values()):
        raise ValueError(f"{', '.join(models)} were not asked the same queries.")
    bars = {label: (one["model"], COLOURS[n % 4]) for n, (label, one) in enumerate(models.items())}
    if "by_query" in first.get("tfidf", {}):
        bars["words in captions (TF-IDF)"] = first["tfidf"], COLOURS[4]
    if "chance" in first:
        bars["chance"] = first["chance"], "#b0b0b0"
    height = 1.0 + 0.11 * (len(bars) + 1.3) * (len(queries) + 1)
    figure, panels = make_axes(1, 2, size=(9.4, height), sharey=True)
    for axes, (kind, title) in zip(panels[0], _PANELS.items(), strict=True):
        legend = _draw_bars(axes, bars, queries, kind)
        if "ceiling" in first:
            legend.append(_draw_ceiling(axes, first["ceiling"], queries, kind))
        set_title(axes, title)
        percent_axis(axes, "x", f"Relevant in the best {first['k']}", limits=(0, 1.02))
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.axhline(0.5, color=BLACK, linewidth=0.8)
    names = [f"mean of {len(first['queries'])}", *(shorten(one, _LONGEST_QUERY) for one in queries)]
    axes = panels[0, 0]
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.get_yticklabels()[0].set_fontweight("bold")
    axes.set_ylim(len(names) - 0.5, -0.5)
    add_legend(figure, legend)
    return figure


def _draw_bars(axes: Axes, bars: Mapping, queries: list[str], kind: str) -> list:
    """Draw the bars of a row above one another, in the order of the legend."""
    thickness = 0.8 / len(bars)
    containers = []
    for place, (label, (values, colour)) in enumerate(bars.items()):
        offset = (place - (len(bars) - 1) / 2) * thickness
        containers.append(
            axes.barh(
                np.arange(len(queries) + 1) + offset,
                _values(values, queries, kind),
                height=0.9 * thickness,
                color=colour,
                label=label,
            )
        )
    return containers


def _draw_ceiling(axes: Axes, ceiling: Mapping, queries: list[str], kind: str):
    values = _values(ceiling, queries, kind)
    rows = np.arange(len(values))
    for row in rows[np.asarray(values) == 0]:
        axes.text(0.01, row, "nothing relevant", color="#8a8a8a", fontsize=7.5, va="center")
    return axes.vlines(
        values, rows - 0.42, rows + 0.42, color=BLACK, linewidth=1.4, label="best possible"
    )


def _values(values: Mapping, queries: list[str], kind: str) -> list[float]:
    """Return the mean, and the value of each query."""
    return [values[kind], *(values["by_query"][query][kind] for query in queries)]
