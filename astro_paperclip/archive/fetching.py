"""Fetch one file, patiently, and never leave half of it."""

import errno
import hashlib
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from astro_paperclip.archive.mast import Mast
from astro_paperclip.archive.replies import read_within
from astro_paperclip.archive.traffic import TransientError, fault_of
from astro_paperclip.exceptions import ArchiveError, DiskSpaceError, ImageError

__all__ = [
    "Fetcher",
    "StoppedError",
    "Transfer",
    "Transferred",
    "file_digest",
    "remove_leftovers",
]

_IMAGE_ATTEMPTS = 5
"""How often a file may turn out to be no picture before it is given up for good."""

_LONGEST_REST = 120.0
"""Longest pause of all transfers together [s], also where the server asks for a longer one."""

_LEFTOVER = re.compile(r"\.[0-9a-f]{32}\.part")


@dataclass(frozen=True)
class Transfer:
    """A file to fetch.

    Parameters
    ----------
    url : str
        Its address.
    path : `~pathlib.Path`
        Where it is to lie; folders are made where needed.
    size : int, optional
        Number of bytes that it is said to have.
    """

    url: str
    path: Path
    size: int | None = None


@dataclass(frozen=True)
class Transferred:
    """What became of a transfer.

    Parameters
    ----------
    transfer : Transfer
        What was asked for.
    status : {"complete", "failed", "refused"}
        ``"failed"`` may be tried again, ``"refused"`` would be refused again.
    message : str
        Why it failed, or what was odd about it.
    n_bytes : int
        Size of the file on disk.
    sha256 : str
        Checksum of the file on disk.
    served_bytes : int
        Size of what the server sent.
    served_sha256 : str
        Checksum of what the server sent.
    attempts : int
        How often it was tried.
    finished : object
        What ``finish`` returned.
    """

    transfer: Transfer
    status: str
    message: str = ""
    n_bytes: int = 0
    sha256: str = ""
    served_bytes: int = 0
    served_sha256: str = ""
    attempts: int = 0
    finished: Any = None


class StoppedError(Exception):
    """Nobody wants this file any longer."""


@dataclass
class _Tally:
    """How often one file was tried, and how often it was no picture."""

    attempts: int = 0
    not_an_image: int = 0


class Fetcher:
    """Fetches one file at a time, in each of several threads.

    Parameters
    ----------
    mast : Mast
        How patiently it is tried, and where traffic is counted.
    session : `requests.Session`
        What connections are made with.
    max_bytes : int
        Larger files are refused.
    finish, record : callable, optional
        See `~astro_paperclip.archive.fetch_files`.
    """

    def __init__(
        self,
        mast: Mast,
        session: requests.Session,
        max_bytes: int,
        finish: Callable[[Path], Any] | None,
        record: Callable[[Transferred], None] | None,
    ):
        self._mast = mast
        self._session = session
        self._max_bytes = max_bytes
        self._finish = finish
        self._record = record
        self._stopping = threading.Event()
        self._rest_until = 0.0

    def stop(self) -> None:
        """Give up what is under way."""
        self._stopping.set()

    def prepare(self, folder: Path) -> None:
        """Make a folder, and tidy it up.

        Parameters
        ----------
        folder : `~pathlib.Path`
            Where files are to lie.
        """
        folder.mkdir(parents=True, exist_ok=True)
        # What another process fetches at this moment grew within the time limit.
        remove_leftovers(folder, older_than=2 * self._mast.timeout + 60)

    def fetch(self, transfer: Transfer) -> Transferred:
        """Fetch a file, as often as it takes.

        Parameters
        ----------
        transfer : Transfer
            The file.

        Returns
        -------
        transferred : Transferred

        Raises
        ------
        DiskSpaceError
            If the disk is full.
        StoppedError
            If `stop` was called.
        """
        tally = _Tally()
        try:
            return self._mast.attempt(self._attempt, transfer, tally)
        except ArchiveError as error:
            passes = fault_of(error.__cause__) not in (None, "not an image")
            status = "failed" if passes else "refused"
            return Transferred(transfer, status, str(error), attempts=tally.attempts)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise DiskSpaceError(
                f"There is no room for {transfer.path}: make room, then run the same again; "
                "what was complete is kept."
            ) from error

    def _attempt(self, transfer: Transfer, tally: _Tally) -> Transferred:
        """Fetch a file once."""
        self._wait_for_turn()
        tally.attempts += 1
        temporary = transfer.path.with_name(f".{uuid4().hex}.part")
        try:
            served_bytes, served_sha256, message = self._download(transfer, temporary)
            n_bytes, sha256, finished = served_bytes, served_sha256, None
            if self._finish is not None:
                finished = self._finished(transfer, temporary, tally)
                n_bytes, sha256 = file_digest(temporary)
            transferred = Transferred(
                transfer,
                "complete",
                message,
                n_bytes,
                sha256,
                served_bytes,
                served_sha256,
                tally.attempts,
                finished,
            )
            if self._record is not None:
                self._record(transferred)
            temporary.replace(transfer.path)
        finally:
            temporary.unlink(missing_ok=True)
        return transferred

    def _finished(self, transfer: Transfer, temporary: Path, tally: _Tally) -> Any:
        try:
            return self._finish(temporary)
        except ImageError as error:
            fault = TransientError("not an image", f"{transfer.url}: {error}")
            tally.not_an_image += 1
            if tally.not_an_image < _IMAGE_ATTEMPTS:
                raise fault from error
            self._mast.traffic.count(fault=fault.kind)
            raise ArchiveError(f"{transfer.url} is not a picture: {error}") from fault

    def _download(self, transfer: Transfer, temporary: Path) -> tuple[int, str, str]:
        """Write what the server sends; return its size, its checksum and what was odd."""
        digest, n_bytes = hashlib.sha256(), 0
        limits = {"max_bytes": self._max_bytes, "timeout": self._mast.timeout}
        with self._open(transfer.url) as response, temporary.open("xb") as file:
            if _is_page(response) and transfer.path.suffix not in (".html", ".htm"):
                raise TransientError("unreadable", f"{transfer.url}: a web page instead of a file")
            for piece in read_within(response, traffic=self._mast.traffic, **limits):
                if self._stopping.is_set():
                    raise StoppedError
                digest.update(piece)
                file.write(piece)
                n_bytes += len(piece)
            has_known_end = "Content-Length" in response.headers or response.raw.chunked
        message = ""
        if transfer.size and transfer.size != n_bytes:
            message = f"{n_bytes} bytes came, where {transfer.size} were listed"
            if not has_known_end:
                raise TransientError("incomplete", f"{transfer.url}: {message}")
        return n_bytes, digest.hexdigest(), message

    def _open(self, url: str) -> requests.Response:
        """Ask for a file, wherever it was moved to on the web."""
        self._mast.traffic.count(requests=1)
        try:
            response = self._session.get(
                url,
                stream=True,
                timeout=self._mast.timeout,
                headers={"Accept-Encoding": "identity"},
            )
        except ValueError as error:
            raise ArchiveError(f"{url} leads to no web address: {error}") from error
        self._mast.traffic.count(requests=len(response.history))
        self._check(response)
        return response

    def _check(self, response: requests.Response) -> None:
        """Raise unless a file follows."""
        status = response.status_code
        if status == requests.codes.ok:
            return
        response.close()
        if status in (requests.codes.too_many_requests, requests.codes.service_unavailable):
            rest = min(_asked_rest(response), _LONGEST_REST)
            self._rest_until = max(self._rest_until, time.monotonic() + rest)
        if status in (requests.codes.unauthorized, requests.codes.forbidden):
            raise ArchiveError(
                f"{response.url} is not public (HTTP {status}): data are exclusive to their "
                "proposers until they are released."
            )
        response.raise_for_status()
        raise ArchiveError(f"{response.url} holds no file (HTTP {status}).")

    def _wait_for_turn(self) -> None:
        """Wait while the server wants to be left alone."""
        while (rest := self._rest_until - time.monotonic()) > 0:
            if self._stopping.wait(rest):
                break
        if self._stopping.is_set():
            raise StoppedError


def file_digest(path: Path) -> tuple[int, str]:
    """Return the size of a file and its checksum.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.

    Returns
    -------
    n_bytes : int
    sha256 : str
        Hexadecimal.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest


def _is_page(response: requests.Response) -> bool:
    return response.headers.get("Content-Type", "").lower().startswith("text/html")


def _asked_rest(response: requests.Response) -> float:
    """Return the pause [s] that a server asks for."""
    try:
        return Retry().parse_retry_after(response.headers.get("Retry-After", "0"))
    except InvalidHeader:
        return 0.0


def remove_leftovers(folder: Path, older_than: float = 0.0) -> None:
    """Remove what transfers left in a folder when they were killed.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder; nothing happens where it does not exist.
    older_than : float
        Age [s] that a file must have, where others may be at work in the folder.
    """
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if _LEFTOVER.fullmatch(path.name) and time.time() - path.stat().st_mtime >= older_than:
            path.unlink(missing_ok=True)
