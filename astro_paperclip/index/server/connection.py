"""The one place where a Qdrant server is called: retries, time limits, and plain errors."""

import os
import random
import time
import warnings
from json import JSONDecodeError
from typing import Any

import grpc
import httpx
from pydantic import ValidationError
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from astro_paperclip.config import conf
from astro_paperclip.exceptions import CollectionServerError
from astro_paperclip.index.address import API_KEY_VARIABLE, ServerAddress

__all__ = ["Connection"]

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 30.0
"""Pauses [s] between tries: doubled from the first to the longest, a little shorter by chance."""

_NO_ANSWER = (JSONDecodeError, ValidationError)
"""What the client makes of an answer that is garbled, or comes from something else."""

_FAILURES = (
    ResourceExhaustedResponse,
    ResponseHandlingException,
    UnexpectedResponse,
    grpc.RpcError,
    *_NO_ANSWER,
)
_PASSING_STATUS = {408, 429, 500, 502, 503, 504}
_PASSING_CODES = {
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAVAILABLE,
}


class Connection:
    """A connection with a server, by which any number of threads may call it.

    Every call may be repeated without harm: points are stored under their own ids, and a
    filter removes what it removed before. So each one is tried again where the server, or the
    way to it, failed for a moment.

    Parameters
    ----------
    address : ServerAddress
        Where the server is.
    """

    def __init__(self, address: ServerAddress):
        self._address = address
        with warnings.catch_warnings():
            # The user chose a plain connection; inside an institute's network that is common.
            warnings.filterwarnings("ignore", "Api key is used with an insecure connection")
            self._client = QdrantClient(
                url=address.url,
                api_key=os.environ.get(API_KEY_VARIABLE) or None,
                prefer_grpc=conf.qdrant_grpc,
                timeout=max(1, round(conf.timeout)),
                check_compatibility=False,
            )

    @property
    def server_version(self) -> str:
        """Version of the server."""
        return self.call("info").version

    def call(self, method: str, *args: Any, **options: Any) -> Any:
        """Call a method of the client.

        Raises
        ------
        CollectionServerError
            If the server refuses, or still fails after ``conf.retries`` more tries.
        """
        for tries_left in range(conf.retries, -1, -1):
            try:
                return getattr(self._client, method)(*args, **options)
            except _FAILURES as error:
                if not (tries_left and _is_passing(error)):
                    raise self._explained(error) from error
                time.sleep(_pause(conf.retries - tries_left, error))
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Let go of the connection; doing so again does nothing."""
        self._client.close()

    def _explained(self, error: Exception) -> CollectionServerError:
        """Return an error that says what to do."""
        where = self._address.url
        status = getattr(error, "status_code", None)
        if status in (401, 403) or _code(error) in (
            grpc.StatusCode.UNAUTHENTICATED,
            grpc.StatusCode.PERMISSION_DENIED,
        ):
            return CollectionServerError(
                f"The Qdrant server {where} refuses this user ({_text(error)}): put its key into "
                f"the environment variable {API_KEY_VARIABLE}."
            )
        if _is_passing(error):
            return CollectionServerError(
                f"The Qdrant server {where} did not answer {conf.retries + 1} times, at last: "
                f"{_text(error)}. Check that it runs and can be reached, or raise conf.timeout "
                f"({conf.timeout:g} s); what was stored before is there, and the same command goes "
                "on from it."
            )
        return CollectionServerError(f"The Qdrant server {where} refused: {_text(error)}")


def _is_passing(error: Exception) -> bool:
    """Return whether the same call may succeed in a moment."""
    if isinstance(error, UnexpectedResponse):
        return error.status_code in _PASSING_STATUS
    if isinstance(error, ResponseHandlingException):
        return isinstance(error.source, (httpx.TransportError, *_NO_ANSWER))
    if isinstance(error, grpc.RpcError):
        return error.code() in _PASSING_CODES
    return True


def _code(error: Exception) -> grpc.StatusCode | None:
    return error.code() if isinstance(error, grpc.RpcError) else None


def _pause(number: int, error: Exception) -> float:
    """Return how long [s] to wait before another try; as long as the server asks for, at least."""
    asked = float(getattr(error, "retry_after_s", 0) or 0)
    pause = min(_FIRST_PAUSE * 2**number, _LONGEST_PAUSE) * random.uniform(0.75, 1)
    return max(asked, pause)


def _text(error: Exception) -> str:
    """Return what an error says, in one line, without the body of a long answer."""
    if isinstance(error, UnexpectedResponse):
        try:
            said = error.structured()["status"]["error"]
        except (ValueError, KeyError, TypeError):
            said = error.content[:200].decode(errors="replace")
        return f"{error.status_code} {error.reason_phrase}: {said}".strip(": ")
    if isinstance(error, grpc.RpcError):
        return f"{error.code().name}: {error.details()}"
    return f"{type(getattr(error, 'source', error)).__name__}: {error}"
