"""What one term of an expression asks for, read and checked when it is made."""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from astro_paperclip.archive.obsids import read_obsids
from astro_paperclip.exceptions import ImageError, InvalidQueryError
from astro_paperclip.images import read_image

__all__ = ["Content", "Observations", "Picture", "Words"]

_SMALLEST_PREVIEW = 64
"""Pixels; a file is decoded no finer than this to see that it can be."""


@dataclass(frozen=True)
class Words:
    """A text that says what observations should show.

    Attributes
    ----------
    text : str
        Without white space around it.
    """

    text: str

    @classmethod
    def read(cls, text: Any) -> "Words":
        """Check a text.

        Raises
        ------
        InvalidQueryError
            If it is none, or says nothing.
        """
        if not isinstance(text, str) or not text.strip():
            raise InvalidQueryError(f"text must say what to look for, not {text!r}.")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidQueryError(f"text {text!r} is no valid Unicode: {error.reason}.") from None
        return cls(text.strip())

    @property
    def sha256(self) -> str:
        """Hash of the text in UTF-8, in hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def record(self) -> dict[str, Any]:
        """Return what provenance keeps: JSON-like values."""
        return {"text": self.text, "sha256": self.sha256}

    def __str__(self) -> str:
        """Return the text in quotes, as the text form of an expression has it."""
        text = self.text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{text}"'


@dataclass(frozen=True)
class Picture:
    """A picture that observations should look like. Two are the same if their hashes are.

    Attributes
    ----------
    sha256 : str
        Hash of the file, or of the pixels of an image in memory, in hexadecimal digits.
    path : str or None
        Where the file was.
    source : bytes or `PIL.Image.Image`
        The content of the file, which may change afterwards; or the image, in RGB.
    """

    sha256: str
    path: str | None = field(compare=False)
    source: bytes | Image.Image = field(compare=False, repr=False)

    @classmethod
    def read(cls, image: Any) -> "Picture":
        """Read a picture.

        Parameters
        ----------
        image : object
            Anything that `astro_paperclip.images.read_image` takes.

        Raises
        ------
        ImageError
            If it cannot be read.
        """
        if isinstance(image, str | os.PathLike):
            path = Path(image).expanduser()
            read_image(path, at_least=_SMALLEST_PREVIEW)
            try:
                content = path.read_bytes()
            except OSError as error:
                raise ImageError(f"Cannot read image {str(path)!r}: {error.strerror}.") from error
            return cls(hashlib.sha256(content).hexdigest(), str(path), content)
        if isinstance(image, bytes):
            read_image(image, at_least=_SMALLEST_PREVIEW)
            return cls(hashlib.sha256(image).hexdigest(), None, image)
        picture = read_image(image)
        digest = hashlib.sha256(f"{picture.size}".encode() + picture.tobytes())
        return cls(digest.hexdigest(), None, picture)

    def record(self) -> dict[str, Any]:
        """Return what provenance keeps: JSON-like values."""
        return {"image": self.path, "sha256": self.sha256}

    def __str__(self) -> str:
        return f"[image {self.path or self.sha256[:12]}]"


@dataclass(frozen=True)
class Observations:
    """Observations of the collection that others should look like.

    Attributes
    ----------
    obsids : tuple of str
        MAST's keys of the observations, each once.
    """

    obsids: tuple[str, ...]

    @classmethod
    def read(cls, observations: Any) -> "Observations":
        """Read which observations are meant.

        Parameters
        ----------
        observations : `~astropy.table.Table`, `~astropy.table.Row`, iterable, str or int
            Results of a query, some of their rows, or obsids.

        Raises
        ------
        InvalidQueryError
            If something is no obsid, or there is none.
        """
        obsids = read_obsids(observations)["obsid"].tolist()
        if not obsids:
            raise InvalidQueryError(
                "No observation was given to compare with, or none has an obsid."
            )
        return cls(tuple(obsids))

    def record(self) -> dict[str, Any]:
        """Return what provenance keeps: JSON-like values."""
        return {"similar_to": list(self.obsids)}

    def __str__(self) -> str:
        return f"[similar to {', '.join(self.obsids)}]"


Content = Words | Picture | Observations
"""What a term can ask for."""
