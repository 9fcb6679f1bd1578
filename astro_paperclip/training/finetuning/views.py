"""Random views of pictures, as pixels that a tower takes.

The work is done picture by picture in NumPy and Pillow, not by torch: the loader's threads do it
while the model trains, and torch's own threads would get in each other's way. Pictures are
resized as `~astro_paperclip.images.letterbox` does it, so that a model is trained on pictures as
sharp as those that it is asked about later.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from astro_paperclip.exceptions import TrainingError

__all__ = [
    "ViewParameters",
    "ViewSettings",
    "apply_views",
    "crop_places",
    "draw_views",
    "whole_views",
]

_Transpose = Image.Transpose

#: What to do for each number of quarter turns, and without or with a mirror image after it.
_TURNS = (
    (None, _Transpose.FLIP_LEFT_RIGHT),
    (_Transpose.ROTATE_90, _Transpose.TRANSVERSE),
    (_Transpose.ROTATE_180, _Transpose.FLIP_TOP_BOTTOM),
    (_Transpose.ROTATE_270, _Transpose.TRANSPOSE),
)


@dataclass(frozen=True, kw_only=True)
class ViewSettings:
    """How views may differ from their pictures.

    Parameters
    ----------
    size : int
        Side of the views in pixels.
    crop_area : tuple of float
        Smallest and largest share of the square's area that a view shows, drawn uniformly. The
        sides of a crop are whole pixels: one as large as the view is not resized, so that the
        view's pixels are the square's own.
    whole : float
        Share of the views that show all of the picture as it stands: neither cropped, squeezed,
        turned nor mirrored. Colours are changed as in all others.
    quarter_turns : bool
        Whether views are turned by 0, 90, 180 or 270 degrees, each as likely.
    flips : bool
        Whether every other view is a mirror image.
    aspect : float
        Largest factor by which a crop may be wider than high or higher than wide; a view is
        always square, so that it is squeezed. 0 or 1: crops are square.
    gamma : float
        Brightness, from 0 to 1, is raised to a power between the inverse of this and this. 0 or
        1: it stays as it is.
    grey : float
        Share of the views that lose their colours.
    permute : float
        Share of the views that have their colours exchanged at random, maybe for themselves.

    Raises
    ------
    TrainingError
        If a setting makes no sense.
    """

    size: int
    crop_area: tuple[float, float] = (1.0, 1.0)
    whole: float = 0.0
    quarter_turns: bool = False
    flips: bool = False
    aspect: float = 0.0
    gamma: float = 0.0
    grey: float = 0.0
    permute: float = 0.0

    def __post_init__(self) -> None:
        if self.size < 1:
            raise TrainingError(f"Views of size {self.size} have no pixels: use 1 or more.")
        if len(self.crop_area) != 2 or not 0 < self.crop_area[0] <= self.crop_area[1] <= 1:
            raise TrainingError(
                f"crop_area {self.crop_area} is not two shares of an area, the smaller first."
            )
        for name in ("aspect", "gamma"):
            value = getattr(self, name)
            if value != 0 and not 1 <= value < float("inf"):
                raise TrainingError(f"{name} {value} is no factor of 1 or more, nor 0 for none.")
        if not 0 <= self.whole <= 1:
            raise TrainingError(f"whole {self.whole} is not a share of the views, from 0 to 1.")
        if min(self.grey, self.permute) < 0 or not self.grey + self.permute <= 1:
            raise TrainingError(
                f"grey {self.grey} and permute {self.permute} are not shares of all views: one is "
                "negative, or together they are more than all views."
            )


@dataclass(frozen=True, eq=False)
class ViewParameters:
    """What was drawn for each view; a slice of it is what was drawn for a slice of the batch.

    Parameters
    ----------
    area, aspect : `~numpy.ndarray`
        Share of the square's area, and width over height of the crop; shape (n,), float64.
    across, down : `~numpy.ndarray`
        Where the crop is, from 0 to 1 between its extreme places; shape (n,), float64.
    turns : `~numpy.ndarray`
        Quarter turns, counter-clockwise; shape (n,), int64.
    flips : `~numpy.ndarray`
        Whether left and right are exchanged after that; shape (n,), bool.
    gamma : `~numpy.ndarray`
        Power that brightness is raised to; shape (n,), float64.
    grey : `~numpy.ndarray`
        Whether colours are replaced by their mean; shape (n,), bool.
    order : `~numpy.ndarray`
        Which of the picture's colours each colour of the view is; shape (n, 3), int64.
    """

    area: np.ndarray
    aspect: np.ndarray
    across: np.ndarray
    down: np.ndarray
    turns: np.ndarray
    flips: np.ndarray
    gamma: np.ndarray
    grey: np.ndarray
    order: np.ndarray

    def __len__(self) -> int:
        return len(self.area)

    def __getitem__(self, part: slice | np.ndarray) -> "ViewParameters":
        return ViewParameters(*(values[part] for values in vars(self).values()))


def draw_views(count: int, settings: ViewSettings, rng: np.random.Generator) -> ViewParameters:
    """Draw how each view of a batch is made.

    Parameters
    ----------
    count : int
        Number of pictures in the batch.
    settings : ViewSettings
        What may be drawn.
    rng : `numpy.random.Generator`
        Where chance comes from. As many numbers are taken whatever the settings are.

    Returns
    -------
    parameters : ViewParameters
        They do not depend on the pictures, so that a process that has only some of them draws
        the same as all others.
    """
    aspect, gamma = (np.log(max(1, factor)) for factor in (settings.aspect, settings.gamma))
    area = rng.uniform(*settings.crop_area, count)
    aspect = np.exp(rng.uniform(-aspect, aspect, count))
    across, down = rng.random((2, count))
    turns = rng.integers(4, size=count) * settings.quarter_turns
    flips = (rng.random(count) < 0.5) & settings.flips
    gamma = np.exp(rng.uniform(-gamma, gamma, count))
    chance = rng.random(count)
    order = rng.permuted(np.tile(np.arange(3), (count, 1)), axis=1)
    is_permuted = (settings.grey <= chance) & (chance < settings.grey + settings.permute)
    order[~is_permuted] = np.arange(3)
    grey = chance < settings.grey
    is_whole = rng.random(count) < settings.whole
    area[is_whole] = aspect[is_whole] = 1
    turns[is_whole] = 0
    flips[is_whole] = False
    return ViewParameters(area, aspect, across, down, turns, flips, gamma, grey, order)


def apply_views(
    squares: np.ndarray,
    boxes: np.ndarray,
    parameters: ViewParameters,
    size: int,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    out: np.ndarray | None = None,
) -> torch.Tensor:
    """Make views of pictures.

    Parameters
    ----------
    squares : `~numpy.ndarray`
        Letterboxed pictures, shape (n, side, side, 3), uint8.
    boxes : `~numpy.ndarray`
        Left, top, width and height of each picture in its square, in pixels; shape (n, 4), int.
        A crop that is narrower than the picture lies within it; a wider one shows all of it.
    parameters : ViewParameters
        What was drawn for them.
    size : int
        Side of the views in pixels.
    mean, std : sequence of float
        Of each colour, on a scale from 0 to 1, which the views are normalised by.
    out : `~numpy.ndarray`, optional
        Where to write, shape (n, size, size, 3), float32.

    Returns
    -------
    pixels : `torch.Tensor`
        Shape (n, 3, size, size), float32, in channels-last order, on the CPU.
    """
    out = _pixels(len(squares), size) if out is None else out
    crops = crop_places(squares.shape[1], boxes, parameters)
    for place, (square, crop) in enumerate(zip(squares, crops, strict=True)):
        left, top, width, height = crop
        image = _resized(square[top : top + height, left : left + width], size)
        turn = _TURNS[parameters.turns[place]][int(parameters.flips[place])]
        if turn is not None:
            image = image.transpose(turn)
        order = parameters.order[place]
        if order.tolist() != [0, 1, 2]:
            colours = image.split()
            image = Image.merge("RGB", [colours[colour] for colour in order])
        _brighten(image, parameters.gamma[place], out[place])
        if parameters.grey[place]:
            red, green, blue = np.moveaxis(out[place], 2, 0)
            out[place] = ((red + green + blue) / 3)[..., None]
    return _normalised(out, mean, std)


def whole_views(
    squares: np.ndarray, size: int, mean: Sequence[float], std: Sequence[float]
) -> torch.Tensor:
    """Return pictures as they are, as pixels that a tower takes.

    Parameters
    ----------
    squares : `~numpy.ndarray`
        Letterboxed pictures, shape (n, side, side, 3), uint8; resized where they are not of
        this size.
    size : int
        Side of the views in pixels.
    mean, std : sequence of float
        Of each colour, on a scale from 0 to 1, which the views are normalised by.

    Returns
    -------
    pixels : `torch.Tensor`
        Shape (n, 3, size, size), float32, in channels-last order, on the CPU.
    """
    out = _pixels(len(squares), size)
    for square, pixels in zip(squares, out, strict=True):
        _brighten(_resized(square, size), 1.0, pixels)
    return _normalised(out, mean, std)


def _pixels(count: int, size: int) -> np.ndarray:
    return np.empty((count, size, size, 3), np.float32)


def crop_places(side: int, boxes: np.ndarray, parameters: ViewParameters) -> np.ndarray:
    """Return where each crop lies in its square.

    Parameters
    ----------
    side : int
        Side of the squares in pixels.
    boxes, parameters
        As for `apply_views`.

    Returns
    -------
    crops : `~numpy.ndarray`
        Left, top, width and height in pixels; shape (n, 4), int64.
    """
    width, height = (
        np.clip(np.rint(side * np.sqrt(area)), 1, side).astype(np.int64)
        for area in (parameters.area * parameters.aspect, parameters.area / parameters.aspect)
    )
    left = _starts(side, boxes[:, 0], boxes[:, 2], width, parameters.across)
    top = _starts(side, boxes[:, 1], boxes[:, 3], height, parameters.down)
    return np.stack([left, top, width, height], axis=1)


def _starts(
    side: int, begin: np.ndarray, length: np.ndarray, crop: np.ndarray, share: np.ndarray
) -> np.ndarray:
    """Place crops along one axis: within the picture, or so that all of it is within the crop."""
    ends = np.sort([begin, begin + length - crop], axis=0)
    first, last = np.clip(ends, 0, side - crop)
    return first + np.floor(share * (last - first + 1)).astype(np.int64)


def _resized(pixels: np.ndarray, size: int) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if image.size == (size, size):
        return image
    return image.resize((size, size), Image.Resampling.BICUBIC)


def _brighten(image: Image.Image, gamma: float, out: np.ndarray) -> None:
    """Write brightness on a scale from 0 to 1, raised to a power."""
    table = ((np.arange(256) / 255) ** gamma).astype(np.float32)
    # "clip" lets NumPy write without a copy between; nothing is clipped.
    np.take(table, np.asarray(image), out=out, mode="clip")


def _normalised(pixels: np.ndarray, mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    """Normalise in place, and put colours where torch expects them."""
    size = pixels.shape[1]
    # Whole rows at a time, as NumPy is slow along axes of three.
    means, stds = (np.tile(np.asarray(values, np.float32), size) for values in (mean, std))
    for picture in pixels:
        rows = picture.reshape(size, -1)
        rows -= means
        rows /= stds
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)
