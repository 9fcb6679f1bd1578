"""Opening the index of a collection, with the engine that it is stored with."""

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

from astro_paperclip.exceptions import CollectionError
from astro_paperclip.index.address import is_address
from astro_paperclip.index.schema import SCHEMA_VERSION
from astro_paperclip.index.store import Store

if TYPE_CHECKING:
    from astro_paperclip.index.embedded import EmbeddedStore
    from astro_paperclip.index.server import ServerStore

__all__ = ["check_installed", "open_store", "store_class"]


def open_store(
    location: str | os.PathLike,
    mode: str = "r",
    dimension: int | None = None,
    encoder: str | None = None,
    oldest: int = SCHEMA_VERSION,
) -> Store:
    """Open the index of a collection.

    Parameters
    ----------
    location : str or path-like
        The collection's directory, whose index is its folder ``index``; or the address of a
        collection on a Qdrant server, ``https://HOST:6333/NAME``. The server's key is read from
        the environment variable ``QDRANT_API_KEY``.
    mode : {"r", "w"}, optional
        ``"r"`` searches, and lets others search at the same time. ``"w"`` changes the index, in a
        directory alone, and makes one where there is none.
    dimension : int, optional
        Length of a vector. By default that of the index, or of the first vectors stored.
    encoder : str, optional
        Fingerprint of the encoder that makes the vectors: recorded in a new index, and
        compared with what an index records.
    oldest : int, optional
        The oldest form of stored rows that will do: by default the present one. Older ones are
        brought up to date by `~astro_paperclip.index.upgrade_index`.

    Returns
    -------
    Store
        A context manager, which closes at the end of its block.

    Raises
    ------
    CollectionError
        If there is no index to read, or it is damaged.
    CollectionLockedError
        If another handle, here or in another process, stands in the way.
    CollectionServerError
        If the server cannot be reached, or refuses.
    IndexMismatchError
        If the index has vectors of another length or encoder.

    Warns
    -----
    CollectionInterruptedWarning
        If an index that is opened for reading was not finished.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from astro_paperclip.index import open_store, point_id
    >>> folder = tempfile.mkdtemp()
    >>> with open_store(folder, mode="w") as store:
    ...     store.upsert([point_id("a.jpg")], np.ones((1, 4)), [{"target_name": "M 51"}])
    >>> with open_store(folder) as store:
    ...     [hit.payload["target_name"] for hit in store.search(np.ones(4))]
    ['M 51']
    """
    location = os.fspath(location)
    store = store_class(location)
    return store(location, mode=mode, dimension=dimension, encoder=encoder, oldest=oldest)


def store_class(location: str | os.PathLike) -> "type[EmbeddedStore | ServerStore]":
    """Return the class of the store at a location, whose engine must be installed."""
    # An engine is loaded by those who open an index, not by everyone who imports a name.
    if is_address(location):
        check_installed("qdrant_client", "qdrant-client")
        from astro_paperclip.index.server import ServerStore

        return ServerStore
    check_installed("qdrant_edge", "qdrant-edge-py")
    from astro_paperclip.index.embedded import EmbeddedStore

    return EmbeddedStore


def check_installed(module: str, package: str) -> None:
    """Raise an error that says how to install what an engine needs, where it is missing."""
    if find_spec(module) is None:
        raise CollectionError(
            f"Searching this collection needs {package}: "
            "python -m pip install 'astro_paperclip[local]'"
        )
