"""What a run says while it goes: a progress bar, CSV files, and TensorBoard where installed."""

import csv
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from astro_paperclip.files import written_whole
from astro_paperclip.training.finetuning.distributed import Processes
from astro_paperclip.training.finetuning.recipe import FineTuneRecipe

__all__ = ["LOG_FILE", "VALIDATION_LOG_FILE", "RunLog"]

LOG_FILE = "log.csv"
"""A line for each step."""

VALIDATION_LOG_FILE = "validation_log.csv"
"""A line for each look at the held-out pairs."""

_TENSORBOARD = "tensorboard"

_COUNTERS = ("step", "images_seen")


class RunLog:
    """Writes down what happens in each step; in the main process only.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The run's folder.
    start : int
        Number of steps that are done; lines of later steps, which a killed run wrote after its
        last checkpoint, are taken back.
    recipe : FineTuneRecipe
        How many steps there are, of how many pictures.
    processes : Processes
        Who trains together.
    progress : bool
        Whether to show a progress bar.
    """

    def __init__(
        self,
        folder: Path,
        start: int,
        recipe: FineTuneRecipe,
        processes: Processes,
        *,
        progress: bool,
    ) -> None:
        self._folder = folder
        self._images = recipe.batch_size
        self._writes = processes.is_main
        self._clock = time.monotonic()
        self._board = None
        self.last_validation: dict[str, float] = {}
        self._bar = tqdm(
            initial=start * self._images,
            total=recipe.steps * self._images,
            desc="Training",
            unit="image",
            disable=not (progress and self._writes),
        )
        if not self._writes:
            return
        _keep_until(folder / LOG_FILE, start)
        self.last_validation = _keep_until(folder / VALIDATION_LOG_FILE, start)
        if find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(folder / _TENSORBOARD, purge_step=start)

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        if self._board is not None:
            self._board.close()

    def step(self, number: int, values: Mapping[str, float]) -> None:
        """Write down a step.

        Parameters
        ----------
        number : int
            Its number, counted from 1.
        values : dict
            Numbers by name, the same names in each step.
        """
        now = time.monotonic()
        rate = self._images / max(1e-9, now - self._clock)
        self._clock = now
        if self._writes:
            self._write(LOG_FILE, "training", number, {**values, "images_per_second": rate})
        self._bar.set_postfix(
            loss=f"{values['loss']:.3f}", accuracy=f"{values['accuracy']:.2f}", refresh=False
        )
        self._bar.update(self._images)

    def validation(self, number: int, values: Mapping[str, float]) -> None:
        """Write down what held-out pairs say after a step.

        Parameters
        ----------
        number, values
            As for `step`.
        """
        self.last_validation = dict(values)
        if values:
            self._write(VALIDATION_LOG_FILE, "validation", number, values)
        self._clock = time.monotonic()

    def _write(self, name: str, kind: str, number: int, values: Mapping[str, float]) -> None:
        row = {"step": number, "images_seen": number * self._images, **values}
        path = self._folder / name
        is_new = not path.exists()
        with path.open("a", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(row), lineterminator="\n")
            if is_new:
                writer.writeheader()
            writer.writerow({key: _short(value) for key, value in row.items()})
        if self._board is not None:
            for key, value in values.items():
                self._board.add_scalar(f"{kind}/{key}", value, number)


def _short(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


def _keep_until(path: Path, step: int) -> dict[str, float]:
    """Take back the lines of later steps, and one that broke off; return what the last says."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as stream:
        header, *rows = list(csv.reader(stream)) or [[]]
    kept = [row for row in rows if len(row) == len(header) and int(row[0]) <= step]
    with written_whole(path) as temporary, temporary.open("w", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([header, *kept])
    last = dict(zip(header, kept[-1], strict=True)) if kept else {}
    return {key: float(value) for key, value in last.items() if key not in _COUNTERS}
