"""One writer or several readers: who may open an index, on one machine."""

import os
import sqlite3
from pathlib import Path

from astro_paperclip.exceptions import CollectionError, CollectionLockedError

__all__ = ["LOCK_NAME", "IndexLock"]

LOCK_NAME = ".index.lock"
"""Name of the lock file beside the index. It is empty, and may be removed when nothing runs."""

_PATIENCE = 2.0
"""How long to wait for a lock (s): readers that mend an index hold theirs for a moment."""


class IndexLock:
    """A lock on an index, shared by readers or held by one writer.

    It is SQLite's lock on an empty database file, which every platform has: a read
    transaction shares it, an exclusive one does not. The system releases it when a process
    ends, however it ends.

    Parameters
    ----------
    directory : path-like
        The collection's directory.
    shared : bool
        Whether other readers may hold the lock too.
    name : str, optional
        Name of the lock file, where something else in the directory than the index is locked.
    refusal : str, optional
        What to say when another handle holds the lock.

    Raises
    ------
    CollectionLockedError
        If another handle holds the lock.
    """

    def __init__(
        self,
        directory: str | os.PathLike,
        *,
        shared: bool,
        name: str = LOCK_NAME,
        refusal: str | None = None,
    ):
        self._directory = Path(directory)
        path = self._directory / name
        self._connection = None
        try:
            self._connection = sqlite3.connect(
                path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
            )
            # A journal in a file would be left behind by a process that is killed.
            self._connection.execute("PRAGMA journal_mode = MEMORY")
            if shared:
                self._connection.execute("BEGIN")
                self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            else:
                self._connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            self.release()
            if getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
                raise CollectionLockedError(refusal or self._refusal(shared)) from None
            raise CollectionError(
                f"{path} cannot be locked: {error}. The index needs a directory that can be "
                "written to, even for a search."
            ) from error

    def release(self) -> None:
        """Give the lock back; doing so again does nothing."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _refusal(self, shared: bool) -> str:
        if shared:
            return (
                f"The collection {self._directory} is being changed by another process. Wait "
                "until it has finished, then search again."
            )
        return (
            f"The collection {self._directory} is open elsewhere, for searching or for indexing. "
            "Close it there (in a notebook, PaperclipMast.close() does), then index again."
        )
