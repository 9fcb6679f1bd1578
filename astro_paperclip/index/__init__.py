"""Vectors with their payload: stored, filtered and searched.

`open_store` opens the index of a collection; what it returns is a `Store`, whatever engine
stands behind it.
"""

import os
from importlib.util import find_spec
from urllib.parse import urlsplit

from astro_paperclip.exceptions import CollectionError, InvalidQueryError
from astro_paperclip.index.schema import point_id
from astro_paperclip.index.store import Hit, Record, Store

__all__ = ["Hit", "Record", "Store", "open_store", "point_id"]


def open_store(
    location: str | os.PathLike,
    mode: str = "r",
    dimension: int | None = None,
    encoder: str | None = None,
) -> Store:
    """Open the index of a collection.

    Parameters
    ----------
    location : str or path-like
        The collection's directory; the index is its folder ``index``.
    mode : {"r", "w"}, optional
        ``"r"`` searches, and lets others search at the same time. ``"w"`` changes the index,
        alone, and makes one where there is none.
    dimension : int, optional
        Length of a vector. By default that of the index, or of the first vectors stored.
    encoder : str, optional
        Fingerprint of the encoder that makes the vectors: recorded in a new index, and
        compared with what an index records.

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
    if urlsplit(location).scheme in ("http", "https"):
        raise InvalidQueryError(
            f"{location} is a server, which this version cannot search: give the directory of "
            "a collection."
        )
    if find_spec("qdrant_edge") is None:
        raise CollectionError(
            "Searching a collection needs qdrant-edge-py: "
            "python -m pip install 'astro_paperclip[local]'"
        )
    # The engine is loaded by those who open an index, not by everyone who imports a name.
    from astro_paperclip.index.embedded import EmbeddedStore

    return EmbeddedStore(location, mode=mode, dimension=dimension, encoder=encoder)
