"""Accuracy against the length of the list of answers: the paper's figure 3, right."""

from collections.abc import Mapping, Sequence
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from astro_paperclip.evaluation.figures.style import (
    BLACK,
    COLOURS,
    DIRECTIONS,
    REFERENCE_STYLES,
    add_legend,
    by_label,
    make_axes,
    paper_name,
    percent_axis,
    set_title,
)
from astro_paperclip.evaluation.records import PaperCurves

__all__ = ["PROTOCOLS", "draw_accuracy_curves"]

PROTOCOLS = {"paper": "Paper's protocol", "grouped": "Grouped protocol"}
"""Titles of the panels, by the names of the protocols in metrics."""

_DASHES = {"image_to_text": "-", "text_to_image": (0, (4, 2))}
_FEW = 30  # points, which are worth a mark each


def draw_accuracy_curves(
    metrics: Mapping,
    *,
    protocols: Sequence[str] = tuple(PROTOCOLS),
    directions: Sequence[str] = tuple(DIRECTIONS),
    reference: PaperCurves | None = None,
) -> Figure:
    """Draw the share of queries with a right answer against the length of the list.

    Parameters
    ----------
    metrics : dict
        What `~astro_paperclip.evaluation.evaluate` returns, or several of these by label.
    protocols : sequence of {"paper", "grouped"}, optional
        A panel each.
    directions : sequence of {"image_to_text", "text_to_image"}, optional
        A line each: solid from image to text, dashed from text to image.
    reference : PaperCurves, optional
        Drawn in grey in the panel of the paper's protocol.

    Returns
    -------
    `matplotlib.figure.Figure`
        Grey is chance. Dotted black is the ceiling of the first of the metrics, where it is
        not 100 %. In the paper's protocol, from image to text, ties are decided as the paper
        decides them.
    """
    models = by_label(metrics)
    figure, panels = make_axes(
        1, len(protocols), size=(0.6 + 4.4 * len(protocols), 4.4), sharey=True
    )
    legend = {line.get_label(): line for line in _keys(models, directions)}
    for axes, protocol in zip(panels[0], protocols, strict=True):
        _draw_models(axes, models, protocol, directions)
        lines = _draw_bounds(axes, next(iter(models.values())), protocol, directions)
        if reference is not None and protocol == "paper":
            lines += _draw_reference(axes, reference)
        legend |= {line.get_label(): line for line in lines}
        set_title(axes, PROTOCOLS[protocol])
        percent_axis(axes, "x", "Length of the list of answers", unit="% of the candidates")
        percent_axis(axes, "y", "Right answer in the list", limits=(0, 1.02))
        axes.label_outer()
    add_legend(figure, list(legend.values()))
    return figure


def _keys(models: Mapping[str, Mapping], directions: Sequence[str]) -> list[Line2D]:
    """Return what stands in the legend for the models: a colour each, and dashes for directions."""
    keys = [
        Line2D(
            [],
            [],
            color=COLOURS[place] if len(models) == 1 else BLACK,
            linestyle=_DASHES[direction],
            label=DIRECTIONS[direction],
        )
        for place, direction in enumerate(directions)
    ]
    if len(models) == 1:
        return keys
    return [
        Line2D([], [], color=COLOURS[place % len(COLOURS)], linewidth=2.5, label=label)
        for place, label in enumerate(models)
    ] + keys


def _draw_models(
    axes: Axes, models: Mapping[str, Mapping], protocol: str, directions: Sequence[str]
) -> None:
    for model, (label, metrics) in enumerate(models.items()):
        for place, direction in enumerate(directions):
            curve = _shown(metrics, protocol, direction)["curve"]
            name = DIRECTIONS[direction]
            # One model's directions differ in colour, several models' in dashes only.
            colour = COLOURS[(place if len(models) == 1 else model) % len(COLOURS)]
            axes.plot(
                curve["fraction"],
                curve["accuracy"],
                color=colour,
                linestyle=_DASHES[direction],
                marker="o" if len(curve["fraction"]) <= _FEW else None,
                markersize=3,
                linewidth=1.8,
                label=name if len(models) == 1 else f"{label}, {name}",
                zorder=3,
            )


def _draw_bounds(
    axes: Axes, metrics: Mapping, protocol: str, directions: Sequence[str]
) -> list[Line2D]:
    """Draw chance, and what a perfect model would reach where that is not everything."""
    lines = axes.plot([0, 1], [0, 1], color="#9a9a9a", linewidth=1, label="chance", zorder=2)
    for direction in directions:
        ceiling = _shown(metrics, protocol, direction)["ceiling"]
        if min(ceiling["top_percent"].values()) >= 1:
            continue
        candidates = metrics["protocols"][protocol][direction]["candidates"]
        points = {int(k) / candidates: value for k, value in ceiling["top_k"].items()}
        points |= {int(p) / 100: value for p, value in ceiling["top_percent"].items()}
        points = {x: y for x, y in points.items() if 1 / candidates <= x <= 1} | {1.0: 1.0}
        x = sorted(points)
        lines += axes.plot(
            x,
            [points[value] for value in x],
            color=BLACK,
            linestyle=":",
            linewidth=1.2,
            label="best possible",
            zorder=2,
        )
    return lines


def _draw_reference(axes: Axes, reference: PaperCurves) -> list[Line2D]:
    lines = []
    for (name, (x, y)), (colour, dashes) in zip(
        reference.retrieval.items(), cycle(REFERENCE_STYLES), strict=False
    ):
        lines += axes.plot(
            x, y, color=colour, linestyle=dashes, linewidth=1.3, label=paper_name(name), zorder=1
        )
    return lines


def _shown(metrics: Mapping, protocol: str, direction: str) -> Mapping:
    """Return the measures that can be compared with the paper's, where there are such."""
    measures = metrics["protocols"][protocol][direction]
    return measures.get("ties_by_position", measures)
