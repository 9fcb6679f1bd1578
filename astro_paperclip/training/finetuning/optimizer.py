"""The optimiser: which parameter learns how fast, and decays how much."""

import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from astro_paperclip.training.finetuning.recipe import FineTuneRecipe
from astro_paperclip.training.schedule import rate_schedule

__all__ = ["is_head", "layer_depths", "make_optimizer", "parameter_groups"]

_LAYER = re.compile(r"\b(?:resblocks|blocks|layers?|stages)\.(\d+)\.")
_STEM = re.compile(r"embed|cls_token|conv1\.|conv_stem|ln_pre|trunk\.bn1\.|stem")
_HEAD = re.compile(
    r"^(?:image_head|text_head)\.|^visual\.head\.|^text\.proj|visual\.proj$|text_projection|logit_"
)
_IMAGE = re.compile(r"^(?:base\.)?visual\.")


def is_head(name: str) -> bool:
    """Tell whether a parameter belongs to the projections behind the towers, or the temperature.

    Parameters
    ----------
    name : str
        Its name in an open_clip model, or in one with added projections.

    Returns
    -------
    bool
    """
    return _HEAD.search(name) is not None


def layer_depths(model: nn.Module) -> dict[str, int]:
    """Return how many layers lie between each parameter and its tower's end.

    Parameters
    ----------
    model : `torch.nn.Module`
        An open_clip model, or one with added projections.

    Returns
    -------
    depths : dict
        By name of the parameter. 0 for projections and for what follows the last layer of a
        tower, 1 for that layer, and so on down to embeddings and stems.
    """
    numbers = {
        name: int(found.group(1))
        for name, _ in model.named_parameters()
        if (found := _LAYER.search(name)) and not is_head(name)
    }
    counts = {True: 0, False: 0}
    for name, number in numbers.items():
        counts[_is_image(name)] = max(counts[_is_image(name)], number + 1)
    depths = {}
    for name, _ in model.named_parameters():
        count = counts[_is_image(name)]
        if is_head(name):
            depths[name] = 0
        elif name in numbers:
            depths[name] = count - numbers[name]
        else:
            depths[name] = count + 1 if _STEM.search(name) else 0
    return depths


def _is_image(name: str) -> bool:
    return _IMAGE.match(name) is not None


def parameter_groups(model: nn.Module, recipe: FineTuneRecipe) -> list[dict[str, Any]]:
    """Sort trainable parameters by how fast they learn and whether they decay.

    Parameters
    ----------
    model : `torch.nn.Module`
        An open_clip model, or one with added projections.
    recipe : FineTuneRecipe
        ``learning_rate``, ``head_rate``, ``layer_decay`` (as in BEiT, arXiv:2106.08254),
        ``weight_decay`` and ``decay_all``.

    Returns
    -------
    groups : list of dict
        For `torch.optim.AdamW`.
    """
    depths = layer_depths(model)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in _trainable(model):
        factor = recipe.head_rate if is_head(name) else recipe.layer_decay ** depths[name]
        decays = recipe.decay_all or (parameter.ndim > 1 and not _STEM.search(name))
        key = recipe.learning_rate * factor, recipe.weight_decay if decays else 0.0
        groups.setdefault(key, []).append(parameter)
    return [
        {"params": members, "lr": rate, "weight_decay": decay}
        for (rate, decay), members in groups.items()
    ]


def _trainable(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return ((name, p) for name, p in model.named_parameters() if p.requires_grad)


def make_optimizer(
    model: nn.Module, recipe: FineTuneRecipe
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Return AdamW and the schedule of its learning rates.

    Parameters
    ----------
    model : `torch.nn.Module`
        What is trained.
    recipe : FineTuneRecipe
        How.

    Returns
    -------
    optimizer : `torch.optim.AdamW`
    scheduler : `torch.optim.lr_scheduler.LambdaLR`
        To be stepped after each optimiser step.
    """
    optimizer = torch.optim.AdamW(parameter_groups(model, recipe))
    rate = rate_schedule(recipe.steps, recipe.warm_up, recipe.schedule)
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
