"""Read one image, whatever it comes as."""

import os
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from astro_paperclip.config import conf
from astro_paperclip.exceptions import ImageError
from astro_paperclip.images.arrays import picture_from_array
from astro_paperclip.images.footprint import BACKGROUND, paint_outside
from astro_paperclip.images.formats import (
    fits_stream,
    is_fits,
    open_picture,
    values_from_fits,
    values_from_hdus,
)

__all__ = ["MINIMUM_SIDE", "check_size", "read_image"]

MINIMUM_SIDE = 8
"""Pixels; an image with a shorter side shows nothing that could be searched for."""


def read_image(
    source,
    *,
    at_least: int | None = None,
    max_pixels: int | None = None,
    stretch: str = "asinh",
) -> Image.Image:
    """Read an image as eight-bit RGB, its surroundings in one neutral colour.

    Parameters
    ----------
    source : str, `os.PathLike`, bytes, `PIL.Image.Image`, `numpy.ndarray`, \
`~astropy.nddata.NDData`, `~astropy.units.Quantity` or an `astropy.io.fits` HDU or HDU list
        A JPEG, PNG, TIFF, WebP, GIF, BMP or FITS file, its content as bytes, or an image in
        memory. Of an HDU list
        or a FITS file the first HDU with an image is read, of an animation the first
        picture. Arrays have their first row at the top, FITS images at the bottom. EXIF
        orientation is ignored: the sky has no upper side.
    at_least : int, optional
        Length in pixels that the longest side of the result must have, where the image has
        as much. Finer detail may be left out, which saves most of the time for large files.
    max_pixels : int, optional
        Images with more pixels than this are refused before they are decoded. Default:
        ``conf.max_image_pixels``.
    stretch : {"asinh", "zscale", "linear"}, optional
        How values other than eight-bit ones become brightness; see
        ``astro_paperclip.images.arrays.picture_from_array``.

    Returns
    -------
    `PIL.Image.Image`
        Mode RGB. What lies outside of the detector's footprint (white at the border, not
        finite, masked or transparent) has the colour
        ``BACKGROUND``; nothing is cropped away.

    Raises
    ------
    ImageError
        If the image is missing, damaged, too large, too small or empty. The message names
        the file, or the type and shape of what was given.
    """
    try:
        if isinstance(source, (str, os.PathLike)):
            return _read_file(Path(source), at_least, max_pixels, stretch)
        if isinstance(source, bytes):
            return _read_content(source, at_least, max_pixels, stretch)
        return _read_object(source, at_least, max_pixels, stretch)
    except ImageError as error:
        raise ImageError(f"Cannot read image {_describe(source)}: {error}") from error
    except (ImportError, MemoryError):
        raise
    except Exception as error:  # a damaged file makes its reader raise almost anything
        raise ImageError(
            f"Cannot read image {_describe(source)}, it is damaged or incomplete: {error}"
        ) from error


def _read_file(path: Path, at_least, max_pixels, stretch) -> Image.Image:
    if is_fits(path) and path.is_file():
        return _read_fits(path, at_least, max_pixels, stretch)
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise ImageError("there is no such file") from None
    except OSError as error:
        raise ImageError(error.strerror) from None
    with stream:
        return _read_picture(stream, at_least, max_pixels, stretch)


def _read_content(content: bytes, at_least, max_pixels, stretch) -> Image.Image:
    if stream := fits_stream(content):
        return _read_fits(stream, at_least, max_pixels, stretch)
    return _read_picture(BytesIO(content), at_least, max_pixels, stretch)


def _read_fits(file, at_least, max_pixels, stretch) -> Image.Image:
    values = values_from_fits(file, partial(check_size, max_pixels=max_pixels))
    return _finish(picture_from_array(values, stretch=stretch), at_least, stretch)


def _read_picture(stream, at_least, max_pixels, stretch) -> Image.Image:
    picture = open_picture(stream)
    check_size(*picture.size, max_pixels)
    if at_least and picture.format == "JPEG":
        shrink = max(1, max(picture.size) // at_least)
        picture.draft(None, tuple(max(1, side // shrink) for side in picture.size))
    picture.load()
    return _finish(picture, at_least, stretch)


def _read_object(source, at_least, max_pixels, stretch) -> Image.Image:
    if isinstance(source, Image.Image):
        check_size(*source.size, max_pixels)
        return _finish(source, at_least, stretch)
    values = _values(source, partial(check_size, max_pixels=max_pixels))
    if values.ndim >= 2:
        check_size(values.shape[1], values.shape[0], max_pixels)
    return _finish(picture_from_array(values, stretch=stretch), at_least, stretch)


def _values(source, check_size) -> np.ndarray:
    """Return the array behind an array-like object, masked where the object has a mask."""
    if hasattr(source, "unmasked"):  # astropy's Masked
        return np.ma.MaskedArray(_values(source.unmasked, check_size), mask=source.mask)
    if isinstance(source, np.ndarray):
        return getattr(source, "value", source)
    hdus = source if isinstance(source, list) else [source]
    if hdus and all(hasattr(hdu, "is_image") for hdu in hdus):
        return values_from_hdus(hdus, check_size)
    data = getattr(source, "data", None)
    if not isinstance(data, np.ndarray):
        raise ImageError("give a path, a PIL image, an array, NDData, a Quantity or an HDU")
    mask = getattr(source, "mask", None)
    return data if mask is None else np.ma.MaskedArray(data, mask=mask)


def _finish(picture: Image.Image, at_least, stretch) -> Image.Image:
    """Bring any mode to RGB, no finer than needed, with a neutral outside."""
    picture = _plain(picture, stretch)
    if at_least and (shrink := max(picture.size) // at_least) > 1:
        picture = picture.reduce(shrink)
    return paint_outside(picture).convert("RGB")


def _plain(picture: Image.Image, stretch: str) -> Image.Image:
    """Convert any mode of PIL to L or RGB."""
    if picture.mode in ("L", "RGB") and "transparency" not in picture.info:
        return picture
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return picture_from_array(np.asarray(picture), stretch=stretch)
    if picture.has_transparency_data:
        canvas = Image.new("RGBA", picture.size, (*BACKGROUND, 255))
        return Image.alpha_composite(canvas, picture.convert("RGBA")).convert("RGB")
    return picture.convert("L" if picture.mode == "1" else "RGB")


def check_size(width: int, height: int, max_pixels: int | None = None) -> None:
    """Refuse an image with too many or too few pixels, before it is decoded.

    Parameters
    ----------
    width, height : int
        Its size [pixel].
    max_pixels : int, optional
        Default: ``conf.max_image_pixels``.

    Raises
    ------
    ImageError
        If it is too large or too small.
    """
    limit = conf.max_image_pixels if max_pixels is None else max_pixels
    if width * height > limit:
        raise ImageError(
            f"{width} x {height} pixels are more than the limit of {limit:,}; "
            "raise conf.max_image_pixels if you trust its source"
        )
    if min(width, height) < MINIMUM_SIDE:
        raise ImageError(f"{width} x {height} pixels are too few, each side needs {MINIMUM_SIDE}")


def _describe(source) -> str:
    if isinstance(source, (str, os.PathLike)):
        return repr(os.fspath(source))
    if isinstance(source, bytes):
        return f"of {len(source)} bytes"
    shape = getattr(source, "shape", None) or getattr(source, "size", "")
    return f"of type {type(source).__name__} {shape}".rstrip()
