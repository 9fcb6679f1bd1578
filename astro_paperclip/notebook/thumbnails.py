"""Small pictures that a page holds in itself."""

import base64
import io
import stat
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image

from astro_paperclip.exceptions import ImageError
from astro_paperclip.images import read_image

__all__ = ["Album", "Thumbnail"]

_JPEG_QUALITY = 80
_KEPT = 512
"""Number of thumbnails that are kept, so that a table shown again is shown at once."""


@dataclass(frozen=True)
class Thumbnail:
    """A picture for an ``img`` element.

    Parameters
    ----------
    source : str
        A ``data:`` address, or one on the web.
    width, height : int or None
        Size to show it in [pixel]; `None` where it is not known.
    """

    source: str
    width: int | None = None
    height: int | None = None


class Album:
    """Thumbnails of files, up to a number of them and of bytes.

    Parameters
    ----------
    side : int
        Longest side of a thumbnail [pixel]. Smaller pictures stay as they are.
    most : int
        Largest number of thumbnails.
    most_bytes : int
        Largest size of all their addresses together [byte].

    Attributes
    ----------
    number, size : int
        Thumbnails given so far, and the size of their addresses [byte].
    refused : int
        Files that were left out because of the limits.
    """

    def __init__(self, *, side: int, most: int, most_bytes: int):
        self._side = side
        self._most = most
        self._most_bytes = most_bytes
        self.number = 0
        self.size = 0
        self.refused = 0

    def thumbnail(self, path: str) -> Thumbnail | None:
        """Return a picture, small; `None` if it cannot be read, or the album is full.

        After the first that is refused, all are.

        Parameters
        ----------
        path : str
            An image file.

        Returns
        -------
        thumbnail : Thumbnail or None
        """
        try:
            facts = Path(path).stat()
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(facts.st_mode):
            return None
        is_full = self.number >= self._most or self.refused
        made = None if is_full else _thumbnail(path, facts.st_mtime_ns, facts.st_size, self._side)
        if is_full or (made is not None and self.size + len(made.source) > self._most_bytes):
            self.refused += 1
            return None
        if made is None:
            return None
        self.number += 1
        self.size += len(made.source)
        return made


@lru_cache(maxsize=_KEPT)
def _thumbnail(path: str, changed: int, size: int, side: int) -> Thumbnail | None:
    """Make a thumbnail; a file that changes or grows is another one."""
    del changed, size
    try:
        picture = read_image(path, at_least=side)
    except ImageError:
        return None
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    encoded = base64.b64encode(stream.getvalue()).decode("ascii")
    return Thumbnail(f"data:image/jpeg;base64,{encoded}", *picture.size)
