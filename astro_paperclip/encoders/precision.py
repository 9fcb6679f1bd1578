"""Half precision for image towers."""

import torch
from timm.models.efficientnet import EfficientNet
from torch import nn

__all__ = ["lower_precision"]


def lower_precision(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Bring an image tower to a lower precision, in place.

    Parameters
    ----------
    model : `torch.nn.Module`
        In float32.
    dtype : `torch.dtype`
        The precision to work in.

    Returns
    -------
    model : `torch.nn.Module`
        The same object. It takes pixels in the precision of its first parameter.

    Notes
    -----
    The stem and the first block of an EfficientNet stay in float32. In EfficientNet-Lite0 they
    make most of the error of bfloat16, and little of the work.
    """
    if not isinstance(model, EfficientNet):
        return model.to(dtype)
    for part in (model.blocks[1:], model.conv_head, model.bn2):
        part.to(dtype)
    model.blocks[0].register_forward_hook(lambda _layer, _pixels, features: features.to(dtype))
    return model
