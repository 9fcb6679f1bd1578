"""Paint what lies outside of a detector's footprint in one neutral colour.

A preview is as large as the box around a rotated footprint, and each archive fills the
rest in its own way: Hubble previews with white, others with black. A model would learn
that outline, and tell missions apart by it, so here the outside always looks the same.
"""

import numpy as np
from PIL import Image

__all__ = ["BACKGROUND", "connected_to_border", "grow", "outside_mask", "paint_outside"]

BACKGROUND = (0, 0, 0)
"""Colour of everything that is not sky: outside of the footprint, and padding."""

_WHITE = 250  # JPEG compression leaves flat white between 250 and 255
_EDGE = 100  # brighter than this beside the outside: white mixed with sky by the compression
_CORNER_SHARE = 0.02  # of the picture's border, where a corner of the picture is white
_SIDE_SHARE = 0.10  # of the picture's border, where no corner is


def paint_outside(image: Image.Image) -> Image.Image:
    """Paint a white outside of the footprint in `BACKGROUND`.

    Parameters
    ----------
    image : `PIL.Image.Image`
        Mode ``"L"`` or ``"RGB"``.

    Returns
    -------
    `PIL.Image.Image`
        The same object where nothing is outside, else a painted copy.
    """
    if not _has_white_border(image):
        return image
    pixels = np.array(image)
    outside = outside_mask(pixels)
    if not outside.any():
        return image
    pixels[outside] = BACKGROUND[0] if image.mode == "L" else BACKGROUND
    return Image.fromarray(pixels)


def outside_mask(pixels: np.ndarray) -> np.ndarray:
    """Find the white region around a footprint.

    A region is outside of the footprint if it is white, reaches the picture's border over a
    fair length, and ends in a step. The glow of a saturated star or of a nebula's core,
    which may well touch the border, fades gradually instead and is left alone.

    Parameters
    ----------
    pixels : `numpy.ndarray`
        Shape (height, width) or (height, width, 3), dtype uint8.

    Returns
    -------
    `numpy.ndarray`
        Shape (height, width), dtype bool: True outside of the footprint, with the blurred
        edge that compression leaves beside it.
    """
    dimmest = pixels if pixels.ndim == 2 else pixels.min(axis=2)
    labels, regions = _border_regions(dimmest >= _WHITE)
    outside = np.zeros(dimmest.shape, dtype=bool)
    for number, box in regions:
        region = labels[box] == number
        if _reaches_far(labels, number) and _ends_in_step(dimmest[box], region):
            outside[box] |= region
    if not outside.any():
        return outside
    for _ in range(2):
        outside |= grow(outside) & (dimmest >= _EDGE)
    _follow_sides(outside, dimmest >= _EDGE)
    return grow(outside)


def connected_to_border(mask: np.ndarray) -> np.ndarray:
    """Keep the part of a mask that is connected to the border of the array.

    Parameters
    ----------
    mask : `numpy.ndarray`
        Shape (height, width), dtype bool.

    Returns
    -------
    `numpy.ndarray`
        Same shape and dtype; pixels connect along rows and columns.
    """
    labels, regions = _border_regions(mask)
    return np.isin(labels, [number for number, _ in regions])


def grow(mask: np.ndarray) -> np.ndarray:
    """Widen a two-dimensional mask by one pixel along rows and columns."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown


def _follow_sides(outside: np.ndarray, bright: np.ndarray) -> None:
    """Follow the outside along the picture's sides, in place.

    Where the footprint's edge meets the border at a small angle, a sliver of the outside is
    narrower than a pixel, so that it is bright but not white.
    """
    for side in (np.s_[:2], np.s_[-2:], np.s_[:, :2], np.s_[:, -2:]):
        strip = outside[side]
        for _ in range(32):
            strip |= grow(strip) & bright[side]


def _border(pixels: np.ndarray) -> np.ndarray:
    """Return the pixels along the four sides of a two-dimensional array."""
    return np.concatenate([pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]])


def _has_white_border(image: Image.Image) -> bool:
    """Tell cheaply whether enough of a picture's border is white to look further."""
    width, height = image.size
    sides = (
        (0, 0, width, 1),
        (0, height - 1, width, height),
        (0, 0, 1, height),
        (width - 1, 0, width, height),
    )
    bands = len(image.getbands())
    border = np.concatenate([np.asarray(image.crop(side)).reshape(-1, bands) for side in sides])
    return np.count_nonzero((border >= _WHITE).all(axis=1)) >= _CORNER_SHARE * len(border)


def _border_regions(mask: np.ndarray) -> tuple[np.ndarray, list[tuple[int, tuple]]]:
    """Label the regions of a mask; list those at the border as (number, box)."""
    from scipy import ndimage

    labels, _ = ndimage.label(mask)
    numbers = np.unique(_border(labels))
    boxes = ndimage.find_objects(labels)
    margin = 8  # room for the rings of `_ends_in_step`
    regions = []
    for number in numbers[numbers > 0]:
        box = tuple(
            slice(max(0, side.start - margin), side.stop + margin) for side in boxes[number - 1]
        )
        regions.append((int(number), box))
    return labels, regions


def _reaches_far(labels: np.ndarray, number: int) -> bool:
    """Tell whether a region covers enough of the picture's border to be its surrounding."""
    corners = labels[[0, 0, -1, -1], [0, -1, 0, -1]] == number
    share = np.count_nonzero(_border(labels) == number) / (2 * sum(labels.shape) - 4)
    return share >= (_CORNER_SHARE if corners.any() else _SIDE_SHARE)


def _ends_in_step(brightness: np.ndarray, region: np.ndarray) -> bool:
    """Tell whether brightness drops at once beside a white region, and not gradually."""
    rings = []
    inner = grow(grow(region))
    for _ in range(2):
        outer = grow(grow(inner))
        rings.append(brightness[outer & ~inner])
        inner = grow(grow(outer))
    if not (rings[0].size and rings[1].size):
        return True  # nothing but white
    near, far = (float(np.median(ring)) for ring in rings)
    return _WHITE - near > 3 * abs(near - far)
