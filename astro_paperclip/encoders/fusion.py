"""Merge the layers of a convolutional tower that inference needs no more apart.

Batch normalisation goes into the convolution before it. On a CPU the activation does too, and the
weights are kept in the order in which the processor reads them.
"""

import copy
from itertools import pairwise

import torch
from timm.layers import BatchNormAct2d, Conv2dSame
from timm.models.efficientnet import EfficientNet
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["fuse_activations", "fuse_normalisation"]


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


@torch.inference_mode()
def fuse_activations(model: nn.Module, size: int) -> nn.Module:
    """Fuse convolutions with the activations behind them, for inference on a CPU.

    Parameters
    ----------
    model : `torch.nn.Module`
        On the CPU, as `fuse_normalisation` returns it, in any precision. Only timm's
        EfficientNets are fused.
    size : int
        Side of the square pictures, in pixels.

    Returns
    -------
    model : `torch.nn.Module`
        A new tower that takes and gives the same, or the one that was given: torch calls these
        convolutions for its own compiler and promises nothing about them, so the new tower is
        taken only where it says what the old one says.
    """
    if not isinstance(model, EfficientNet):
        return model
    pixels = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    pixels = pixels.to(next(model.parameters()).dtype, memory_format=torch.channels_last)
    expected = model(pixels)
    try:
        fused = _FusedTower(model)
        features = fused(pixels)
    except (AttributeError, RuntimeError):  # this build of torch has no such convolutions
        return model
    # Rounding leaves at least half of the digits of the least precise layer as they are.
    last_place = max(torch.finfo(parameter.dtype).eps for parameter in model.parameters())
    difference = (features - expected).norm() / expected.norm()
    return fused if difference < last_place**0.5 else model


class _FusedTower(nn.Module):
    """An EfficientNet of fused convolutions, which looks at pictures turned by half a turn.

    Where a layer halves the picture, TensorFlow's padding adds one more row and column behind
    the picture than before it, and torch has to copy the picture to do so. Seen turned by half a
    turn, with kernels that are turned as well, there is one more before it, which is what even
    padding amounts to when every second row is left out. The features at the end are means over
    the picture, so they are the same.
    """

    def __init__(self, tower: EfficientNet) -> None:
        super().__init__()
        tower = copy.deepcopy(tower)
        self.turned = any(isinstance(layer, Conv2dSame) for layer in tower.modules())
        for block in list(tower.modules()):
            children = [*block.named_children(), (None, None)]
            for (name, layer), (next_name, following) in pairwise(children):
                if isinstance(layer, nn.Conv2d):
                    clipped = isinstance(following, nn.ReLU6)
                    setattr(block, name, _FusedConvolution(layer, clipped, self.turned))
                    if clipped:
                        setattr(block, next_name, nn.Identity())
        self.tower = tower

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.tower(pixels.flip(2, 3) if self.turned else pixels)


class _FusedConvolution(nn.Module):
    """A convolution and the ReLU6 behind it in one call."""

    def __init__(self, layer: nn.Conv2d, clipped: bool, turned: bool) -> None:
        super().__init__()
        weight = layer.weight.flip(2, 3) if turned else layer.weight
        same = isinstance(layer, Conv2dSame)
        padding = [side // 2 for side in layer.kernel_size] if same else list(layer.padding)
        shape = (padding, list(layer.stride), list(layer.dilation), layer.groups)
        self.bias = layer.bias
        # Not a buffer: torch can neither copy nor save a tensor in the processor's own order.
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(weight, *shape)
        # At the end, what comes behind: a function's name, its parameters and its variant.
        self._settings = (*shape, *(("hardtanh", [0.0, 6.0], "") if clipped else ("none", [], "")))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return torch.ops.mkldnn._convolution_pointwise(
            features, self._weight, self.bias, *self._settings
        )
