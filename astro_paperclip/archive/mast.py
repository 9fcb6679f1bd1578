"""The way to MAST: addresses, sessions, patience."""

import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import requests
from urllib3.exceptions import InvalidHeader, MaxRetryError
from urllib3.util import Retry

from astro_paperclip.archive.replies import ReplySession, new_session
from astro_paperclip.archive.traffic import Traffic, fault_of
from astro_paperclip.config import conf
from astro_paperclip.exceptions import ArchiveError

if TYPE_CHECKING:
    from astroquery.mast import ObservationsClass

__all__ = ["MAST", "Mast"]

MAST = "https://mast.stsci.edu"
"""Address of MAST itself."""

_BACKOFF = 0.5
_LONGEST_PAUSE = 120.0
"""Longest pause between two attempts [s], also where MAST asks for a longer one."""

_Result = TypeVar("_Result")


class Mast:
    """Where MAST is, and how patiently it is asked.

    Parameters
    ----------
    server : str, optional
        Address of MAST, or of a server that speaks like it. By default the configuration item
        ``mast_server``.
    retry : `urllib3.util.Retry`, optional
        How often something is tried again, and after which pauses; a ``Retry-After`` of the
        server's goes before. By default as often as the configuration item ``retries`` says,
        after pauses that double.
    timeout : float, optional
        Time limit [s] for a connection or for a pause in a reply. By default the configuration
        item ``timeout``.

    Attributes
    ----------
    server, tap_url, proposals_url : str
        Addresses of the server, of its TAP service for CAOM, and of the proposal catalogue.
    timeout : float
        See above.
    traffic : Traffic
        What was asked through this object, and what went wrong.

    Raises
    ------
    ArchiveError
        If the address is none of a web server.
    """

    def __init__(
        self,
        server: str | None = None,
        *,
        retry: Retry | None = None,
        timeout: float | None = None,
    ):
        self.server = (server or conf.mast_server).rstrip("/")
        parts = urlsplit(self.server)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ArchiveError(
                f"{server!r} is no address of a MAST server: give one such as "
                "https://mast.stsci.edu or http://127.0.0.1:8000."
            )
        self.timeout = conf.timeout if timeout is None else timeout
        self.traffic = Traffic()
        self._retry = retry or Retry(
            conf.retries, backoff_factor=_BACKOFF, backoff_max=_LONGEST_PAUSE, backoff_jitter=0.1
        )

    @property
    def tap_url(self) -> str:
        """Address of the TAP service for CAOM."""
        return f"{self.server}/vo-tap/api/v0.1/caom"

    @property
    def proposals_url(self) -> str:
        """Address of the proposal catalogue; a server that is not MAST has it at the same path."""
        if self.server == MAST:
            return conf.proposals_url
        parts, place = urlsplit(self.server), urlsplit(conf.proposals_url)
        return urlunsplit((parts.scheme, parts.netloc, place.path, place.query, ""))

    @cached_property
    def session(self) -> requests.Session:
        """A session for files, which are read piece by piece; threads may share it."""
        return new_session(conf.max_conn)

    @cached_property
    def reply_session(self) -> ReplySession:
        """A session for the clients of services, which read a reply at once."""
        return ReplySession(
            max_bytes=conf.max_reply_size,
            timeout=self.timeout,
            traffic=self.traffic,
            max_conn=conf.max_conn,
        )

    @cached_property
    def observations(self) -> "ObservationsClass":
        """A client of the portal, as astroquery's ``Observations``, for this server."""
        from astroquery.mast import ObservationsClass

        client = ObservationsClass()
        client._session = self.reply_session
        portal = client._portal_api_connection
        portal._session = self.reply_session
        # astroquery fixes these addresses when it is imported, and shares the columns of the
        # services among all clients, whatever their server is.
        portal.MAST_REQUEST_URL = f"{self.server}/api/v0/invoke"
        portal.COLUMNS_CONFIG_URL = f"{self.server}/portal/Mashup/Mashup.asmx/columnsconfig"
        portal.MAST_DOWNLOAD_URL = f"{self.server}/api/v0.1/Download/file"
        portal.MAST_BUNDLE_URL = f"{self.server}/api/v0.1/Download/bundle"
        portal._column_configs = {}
        # Newer versions look in the cloud first, and warn where they cannot.
        client.disable_cloud_dataset()
        return client

    def file_url(self, uri: str) -> str:
        """Return the address that a file can be had from.

        Parameters
        ----------
        uri : str
            A MAST URI, ``mast:HST/product/...``, or an address.

        Returns
        -------
        url : str

        Raises
        ------
        ArchiveError
            If it is neither.
        """
        if uri.startswith("mast:"):
            return f"{self.server}/api/v0.1/Download/file?uri={quote(uri, safe=':/')}"
        parts = urlsplit(uri)
        if parts.scheme in ("http", "https") and parts.netloc:
            return uri
        raise ArchiveError(f"{uri!r} is neither a MAST URI (mast:...) nor a web address.")

    def attempt(self, function: Callable[..., _Result], *args: Any, **kwargs: Any) -> _Result:
        """Call a function, and again after a pause while MAST or the way to it is disturbed.

        Parameters
        ----------
        function : callable
            Asks MAST for something; to call it twice must do no harm.
        *args, **kwargs
            Its arguments.

        Returns
        -------
        result : object
            What the function returned.

        Raises
        ------
        ArchiveError
            If it failed as often as is allowed, or for a reason that will not go away.
        """
        retry = self._retry
        while True:
            try:
                return function(*args, **kwargs)
            except ArchiveError:
                raise
            except Exception as error:
                kind = fault_of(error)
                if kind is None:
                    if isinstance(error, requests.RequestException):
                        raise ArchiveError(f"MAST ({self.server}) refused: {error}") from error
                    raise
                self.traffic.count(fault=kind)
                try:
                    retry = retry.increment("GET", self.server, error=error)
                except MaxRetryError:
                    attempts = len(retry.history) + 1
                    raise ArchiveError(
                        f"MAST ({self.server}) failed {attempts} times, the last time: {kind}: "
                        f"{error}. Try again later: what was complete is kept."
                    ) from error
                time.sleep(_pause(retry, error))


def _pause(retry: Retry, error: Exception) -> float:
    """Return the time [s] to wait before the next attempt."""
    response = getattr(error, "response", None)
    asked = None if response is None else response.headers.get("Retry-After")
    try:
        wanted = retry.parse_retry_after(asked) if asked else retry.get_backoff_time()
    except InvalidHeader:
        wanted = retry.get_backoff_time()
    return min(wanted, _LONGEST_PAUSE)
