"""A run of method ``head``, from pairs to a trained model."""

import copy
import math
from typing import Any

import numpy as np
from astropy.table import Table
from torch import nn

from astro_paperclip.encoders import Encoder
from astro_paperclip.encoders.seeding import seeded
from astro_paperclip.encoders.towers import ProjectedModel, has_own_heads, split_towers
from astro_paperclip.exceptions import TrainingError
from astro_paperclip.training.head.captions import caption_mixture
from astro_paperclip.training.head.features import image_features, text_features
from astro_paperclip.training.head.fitting import TowerFeatures, fit_heads
from astro_paperclip.training.head.recipe import HeadRecipe

__all__ = ["model_with_heads", "train_head"]


def train_head(
    pairs: Table, encoder: Encoder, recipe: HeadRecipe, *, progress: bool = True
) -> tuple[nn.Module, dict[str, Any]]:
    """Train the projections of an encoder.

    Parameters
    ----------
    pairs : `~astropy.table.Table`
        What to train on.
    encoder : Encoder
        Its towers are used as they are.
    recipe : HeadRecipe
        The settings.
    progress : bool
        Whether to show progress bars.

    Returns
    -------
    model : `torch.nn.Module`
        On the CPU.
    outcome : dict
        As of `~astro_paperclip.training.head.fitting.fit_heads`, and ``skipped``, the image and
        the fault of every pair that was left out.

    Raises
    ------
    TrainingError
        If no picture can be read, or those that can belong to one group.
    """
    features, skipped = _tower_features(pairs, encoder, recipe, progress)
    model = model_with_heads(encoder, recipe)
    outcome = fit_heads(split_towers(model), features, recipe, progress=progress)
    return model, outcome | {"skipped": skipped}


def _tower_features(
    pairs: Table, encoder: Encoder, recipe: HeadRecipe, progress: bool
) -> tuple[TowerFeatures, list[dict[str, str]]]:
    """Compute, or find in the cache, what the frozen towers say of the training pairs.

    Also return the image and the fault of every pair that is left out.
    """
    paths = [str(image) for image in pairs["image"]]
    images, broken = image_features(
        encoder, paths, recipe.views, whole=recipe.whole, progress=progress
    )
    skipped = [{"image": paths[row], "reason": reason} for row, reason in broken]
    pairs = pairs[np.setdiff1d(np.arange(len(pairs)), [row for row, _ in broken])]
    groups = np.asarray(pairs["group_id"], dtype=str)
    if len(np.unique(groups)) < 2:
        raise TrainingError(
            f"The {len(groups)} training pairs that are left belong to one group: captions can "
            f"only be told apart between groups. {len(skipped)} pictures can't be read, the first: "
            f"{skipped[0]['reason']}"
        )
    captions = caption_mixture(pairs, encoder, recipe.captions)
    texts = text_features(encoder, captions.texts, progress=progress)
    return TowerFeatures(images, texts, captions, groups), skipped


def model_with_heads(encoder: Encoder, recipe: HeadRecipe) -> nn.Module:
    """Give a copy of an encoder's model projections to train.

    Parameters
    ----------
    encoder : Encoder
        Left as it is.
    recipe : HeadRecipe
        ``temperature``, and the ``seed`` of new projections.

    Returns
    -------
    model : `torch.nn.Module`
        On the CPU.
    """
    model = copy.deepcopy(encoder.model).cpu()
    if has_own_heads(model):
        # What open_clip multiplies similarities with, as `fit_heads` does.
        nn.init.constant_(model.logit_scale, -math.log(recipe.temperature))
    elif not isinstance(model, ProjectedModel):
        with seeded(recipe.seed):
            model = ProjectedModel(model, encoder.dim)
    return model.requires_grad_(True)
