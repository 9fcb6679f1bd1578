"""Merge batch normalisation into the convolutions before it: inference needs them no more apart."""

from itertools import pairwise

from timm.layers import BatchNormAct2d
from timm.models.efficientnet import EfficientNet
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["fuse_normalisation"]


def fuse_normalisation(model: nn.Module) -> nn.Module:
    """Fuse a convolutional tower in place; other towers stay as they are.

    Parameters
    ----------
    model : `torch.nn.Module`
        In evaluation mode. Only timm's EfficientNets are fused: their blocks register each
        normalisation right behind the convolution that it follows.

    Returns
    -------
    model : `torch.nn.Module`
        The same object.
    """
    if not isinstance(model, EfficientNet):
        return model
    for block in list(model.modules()):
        for (name, layer), (next_name, following) in pairwise(list(block.named_children())):
            if isinstance(layer, nn.Conv2d) and isinstance(following, BatchNormAct2d):
                setattr(block, name, fuse_conv_bn_eval(layer, following))
                setattr(block, next_name, following.act)
    return model
