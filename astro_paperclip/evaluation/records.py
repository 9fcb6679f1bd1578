"""Read what earlier work left behind: metrics, the logs of training runs, the paper's curves."""

import csv
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from astro_paperclip.evaluation.evaluate import METRICS_FILE
from astro_paperclip.exceptions import InvalidQueryError

__all__ = ["PaperCurves", "RunLogs", "read_metrics", "read_paper_curves", "read_run"]

_RUN_FOLDER = "run"  # of an encoder's folder, where training leaves its logs
_TRAINING_LOG, _VALIDATION_LOG = "log.csv", "validation_log.csv"

_RETRIEVAL_CURVES = "retrieval_curves.csv"
_TRAINING_CURVES = "val_top10_curves.csv"
_PAPER_BATCH = 32  # arXiv:2403.08851, section 3
_FRACTION = "true_fraction_of_3000"

_NEEDED = ("protocols", "in_batch", "cosine", "cosine_histogram", "n_images", "n_captions")


@dataclass(frozen=True)
class RunLogs:
    """What a training run wrote down.

    Parameters
    ----------
    training, validation : dict
        Columns by name, float64 arrays of equal length; ``step`` and ``images_seen`` always.
        ``training`` has a row for each step and ``validation`` one for each look at held-out
        pairs; both may be empty.
    """

    training: dict[str, np.ndarray]
    validation: dict[str, np.ndarray]


@dataclass(frozen=True)
class PaperCurves:
    """Curves of the paper, by their names.

    Parameters
    ----------
    retrieval : dict
        For each model the fraction of candidates and the accuracy (figure 3).
    training : dict
        For each run the images seen and the top-10 % accuracy (figure 2).
    """

    retrieval: dict[str, tuple[np.ndarray, np.ndarray]]
    training: dict[str, tuple[np.ndarray, np.ndarray]]


def read_metrics(path: str | os.PathLike) -> dict:
    """Read the metrics of an earlier evaluation.

    Parameters
    ----------
    path : str or `os.PathLike`
        A ``metrics.json``, or the folder that holds it.

    Returns
    -------
    dict
        As `~astro_paperclip.evaluation.evaluate` returned it.

    Raises
    ------
    InvalidQueryError
        If there is no such file, or it holds something else.
    """
    path = Path(path)
    if path.is_dir():
        path = path / METRICS_FILE
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidQueryError(f"{path}: no metrics can be read: {error.strerror}") from error
    except ValueError as error:
        raise InvalidQueryError(f"{path}: this is no JSON: {error}") from error
    missing = [name for name in _NEEDED if not isinstance(metrics, dict) or name not in metrics]
    if missing:
        raise InvalidQueryError(
            f"{path}: {', '.join(missing)} missing. These are no metrics, or those of an older "
            "version: evaluate again."
        )
    return metrics


def read_run(folder: str | os.PathLike) -> RunLogs:
    """Read the logs of a training run.

    Parameters
    ----------
    folder : str or `os.PathLike`
        Folder of the encoder that was trained, or the folder ``run`` in it.

    Returns
    -------
    RunLogs
        A line that is not finished, as that of a run that goes on may be, is left out.

    Raises
    ------
    InvalidQueryError
        If there is no log, or it holds something else.
    """
    folder = Path(folder)
    if (folder / _RUN_FOLDER).is_dir():
        folder = folder / _RUN_FOLDER
    paths = [folder / _TRAINING_LOG, folder / _VALIDATION_LOG]
    if not any(path.is_file() for path in paths):
        raise InvalidQueryError(
            f"{folder} holds no log of a training run ({_TRAINING_LOG}, {_VALIDATION_LOG})."
        )
    return RunLogs(*(_log(path) for path in paths))


def read_paper_curves(folder: str | os.PathLike) -> PaperCurves:
    """Read curves of the paper, arXiv:2403.08851, for figures that compare with them.

    Parameters
    ----------
    folder : str or `os.PathLike`
        With ``retrieval_curves.csv`` (columns ``true_fraction_of_3000`` and a model's accuracy
        in each other, headed FIGURE:MODEL), ``val_top10_curves.csv`` (columns ``step`` and a
        run's accuracy in each other, headed MEASURE:RUN), or both. Of several figures or
        measures in a file, the first is taken.

    Returns
    -------
    PaperCurves

    Raises
    ------
    InvalidQueryError
        If there is neither file, or one holds something else.
    """
    folder = Path(folder)
    retrieval, training = folder / _RETRIEVAL_CURVES, folder / _TRAINING_CURVES
    if not (retrieval.is_file() or training.is_file()):
        raise InvalidQueryError(
            f"{folder} holds no curves of the paper: neither {_RETRIEVAL_CURVES} nor "
            f"{_TRAINING_CURVES} is there."
        )
    curves = _curves(training, "step")
    return PaperCurves(
        _curves(retrieval, _FRACTION),
        {name: (_PAPER_BATCH * steps, accuracy) for name, (steps, accuracy) in curves.items()},
    )


def _log(path: Path) -> dict[str, np.ndarray]:
    columns = _columns(path) if path.is_file() else {}
    missing = [name for name in ("step", "images_seen") if name not in columns]
    if columns and missing:
        raise InvalidQueryError(f"{path}: column missing: {', '.join(missing)}")
    return columns


def _curves(path: Path, abscissa: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the curves of the first figure in a file, by the names of what they are of."""
    if not path.is_file():
        return {}
    columns = _columns(path)
    names = [name for name in columns if ":" in name]
    if abscissa not in columns or not names:
        raise InvalidQueryError(
            f"{path}: a column {abscissa} and columns FIGURE:MODEL are needed, not "
            f"{', '.join(columns) or 'an empty file'}."
        )
    figure = names[0].partition(":")[0]
    return {
        name.partition(":")[2]: (columns[abscissa], columns[name])
        for name in names
        if name.partition(":")[0] == figure
    }


def _columns(path: Path) -> dict[str, np.ndarray]:
    """Read a CSV file of numbers, without the rows that are not whole."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            header, *rows = list(csv.reader(stream)) or [[]]
        rows = [[float(value or "nan") for value in row] for row in rows if len(row) == len(header)]
    except (OSError, ValueError, csv.Error) as error:
        raise InvalidQueryError(f"{path}: no table of numbers can be read: {error}") from error
    return dict(zip(header, np.array(rows).reshape(len(rows), len(header)).T, strict=True))
