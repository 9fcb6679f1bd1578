"""Random views of pictures, made where the model is trained.

What `~astro_paperclip.training.finetuning.views.apply_views` does in the loader's threads, for a
GPU, which does it in passing: squares go there as whole bytes, a quarter of what pixels take.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample

from astro_paperclip.training.finetuning.views import ViewParameters, crop_places

__all__ = ["apply_views_on_device"]

#: Where in the picture a view's x and y point, for each number of quarter turns that it made.
_COUNTER_CLOCKWISE = np.array(
    [[[1, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]]]
)


def apply_views_on_device(
    squares: torch.Tensor,
    boxes: np.ndarray,
    parameters: ViewParameters,
    size: int,
    mean: Sequence[float],
    std: Sequence[float],
) -> torch.Tensor:
    """Make views of pictures on their own device.

    Parameters
    ----------
    squares : `torch.Tensor`
        Letterboxed pictures, shape (n, side, side, 3), uint8.
    boxes, parameters, size, mean, std
        As for `~astro_paperclip.training.finetuning.views.apply_views`.

    Returns
    -------
    pixels : `torch.Tensor`
        Shape (n, 3, size, size), float32, in channels-last order, on the device of the squares.

    Notes
    -----
    A crop as large as the view keeps its pixels. Others are resized by bilinear interpolation,
    of several points a pixel where a crop is larger than the view; Pillow's bicubic filter
    is a little sharper.
    """
    device, side = squares.device, squares.shape[1]
    crops = crop_places(side, boxes, parameters)
    points = max(1, -(-int(crops[:, 2:].max()) // size))
    places = _places(crops, parameters, side).to(device)
    grid = affine_grid(places, (len(crops), 3, size * points, size * points), align_corners=False)
    pictures = squares.permute(0, 3, 1, 2).float() / 255
    pixels = grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    if points > 1:
        pixels = avg_pool2d(pixels, points)
    order = torch.from_numpy(parameters.order).to(device)[..., None, None]
    pixels = pixels.gather(1, order.expand_as(pixels))
    pixels = pixels ** _column(parameters.gamma, device)
    grey = _column(parameters.grey.astype(np.float64), device)
    pixels = torch.lerp(pixels, pixels.mean(1, keepdim=True).expand_as(pixels), grey)
    means, stds = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (mean, std))
    return ((pixels - means) / stds).contiguous(memory_format=torch.channels_last)


def _column(values: np.ndarray, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(device).view(-1, 1, 1, 1)


def _places(crops: np.ndarray, parameters: ViewParameters, side: int) -> torch.Tensor:
    """Return what takes a point of each view to its square, shape (n, 2, 3), for `affine_grid`."""
    columns = _COUNTER_CLOCKWISE[parameters.turns % 4]
    columns[parameters.flips, :, 0] *= -1
    start, extent = crops[:, :2] / side, crops[:, 2:] / side
    middle = 2 * start + extent - 1
    places = np.concatenate([columns * extent[..., None], middle[..., None]], axis=2)
    return torch.from_numpy(places.astype(np.float32))
