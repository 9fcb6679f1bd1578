"""Read replies within limits: no endless trickle, no reply larger than was asked for."""

import io
import time
from collections.abc import Iterator
from importlib import metadata

import requests
from requests.adapters import HTTPAdapter

from astro_paperclip.archive.traffic import Traffic, TransientError
from astro_paperclip.exceptions import ArchiveError

__all__ = ["ReplySession", "new_session", "read_within"]

_PIECE = 1 << 16
_SLOWEST = 1000
"""Replies that come more slowly than this are given up [byte/s]."""


def read_within(
    response: requests.Response, *, max_bytes: int, timeout: float, traffic: Traffic
) -> Iterator[bytes]:
    """Yield the body of a reply in pieces, decoded, as they arrive.

    Parameters
    ----------
    response : `requests.Response`
        Of a request with ``stream=True``. It is closed when something is wrong with it.
    max_bytes : int
        Largest size of the decoded body.
    timeout : float
        A body that took longer than this [s] has to have come at no less than 1000 byte/s.
    traffic : Traffic
        Where the bytes are counted.

    Yields
    ------
    piece : bytes

    Raises
    ------
    ArchiveError
        If the body is larger than ``max_bytes``, or announced to be.
    TransientError
        If the body comes too slowly.
    urllib3.exceptions.HTTPError
        If it ends too early.
    """
    start, n_read = time.monotonic(), 0
    announced = response.headers.get("Content-Length", "")
    try:
        if announced.isdigit() and response.request.method != "HEAD":
            _check_size(response, int(announced), max_bytes)
        while piece := response.raw.read1(_PIECE, decode_content=True):
            n_read += len(piece)
            traffic.count(n_bytes=len(piece))
            _check_size(response, n_read, max_bytes)
            elapsed = time.monotonic() - start
            if elapsed > timeout and n_read < _SLOWEST * elapsed:
                raise TransientError(
                    "too slow", f"{response.url}: {n_read} bytes came in {elapsed:.0f} s"
                )
            yield piece
    except BaseException:
        response.close()
        raise
    response.raw.release_conn()


def _check_size(response: requests.Response, n_bytes: int, max_bytes: int) -> None:
    if n_bytes > max_bytes:
        raise ArchiveError(
            f"{response.url} is larger than the {max_bytes} bytes that were allowed for it "
            "(configuration items 'max_file_size' and 'max_reply_size')."
        )


def new_session(max_conn: int) -> requests.Session:
    """Return a session that this package introduces itself with, for several threads.

    Parameters
    ----------
    max_conn : int
        Connections that are kept open.

    Returns
    -------
    session : `requests.Session`
    """
    return _introduced(_Session(), max_conn)


class _Session(requests.Session):
    """A session that leaves the bodies of redirects unread; requests reads all of them."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target is not None:
            # Where this is all of it, as it mostly is, the connection can be used again.
            resp.raw.read1(_PIECE)
            resp.close()
            resp._content, resp._content_consumed = b"", True
        return target


class ReplySession(_Session):
    """A session for clients that read a reply at once: it is read here, within limits.

    Parameters
    ----------
    max_bytes : int
        Largest size of a reply.
    timeout : float
        Time limit [s] for a connection, for a pause in a reply, and see `read_within`.
    traffic : Traffic
        Where requests and bytes are counted.
    max_conn : int
        Connections that are kept open.
    """

    def __init__(self, *, max_bytes: int, timeout: float, traffic: Traffic, max_conn: int):
        super().__init__()
        self._limits = {"max_bytes": max_bytes, "timeout": timeout, "traffic": traffic}
        _introduced(self, max_conn)

    def send(self, request: requests.PreparedRequest, **kwargs) -> requests.Response:
        """Send a request and read its reply.

        Parameters
        ----------
        request : `requests.PreparedRequest`
            The request.
        **kwargs
            As `requests.Session.send` takes them; there is a time limit in any case.

        Returns
        -------
        response : `requests.Response`
            Its ``raw`` is a file in memory.
        """
        wants_stream = kwargs.get("stream", False)
        kwargs["timeout"] = kwargs.get("timeout") or self._limits["timeout"]
        self._limits["traffic"].count(requests=1)
        response = super().send(request, **(kwargs | {"stream": True}))
        if not isinstance(response.raw, _Body):
            body = b"".join(read_within(response, **self._limits))
            response.raw = _Body(body)
        if not wants_stream:
            # requests keeps what it reads here, as it does when a reply is not streamed.
            _ = response.content
        return response


class _Body(io.BytesIO):
    """A body that was read and decoded already, with urllib3's argument to ``read``."""

    def read(self, amt: int | None = -1, decode_content: bool | None = None) -> bytes:  # noqa: ARG002
        return super().read(amt)


def _introduced(session: requests.Session, max_conn: int) -> requests.Session:
    name = f"astro_paperclip/{metadata.version('astro_paperclip')}"
    session.headers["User-Agent"] = f"{name} {session.headers['User-Agent']}"
    adapter = HTTPAdapter(pool_maxsize=max_conn, pool_block=False)
    for scheme in ("https://", "http://"):
        session.mount(scheme, adapter)
    return session
