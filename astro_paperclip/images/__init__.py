"""Read any picture of the sky as eight-bit RGB with a neutral surrounding."""

from astro_paperclip.images.footprint import BACKGROUND, outside_mask, paint_outside
from astro_paperclip.images.letterbox import letterbox, letterbox_place
from astro_paperclip.images.read import read_image
from astro_paperclip.images.shrink import shrink_picture
from astro_paperclip.images.wcs_comment import read_wcs, scaled_comment

__all__ = [
    "BACKGROUND",
    "letterbox",
    "letterbox_place",
    "outside_mask",
    "paint_outside",
    "read_image",
    "read_wcs",
    "scaled_comment",
    "shrink_picture",
]
