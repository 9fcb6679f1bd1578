"""Train an encoder: pairs in, a folder out."""

import os
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from astropy.table import Table

from astro_paperclip import encoders
from astro_paperclip.encoders import Encoder
from astro_paperclip.encoders.device import resolve_device
from astro_paperclip.exceptions import SkippedImageWarning, TrainingError
from astro_paperclip.files import written_whole_folder
from astro_paperclip.pairs import read_pairs
from astro_paperclip.training.data import TrainingData, divide_pairs
from astro_paperclip.training.finetuning.checkpoint import CHECKPOINT_FILE
from astro_paperclip.training.finetuning.distributed import Processes, barrier, joined_processes
from astro_paperclip.training.finetuning.first_heads import HEADS_FOLDER
from astro_paperclip.training.finetuning.recipe import FineTuneRecipe
from astro_paperclip.training.finetuning.run import RUN_FOLDER, fine_tune
from astro_paperclip.training.head.recipe import HeadRecipe
from astro_paperclip.training.head.run import train_head
from astro_paperclip.training.record import (
    RECORD_FILE,
    TrainingReport,
    installed_versions,
    pairs_hash,
    write_run,
)

__all__ = ["METHODS", "train"]

METHODS = ("head", "full", "scratch")
"""Ways to train: projections behind frozen towers; everything; everything, from random weights."""

_RECIPES = {"head": HeadRecipe, "full": FineTuneRecipe, "scratch": FineTuneRecipe}

Pairs = Table | str | os.PathLike | Sequence[str | os.PathLike]


def train(
    pairs: Pairs,
    encoder: str | Encoder,
    output: str | Path,
    *,
    method: str = "head",
    recipe: HeadRecipe | FineTuneRecipe | None = None,
    validation: Pairs | None = None,
    shuffle_pairs: bool = False,
    device: str | None = None,
    progress: bool = True,
) -> TrainingReport:
    """Train an encoder on pairs of pictures and captions.

    Parameters
    ----------
    pairs : `~astropy.table.Table`, path or sequence of paths
        Pairs files, or a table that `astro_paperclip.pairs.read_pairs` returned.
    encoder : str or Encoder
        The encoder to start from, or its name.
    output : str or path
        Folder to write. It is an encoder (`astro_paperclip.encoders.load` opens it) and holds
        the record of the run and the pairs that were kept for validation.
    method : str
        ``'head'``: the towers stay as they are, projections behind them are trained.
        ``'full'``: everything is trained. ``'scratch'``: everything, from random weights.
    recipe : HeadRecipe or FineTuneRecipe, optional
        The settings. By default those of `HeadRecipe`, and the preset ``'improved'`` of
        `FineTuneRecipe` for the other methods.
    validation : `~astropy.table.Table`, path or sequence of paths, optional
        Pairs to keep for validation, instead of a share of the groups.
    shuffle_pairs : bool
        Whether to train on wrong captions, the paper's control: what an encoder finds after it
        was not learned from its captions.
    device : str, optional
        Where to train.
    progress : bool
        Whether to show progress bars.

    Returns
    -------
    report : TrainingReport
        What was done.

    Raises
    ------
    TrainingError
        If the method is unknown, the output stands in the way, the recipe does not fit the
        pairs, or training fails.
    PairsError
        If the pairs have faults, or too few groups.
    EncoderError
        If the encoder can't be loaded, or the device is not there.

    Warns
    -----
    SkippedImageWarning
        If a picture can't be read; its pair was not trained on.

    Notes
    -----
    A run that was interrupted goes on where it stopped when it is started again in the same way:
    with ``'head'``, what the frozen towers say is kept in the cache; with the other methods, the
    folder ``run`` in the output holds a checkpoint. These two also run in several processes,
    started by ``torchrun``, each of which calls this function.
    """
    recipe = _checked_recipe(method, recipe)
    if method == "scratch":  # there is nothing to begin with, nor to go back to
        recipe = replace(recipe, heads_first=False, interpolation=1.0)
    resolve_device(device)  # before any work is done
    output = Path(output).expanduser()
    _check_output(output)
    data = divide_pairs(
        _table(pairs),
        None if validation is None else _table(validation),
        validation_fraction=recipe.validation_fraction,
        seed=recipe.seed,
        shuffle=shuffle_pairs,
    )
    about = {
        "method": method,
        "shuffled": shuffle_pairs,
        "recipe": recipe.as_dict(),
        "pairs_sha256": pairs_hash(data.pairs),
        "versions": installed_versions(),
    }
    if method == "head":
        return _train_head(data, encoder, output, recipe, about, device, progress)
    with joined_processes(resolve_device(device)) as processes:
        base = _base(encoder, method, recipe.seed, device)
        return _fine_tune(data, base, output, recipe, about, processes, progress)


def _checked_recipe(
    method: str, recipe: HeadRecipe | FineTuneRecipe | None
) -> HeadRecipe | FineTuneRecipe:
    if method not in METHODS:
        raise TrainingError(f"Unknown method {method!r}: use one of {', '.join(METHODS)}.")
    if recipe is None:
        return HeadRecipe() if method == "head" else FineTuneRecipe.preset("improved")
    if not isinstance(recipe, _RECIPES[method]):
        raise TrainingError(
            f"The method {method!r} takes a {_RECIPES[method].__name__}, not a "
            f"{type(recipe).__name__}."
        )
    return recipe


def _table(pairs: Pairs) -> Table:
    return pairs if isinstance(pairs, Table) else read_pairs(pairs)


def _check_output(output: Path) -> None:
    """Refuse to replace anything but an earlier run."""
    is_empty = output.is_dir() and not any(output.iterdir())
    is_run = (output / RECORD_FILE).is_file() or (output / RUN_FOLDER).is_dir()
    if output.exists() and not is_empty and not is_run:
        raise TrainingError(
            f"The output {output} exists and is not an earlier training run: name another folder."
        )


def _base(encoder: str | Encoder, method: str, seed: int, device: str | None) -> Encoder:
    """Return the encoder that training begins with."""
    if method == "scratch":
        if isinstance(encoder, Encoder):
            encoder, device = encoder.name, str(encoder.device)
        return encoders.load(encoder, device, pretrained=False, seed=seed)
    return encoder if isinstance(encoder, Encoder) else encoders.load(encoder, device)


def _identity(encoder: Encoder) -> dict[str, str]:
    return {"name": encoder.name, "fingerprint": encoder.fingerprint}


def _record(
    about: dict[str, Any], data: TrainingData, trained: Encoder, outcome: dict[str, Any]
) -> dict[str, Any]:
    return {
        **about,
        "fingerprint": trained.fingerprint,
        **data.counts(),
        "skipped": outcome.pop("skipped"),
        "outcome": outcome,
    }


def _warn_of(skipped: list[dict[str, str]], n_images: int) -> None:
    if skipped:
        warnings.warn(
            f"{len(skipped)} of {n_images} images were skipped, the first: {skipped[0]['reason']}",
            SkippedImageWarning,
            stacklevel=4,
        )


def _fine_tune(
    data: TrainingData,
    base: Encoder,
    output: Path,
    recipe: FineTuneRecipe,
    about: dict[str, Any],
    processes: Processes,
    progress: bool,
) -> TrainingReport:
    about = {"base": _identity(base), **about, "processes": processes.world_size}
    frozen = recipe.batch_norm == "frozen" or (
        recipe.batch_norm == "auto" and about["method"] == "full"
    )
    trained, outcome = fine_tune(
        data,
        base,
        recipe,
        output,
        processes,
        about=about,
        frozen_statistics=frozen,
        progress=progress,
    )
    record = _record(about, data, trained, outcome)
    if processes.is_main:
        _warn_of(record["skipped"], len(data.pairs))
        with written_whole_folder(output) as folder:
            write_run(folder, trained, record, data)
            shutil.copytree(
                output / RUN_FOLDER,
                folder / RUN_FOLDER,
                ignore=shutil.ignore_patterns(CHECKPOINT_FILE, HEADS_FOLDER),
            )
    barrier(processes)
    return TrainingReport(output, record)


def _train_head(
    data: TrainingData,
    encoder: str | Encoder,
    output: Path,
    recipe: HeadRecipe,
    about: dict[str, Any],
    device: str | None,
    progress: bool,
) -> TrainingReport:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise TrainingError("The method 'head' runs in one process: start it without torchrun.")
    base = _base(encoder, "head", recipe.seed, device)
    model, outcome = train_head(data.pairs[data.training], base, recipe, progress=progress)
    _warn_of(outcome["skipped"], len(data.training))
    trained = Encoder(
        model, base.tokenizer, base.config, name=str(output), device=torch.device("cpu")
    )
    record = _record({"base": _identity(base), **about}, data, trained, outcome)
    record["training"]["pairs"] -= len(record["skipped"])
    with written_whole_folder(output) as folder:
        write_run(folder, trained, record, data)
    return TrainingReport(output, record)
