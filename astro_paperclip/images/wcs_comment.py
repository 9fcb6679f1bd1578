"""World coordinates that a JPEG carries as FITS cards in its comment, as Hubble's previews do."""

import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from astro_paperclip.images.formats import open_picture

if TYPE_CHECKING:
    from astropy.wcs import WCS

__all__ = ["read_wcs", "scaled_comment"]

_CARD = re.compile(
    rb"^(CRPIX|CDELT|CD|PC)([12])(?:_([12]))?( *= *)"
    rb"([-+]?(?:\d+\.?\d*|\.\d+)(?:[EeDd][-+]?\d+)?)",
    re.MULTILINE,
)


def read_wcs(path: str | os.PathLike) -> "WCS | None":
    """Read the world coordinates in the comment of a JPEG.

    Parameters
    ----------
    path : str or path-like
        A JPEG whose comment holds FITS cards, one a line.

    Returns
    -------
    wcs : `~astropy.wcs.WCS` or None
        Celestial coordinates of two axes, with ``pixel_shape`` set; `None` where the comment
        has none. Its pixels count as in FITS: the first is the lower left one of the
        picture.

    Raises
    ------
    ImageError
        If the file is no picture.
    """
    with Path(path).open("rb") as stream:
        picture = open_picture(stream)
        comment, size = picture.info.get("comment", b""), picture.size
    if b"CTYPE1" not in comment:
        return None
    from astropy.io import fits
    from astropy.wcs import WCS

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            cards = fits.Header.fromstring(comment.decode("ascii", "replace"), sep="\n").cards
            # Written anew, since wcslib misreads numbers that are not in FITS's own form, such
            # as the exponents with a small "e" of MAST's previews.
            wcs = WCS(fits.Header([(card.keyword, card.value) for card in cards]), naxis=2)
        except (ValueError, fits.VerifyError):
            return None
    if not wcs.has_celestial:
        return None
    wcs.pixel_shape = size
    return wcs


def scaled_comment(comment: bytes, scale: tuple[float, float]) -> bytes:
    """Rewrite world coordinates for a picture of another size.

    Parameters
    ----------
    comment : bytes
        FITS cards, one a line. Lines that have nothing to do with pixels stay as they are.
    scale : tuple of float
        New width and height over the old ones.

    Returns
    -------
    comment : bytes

    Notes
    -----
    The edges of a picture keep their place on the sky: pixel coordinates, which FITS counts
    from 0.5 at the edge of the first pixel, are stretched about that edge [1]_.

    References
    ----------
    .. [1] Greisen & Calabretta 2002, A&A 395, 1061, sections 2.1.4 and 2.1.2
    """

    def rewrite(card: re.Match) -> bytes:
        name, first, second, equals, number = card.groups()
        value = float(number.upper().replace(b"D", b"E"))
        world, pixel = (scale[int(axis) - 1] for axis in (first, second or first))
        value = {
            b"CRPIX": (value - 0.5) * pixel + 0.5,
            b"CDELT": value / pixel,
            b"CD": value / pixel,
            b"PC": value * world / pixel,
        }[name]
        suffix = b"_" + second if second else b""
        return name + first + suffix + equals + repr(value).upper().encode()

    return _CARD.sub(rewrite, comment)
