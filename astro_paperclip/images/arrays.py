"""Make pictures of arrays of measured values."""

import numpy as np
from PIL import Image

from astro_paperclip.exceptions import ImageError
from astro_paperclip.images.footprint import connected_to_border

__all__ = ["STRETCHES", "picture_from_array"]

STRETCHES = ("asinh", "zscale", "linear")
"""Names of the stretches that `picture_from_array` knows."""

_SAMPLE = 1_000_000  # values that limits are estimated from


def picture_from_array(array: np.ndarray, *, stretch: str = "asinh") -> Image.Image:
    """Make a picture of an array.

    Arrays of dtype uint8 and bool are pictures already and stay as they are. So do colour
    arrays of floats between 0 and 1, Matplotlib's convention. All other values are taken as
    measurements and stretched; colours are stretched together, so that hues survive.

    Parameters
    ----------
    array : `numpy.ndarray`
        Shape (height, width), (height, width, 3) or (height, width, 4), the last with
        opacity as its fourth plane; bool, integers or floats. Values that are not finite or
        are masked lie outside of the footprint, and so do zeros that are connected to the
        border in a two-dimensional array of floats.
    stretch : {"asinh", "zscale", "linear"}, optional
        How measured values become brightness: an inverse hyperbolic sine between the 1st
        and the 99.8th percentile, linear between IRAF's ZScale limits, or linear between
        the extremes; all by `astropy.visualization`.

    Returns
    -------
    `PIL.Image.Image`
        Mode L, RGB or RGBA; black outside of the footprint.

    Raises
    ------
    ImageError
        If the shape or dtype is none of the above, or no value is finite.
    """
    if stretch not in STRETCHES:
        raise ImageError(f"Unknown stretch {stretch!r}: choose one of {', '.join(STRETCHES)}.")
    mask = np.ma.getmaskarray(array) if np.ma.isMaskedArray(array) else None
    values = np.asarray(array)
    _check_shape(values)
    if values.dtype == bool:
        values = values.astype(np.uint8) * 255
    if values.dtype == np.uint8:
        values = values if mask is None else np.where(mask, 0, values).astype(np.uint8)
        return Image.fromarray(np.ascontiguousarray(values))
    if values.dtype.kind not in "iuf":
        raise ImageError(f"An image cannot be made of values of dtype {values.dtype}.")

    outside = ~np.isfinite(values)
    if mask is not None:
        outside |= mask
    if outside.all():
        raise ImageError("No value is finite: the image is empty (all NaN, infinite or masked).")
    if values.ndim == 2 and values.dtype.kind == "f":
        outside |= _zero_border(values)
    opacity = None
    if values.ndim == 3 and values.shape[2] == 4:
        opacity = _opacity(values[..., 3])
        values, outside = values[..., :3], outside[..., :3]
    brightness = _stretched(values, ~outside, stretch)
    if opacity is not None:
        brightness = np.dstack([brightness, opacity])
    return Image.fromarray(brightness)


def _check_shape(values: np.ndarray) -> None:
    if values.ndim == 2 or (values.ndim == 3 and values.shape[2] in (3, 4)):
        return
    raise ImageError(
        f"An array of shape {values.shape} is not an image: give (height, width), "
        "(height, width, 3) or (height, width, 4); of a cube, give one plane."
    )


def _zero_border(values: np.ndarray) -> np.ndarray:
    """Find the exact zeros that drizzled images have outside of their footprint."""
    zero = values == 0
    if zero.all() or not zero[[0, 0, -1, -1], [0, -1, 0, -1]].any():
        return np.zeros(values.shape, dtype=bool)
    return connected_to_border(zero)


def _opacity(plane: np.ndarray) -> np.ndarray:
    """Bring an opacity plane to 0...255: floats from 0...1, integers from their full range."""
    full = 1.0 if plane.dtype.kind == "f" else float(np.iinfo(plane.dtype).max)
    share = np.nan_to_num(plane.astype(np.float32), nan=0.0) / full
    return (np.clip(share, 0, 1) * 255).astype(np.uint8)


def _stretched(values: np.ndarray, valid: np.ndarray, stretch: str) -> np.ndarray:
    """Return brightness 0...255 as uint8, and 0 where values are not valid."""
    sample = values[valid]
    sample = sample[:: max(1, sample.size // _SAMPLE)]
    is_picture = values.ndim == 3 and values.dtype.kind == "f"
    if is_picture and sample.size and sample.min() >= 0 and sample.max() <= 1:
        low, high, curve = 0.0, 1.0, None
    else:
        low, high, curve = _limits(sample, stretch)
    if high <= low:
        return np.zeros(values.shape, dtype=np.uint8)
    share = np.zeros(values.shape, dtype=np.float32)
    share[valid] = np.clip((values[valid].astype(np.float64) - low) / (high - low), 0, 1)
    if curve is not None:
        share = np.where(valid, curve(share, clip=False), 0)
    return np.rint(share * 255).astype(np.uint8)


def _limits(sample: np.ndarray, stretch: str):
    """Return the values that become black and white, and the curve between them."""
    from astropy.visualization import (
        AsinhStretch,
        AsymmetricPercentileInterval,
        MinMaxInterval,
        ZScaleInterval,
    )

    intervals = {
        "asinh": AsymmetricPercentileInterval(1, 99.8),
        "zscale": ZScaleInterval(),
        "linear": MinMaxInterval(),
    }
    low, high = intervals[stretch].get_limits(sample.astype(np.float64))
    return float(low), float(high), AsinhStretch(0.1) if stretch == "asinh" else None
