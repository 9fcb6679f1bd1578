"""Fetch many files at once."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from tqdm import tqdm

from astro_paperclip.archive.fetching import Fetcher, StoppedError, Transfer, Transferred
from astro_paperclip.archive.mast import Mast
from astro_paperclip.archive.replies import new_session
from astro_paperclip.config import conf
from astro_paperclip.exceptions import InvalidQueryError

__all__ = ["Transfer", "Transferred", "fetch_files"]

_GRACE = 1.0
"""Time [s] that threads have to tidy up after an interruption."""

_PATIENCE = 0.2
"""Longest time [s] to wait in one go: a signal that comes just before a wait is seen after it."""


def fetch_files(
    transfers: Iterable[Transfer],
    *,
    mast: Mast,
    max_conn: int | None = None,
    max_bytes: int | None = None,
    finish: Callable[[Path], Any] | None = None,
    record: Callable[[Transferred], None] | None = None,
    progress: bool = True,
    describe: str = "fetching",
) -> Iterator[Transferred]:
    """Fetch many files at once.

    A file takes its name when it is whole, so that an interruption at any moment leaves none
    that could be taken for more than it is. When the server asks for a pause, all transfers
    pause.

    Parameters
    ----------
    transfers : iterable of Transfer
        What to fetch; asked for the next one only when there is a place for it. Their paths
        must differ.
    mast : Mast
        How patiently it is tried, and where traffic is counted.
    max_conn : int, optional
        Number of files that are fetched at once. By default the configuration item
        ``max_conn``.
    max_bytes : int, optional
        Larger files are refused. By default the configuration item ``max_file_size``.
    finish : callable, optional
        Called in a thread with the temporary path of each file that arrived. It may change
        the file, and raises `~astro_paperclip.exceptions.ImageError` where it is no picture.
    record : callable, optional
        Called in a thread with the result, just before a file takes its name.
    progress : bool
        Whether to show a progress bar.
    describe : str
        What to call it there.

    Yields
    ------
    transferred : Transferred
        What became of each, in the order in which they finished.

    Raises
    ------
    InvalidQueryError
        If ``max_conn`` makes no sense.
    DiskSpaceError
        If the disk is full.
    """
    n_connections = conf.max_conn if max_conn is None else max_conn
    if n_connections < 1:
        raise InvalidQueryError(f"max_conn={max_conn!r} must be at least 1.")
    fetcher = Fetcher(
        mast,
        # A session keeps as many connections open as were asked for when it was made.
        mast.session if n_connections <= conf.max_conn else new_session(n_connections),
        conf.max_file_size if max_bytes is None else max_bytes,
        finish,
        record,
    )
    total = len(transfers) if isinstance(transfers, Sized) else None
    options = {"total": total, "desc": describe, "unit": "file", "disable": not progress}
    return _fetched(fetcher, transfers, n_connections, options)


def _fetched(
    fetcher: Fetcher, transfers: Iterable[Transfer], n_connections: int, options: dict[str, Any]
) -> Iterator[Transferred]:
    """Hand transfers to threads and yield what becomes of them."""
    todo, done = SimpleQueue(), SimpleQueue()
    threads, folders, n_waiting = [], set(), 0
    with tqdm(**options) as bar:
        try:
            for transfer in transfers:
                if n_waiting == 2 * n_connections:
                    yield _next_result(done, bar)
                    n_waiting -= 1
                if transfer.path.parent not in folders:
                    folders.add(transfer.path.parent)
                    fetcher.prepare(transfer.path.parent)
                if len(threads) < n_connections:
                    # Nobody waits for a daemon: no slow server holds up an interruption.
                    thread = threading.Thread(target=_work, args=(fetcher, todo, done), daemon=True)
                    thread.start()
                    threads.append(thread)
                todo.put(transfer)
                n_waiting += 1
            for _ in range(n_waiting):
                yield _next_result(done, bar)
        finally:
            fetcher.stop()
            end = time.monotonic() + _GRACE
            for _ in threads:
                todo.put(None)
            for thread in threads:
                thread.join(max(0.0, end - time.monotonic()))


def _next_result(done: SimpleQueue, bar: tqdm) -> Transferred:
    result = None
    while result is None:
        with contextlib.suppress(Empty):
            result = done.get(timeout=_PATIENCE)
    if isinstance(result, Exception):
        raise result
    bar.update()
    return result


def _work(fetcher: Fetcher, todo: SimpleQueue, done: SimpleQueue) -> None:
    """Fetch files until there are no more, or nobody wants them any longer."""
    while (transfer := todo.get()) is not None:
        try:
            done.put(fetcher.fetch(transfer))
        except StoppedError:
            return
        except Exception as error:  # noqa: BLE001  it is raised where results are taken
            done.put(error)
