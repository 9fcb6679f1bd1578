"""The loop: batches in, trained weights out. What a step does is `TrainingState`'s business."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from astro_paperclip.exceptions import TrainingError
from astro_paperclip.training.finetuning.checkpoint import CHECKPOINT_FILE
from astro_paperclip.training.finetuning.distributed import Processes, all_agree, barrier
from astro_paperclip.training.finetuning.loader import BatchLoader
from astro_paperclip.training.finetuning.log import RunLog
from astro_paperclip.training.finetuning.recipe import FineTuneRecipe
from astro_paperclip.training.finetuning.state import TrainingState
from astro_paperclip.training.finetuning.stopping import stop_signals
from astro_paperclip.training.finetuning.validation import HeldOut

__all__ = ["Run", "train_model"]

#: Longest time between checkpoints [s].
_BETWEEN_CHECKPOINTS = 600.0

#: Share of the last steps that the reported loss and accuracy average over.
_REPORTED_SHARE = 0.1

_NAMED_IMAGES = 4


@dataclass(frozen=True)
class Run:
    """What a run trains on, how and where.

    Parameters
    ----------
    recipe : FineTuneRecipe
        The settings.
    make_loader : callable
        Takes the first step, and returns a `BatchLoader` of it and of all that follow.
    held_out : HeldOut or None
        Pairs to look at during training.
    image_of_row : callable
        Takes the number of a pair, and returns the name of its picture.
    folder : `~pathlib.Path`
        Where checkpoints and logs lie.
    device : `torch.device`
        Where it trains.
    processes : Processes
        Who trains together.
    progress : bool
        Whether to show a progress bar.
    """

    recipe: FineTuneRecipe
    make_loader: Callable[[int], BatchLoader]
    held_out: HeldOut | None
    image_of_row: Callable[[int], str]
    folder: Path
    device: torch.device
    processes: Processes
    progress: bool = True


def train_model(run: Run, state: TrainingState) -> tuple[nn.Module, dict[str, Any]]:
    """Train a model, from where its last checkpoint was written.

    Parameters
    ----------
    run : Run
        What to train on, how and where.
    state : TrainingState
        What is trained.

    Returns
    -------
    model : `torch.nn.Module`
        The trained model.
    outcome : dict
        ``steps``, ``batch_size``, ``images_seen``; ``loss`` and ``accuracy`` of this
        process, averaged over the last tenth of the steps, or those since the run was resumed
        where these are fewer; ``validation``, what held-out pairs said last; ``resumed_at``;
        ``waiting``, the share of the time that was spent waiting for data; ``skipped``, the
        pictures that can't be read.

    Raises
    ------
    TrainingError
        If the loss is no longer a number; the last good checkpoint stays.
    KeyboardInterrupt, SystemExit
        If SIGINT or SIGTERM came: after a checkpoint was written.
    """
    steps, processes = run.recipe.steps, run.processes
    checkpoint = run.folder / CHECKPOINT_FILE
    start = state.load(checkpoint, run.device) if checkpoint.exists() else 0
    barrier(processes)  # so that all have read it before the main process writes another
    looks = _validation_steps(run)
    devices = [run.device] if run.device.type == "cuda" else []
    history, began = [], time.monotonic()
    with (
        torch.random.fork_rng(devices),
        RunLog(run.folder, start, run.recipe, processes, progress=run.progress) as log,
        stop_signals() as stop,
        run.make_loader(start) as loader,
    ):
        state.train()
        saved = time.monotonic()
        for step, batch in loader:
            values = state.update(batch, step)
            if all_agree(_is_bad(values), processes, run.device):
                if processes.is_main:
                    state.save(checkpoint, step)
                raise TrainingError(_complaint(values, step, batch.rows, run))
            history.append((values["loss"], values["accuracy"]))
            log.step(step + 1, values)
            if step + 1 in looks:
                if processes.is_main:
                    log.validation(step + 1, run.held_out.measure(state.result, run.device))
                    state.train()
                barrier(processes)
            if step + 1 == steps:
                continue  # what there is left to do is as quick as a checkpoint
            stopping = all_agree(bool(stop), processes, run.device)
            is_due = time.monotonic() - saved > _BETWEEN_CHECKPOINTS
            if (stopping or is_due) and processes.is_main:
                state.save(checkpoint, step + 1)
                saved = time.monotonic()
            if stopping:
                stop.leave()
        outcome = {
            "validation": log.last_validation,
            "skipped": loader.skipped,
            "waiting": loader.waited_s / max(1e-9, time.monotonic() - began),
        }
    last = np.mean(history[-max(1, round(_REPORTED_SHARE * steps)) :], axis=0)
    return state.result, {
        "steps": steps,
        "batch_size": run.recipe.batch_size,
        "images_seen": steps * run.recipe.batch_size,
        "loss": float(last[0]),
        "accuracy": float(last[1]),
        "resumed_at": start,
        **outcome,
    }


def _validation_steps(run: Run) -> set[int]:
    """Return the steps, counted from 1, after which held-out pairs are looked at."""
    if run.held_out is None or not run.recipe.validations:
        return set()
    looks = np.linspace(0, run.recipe.steps, run.recipe.validations + 1)[1:]
    return set(np.ceil(looks).astype(int).tolist())


def _is_bad(values: dict[str, float]) -> bool:
    return not np.isfinite([values["loss"], values["gradient_norm"]]).all()


def _complaint(values: dict[str, float], step: int, rows: np.ndarray, run: Run) -> str:
    """Say what went wrong in a step, and with which pictures."""
    named = ", ".join(run.image_of_row(row) for row in rows[:_NAMED_IMAGES])
    more = f" and {len(rows) - _NAMED_IMAGES} more" if len(rows) > _NAMED_IMAGES else ""
    return (
        f"In step {step + 1} the loss became {values['loss']:.4g} and the length of its gradient "
        f"{values['gradient_norm']:.4g}, with the pictures {named}{more}. The weights before it "
        f"are in {run.folder / CHECKPOINT_FILE}. Look at these pairs, or lower the learning rate "
        f"({run.recipe.learning_rate})."
    )
