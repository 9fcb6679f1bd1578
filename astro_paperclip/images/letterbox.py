"""Fit a whole picture into a square."""

from PIL import Image

from astro_paperclip.images.footprint import BACKGROUND

__all__ = ["letterbox"]


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
    scale = size / max(image.size)
    fitted = tuple(max(1, round(side * scale)) for side in image.size)
    if fitted != image.size:
        image = image.resize(fitted, Image.Resampling.BICUBIC)
    if fitted == (size, size):
        return image
    square = Image.new("RGB", (size, size), BACKGROUND)
    square.paste(image, ((size - fitted[0]) // 2, (size - fitted[1]) // 2))
    return square
