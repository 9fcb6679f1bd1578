"""Where a model's two towers end and their trainable projections begin."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from open_clip import CoCa
from open_clip.hf_model import HFTextEncoder
from open_clip.timm_model import TimmModel
from torch import nn
from torch.nn.functional import normalize

__all__ = [
    "HIDDEN_UNITS",
    "ProjectedModel",
    "ResidualProjection",
    "Towers",
    "has_own_heads",
    "open_clip_part",
    "split_towers",
]

#: Hidden units of a projection (arXiv 2403.08851, figure 2, the frozen model with MLP heads).
HIDDEN_UNITS = 1024


class ResidualProjection(nn.Module):
    """A multi-layer perceptron that starts as the identity.

    Parameters
    ----------
    dim : int
        Length of the vectors, in and out.
    hidden : int
        Number of hidden units.

    Notes
    -----
    A pretrained CLIP already lines its towers up. Adding the perceptron to its input, with the
    last layer at zero, keeps what the model knows at the first step; the paper's projections
    start at random and have to learn it again.
    """

    def __init__(self, dim: int, hidden: int = HIDDEN_UNITS) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))
        nn.init.zeros_(self.layers[-1].weight)
        nn.init.zeros_(self.layers[-1].bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return projected features, shape (n, dim)."""
        return features + self.layers(features)


class ProjectedModel(nn.Module):
    """An open_clip model with a multi-layer perceptron behind each tower.

    For models whose configuration has no place for such projections (all native CLIP towers).

    Parameters
    ----------
    base : `torch.nn.Module`
        An open_clip model.
    dim : int
        Length of its embeddings.
    """

    def __init__(self, base: nn.Module, dim: int) -> None:
        super().__init__()
        self.base = base
        self.image_head = ResidualProjection(dim)
        self.text_head = ResidualProjection(dim)

    def forward(self, pixels: torch.Tensor, tokens: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return what a loss needs, as an open_clip model with ``output_dict`` does.

        Parameters
        ----------
        pixels : `torch.Tensor`
            Shape (n, 3, size, size).
        tokens : `torch.Tensor`
            Shape (m, length), int64.

        Returns
        -------
        output : dict
            ``image_features``, shape (n, dim), and ``text_features``, shape (m, dim), of unit
            length; ``logit_scale``, the inverse temperature; and ``logit_bias`` where the base
            model has one.
        """
        towers = split_towers(self)
        output = {
            "image_features": normalize(towers.image_head(towers.image_backbone(pixels)), dim=-1),
            "text_features": normalize(towers.text_head(towers.text_backbone(tokens)), dim=-1),
            "logit_scale": self.base.logit_scale.exp(),
        }
        if self.base.logit_bias is not None:
            output["logit_bias"] = self.base.logit_bias
        return output


@dataclass(frozen=True)
class Towers:
    """A model's towers, each as a backbone and the projection that follows it.

    Parameters
    ----------
    image_backbone, text_backbone : callable
        From a batch of pixels or tokens to features before the projection.
    image_head, text_head : `torch.nn.Module`
        The projections into the common space; the identity where the tower is one piece.
    """

    image_backbone: nn.Module
    image_head: nn.Module
    text_backbone: Callable[[torch.Tensor], torch.Tensor]
    text_head: nn.Module


def open_clip_part(model: nn.Module) -> nn.Module:
    """Return the open_clip model, which knows its pixels and holds the temperature.

    Parameters
    ----------
    model : `torch.nn.Module`
        An open_clip model or a `ProjectedModel`.

    Returns
    -------
    part : `torch.nn.Module`
        The model itself, or what the added projections stand behind.
    """
    return model.base if isinstance(model, ProjectedModel) else model


def has_own_heads(model: nn.Module) -> bool:
    """Tell whether a model's configuration itself ends both towers in projections."""
    return (
        isinstance(getattr(model, "visual", None), TimmModel)
        and len(model.visual.head) > 0
        and isinstance(getattr(model, "text", None), HFTextEncoder)
        and not isinstance(model.text.proj, nn.Identity)
    )


class _VectorOnly(nn.Module):
    """An image tower that gives a vector and tokens, without the tokens."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.tower(pixels)[0]


def _image_tower(model: nn.Module) -> nn.Module:
    """Return the image tower as one that gives vectors, as every open_clip model has but CoCa."""
    return _VectorOnly(model.visual) if isinstance(model, CoCa) else model.visual


def split_towers(model: nn.Module) -> Towers:
    """Cut a model's towers where their projections begin.

    Parameters
    ----------
    model : `torch.nn.Module`
        An open_clip model or a `ProjectedModel`.

    Returns
    -------
    towers : Towers
        They share the model's parameters.
    """
    if isinstance(model, ProjectedModel):
        base = model.base
        return Towers(_image_tower(base), model.image_head, base.encode_text, model.text_head)
    if has_own_heads(model):

        def text_backbone(tokens: torch.Tensor) -> torch.Tensor:
            mask = (tokens != model.text.config.pad_token_id).long()
            states = model.text.transformer(input_ids=tokens, attention_mask=mask)
            return model.text.pooler(states, mask)

        return Towers(model.visual.trunk, model.visual.head, text_backbone, model.text.proj)
    return Towers(_image_tower(model), nn.Identity(), model.encode_text, nn.Identity())
