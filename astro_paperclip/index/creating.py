"""Make an index on a server with settings for its scale, and end the loading of one."""

import os
from typing import TYPE_CHECKING

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.index.address import is_address
from astro_paperclip.index.opening import check_installed
from astro_paperclip.index.profiles import Profile
from astro_paperclip.index.validation import checked_dimension

if TYPE_CHECKING:
    from astro_paperclip.index.server import ServerStore

__all__ = ["create_index", "finish_index"]


def create_index(
    address: str,
    dimension: int,
    encoder: str | None = None,
    profile: str | os.PathLike | Profile = "laptop",
) -> Profile:
    """Make an empty collection on a Qdrant server, with the indexes of its payload.

    Parameters
    ----------
    address : str
        Where: ``https://HOST:6333/NAME``. There must be no such collection.
    dimension : int
        Length of a vector.
    encoder : str, optional
        Fingerprint of the encoder that makes the vectors. By default that of the first who
        writes to the collection.
    profile : str, path-like or Profile, optional
        What the collection is for: ``"laptop"``, ``"workstation"``, ``"cluster"``, or a TOML file
        with settings of one's own; see `Profile.named`.

    Returns
    -------
    Profile
        The settings that the collection was made with.

    Raises
    ------
    CollectionError
        If there is such a collection.
    CollectionServerError
        If the server cannot be reached, or refuses.
    InvalidQueryError
        If the address is that of a directory, or the profile or the dimension is none.
    """
    profile = Profile.named(profile)
    dimension = checked_dimension(dimension)
    with _opened(address, dimension=dimension, encoder=encoder, profile=profile):
        return profile


def finish_index(address: str, *, progress: bool = True) -> bool:
    """End a bulk load: let the server build its graph, and wait until it has done so.

    `copy_collection` does this in the end. Doing it again does no harm: it waits only while there
    is something left to build. An interruption interrupts the wait, not the server.

    Parameters
    ----------
    address : str
        A collection on a Qdrant server.
    progress : bool, optional
        Whether to show a progress bar.

    Returns
    -------
    bool
        Whether the profile that the collection was made with has a graph to build after loading.

    Raises
    ------
    CollectionError
        If there is no such collection.
    CollectionServerError
        If the server cannot be reached, or could not build the graph.
    InvalidQueryError
        If the address is that of a directory.
    """
    with _opened(address) as store:
        return store.finish(progress)


def _opened(address: str, **options: object) -> "ServerStore":
    if not is_address(address):
        raise InvalidQueryError(
            f"{os.fspath(address)} is a directory, whose index has no settings to choose; "
            "'astro-paperclip index' makes it. Settings are for the address of a collection on a "
            "server: https://HOST:6333/NAME."
        )
    check_installed("qdrant_client", "qdrant-client")
    from astro_paperclip.index.server import ServerStore

    return ServerStore(address, mode="w", **options)
