"""What is asked, checked before any work is done, and written down as plain values."""

import hashlib
import numbers
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from astro_paperclip.archive.obsids import read_obsids
from astro_paperclip.calibration import checked_threshold
from astro_paperclip.config import conf
from astro_paperclip.core.telling import checked_verbose
from astro_paperclip.exceptions import ImageError, InvalidQueryError
from astro_paperclip.images import read_image

__all__ = [
    "checked_options",
    "checked_text",
    "identified_image",
    "obsids_of",
    "plain_criteria",
    "text_request",
]


def checked_options(
    limit: Any,
    offset: Any,
    score_threshold: Any,
    max_per_proposal: Any,
    select_cols: Any,
    verbose: Any,
) -> dict[str, Any]:
    """Check the options that all queries share, and put defaults in their place.

    Returns
    -------
    dict
        JSON-like values by their names, without what changes no result.

    Raises
    ------
    InvalidQueryError
        If one of them makes no sense.
    """
    checked_verbose(verbose)
    limit = conf.row_limit if limit is None else limit
    if not _is_whole(limit) or limit < 1:
        raise InvalidQueryError(f"limit must be a positive whole number, not {limit!r}.")
    if not _is_whole(offset) or offset < 0:
        raise InvalidQueryError(f"offset must be a whole number from 0, not {offset!r}.")
    score_threshold = checked_threshold(score_threshold)
    if max_per_proposal is not None and not (_is_whole(max_per_proposal) and max_per_proposal >= 1):
        raise InvalidQueryError(
            f"max_per_proposal must be a positive whole number, not {max_per_proposal!r}."
        )
    return {
        "limit": int(limit),
        "offset": int(offset),
        "score_threshold": score_threshold,
        "max_per_proposal": None if max_per_proposal is None else int(max_per_proposal),
        "select_cols": _column_names(select_cols),
    }


def checked_text(text: Any) -> str:
    """Return a text without the space around it, or raise if it says nothing."""
    if not isinstance(text, str) or not text.strip():
        raise InvalidQueryError(f"text must say what to look for, not {text!r}.")
    return text.strip()


def text_request(text: str) -> dict[str, str]:
    """Return a text, and the key that its vector is remembered by."""
    return {"text": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}


def identified_image(image: Any) -> tuple[Any, dict[str, str | None]]:
    """Return an image as an encoder takes it, and its file name, if it has one, and SHA-256.

    The hash is that of the file, or that of the pixels of an image in memory.

    Raises
    ------
    ImageError
        If it cannot be read.
    """
    if isinstance(image, str | os.PathLike):
        path = Path(image).expanduser()
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            reason = "there is no such file" if not path.exists() else error.strerror
            raise ImageError(f"Cannot read image {str(path)!r}: {reason}.") from error
        return path, {"image": str(path), "sha256": digest}
    picture = read_image(image)
    digest = hashlib.sha256(f"{picture.size}".encode() + picture.tobytes()).hexdigest()
    return picture, {"image": None, "sha256": digest}


def obsids_of(observations: Any) -> list[str]:
    """Return the obsids of observations to compare with, each once.

    Raises
    ------
    InvalidQueryError
        If something is no obsid, or there is none.
    """
    obsids = read_obsids(observations)["obsid"].tolist()
    if not obsids:
        raise InvalidQueryError("No observation was given to compare with, or none has an obsid.")
    return obsids


def plain_criteria(criteria: Mapping[str, Any]) -> dict[str, Any]:
    """Return criteria as values that provenance can hold: what is no JSON as its text."""
    return {name: _plain(value) for name, value in criteria.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic) and not hasattr(value, "unit"):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return str(value)


def _column_names(select_cols: Any) -> list[str] | None:
    if select_cols is None:
        return None
    names = [select_cols] if isinstance(select_cols, str) else select_cols
    try:
        names = list(names)
    except TypeError:
        names = [None]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise InvalidQueryError(f"select_cols must be names of columns, not {select_cols!r}.")
    return names


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool | np.bool_)
