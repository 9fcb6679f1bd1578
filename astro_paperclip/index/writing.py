"""Changing what an engine holds: from the first change to the end of the block."""

from abc import abstractmethod
from contextlib import suppress
from typing import Any, Self

from astro_paperclip.criteria import Filter
from astro_paperclip.exceptions import CollectionError
from astro_paperclip.index.manifest import COMPLETE, INTERRUPTED, WRITING
from astro_paperclip.index.reading import StoreReader

__all__ = ["StoreWriter"]


class StoreWriter(StoreReader):
    """Changes what a subclass opens, and records whether that was finished.

    Attributes that the subclass sets: those of `StoreReader`, and ``_mode``.
    """

    _mode: str
    _has_written: bool = False

    def delete(self, where: Filter) -> int:
        """Remove the points that fit, and return how many they were."""
        self._check_writable()
        count = self.count(where)
        if count:
            self._mark_writing()
            self._engine.delete(self._translated(where))
        return count

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
