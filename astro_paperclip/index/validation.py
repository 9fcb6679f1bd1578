"""What is checked before the engine is called, which checks none of it."""

import re
import shutil
import uuid
from collections.abc import Mapping, Sequence
from operator import index as whole_number
from pathlib import Path
from typing import Any

import numpy as np

from astro_paperclip.exceptions import DiskSpaceError, IndexMismatchError, InvalidQueryError
from astro_paperclip.index.engine import VECTOR
from astro_paperclip.index.regions import add_cells
from astro_paperclip.index.schema import to_payload
from astro_paperclip.index.words import WORDS

__all__ = [
    "check_room",
    "checked_dimension",
    "checked_id",
    "checked_name",
    "checked_other_vectors",
    "checked_points",
    "checked_vectors",
]

_DISK_MARGIN = 256 * 2**20
"""Room (bytes) for what the engine allots in advance: two logs and a chunk of each storage."""

_LONGEST_NAME = 64
"""Characters of a vector's name, which is part of the names of files."""

_LONGEST_VECTOR = 65536
"""Components of a vector, which a server allows."""


def checked_id(text: str) -> str:
    """Return an id in the form that the engine gives back."""
    try:
        return str(uuid.UUID(text))
    except (ValueError, AttributeError, TypeError):
        raise InvalidQueryError(
            f"{text!r} is no id of a point: make one with astro_paperclip.index.point_id."
        ) from None


def checked_dimension(dimension: Any) -> int:
    """Return the length of a vector."""
    try:
        length = whole_number(dimension)
    except TypeError:
        length = 0
    if not 1 <= length <= _LONGEST_VECTOR:
        raise InvalidQueryError(
            f"The length of a vector is a whole number from 1 to {_LONGEST_VECTOR}, not "
            f"{dimension!r}."
        )
    return length


def checked_name(name: Any) -> str:
    """Return the name of a vector that joins the main one.

    An engine that was told a name that it does not like takes no further changes.
    """
    if not (isinstance(name, str) and re.fullmatch(rf"[A-Za-z0-9_-]{{1,{_LONGEST_NAME}}}", name)):
        raise InvalidQueryError(
            f"{name!r} cannot be the name of a vector: it takes letters, digits, underscores and "
            f"hyphens, {_LONGEST_NAME} at most."
        )
    if name in (VECTOR, WORDS):
        raise InvalidQueryError(f"Every index has a vector {name!r}: choose another name.")
    return name


def checked_vectors(vectors: Any, dimension: int | None) -> np.ndarray:
    """Return vectors as float32, each one a direction of the right dimension.

    The engine would accept NaN, infinity and zero without a word.
    """
    try:
        with np.errstate(over="ignore"):
            vectors = np.asarray(vectors, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidQueryError(f"The vectors are not an array of numbers: {error}.") from error
    if vectors.ndim != 2 or vectors.shape[1] == 0:
        raise InvalidQueryError(f"Vectors have the shape (n, dimension), not {vectors.shape}.")
    if dimension is not None and vectors.shape[1] != dimension:
        raise IndexMismatchError(
            f"These vectors have the length {vectors.shape[1]}, those of the index {dimension}: "
            "use the encoder that the index was made with."
        )
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    (bad,) = np.nonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if len(bad):
        raise InvalidQueryError(
            f"{len(bad)} of {len(vectors)} vectors are zero or not finite, the first in row "
            f"{bad[0]}: they have no direction to compare. Check the pictures of these rows."
        )
    return vectors


def checked_points(
    ids: Sequence[str],
    vectors: Any,
    payloads: Sequence[Mapping[str, Any]],
    dimension: int | None,
) -> tuple[list[str], np.ndarray, list[dict[str, Any]]]:
    """Return ids, vectors and payloads as an engine takes them, one of each for a point."""
    ids = [checked_id(text) for text in ids]
    vectors = checked_vectors(vectors, dimension)
    if not len(ids) == len(vectors) == len(payloads):
        raise InvalidQueryError(
            f"{len(ids)} ids, {len(vectors)} vectors and {len(payloads)} payloads do not "
            "belong together: there must be as many of each."
        )
    payloads = [to_payload(payload) for payload in payloads]
    add_cells(payloads)
    return ids, vectors, payloads


def checked_other_vectors(
    name: str, vectors: Sequence[Any], count: int, dimension: int
) -> list[np.ndarray | None]:
    """Return the vectors of a name of some points, `None` for those that have none."""
    if len(vectors) != count:
        raise InvalidQueryError(
            f"{count} ids and {len(vectors)} vectors {name!r} do not belong together: there must "
            "be as many of each, None for a point that has none."
        )
    given = [row for row, vector in enumerate(vectors) if vector is not None]
    checked = [None] * count
    if given:
        known = checked_vectors([vectors[row] for row in given], dimension)
        for row, vector in zip(given, known, strict=True):
            checked[row] = vector
    return checked


def check_room(
    folder: Path,
    size: int,
    task: str = "Storing these points",
    remedy: str = "index again: it goes on where it stopped",
) -> None:
    """Check for free disk, because the engine dies without an error when it finds none.

    Parameters
    ----------
    folder : `~pathlib.Path`
        A folder on the disk.
    size : int
        What is about to be written (bytes); a margin for the engine's own files is added.
    task, remedy : str, optional
        What needs the room, and what to do when there is some, for messages.

    Raises
    ------
    DiskSpaceError
        If there is too little.
    """
    needed = size + _DISK_MARGIN
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskSpaceError(
            f"{task} in {folder} needs {needed / 2**20:.0f} MiB of disk, and "
            f"{free / 2**20:.0f} MiB are free. Nothing was written; what was stored before is "
            f"safe. Make room, then {remedy}."
        )
