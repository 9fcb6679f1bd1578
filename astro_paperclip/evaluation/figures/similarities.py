"""Cosine similarities of true and shuffled pairs: the paper's figure 3, left."""

from collections.abc import Mapping

import numpy as np
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

__all__ = ["draw_similarities"]

_COLUMNS = 3
_LONGEST_TITLE = 34
_KINDS = {"shuffled": ("shuffled pairs", "#8a8a8a", "////"), "true": ("true pairs", COLOURS[0], "")}


def draw_similarities(metrics: Mapping) -> Figure:
    """Draw histograms of the cosine similarities of true and of shuffled pairs.

    Parameters
    ----------
    metrics : dict
        What `~astro_paperclip.evaluation.evaluate` returns, or several of these by label.

    Returns
    -------
    `matplotlib.figure.Figure`
        A panel for each of the metrics: the share of the pairs in each of 39 bins, and means
        and standard deviations in the legend. The further the two lie apart, the better true
        pairs are told from others.
    """
    models = by_label(metrics)
    columns = min(_COLUMNS, len(models))
    rows = -(-len(models) // columns)
    size = (max(6.4, 0.6 + 3.6 * columns), 0.4 + 3.3 * rows)
    figure, panels = make_axes(rows, columns, size=size, sharex=True, sharey=True)
    for axes, (label, one) in zip(panels.flat, models.items(), strict=False):
        patches = []
        histogram = one["cosine_histogram"]
        for kind, (name, colour, hatch) in _KINDS.items():
            counts = np.asarray(histogram[kind], float)
            if not counts.sum():
                continue
            moments = one["cosine"][kind]
            patches.append(
                axes.stairs(
                    counts / counts.sum(),
                    histogram["edges"],
                    fill=True,
                    facecolor=(colour, 0.12 if hatch else 0.45),
                    edgecolor=colour,
                    hatch=hatch,
                    linewidth=1.2,
                    label=f"{name}: {moments['mean']:.3f} ± {moments['std']:.3f}",
                )
            )
        if len(models) > 1:
            set_title(axes, shorten(label, _LONGEST_TITLE))
        axes.set_xlim(-1, 1)
        axes.set_xticks([-1, -0.5, 0, 0.5, 1])
        axes.set_xlabel("Cosine similarity of image and caption", fontsize=9, color=BLACK)
        percent_axis(axes, "y", "Pairs in a bin", limits=None)
        # Room above the bars for the legend; panels share the axis.
        axes.margins(y=0.28)
        axes.label_outer()
        add_legend(axes, patches[::-1])
    for axes in panels.flat[len(models) :]:
        axes.set_visible(False)
    return figure
