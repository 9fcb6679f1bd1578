"""Bring features to one scale for training, and give the scale to the layer that takes them."""

from dataclasses import dataclass

import torch
from torch import nn

from astro_paperclip.encoders.towers import ResidualProjection

__all__ = ["Standardization", "standardization_for"]


@dataclass(frozen=True)
class Standardization:
    """A shift and a scale of features.

    Parameters
    ----------
    shift, scale : `torch.Tensor`
        ``(features - shift) / scale`` is what the projection is trained on.
    """

    shift: torch.Tensor
    scale: torch.Tensor

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        """Return standardized features."""
        return (features - self.shift) / self.scale

    @torch.no_grad()
    def fold_into(self, head: nn.Module) -> None:
        """Change a projection so that it takes features as the tower makes them.

        Parameters
        ----------
        head : `torch.nn.Module`
            A projection that was trained on standardized features; changed in place.
        """
        layer = _first_layer(head)
        layer.weight /= self.scale
        if layer.bias is not None:
            layer.bias -= layer.weight @ self.shift.expand(layer.in_features)


def standardization_for(head: nn.Module, features: torch.Tensor) -> Standardization:
    """Return the standardization of features that a projection can take over.

    Parameters
    ----------
    head : `torch.nn.Module`
        A projection.
    features : `torch.Tensor`
        What it will be trained on, shape (n, width).

    Returns
    -------
    standardization : Standardization
        Zero mean and unit variance of each feature where the first layer has a bias; one common
        scale where it has none; nothing where the features also go around the layers.
    """
    if isinstance(head, ResidualProjection):
        return Standardization(torch.zeros(()), torch.ones(()))
    if _first_layer(head).bias is None:
        return Standardization(torch.zeros(()), features.square().mean().sqrt())
    # A feature that hardly ever varies must not be blown up.
    scale = features.std(dim=0)
    return Standardization(features.mean(dim=0), scale.clamp(min=0.01 * scale.mean()))


def _first_layer(head: nn.Module) -> nn.Linear:
    return next(module for module in head.modules() if isinstance(module, nn.Linear))
