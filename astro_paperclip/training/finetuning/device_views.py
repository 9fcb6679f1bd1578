"""Random views of pictures, made where the model is trained.

What `~astro_paperclip.training.finetuning.views.apply_views` does in the loader's threads, for a
GPU, which does it in passing: squares go there as whole bytes, a quarter of what pixels take.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.functional import avg_pool2d, grid_sample

from astro_paperclip.training.finetuning.views import ViewParameters, crop_places

__all__ = ["apply_views_on_device"]


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
    grid = _grid(crops, parameters, size * points, side).to(device, non_blocking=True)
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


def _grid(crops: np.ndarray, parameters: ViewParameters, size: int, side: int) -> torch.Tensor:
    """Return where in its square each point of each view lies, as `grid_sample` counts."""
    centres = (np.arange(size, dtype=np.float32) + 0.5) / size
    across = np.broadcast_to(centres, (len(crops), size, size))
    across = np.where(parameters.flips[:, None, None], 1 - across, across)
    down = np.broadcast_to(centres[:, None], (len(crops), size, size))
    turns = parameters.turns[:, None, None] % 4
    # Counter-clockwise turns, undone.
    x = np.choose(turns, [across, 1 - down, 1 - across, down])
    y = np.choose(turns, [down, across, 1 - down, 1 - across])
    left, top, width, height = (crops[:, place, None, None] for place in range(4))
    grid = np.stack([(left + x * width) / side, (top + y * height) / side], axis=-1)
    return torch.from_numpy((2 * grid - 1).astype(np.float32))
