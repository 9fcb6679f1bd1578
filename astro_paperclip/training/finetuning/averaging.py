"""Means of weights: over the last steps of a run, and between a run and where it began."""

from collections.abc import Mapping

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from astro_paperclip.training.finetuning.optimizer import is_head

__all__ = ["interpolate_weights", "running_mean"]


def running_mean(model: nn.Module, share: float, steps: int) -> AveragedModel | None:
    """Return a model that follows another as the exponential mean of its weights.

    Parameters
    ----------
    model : `torch.nn.Module`
        What is trained.
    share : float
        Share of all steps that the mean looks back on; 0: no mean.
    steps : int
        Number of all steps.

    Returns
    -------
    mean : `torch.optim.swa_utils.AveragedModel` or None
        Takes ``update_parameters`` after each step.
    """
    if not share:
        return None
    decay = max(0.0, 1 - 1 / max(1.0, share * steps))
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))


@torch.no_grad()
def interpolate_weights(
    model: nn.Module, base: Mapping[str, torch.Tensor], share: float, *, heads: bool
) -> None:
    """Move a model's weights towards those that it was trained from, in place.

    Parameters
    ----------
    model : `torch.nn.Module`
        A trained model.
    base : dict
        State of the model that training began with, by the same names; what it does not have,
        such as the bias of the sigmoid loss, stays.
    share : float
        Share of the trained weights (alpha of WiSE-FT, arXiv:2109.01903); 1 changes nothing.
    heads : bool
        Whether projections take part. Those that began at random have nothing to go back to.
    """
    if share == 1:
        return
    for name, tensor in model.state_dict().items():
        is_mixed = name in base and (heads or not is_head(name))
        if is_mixed and tensor.is_floating_point():
            tensor.lerp_(base[name].to(tensor), 1 - share)
