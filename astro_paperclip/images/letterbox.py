"""Fit a whole picture into a square."""

from PIL import Image

from astro_paperclip.images.footprint import BACKGROUND

__all__ = ["letterbox", "letterbox_place"]


def letterbox(image: Image.Image, size: int) -> Image.Image:
    """Resize a picture to fit a square and pad it; nothing is cropped away.

    Parameters
    ----------
    image : `PIL.Image.Image`
        Any size; converted to RGB where it is not.
    size : int
        Side of the square in pixels. The longest side of the picture becomes this long,
        whether it was longer or shorter before.

    Returns
    -------
    `PIL.Image.Image`
        Mode RGB, ``size`` x ``size``; the picture in the middle, `BACKGROUND` around it.
    """
    if image.mode != "RGB":
        image = image.convert("RGB")
    left, top, *fitted = letterbox_place(image.size, size)
    fitted = tuple(fitted)
    if fitted != image.size:
        image = image.resize(fitted, Image.Resampling.BICUBIC)
    if fitted == (size, size):
        return image
    square = Image.new("RGB", (size, size), BACKGROUND)
    square.paste(image, (left, top))
    return square


def letterbox_place(picture: tuple[int, int], size: int) -> tuple[int, int, int, int]:
    """Return which part of the square a picture covers.

    Parameters
    ----------
    picture : tuple of int
        Its width and height in pixels.
    size : int
        Side of the square in pixels.

    Returns
    -------
    left, top, width, height : int
        In pixels of the square.
    """
    scale = size / max(picture)
    width, height = (max(1, round(side * scale)) for side in picture)
    return (size - width) // 2, (size - height) // 2, width, height
