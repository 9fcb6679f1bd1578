"""Open image files: the common picture formats, and FITS."""

import bz2
import gzip
import warnings
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from astro_paperclip.exceptions import ImageError

__all__ = ["fits_stream", "is_fits", "open_picture", "values_from_fits", "values_from_hdus"]

# The readers are called by their classes because `PIL.Image.open` compares every file with
# a limit of its own, and says so by a warning that only a process-wide filter can silence.
# The list also keeps out formats that start other programs, such as PostScript.
_READERS = (
    (b"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    (b"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    (b"II*\x00", TiffImagePlugin.TiffImageFile),
    (b"MM\x00*", TiffImagePlugin.TiffImageFile),
    (b"RIFF", WebPImagePlugin.WebPImageFile),
    (b"GIF8", GifImagePlugin.GifImageFile),
    (b"BM", BmpImagePlugin.BmpImageFile),
)
_FITS_STARTS = {b"SIMPLE": BytesIO, b"\x1f\x8b": gzip.open, b"BZh": bz2.open}
"""How the content of a file of FITS is opened, by its first bytes, compressed or not."""

_FITS_SUFFIXES = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fits.fz", ".fits.bz2")


def is_fits(path: Path) -> bool:
    """Tell by its name whether a file is a FITS file."""
    return path.name.lower().endswith(_FITS_SUFFIXES)


def fits_stream(content: bytes) -> BinaryIO | None:
    """Open the content of a FITS file, compressed or not; `None` if it is none."""
    for start, open_content in _FITS_STARTS.items():
        if content.startswith(start):
            # The openers of compressed files take a file object for a name.
            return open_content(content if open_content is BytesIO else BytesIO(content))
    return None


def open_picture(stream) -> Image.Image:
    """Read the header of a picture; its pixels follow when they are needed.

    Parameters
    ----------
    stream : file object
        A JPEG, PNG, TIFF, WebP, GIF or BMP file, opened for reading bytes.

    Returns
    -------
    `PIL.Image.Image`
        With its size and mode known and its pixels still in the file.

    Raises
    ------
    ImageError
        If the format is none of these.
    """
    start = stream.read(8)
    stream.seek(0)
    for magic, reader in _READERS:
        if start.startswith(magic):
            return reader(stream)
    if not start:
        raise ImageError("the file is empty")
    raise ImageError("it is not a JPEG, PNG, TIFF, WebP, GIF, BMP or FITS image")


def values_from_fits(file: Path | BinaryIO, check_size) -> np.ndarray:
    """Read the first image of a FITS file.

    Parameters
    ----------
    file : `pathlib.Path` or file object
        The file.
    check_size : callable
        Called with the width and height from the header, before data are read; raises
        where that is too much.

    Returns
    -------
    `numpy.ndarray`
        Shape (height, width) or (height, width, 3), the first row at the top.
    """
    from astropy.io import fits

    with warnings.catch_warnings():
        # what is worth a warning in a header does not matter to a picture; what is worth
        # more, such as a truncated file, is an error as soon as data are read
        warnings.simplefilter("ignore")
        with fits.open(file, memmap=False) as hdus:
            return values_from_hdus(hdus, check_size)


def values_from_hdus(hdus: list, check_size) -> np.ndarray:
    """Read the first image of a list of HDUs; otherwise as `values_from_fits`."""
    shapes = []
    for hdu in hdus:
        shape = tuple(hdu.shape) if hdu.is_image else ()
        shapes.append(shape)
        planes = [length for length in shape[:-2] if length != 1]
        if len(shape) < 2 or planes not in ([], [3]):
            continue
        check_size(shape[-1], shape[-2])
        values = hdu.data.reshape(*planes, *shape[-2:])[..., ::-1, :]
        return np.moveaxis(values, 0, -1) if planes else values
    raise ImageError(
        f"no HDU holds a two-dimensional image or three colour planes (shapes: {shapes})"
    )
