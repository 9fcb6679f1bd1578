"""What goes wrong on the way to MAST and back: kinds of fault, and a tally of them."""

import json
import threading
from collections import Counter

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

__all__ = ["FAULTS", "Traffic", "TransientError", "fault_of"]

FAULTS = (
    "too many requests",
    "server error",
    "connection",
    "incomplete",
    "too slow",
    "unreadable",
    "empty",
    "not an image",
)
"""Kinds of fault that may be gone at the next attempt, as a client sees them."""

_TOO_MANY_REQUESTS = 429
_FIRST_SERVER_ERROR = 500


class TransientError(Exception):
    """Something that may be gone at the next attempt.

    Parameters
    ----------
    kind : str
        One of `FAULTS`.
    message : str
        What happened, in words.
    """

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


class Traffic:
    """A tally of what was asked of MAST, and of what went wrong; threads may share it.

    Attributes
    ----------
    requests : int
        Requests that were sent.
    n_bytes : int
        Bytes of the replies that were read.
    faults : `~collections.Counter`
        Number of transient faults by kind, see `FAULTS`.
    """

    def __init__(self):
        self.requests = 0
        self.n_bytes = 0
        self.faults = Counter()
        self._lock = threading.Lock()

    def count(self, *, requests: int = 0, n_bytes: int = 0, fault: str | None = None) -> None:
        """Add to the tally.

        Parameters
        ----------
        requests, n_bytes : int
            How many more.
        fault : str, optional
            Kind of a fault.
        """
        with self._lock:
            self.requests += requests
            self.n_bytes += n_bytes
            if fault is not None:
                self.faults[fault] += 1

    def summary(self) -> str:
        """Return the tally in one line."""
        faults = ", ".join(f"{kind}: {number}" for kind, number in sorted(self.faults.items()))
        text = f"{self.requests} requests, {self.n_bytes / 1e6:.1f} MB"
        return f"{text}; tried again after {faults}" if faults else text


def fault_of(error: BaseException) -> str | None:
    """Return the kind of a fault that may be gone at the next attempt.

    Parameters
    ----------
    error : BaseException
        What `requests`, urllib3 or a client built on them raised.

    Returns
    -------
    kind : str or None
        One of `FAULTS`, or `None` for an error that another attempt would meet again.
    """
    if isinstance(error, TransientError):
        return error.kind
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return _fault_of_status(error.response.status_code)
    if isinstance(error, requests.Timeout | ReadTimeoutError | TimeoutError):
        return "too slow"
    if isinstance(error, json.JSONDecodeError):
        return "unreadable"
    if isinstance(error, requests.exceptions.ChunkedEncodingError | HTTPError):
        return "incomplete"
    if isinstance(error, requests.ConnectionError | ConnectionError):
        # requests wraps a time-out in the middle of a body into its ConnectionError.
        slow = error.args and isinstance(error.args[0], ReadTimeoutError)
        return "too slow" if slow else "connection"
    return None


def _fault_of_status(status: int) -> str | None:
    if status == _TOO_MANY_REQUESTS:
        return "too many requests"
    return "server error" if status >= _FIRST_SERVER_ERROR else None
