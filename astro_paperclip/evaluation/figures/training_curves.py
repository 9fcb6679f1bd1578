"""Loss and accuracy over training: the paper's figure 2."""

import os
from collections.abc import Mapping
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter

from astro_paperclip.evaluation.figures.style import (
    BLACK,
    COLOURS,
    REFERENCE_STYLES,
    add_legend,
    make_axes,
    paper_name,
    percent_axis,
    set_title,
    with_short_labels,
)
from astro_paperclip.evaluation.records import PaperCurves, RunLogs, read_run

__all__ = ["draw_training_curves"]

_AXES = {"images_seen": "Images seen", "step": "Steps"}
_POINTS = 120  # of a curve of the training loss, which is the mean over some steps at each
_FEW = 30  # looks at held-out pairs, which are worth a mark each
_PAPER_BATCH = 32  # arXiv:2403.08851, section 3


def draw_training_curves(
    runs: Mapping[str, str | os.PathLike | RunLogs],
    *,
    against: str = "images_seen",
    reference: PaperCurves | None = None,
) -> Figure:
    """Draw the loss and the accuracy of held-out pairs over one or several training runs.

    Parameters
    ----------
    runs : dict
        By label, the folder of each encoder that was trained (or the folder ``run`` in it), or
        what `~astro_paperclip.evaluation.read_run` makes of it.
    against : {"images_seen", "step"}, optional
        What runs to the right.
    reference : PaperCurves, optional
        Accuracies drawn in grey, as far as the runs go; the legend has the best value of each.

    Returns
    -------
    `matplotlib.figure.Figure`
        Left the loss of held-out pairs in batches, and pale that of training, whose batches
        may have another size; right how often the image of a text is among the best 10 % of a
        batch.

    Raises
    ------
    InvalidQueryError
        If a folder holds no log.
    ValueError
        If there is no run, or ``against`` is unknown.
    """
    if against not in _AXES:
        raise ValueError(f"Curves run against one of {', '.join(_AXES)}, not {against!r}.")
    if not runs:
        raise ValueError("There is no training run to draw.")
    logs = {
        label: run if isinstance(run, RunLogs) else read_run(run)
        for label, run in with_short_labels(runs).items()
    }
    figure, ((loss, accuracy),) = make_axes(1, 2, size=(9.4, 3.7))
    legend, end = [], 0.0
    for place, (label, run) in enumerate(logs.items()):
        colour = COLOURS[place % len(COLOURS)]
        _draw_training_loss(loss, run, against, colour)
        held_out = run.validation or {against: np.empty(0)}
        marker = "o" if len(held_out[against]) <= _FEW else None
        style = {"color": colour, "linewidth": 1.8, "marker": marker, "markersize": 3}
        for axes, column in ((loss, "loss"), (accuracy, "top_10_percent")):
            values = held_out.get(column, np.full(len(held_out[against]), np.nan))
            (line,) = axes.plot(held_out[against], values, label=label, zorder=3, **style)
        legend.append(line)
        end = max(end, *(log[against].max(initial=0) for log in _parts(run)))
    legend.append(
        loss.plot([], [], color="#777777", linewidth=0.9, label="training loss (pale)")[0]
    )
    legend.append(
        accuracy.axhline(0.1, color="#9a9a9a", linewidth=1, label="chance (10 %)", zorder=1)
    )
    if reference is not None:
        legend += _draw_reference(accuracy, reference, against)
    for axes in (loss, accuracy):
        axes.set_xlim(0, 1.02 * end or 1)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set_xlabel(_AXES[against], fontsize=9, color=BLACK)
    loss.set_ylabel("Loss [nat]", fontsize=9, color=BLACK)
    set_title(loss, "Loss, held-out pairs")
    set_title(accuracy, "Text → image, held-out pairs")
    percent_axis(accuracy, "y", "Right image in the best tenth of a batch", limits=None)
    accuracy.set_ylim(bottom=0)
    add_legend(figure, legend)
    return figure


def _parts(run: RunLogs) -> list[dict[str, np.ndarray]]:
    return [log for log in (run.training, run.validation) if log] or [{}]


def _draw_training_loss(axes: Axes, run: RunLogs, against: str, colour: str) -> None:
    if "loss" not in run.training or not len(run.training["loss"]):
        return
    parts = min(_POINTS, len(run.training["loss"]))
    x, y = (np.array_split(run.training[name], parts) for name in (against, "loss"))
    axes.plot(
        [part.mean() for part in x],
        [part.mean() for part in y],
        color=colour,
        alpha=0.35,
        linewidth=0.9,
        zorder=2,
    )


def _draw_reference(axes: Axes, reference: PaperCurves, against: str) -> list[Line2D]:
    lines = []
    for (name, (images, accuracy)), (colour, dashes) in zip(
        reference.training.items(), cycle(REFERENCE_STYLES), strict=False
    ):
        lines += axes.plot(
            images if against == "images_seen" else images / _PAPER_BATCH,
            accuracy,
            color=colour,
            linestyle=dashes,
            linewidth=1.2,
            label=f"{paper_name(name)} (best {100 * accuracy.max():.0f} %)",
            zorder=1,
        )
    return lines
