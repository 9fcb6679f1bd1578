"""What the simulated archive answers at which address."""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from mimetypes import guess_type
from urllib.parse import urlsplit

from astro_paperclip.config import conf
from astro_paperclip.simulation.server.catalogue import write_catalogue
from astro_paperclip.simulation.server.fields import columns_config
from astro_paperclip.simulation.server.holdings import Holdings
from astro_paperclip.simulation.server.portal import Portal
from astro_paperclip.simulation.server.products import Products
from astro_paperclip.simulation.server.reply import Reply

__all__ = ["KINDS", "Answer", "Application"]

KINDS = ("portal", "columns", "file", "tap", "proposals")
"""Kinds of request that are counted."""

_PORTAL = "/api/v0/invoke"
_COLUMNS = "/portal/Mashup/Mashup.asmx/columnsconfig"
_FILE = "/api/v0.1/Download/file"
_TAP = "/vo-tap/api/v0.1/caom"
_PROPOSALS = "/simulated/abstracts.cat"

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True)
class Answer:
    """A reply, and to what kind of request.

    Parameters
    ----------
    kind : str or None
        One of `KINDS`; None where nothing is at the address.
    reply : `Reply`
        The reply.
    """

    kind: str | None
    reply: Reply


class Application:
    """
    The simulated archive, free of how requests come in.

    Parameters
    ----------
    holdings : `Holdings`
        What the archive holds.
    """

    def __init__(self, holdings: Holdings):
        self._holdings = holdings
        self._products = Products(holdings)
        self._portal = Portal(holdings, self._products)
        self._lock = threading.Lock()
        self._tap = None

    def answer(
        self, method: str, path: str, parameters: dict[str, str], headers: Mapping[str, str]
    ) -> Answer:
        """
        Answer a request.

        Parameters
        ----------
        method : str
            Of HTTP. What is answered to HEAD has a body, which is not to be sent.
        path : str
            Path of the address.
        parameters : dict of str
            Those of the address and those of a form.
        headers : mapping
            Headers of the request.

        Returns
        -------
        `Answer`
        """
        if path == _TAP or path.startswith(f"{_TAP}/"):
            within = path.removeprefix(_TAP)
            return Answer("tap", self._tap_service().handle(method, within, parameters, headers))
        if path == _PORTAL:
            return Answer("portal", self._portal.invoke(parameters.get("request", "")))
        if path == _COLUMNS:
            config = columns_config(parameters.get("colConfigId", ""))
            return Answer("columns", Reply.json(config))
        if path == _FILE:
            return Answer("file", self._file(parameters.get("uri", ""), headers))
        if path in (_PROPOSALS, urlsplit(conf.proposals_url).path):
            return Answer("proposals", Reply.text(self._catalogue))
        return Answer(None, Reply.text(f"Nothing is simulated at {path}", 404))

    def _tap_service(self):
        """Return the TAP service, made at the first request: several may come at once."""
        from astro_paperclip.simulation.server.tap import TapService

        with self._lock:
            if self._tap is None:
                self._tap = TapService(self._holdings)
        return self._tap

    @cached_property
    def _catalogue(self):
        return write_catalogue(self._holdings)

    def _file(self, uri, headers):
        content = self._products.content(uri)
        if content is None:
            return Reply.text(f"There is no file {uri!r}", 404)
        name = uri.rpartition("/")[2]
        kind = guess_type(name)[0] or "application/octet-stream"
        known = {"Accept-Ranges": "bytes", "Content-Disposition": f'inline; filename="{name}"'}
        asked = _RANGE.fullmatch(headers.get("Range", ""))
        if asked is None or asked.groups() == ("", ""):
            return Reply(200, content, kind, known)
        start, stop = _bounds(*asked.groups(), len(content))
        if start >= stop:
            return Reply(416, b"", kind, known | {"Content-Range": f"bytes */{len(content)}"})
        known["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
        return Reply(206, content[start:stop], kind, known)


def _bounds(first, last, length):
    """Turn a range of bytes into a slice; ``-n`` means the last ``n`` bytes."""
    if not first:
        return max(length - int(last), 0), length
    return int(first), min(int(last) + 1, length) if last else length
