"""Check a picture file, and make it small enough for training."""

import os
from pathlib import Path

from PIL import Image

from astro_paperclip.exceptions import ImageError
from astro_paperclip.images.formats import open_picture
from astro_paperclip.images.read import check_size, read_image
from astro_paperclip.images.wcs_comment import scaled_comment

__all__ = ["JPEG_QUALITY", "shrink_picture"]

JPEG_QUALITY = 90
"""Quality of the JPEGs that are written, on Pillow's scale."""

_SPARE = 2
"""A JPEG is decoded at no less than this times its final size; Lanczos does the rest."""


def shrink_picture(path: str | os.PathLike, max_side: int | None = None) -> tuple[int, int]:
    """Check that a file is a whole picture, and make it a JPEG that is not too large, in place.

    A JPEG that is small enough stays as it is, to the byte. World coordinates in its comment
    are rewritten for the new size, see `~astro_paperclip.images.read_wcs`; Exif and other
    comments are kept.

    Parameters
    ----------
    path : str or path-like
        The file. It is left alone when something is wrong with it.
    max_side : int, optional
        Largest width and height [pixel]. By default there is none.

    Returns
    -------
    width, height : int
        Size of the picture that is there now [pixel].

    Raises
    ------
    ImageError
        If the file is no picture, is cut short, or has too many or too few pixels.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            picture = open_picture(stream)
            check_size(*picture.size)
            size = picture.size
            new_size = _fitted(size, max_side)
            check_size(*new_size)
            if new_size != size:
                picture.draft(None, tuple(_SPARE * side for side in new_size))
            picture.load()
    except ImageError:
        raise
    except MemoryError:
        raise
    except Exception as error:  # a damaged file makes its reader raise almost anything
        raise ImageError(f"the picture is damaged or incomplete: {error}") from error
    if new_size == size and picture.format == "JPEG":
        return size
    comment, exif = picture.info.get("comment", b""), picture.info.get("exif", b"")
    if picture.mode not in ("L", "RGB"):
        picture = read_image(picture)
    if picture.size != new_size:
        picture = picture.resize(new_size, Image.Resampling.LANCZOS)
    if isinstance(comment, bytes) and comment:
        scale = tuple(new / old for new, old in zip(new_size, size, strict=True))
        extra = {"comment": scaled_comment(comment, scale)}
    else:
        extra = {}
    picture.save(path, "JPEG", quality=JPEG_QUALITY, exif=exif, **extra)
    return new_size


def _fitted(size: tuple[int, int], max_side: int | None) -> tuple[int, int]:
    """Return a size of the same shape that is not too large."""
    if max_side is None or max(size) <= max_side:
        return size
    width, height = (max(1, round(side * max_side / max(size))) for side in size)
    return width, height
