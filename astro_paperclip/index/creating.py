"""Make an index with settings for its scale, and end the loading of one."""

import os
from pathlib import Path

from astro_paperclip.exceptions import CollectionError
from astro_paperclip.index.address import is_address
from astro_paperclip.index.manifest import how_to_index
from astro_paperclip.index.opening import open_store, store_class
from astro_paperclip.index.profiles import Profile
from astro_paperclip.index.validation import checked_dimension

__all__ = ["create_index", "finish_index"]


def create_index(
    location: str | os.PathLike,
    dimension: int,
    encoder: str | None = None,
    profile: str | os.PathLike | Profile = "laptop",
) -> Profile:
    """Make an empty index, with the indexes of its payload.

    Parameters
    ----------
    location : str or path-like
        Where: a directory, or an address on a Qdrant server, ``https://HOST:6333/NAME``. There
        must be no index.
    dimension : int
        Length of a vector.
    encoder : str, optional
        Fingerprint of the encoder that makes the vectors. By default that of the first who
        writes to the index.
    profile : str, path-like or Profile, optional
        What the index is for: ``"laptop"``, ``"workstation"``, ``"cluster"``, or a TOML file
        with settings of one's own; see `Profile.named`. In a directory its ``datatype`` counts,
        and, when `finish_index` builds the graph, its ``quantization``, ``quantile``, ``m`` and
        ``ef_construct``.

    Returns
    -------
    Profile
        The settings that the index was made with.

    Raises
    ------
    CollectionError
        If there is an index.
    CollectionServerError
        If the server cannot be reached, or refuses.
    DiskSpaceError
        If the disk is too full.
    InvalidQueryError
        If the profile or the dimension is none.
    """
    profile = Profile.named(profile)
    dimension = checked_dimension(dimension)
    store = store_class(location)
    with store(location, mode="w", dimension=dimension, encoder=encoder, profile=profile):
        return profile


def finish_index(
    location: str | os.PathLike, *, progress: bool = True, force: bool = False
) -> bool:
    """End a bulk load: pack the points, and build the graph that fast searches of many follow.

    In a directory this process does it, by another one that it starts. More than 50,000 new points
    are packed: written once more in a form that opens and filters faster. More than 300,000
    points get a graph, too, which takes some 22 minutes for a million vectors of 512 components:
    fewer are compared one by one in milliseconds, and none is missed. Both need as much disk again
    meanwhile. Points that are added later are found, too; they join the graph when this is called
    again. Interrupting it loses nothing but the work.

    A server builds the graph itself, where the profile of the collection has one to build after
    loading. `copy_collection` asks for it in the end. An interruption interrupts the wait, not the
    server.

    Parameters
    ----------
    location : str or path-like
        The collection's directory, or its address on a Qdrant server.
    progress : bool, optional
        Whether to show a progress bar.
    force : bool, optional
        Whether to build the graph of a directory's index with few points, too.

    Returns
    -------
    bool
        Whether there is a graph now. In a directory that has few points there is none, and on a
        server where the profile has none to build after loading.

    Raises
    ------
    CollectionError
        If there is no index, or the graph could not be built.
    CollectionLockedError
        If the directory's index is open elsewhere.
    CollectionServerError
        If the server cannot be reached, or could not build the graph.
    DiskSpaceError
        If the disk has no room for a second copy of the index.
    """
    if not is_address(location) and not (Path(location) / "index").is_dir():
        raise CollectionError(
            f"There is no index in {location}. Make one with: {how_to_index(location)}"
        )
    options = {} if is_address(location) else {"force": force}
    with open_store(location, mode="w") as store:
        return store.finish(progress, **options)
