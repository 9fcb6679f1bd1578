"""Changing what an engine holds: from the first change to the end of the block."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self

import numpy as np

from astro_paperclip.criteria import Filter
from astro_paperclip.exceptions import CollectionError, IndexMismatchError, InvalidQueryError
from astro_paperclip.index.engine import VECTOR
from astro_paperclip.index.manifest import COMPLETE, INTERRUPTED, WRITING
from astro_paperclip.index.profiles import Profile
from astro_paperclip.index.reading import StoreReader
from astro_paperclip.index.schema import SCHEMA_VERSION
from astro_paperclip.index.validation import (
    checked_dimension,
    checked_id,
    checked_name,
    checked_other_vectors,
    checked_vectors,
)

__all__ = ["StoreWriter"]

_DEFAULT_PROFILE = "laptop"


class StoreWriter(StoreReader):
    """Changes what a subclass opens, and records whether that was finished.

    Attributes that the subclass sets: those of `StoreReader`, ``_mode``, and ``_profile``, the one
    that an index is to be made with, if it was given.
    """

    _mode: str
    _profile: Profile | None
    _has_written: bool = False

    def add_vector(self, name: str, dimension: int, encoder: str | None = None) -> None:
        """Make room for another vector of each point, beside the main one.

        Parameters
        ----------
        name : str
            What it is called in `put_vectors` and `search`: letters, digits, underscores and
            hyphens.
        dimension : int
            Its length.
        encoder : str, optional
            Fingerprint of the encoder that makes it.

        Raises
        ------
        CollectionError
            If there is no index yet.
        CollectionServerError
            If the server is too old: it takes Qdrant 1.18.
        IndexMismatchError
            If there is a vector of that name, of another length or encoder.
        InvalidQueryError
            If that can be no name, or no length.

        Notes
        -----
        Doing so again does nothing. No point has the vector until `put_vectors` stores it.
        """
        self._check_writable()
        name, dimension = checked_name(name), checked_dimension(dimension)
        if self._engine is None:
            raise CollectionError(
                f"There is no index of {self._location} yet which a vector could join: store "
                "points first, or open it with the dimension of its main vectors."
            )
        joined = self._joined()
        self._manifest = replace(self._manifest, vectors=joined)
        known = joined.get(name)
        if known is None:
            self._join(name, {"dimension": dimension, "encoder": encoder, "count": 0})
        elif (known["dimension"], known["encoder"]) != (dimension, encoder):
            raise IndexMismatchError(
                f"The index of {self._location} has a vector {name!r} of length "
                f"{known['dimension']} and encoder {known['encoder']}, not of length {dimension} "
                f"and encoder {encoder}: choose another name."
            )

    def put_vectors(self, name: str, ids: Sequence[str], vectors: np.ndarray) -> None:
        """Store vectors of points that are there, and leave all else of the points as it is.

        Parameters
        ----------
        name : str
            Name of the vector, for which `add_vector` made room, or of the main one.
        ids : sequence of str
            UUIDs of the points. Those that lack the vector are told by `missing`.
        vectors : array_like
            Shape ``(n, dimension)``; finite, and none of length zero.

        Raises
        ------
        DiskSpaceError
            If the disk is too full; nothing was written then.
        IndexMismatchError
            If the vectors have another length.
        InvalidQueryError
            If there is no such vector, one of the points is not there, ids and vectors do not
            belong together, or a vector is no direction; nothing was written then.
        """
        self._check_writable()
        name, dimension = self._vector_named(name)
        ids = [checked_id(text) for text in ids]
        vectors = checked_vectors(vectors, dimension)
        if len(ids) != len(vectors):
            raise InvalidQueryError(
                f"{len(ids)} ids and {len(vectors)} vectors do not belong together: there must be "
                "as many of each."
            )
        if absent := self.missing(ids):
            raise InvalidQueryError(
                f"{len(absent)} of {len(ids)} points are not in the index of {self._location}, "
                f"the first is {absent[0]}: store them with upsert first."
            )
        if ids:
            self._put(name, ids, vectors)

    def _vectors_by_name(
        self, vectors: np.ndarray, others: Mapping[str, Sequence[Any]] | None
    ) -> dict[str, Sequence[np.ndarray | None]]:
        """Return the main vectors of points and checked others, by name."""
        named = {VECTOR: vectors}
        for name, given in (others or {}).items():
            name, dimension = self._vector_named(checked_name(name))
            named[name] = checked_other_vectors(name, given, len(vectors), dimension)
        return named

    def delete(self, where: Filter) -> int:
        """Remove the points that fit, and return how many they were."""
        self._check_writable()
        count = self.count(where)
        if count:
            self._mark_writing()
            self._engine.delete(self._translated(where))
        return count

    def mark_upgraded(self) -> None:
        """Say that all rows have been stored again, in the present form."""
        self._check_writable()
        self._mark_writing()
        self._engine.remove_former_indexes()
        self._manifest = replace(self._manifest, schema_version=SCHEMA_VERSION)

    def flush(self) -> None:
        """Make everything durable, and mark the index as complete."""
        self._check_writable()
        if self._engine is not None:
            self._finish(COMPLETE)

    def close(self) -> None:
        """Flush what was written and release the index; closing again does nothing."""
        if not self._is_open:
            return
        try:
            if self._has_written:
                self.flush()
                self._settle()
        finally:
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: object, trace: object) -> None:
        if kind is not None and self._is_open:
            if self._has_written:
                # The error that ended the block is the one to report.
                with suppress(CollectionError):
                    self._finish(INTERRUPTED)
                    self._settle()
            self._release()
        self.close()

    @property
    def _profile_to_make(self) -> Profile:
        """The profile of an index that is made now."""
        return self._profile or Profile.named(_DEFAULT_PROFILE)

    @property
    def _made_with(self) -> Profile:
        """The profile of the index that is there."""
        recorded = self._manifest.profile
        return Profile.from_content(recorded) if recorded else Profile.named(_DEFAULT_PROFILE)

    def _mark_writing(self) -> None:
        self._has_written = True
        if self._manifest.state != WRITING:
            self._record(state=WRITING)

    def _check_writable(self) -> None:
        self._check_open()
        if self._mode != "w":
            raise CollectionError(
                f"The index of {self._location} was opened for reading: open it with mode='w'."
            )

    def _joined(self) -> dict[str, dict[str, Any]]:
        """Return what is recorded at this moment of vectors that joined the main one."""
        return self._manifest.vectors

    @abstractmethod
    def _join(self, name: str, facts: dict[str, Any]) -> None:
        """Let a vector join, and record it."""

    @abstractmethod
    def _put(self, name: str, ids: list[str], vectors: np.ndarray) -> None:
        """Store vectors of points that are there."""

    @abstractmethod
    def _record(self, **changes: Any) -> None:
        """Change the manifest, here and where it is stored."""

    @abstractmethod
    def _finish(self, state: str) -> None:
        """Make everything durable, and record its state."""

    @abstractmethod
    def _release(self) -> None:
        """Let go of everything; the store is closed then."""

    def _settle(self) -> None:
        """Do what is left to do after the last change; by default nothing."""
