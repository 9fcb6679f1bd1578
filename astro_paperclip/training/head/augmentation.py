"""Random views of a picture that show the same object as the picture itself."""

import math

import numpy as np
from PIL import Image

from astro_paperclip.images import letterbox

__all__ = ["RECIPE", "WHOLE_SHARE", "random_view"]

#: Names what `random_view` does: cached features of another recipe are not used.
RECIPE = "whole-crop-turn-gamma-grey-v3"

#: Share of the views that are not cropped, turned or mirrored.
WHOLE_SHARE = 0.6

_SMALLEST_CROP = 0.25  # of the picture's area
_ASPECT = np.log(4 / 3)  # largest logarithm of a crop's change of aspect ratio
_GAMMA = np.log(1.6)  # largest logarithm of the exponent that brightness is raised to
_GREY_SHARE = 0.4
_PERMUTED_SHARE = 0.3


def random_view(
    picture: Image.Image, size: int, rng: np.random.Generator, *, whole: float = WHOLE_SHARE
) -> np.ndarray:
    """Recolour a picture at random, and crop, turn and mirror it in some views.

    Colour and brightness depend on how a preview was made rather than on what it shows, so
    that they are taken away or changed in most views. Later, an encoder is asked about whole
    pictures as they stand: most views show these.

    Parameters
    ----------
    picture : `PIL.Image.Image`
        Mode RGB.
    size : int
        Side of the view in pixels.
    rng : `numpy.random.Generator`
        Where chance comes from.
    whole : float
        Share of the views that are not cropped, turned or mirrored.

    Returns
    -------
    view : `~numpy.ndarray`
        Shape (size, size, 3), uint8.
    """
    if rng.random() < whole:
        view = np.asarray(letterbox(picture, size))
    else:
        view = np.asarray(letterbox(_random_crop(picture, rng), size))
        view = np.rot90(view, rng.integers(4))
        if rng.random() < 0.5:
            view = view[:, ::-1]
    view = _random_gamma(view, rng)
    return np.ascontiguousarray(_random_colour(view, rng))


def _random_crop(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Cut out a part of 25 to 100 per cent of the area, shaped about as the picture is."""
    area = rng.uniform(_SMALLEST_CROP, 1)
    aspect = np.exp(rng.uniform(-_ASPECT, _ASPECT))
    width = min(picture.width, math.ceil(picture.width * np.sqrt(area * aspect)))
    height = min(picture.height, math.ceil(picture.height * np.sqrt(area / aspect)))
    left = int(rng.integers(picture.width - width + 1))
    top = int(rng.integers(picture.height - height + 1))
    return picture.crop((left, top, left + width, top + height))


def _random_gamma(view: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    exponent = np.exp(rng.uniform(-_GAMMA, _GAMMA))
    table = np.round(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
    return table[view]


def _random_colour(view: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Leave the colours, exchange them, or turn the view grey."""
    chance = rng.random()
    if chance < _GREY_SHARE:
        grey = view.mean(axis=2, keepdims=True).round().astype(np.uint8)
        return np.repeat(grey, 3, axis=2)
    if chance < _GREY_SHARE + _PERMUTED_SHARE:
        return view[..., rng.permutation(3)]
    return view
