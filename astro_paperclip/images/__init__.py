"""Read any picture of the sky as eight-bit RGB with a neutral surrounding."""

from astro_paperclip.images.footprint import BACKGROUND, outside_mask, paint_outside
from astro_paperclip.images.letterbox import letterbox
from astro_paperclip.images.read import read_image

__all__ = ["BACKGROUND", "letterbox", "outside_mask", "paint_outside", "read_image"]
