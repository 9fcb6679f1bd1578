"""Where a collection is built: always in a directory."""

import os
from pathlib import Path

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.index import is_address

__all__ = ["local_path"]


def local_path(collection: str | os.PathLike) -> Path:
    """Return the directory that a collection is built in.

    Raises
    ------
    InvalidQueryError
        If it is an address on a server.
    """
    if is_address(collection):
        raise InvalidQueryError(
            f"{collection} is on a server, and a collection is made in a directory. Make it there, "
            f"then copy it: astro-paperclip index copy DIRECTORY {collection}"
        )
    return Path(collection).expanduser()
