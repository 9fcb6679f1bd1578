"""Find out whether an index is whole, and what to do where it is not."""

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from astro_paperclip.collection import OWN_ENCODER, Collection
from astro_paperclip.exceptions import (
    CollectionError,
    CollectionInterruptedWarning,
    CollectionLockedError,
)
from astro_paperclip.index.address import is_address
from astro_paperclip.index.manifest import COMPLETE, how_to_index
from astro_paperclip.index.opening import open_store
from astro_paperclip.index.store import Record, Store, in_pages

__all__ = ["IndexCheck", "check_index"]

_POINTS_PER_PAGE = 1024
_SEARCHED_PER_PAGE = 2
_LENGTH_TOLERANCE = 2**-10
"""How far [1] the length of a stored vector may be from one; float16 changes it by 2**-11."""


@dataclass(frozen=True)
class IndexCheck:
    """What was found.

    Parameters
    ----------
    location : str
        The collection.
    n_points : int
        Points that were looked at.
    faults : tuple of str
        What is wrong, each with what to do about it.
    notes : tuple of str
        What could not be looked at.
    """

    location: str
    n_points: int
    faults: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """Return what was found, a line each."""
        verdict = f"{len(self.faults)} faults" if self.faults else "whole"
        lines = [f"{self.location}: {verdict}; {self.n_points} points were looked at."]
        return "\n".join(lines + [f"  {text}" for text in (*self.faults, *self.notes)])


def check_index(location: str | os.PathLike, *, progress: bool = True) -> IndexCheck:
    """Look at everything that an index holds.

    Every row is read, every vector must be a direction, and a share of them must be found by a
    search. An index in a directory is opened for writing as well, to see that it can be; nothing
    is written.

    Parameters
    ----------
    location : str or path-like
        The collection's directory, or its address on a server.
    progress : bool, optional
        Whether to show a progress bar.

    Returns
    -------
    IndexCheck
    """
    place = str(location)
    faults, notes = list(_faults_of_record(location)), []
    n_points = 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CollectionInterruptedWarning)
            store = open_store(location)
        with store:
            if store.info()["state"] != COMPLETE:
                faults.append(_not_finished(location))
            n_points = store.count()
            for name, facts in store.info()["vectors"].items():
                faults += _faults_of_vectors(store, name, facts["count"], n_points, progress)
        if not is_address(location):
            open_store(location, mode="w").close()
    except CollectionLockedError as error:
        notes.append(f"It could not be looked at as a whole: {error}")
    except CollectionError as error:
        faults.append(str(error))
    return IndexCheck(place, n_points, tuple(dict.fromkeys(faults)), tuple(notes))


def _faults_of_record(location: str | os.PathLike) -> Iterator[str]:
    """Yield what is wrong with ``collection.toml`` and what it names."""
    if is_address(location):
        return
    try:
        home = Collection.open(Path(location))
    except CollectionError as error:
        yield str(error)
        return
    if home.encoder_name == OWN_ENCODER and not home.encoder_path.is_dir():
        yield (
            f"{home.encoder_path} is missing, the encoder that made the vectors: put it back from "
            "where it was trained, or give its folder as encoder= in queries."
        )


def _not_finished(location: str | os.PathLike) -> str:
    remedy = (
        f"copy the collection there again: astro-paperclip index copy DIRECTORY {location}"
        if is_address(location)
        else f"index again: {how_to_index(location)}"
    )
    return f"Writing was not finished, or goes on at this moment. If nobody writes, {remedy}"


def _faults_of_vectors(
    store: Store, name: str, n_vectors: int, total: int, progress: bool
) -> list[str]:
    """Return what is wrong with the points and their vectors of a name, which some may lack."""
    without, crooked, unfound, seen = [], [], [], 0
    with tqdm(total=total, unit="points", desc=name, disable=not progress) as bar:
        for page in in_pages(store.scroll(with_vectors=name), _POINTS_PER_PAGE):
            without += [record.id for record in page if record.vector is None]
            whole = [record for record in page if record.vector is not None]
            crooked += [record.id for record in whole if not _is_direction(record.vector)]
            searched = [record for record in whole[:_SEARCHED_PER_PAGE] if record.id not in crooked]
            unfound += [record.id for record in searched if not _is_found(store, name, record)]
            seen += len(page)
            bar.update(len(page))
    faults = [
        (without if seen - len(without) < n_vectors else [], f"have no vector {name!r}"),
        (crooked, f"have a vector {name!r} that is no direction"),
        (unfound, f"are not found by their own vector {name!r}"),
    ]
    described = [
        f"{len(ids)} points {what}, the first is {ids[0]}: remove the index and make it again."
        for ids, what in faults
        if ids
    ]
    if seen != total:
        described.append(
            f"{seen} of {total} points could be read: remove the index and make it again."
        )
    return described


def _is_direction(vector: np.ndarray) -> bool:
    length = np.linalg.norm(vector.astype(float))
    return bool(abs(length - 1) <= _LENGTH_TOLERANCE)


def _is_found(store: Store, name: str, record: Record) -> bool:
    (best,) = store.search(record.vector, limit=1, exact=True, using=name) or [None]
    # Another point with the same vector may stand in its place.
    return best is not None and abs(best.score - 1) <= _LENGTH_TOLERANCE
