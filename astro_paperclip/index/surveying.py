"""Which indexes there are, and what they hold, without searching any."""

import os
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from astro_paperclip.collection import Collection
from astro_paperclip.exceptions import CollectionInterruptedWarning
from astro_paperclip.index.address import ServerAddress, is_address
from astro_paperclip.index.manifest import COMPLETE
from astro_paperclip.index.opening import check_installed, open_store

__all__ = ["collections_on_server", "index_facts"]


def collections_on_server(location: str) -> list[str]:
    """Return the addresses of all collections on a server, by name.

    Parameters
    ----------
    location : str
        Address of the server, ``https://HOST:6333``, or of any collection there.

    Returns
    -------
    list of str
        Those of other programs are among them.

    Raises
    ------
    InvalidQueryError
        If it is no address.
    CollectionServerError
        If the server cannot be reached, or refuses.
    """
    # An address without a collection is made one, as only the server counts.
    is_server = not urlsplit(location).path.strip("/")
    address = ServerAddress.parse(f"{location.rstrip('/')}/any" if is_server else location)
    check_installed("qdrant_client", "qdrant-client")
    from astro_paperclip.index.server.connection import Connection

    connection = Connection(address)
    try:
        found = connection.call("get_collections").collections
    finally:
        connection.close()
    return sorted(str(ServerAddress(address.url, one.name)) for one in found)


def index_facts(location: str | os.PathLike) -> dict[str, Any]:
    """Return how many points an index holds and in what state it is, for a list of many.

    Parameters
    ----------
    location : str or path-like
        A collection's directory, whose index is not opened: nothing is locked, mended or
        waited for. Or the address of a collection on a server.

    Returns
    -------
    dict
        ``count`` and ``state``, of a directory as of the last flush; ``collection``, the
        `~astro_paperclip.collection.Collection`, or `None` if a server has no record of it.

    Raises
    ------
    CollectionError
        If it cannot be read.
    """
    if is_address(location):
        with warnings.catch_warnings():
            # The state says the same.
            warnings.simplefilter("ignore", CollectionInterruptedWarning)
            with open_store(location) as store:
                info = store.info()
        content = info["collection"]
        home = Collection.from_content(os.fspath(location), content) if content else None
        return {"count": info["count"], "state": info["state"], "collection": home}
    home = Collection.open(location)
    if not home.is_indexed:
        return {"count": 0, "state": "not indexed", "collection": home}
    check_installed("qdrant_edge", "qdrant-edge-py")
    from astro_paperclip.index.embedded.files import check_files, has_manifest, read_manifest

    folder = Path(home.index_path)
    if not has_manifest(folder):
        return {"count": 0, "state": "not indexed", "collection": home}
    manifest = read_manifest(folder)
    manifest.check_vectors_of(home.encoder_fingerprint, None, folder)
    if manifest.state == COMPLETE:
        check_files(manifest, folder)
    return {"count": manifest.count, "state": manifest.state, "collection": home}
