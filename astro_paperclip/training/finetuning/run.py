"""A fine-tuning run from pairs to a trained model, in a folder that tells how to run it again."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from astropy.table import Table

from astro_paperclip.encoders import Encoder
from astro_paperclip.exceptions import TrainingError
from astro_paperclip.files import written_whole
from astro_paperclip.training.data import TrainingData
from astro_paperclip.training.finetuning.averaging import interpolate_weights
from astro_paperclip.training.finetuning.batches import make_plan
from astro_paperclip.training.finetuning.checkpoint import CHECKPOINT_FILE
from astro_paperclip.training.finetuning.distributed import Processes, barrier
from astro_paperclip.training.finetuning.first_heads import with_trained_heads
from astro_paperclip.training.finetuning.loader import BatchLoader
from astro_paperclip.training.finetuning.loop import Run, train_model
from astro_paperclip.training.finetuning.model import prepare_model
from astro_paperclip.training.finetuning.pictures import PictureCache
from astro_paperclip.training.finetuning.recipe import FineTuneRecipe
from astro_paperclip.training.finetuning.state import TrainingState
from astro_paperclip.training.finetuning.texts import CaptionTexts
from astro_paperclip.training.finetuning.validation import HeldOut

__all__ = ["RECIPE_FILE", "RUN_FILE", "RUN_FOLDER", "fine_tune"]

RUN_FOLDER = "run"
"""Folder, within that of the encoder, of what a run wrote on its way."""

RUN_FILE = "run.json"
"""What a run trains on, in its folder."""

RECIPE_FILE = "recipe.toml"
"""The settings of a run, in its folder; ``train --recipe`` takes it."""

#: What may change between a run's start and its resumption.
_FREE_SETTINGS = ("validations", "micro_batches", "gradient_checkpointing", "compile")


def fine_tune(
    data: TrainingData,
    encoder: Encoder,
    recipe: FineTuneRecipe,
    output: Path,
    processes: Processes,
    *,
    about: dict[str, Any],
    frozen_statistics: bool,
    progress: bool = True,
) -> tuple[Encoder, dict[str, Any]]:
    """Train all of an encoder, or go on with a run that was stopped.

    Parameters
    ----------
    data : TrainingData
        The pairs.
    encoder : Encoder
        Where training begins.
    recipe : FineTuneRecipe
        The settings.
    output : `~pathlib.Path`
        The encoder's folder, in which the run's lies.
    processes : Processes
        Who trains together.
    about : dict
        What else makes this run what it is; a run of something else is not gone on with.
    frozen_statistics : bool
        Whether batch normalisation keeps the statistics that it has.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    trained : Encoder
        On the CPU.
    outcome : dict
        As of `train_model`.

    Raises
    ------
    TrainingError
        If the recipe does not fit the pairs, the folder holds another run, or the loss is no
        longer a number.
    """
    if recipe.batch_size % processes.world_size:
        raise TrainingError(
            f"batch_size {recipe.batch_size} can't be shared by {processes.world_size} processes: "
            f"use a multiple of {processes.world_size}."
        )
    device = encoder.device
    plan = make_plan(
        data.groups, recipe.batch_size, recipe.seed, one_per_group=recipe.one_per_group
    )
    folder = output / RUN_FOLDER
    if processes.is_main:
        _begin(folder, recipe, about)
    barrier(processes)
    if recipe.heads_first:
        encoder = with_trained_heads(
            data,
            encoder,
            folder,
            processes,
            captions=recipe.captions,
            seed=recipe.seed,
            progress=progress,
        )
    paths = [str(path) for path in data.pairs["image"]]
    pictures = PictureCache(paths, recipe.picture_size)
    texts = CaptionTexts.from_table(
        data.pairs,
        recipe.captions,
        encoder,
        recipe.caption_tokens,
        category_prefix=recipe.category_prefix,
    )
    labels = _labels(data.pairs, recipe)
    model, config = prepare_model(encoder, recipe, device)
    state = TrainingState(model, recipe, device, processes, frozen_statistics=frozen_statistics)

    def make_loader(start: int) -> BatchLoader:
        return BatchLoader(
            pictures=pictures,
            texts=texts,
            labels=labels,
            groups=np.asarray(data.pairs["group_id"]),
            training=data.training,
            rows_of=lambda step: data.training[plan.rows(step)],
            views=recipe.views(encoder.pixels.size),
            mean=encoder.pixels.mean,
            std=encoder.pixels.std,
            seed=recipe.seed,
            start=start,
            end=recipe.steps,
            processes=processes,
            device=device,
        )

    held_out = HeldOut(pictures, data.held_out, texts, encoder, recipe.seed)
    run = Run(
        recipe=recipe,
        make_loader=make_loader,
        held_out=held_out if len(held_out) else None,
        image_of_row=paths.__getitem__,
        folder=folder,
        device=device,
        processes=processes,
        progress=progress,
    )
    result, outcome = train_model(run, state)
    interpolate_weights(
        result, encoder.model.state_dict(), recipe.interpolation, heads=encoder.trained
    )
    outcome["skipped"] = [
        {"image": paths[row], "reason": reason} for row, reason in outcome["skipped"].items()
    ]
    trained = Encoder(
        result.cpu(), encoder.tokenizer, config, name=str(output), device=torch.device("cpu")
    )
    return trained, outcome


def _begin(folder: Path, recipe: FineTuneRecipe, about: dict[str, Any]) -> None:
    """Begin a run in its folder, or find that the run in it is this one."""
    about = {"recipe": recipe.as_dict(), **about}
    path = folder / RUN_FILE
    if (folder / CHECKPOINT_FILE).exists() and path.exists():
        earlier = json.loads(path.read_text(encoding="utf-8"))
        if difference := _difference(earlier, about):
            raise TrainingError(
                f"{folder} holds an unfinished run with {difference}: name another folder, or "
                "remove this one to start over."
            )
        return
    if folder.exists():  # of a finished run, or of one without a checkpoint
        shutil.rmtree(folder)
    with written_whole(folder / RECIPE_FILE) as temporary:
        temporary.write_text(recipe.as_toml(), encoding="utf-8")
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def _difference(earlier: dict[str, Any], now: dict[str, Any]) -> str:
    """Say in what two runs differ, or nothing where they are one."""
    mine, theirs = ({**run, **run.get("recipe", {})} for run in (now, earlier))
    for name in mine:
        if name in (*_FREE_SETTINGS, "recipe", "versions"):
            continue
        if mine[name] != theirs.get(name):
            return f"another {name} ({theirs.get(name)!r} there, {mine[name]!r} here)"
    return ""


def _labels(pairs: Table, recipe: FineTuneRecipe) -> np.ndarray | None:
    """Return numbers for the values of columns; -1 where one is empty."""
    columns = [name for name in recipe.positives if name in pairs.colnames]
    if not columns:
        return None
    labels = np.empty((len(pairs), len(columns)), np.int64)
    for place, name in enumerate(columns):
        values = np.ma.filled(np.ma.asarray(pairs[name]).astype(str), "")
        _, labels[:, place] = np.unique(values, return_inverse=True)
        labels[np.char.strip(values) == "", place] = -1
    return labels
