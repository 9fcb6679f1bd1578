"""Make a model ready to be fine-tuned."""

import copy
import math

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from astro_paperclip.encoders import Encoder
from astro_paperclip.encoders.towers import open_clip_part
from astro_paperclip.exceptions import TrainingError
from astro_paperclip.training.finetuning.recipe import FineTuneRecipe

__all__ = ["autocast_dtype", "prepare_model", "set_training_mode"]

#: Bias and inverse temperature that the sigmoid loss begins with (arXiv:2303.15343, section 3.2).
_SIGMOID_BIAS = -10.0
_SIGMOID_SCALE = 10.0

_DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d)


def prepare_model(
    encoder: Encoder, recipe: FineTuneRecipe, device: torch.device
) -> tuple[nn.Module, dict]:
    """Return a copy of an encoder's model to train, and its configuration.

    Parameters
    ----------
    encoder : Encoder
        Its own model is not changed.
    recipe : FineTuneRecipe
        Temperature, loss, and what saves memory.
    device : `torch.device`
        Where it is trained.

    Returns
    -------
    model : `torch.nn.Module`
        Takes pixels and tokens, and returns a dictionary.
    config : dict
        open_clip's configuration of it.

    Raises
    ------
    TrainingError
        If the model can't do what the recipe asks for.
    """
    model = copy.deepcopy(encoder.model).float().requires_grad_(True)
    config = copy.deepcopy(encoder.config)
    inner = open_clip_part(model)
    scale = 1 / recipe.temperature if recipe.temperature else None
    if recipe.loss == "siglip" and getattr(inner, "logit_bias", None) is None:
        # Only now: open_clip overwrites a bias that is asked for as it loads weights without one.
        inner.logit_bias = nn.Parameter(torch.tensor(_SIGMOID_BIAS))
        config["init_logit_bias"] = _SIGMOID_BIAS
        scale = scale or _SIGMOID_SCALE
    if scale:
        nn.init.constant_(inner.logit_scale, math.log(scale))
    inner.logit_scale.requires_grad_(recipe.learn_temperature)
    if not recipe.dropout:
        for layer in model.modules():
            if isinstance(layer, _DROPOUT):
                layer.p = 0.0  # attention reads it there
    if recipe.gradient_checkpointing:
        try:
            inner.set_grad_checkpointing()
        except (AttributeError, NotImplementedError, AssertionError) as error:
            raise TrainingError(
                f"The encoder {encoder.name!r} can't save memory by gradient checkpointing: "
                "use gradient_checkpointing=false."
            ) from error
    return model.to(device=device, memory_format=torch.channels_last), config


def set_training_mode(model: nn.Module, *, frozen_statistics: bool) -> None:
    """Put a model into the mode that a recipe trains it in.

    Parameters
    ----------
    model : `torch.nn.Module`
        Changed in place.
    frozen_statistics : bool
        Whether batch normalisation goes by the statistics that it has, so that what a picture
        gives does not depend on the rest of its batch.
    """
    model.train()
    for layer in model.modules():
        if frozen_statistics and isinstance(layer, _BatchNorm):
            layer.eval()


def autocast_dtype(recipe: FineTuneRecipe, device: torch.device) -> torch.dtype | None:
    """Return the precision of matrix products, or None for that of the weights.

    Parameters
    ----------
    recipe : FineTuneRecipe
        ``precision``.
    device : `torch.device`
        Where to train.

    Returns
    -------
    dtype : `torch.dtype` or None
    """
    if recipe.precision == "bfloat16":
        return torch.bfloat16
    has_bfloat16 = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.bfloat16 if recipe.precision == "auto" and has_bfloat16 else None
