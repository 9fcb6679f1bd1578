"""Where a collection on a Qdrant server is: ``https://host:6333/name``."""

import os
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from astro_paperclip.exceptions import InvalidQueryError

__all__ = ["API_KEY_VARIABLE", "ServerAddress", "is_address"]

API_KEY_VARIABLE = "QDRANT_API_KEY"
"""Environment variable with the key of the server, where it asks for one."""

_SCHEMES = ("http", "https")
_FORM = "https://HOST:6333/NAME"


def is_address(location: str | os.PathLike) -> bool:
    """Return whether a collection lies on a server, rather than in a directory."""
    return isinstance(location, str) and urlsplit(location).scheme in _SCHEMES


@dataclass(frozen=True)
class ServerAddress:
    """Where a collection on a server is.

    Attributes
    ----------
    url : str
        The server, with a path before the collection's name where it stands behind a proxy.
    collection : str
        The collection's name there.
    """

    url: str
    collection: str

    @classmethod
    def parse(cls, location: str) -> "ServerAddress":
        """Return the address that a URL stands for.

        Parameters
        ----------
        location : str
            ``http`` or ``https``, host, port (6333 by default) and the collection's name.

        Raises
        ------
        InvalidQueryError
            If it is no such URL, or has a key or a password in it, which would end up in logs.
        """
        parts = urlsplit(location)
        if parts.username or parts.password or parts.query or parts.fragment:
            shown = parts.hostname or "the server"
            raise InvalidQueryError(
                f"The address of a collection on {shown} is {_FORM}, without a user, a password or "
                f"anything after the name: the key goes into the environment variable "
                f"{API_KEY_VARIABLE}."
            )
        try:
            port = parts.port
        except ValueError as error:
            raise InvalidQueryError(f"{location} has no usable port ({error}): {_FORM}.") from None
        before, _, name = map(unquote, parts.path.rstrip("/").rpartition("/"))
        if parts.scheme not in _SCHEMES or not parts.hostname or not name:
            raise InvalidQueryError(
                f"{location!r} is no address of a collection on a server: {_FORM}."
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(f"{parts.scheme}://{host}:{port or 6333}{before}", name)

    def __str__(self) -> str:
        # `parse` reads it again, whatever other programs called their collections.
        name = re.sub("[%?#/ ]", lambda found: quote(found[0], safe=""), self.collection)
        return f"{self.url}/{name}"
