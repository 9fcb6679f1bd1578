"""Train an encoder: pairs in, a folder out."""

import copy
import hashlib
import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch
from astropy.table import Table
from torch import nn

from astro_paperclip import encoders
from astro_paperclip.encoders import Encoder
from astro_paperclip.encoders.towers import ProjectedModel, has_own_heads, split_towers
from astro_paperclip.exceptions import SkippedImageWarning, TrainingError
from astro_paperclip.files import written_whole_folder
from astro_paperclip.pairs import Split, read_pairs, split_by_group, write_pairs
from astro_paperclip.training.captions import caption_mixture
from astro_paperclip.training.features import image_features, text_features
from astro_paperclip.training.head import TowerFeatures, fit_heads
from astro_paperclip.training.model_card import model_card
from astro_paperclip.training.recipe import HeadRecipe

__all__ = ["METHODS", "TrainingReport", "train"]

#: Ways to train. ``head``: frozen towers, trained projections.
METHODS = ("head",)

#: Files that training adds to an encoder's folder.
RECORD_FILE = "training.json"
VALIDATION_FILE = "validation.csv"

_RECORDED_VERSIONS = ("astro_paperclip", "open_clip_torch", "timm", "torch", "transformers")


@dataclass(frozen=True)
class TrainingReport:
    """What a training run did.

    Parameters
    ----------
    output : `~pathlib.Path`
        The encoder's folder.
    record : dict
        What ``training.json`` in that folder holds.
    """

    output: Path
    record: dict

    def summary(self) -> str:
        """Return what happened, in a few lines."""
        outcome, training = self.record["outcome"], self.record["training"]
        validation = self.record["validation"]
        lines = [
            f"Trained on {training['pairs']} pairs of {training['groups']} groups: "
            f"{outcome['steps']} steps of {outcome['batch_size']} pairs, final loss "
            f"{outcome['loss']:.3f}, in-batch accuracy {outcome['accuracy']:.2f}.",
            f"The encoder is in {self.output}.",
        ]
        lines += [f"  skipped {row['image']}: {row['reason']}" for row in self.record["skipped"]]
        if validation["pairs"]:
            lines.append(
                f"{validation['pairs']} pairs of {validation['groups']} groups were kept back. "
                f"Evaluate on them with: astro-paperclip evaluate "
                f"--pairs {self.output / VALIDATION_FILE} --encoder {self.output} --output DIR"
            )
        return "\n".join(lines)


def train(
    pairs: Table | str | Path | Sequence[str | Path],
    encoder: str | Encoder,
    output: str | Path,
    *,
    method: str = "head",
    recipe: HeadRecipe | None = None,
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
    recipe : HeadRecipe, optional
        The settings.
    device : str, optional
        Where the towers run.
    progress : bool
        Whether to show progress bars.

    Returns
    -------
    report : TrainingReport
        What was done.

    Raises
    ------
    TrainingError
        If the method is unknown, the output stands in the way, or training fails.
    PairsError
        If the pairs have faults, or too few groups.
    EncoderError
        If the encoder can't be loaded.

    Warns
    -----
    SkippedImageWarning
        If a picture can't be read; its pair was not trained on.

    Notes
    -----
    What the frozen towers say is kept in the cache, so that an interrupted run goes on where it
    stopped and another split or recipe starts at once.
    """
    if method not in METHODS:
        raise TrainingError(f"Unknown method {method!r}: use one of {', '.join(METHODS)}.")
    recipe = recipe or HeadRecipe()
    output = Path(output).expanduser()
    _check_output(output)
    table = pairs if isinstance(pairs, Table) else read_pairs(pairs)
    split = _split(table, recipe)
    if not isinstance(encoder, Encoder):
        encoder = encoders.load(encoder, device)
    features, skipped = _tower_features(table[split.train], encoder, recipe, progress)
    model = _with_heads(encoder, recipe)
    outcome = fit_heads(split_towers(model), features, recipe, progress=progress)
    trained = Encoder(
        model, encoder.tokenizer, encoder.config, name=str(output), device=torch.device("cpu")
    )
    record = {
        "base": {"name": encoder.name, "fingerprint": encoder.fingerprint},
        "fingerprint": trained.fingerprint,
        "method": method,
        "recipe": recipe.as_dict(),
        "training": _counts(features.groups),
        "validation": _counts(split.groups[split.validation]),
        "skipped": skipped,
        "pairs_sha256": _pairs_hash(table),
        "outcome": outcome,
        "versions": {name: _version(name) for name in _RECORDED_VERSIONS},
    }
    with written_whole_folder(output) as folder:
        card = model_card(record, plain=not isinstance(model, ProjectedModel))
        encoders.write(trained, folder, card)
        (folder / RECORD_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        if len(split.validation):
            write_pairs(table[split.validation], folder / VALIDATION_FILE)
    return TrainingReport(output, record)


def _check_output(output: Path) -> None:
    """Refuse to replace anything but an earlier run."""
    is_empty = output.is_dir() and not any(output.iterdir())
    if output.exists() and not is_empty and not (output / RECORD_FILE).is_file():
        raise TrainingError(
            f"The output {output} exists and is not an earlier training run: name another folder."
        )


def _split(table: Table, recipe: HeadRecipe) -> Split:
    groups = np.asarray(table["group_id"], dtype=str)
    if recipe.validation_fraction:
        split = split_by_group(
            table, validation_fraction=recipe.validation_fraction, seed=recipe.seed
        )
    else:
        split = Split(np.arange(len(table)), np.arange(0), groups)
    _check_groups(groups[split.train])
    return split


def _check_groups(groups: np.ndarray) -> None:
    if len(np.unique(groups)) < 2:
        raise TrainingError(
            f"The {len(groups)} training pairs belong to one group: captions can only be "
            "told apart between groups."
        )


def _tower_features(
    pairs: Table, encoder: Encoder, recipe: HeadRecipe, progress: bool
) -> tuple[TowerFeatures, list[dict[str, str]]]:
    """Compute, or find in the cache, what the frozen towers say of the training pairs.

    Also return the image and the fault of every pair that is left out.
    """
    paths = [str(image) for image in pairs["image"]]
    images, broken = image_features(encoder, paths, recipe.views, progress=progress)
    skipped = [{"image": paths[row], "reason": reason} for row, reason in broken]
    if skipped:
        warnings.warn(
            f"{len(skipped)} of {len(paths)} images were skipped, the first: "
            f"{skipped[0]['reason']}",
            SkippedImageWarning,
            stacklevel=3,
        )
    pairs = pairs[np.setdiff1d(np.arange(len(pairs)), [row for row, _ in broken])]
    groups = np.asarray(pairs["group_id"], dtype=str)
    _check_groups(groups)
    captions = caption_mixture(pairs, encoder)
    texts = text_features(encoder, captions.texts, progress=progress)
    return TowerFeatures(images, texts, captions, groups), skipped


def _with_heads(encoder: Encoder, recipe: HeadRecipe) -> nn.Module:
    """Return a copy of an encoder's model, on the CPU, with projections to train."""
    model = copy.deepcopy(encoder.model).cpu()
    if has_own_heads(model):
        # What open_clip multiplies similarities with, as `fit_heads` does.
        nn.init.constant_(model.logit_scale, -math.log(recipe.temperature))
    elif not isinstance(model, ProjectedModel):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(recipe.seed)
            model = ProjectedModel(model, encoder.dim)
    return model.requires_grad_(True)


def _pairs_hash(table: Table) -> str:
    """Return the SHA-256 of the pictures' names and captions."""
    rows = "\n".join(f"{row['image']}\t{row['text']}" for row in table)
    return hashlib.sha256(rows.encode()).hexdigest()


def _version(distribution: str) -> str:
    """Return what is installed; a source tree on the path is not."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"


def _counts(groups: np.ndarray) -> dict[str, int]:
    return {"pairs": len(groups), "groups": len(np.unique(groups))}
