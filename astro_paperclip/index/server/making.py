"""Making a collection on a server, with its record, and its indexes before its first point."""

from collections.abc import Iterable
from typing import Any

from qdrant_client import models

from astro_paperclip.exceptions import CollectionServerError
from astro_paperclip.index.manifest import Manifest
from astro_paperclip.index.profiles import Profile
from astro_paperclip.index.schema import INDEXED_FIELDS
from astro_paperclip.index.server.connection import Connection
from astro_paperclip.index.server.settings import (
    creation_settings,
    index_parameters,
    joining_vector,
)

__all__ = ["METADATA_KEY", "index_fields", "join_vector", "make_collection", "metadata"]

METADATA_KEY = "astro_paperclip"
"""Where in a collection's metadata the manifest is."""


def make_collection(connection: Connection, name: str, manifest: Manifest) -> None:
    """Make a collection with the settings of its manifest's profile.

    Parameters
    ----------
    connection : Connection
        How the server is called.
    name : str
        Name of the collection. If there is one already, nothing is done: another writer may have
        been first, or an answer to this one was lost.
    manifest : Manifest
        What the collection's metadata record.
    """
    profile = Profile.from_content(manifest.profile)
    settings = creation_settings(profile, manifest.dimension)
    try:
        connection.call("create_collection", name, metadata=metadata(manifest), **settings)
    except CollectionServerError:
        if not connection.call("collection_exists", name):
            raise


def metadata(manifest: Manifest) -> dict[str, Any]:
    """Return a collection's metadata, which hold its manifest."""
    return {METADATA_KEY: manifest.as_content()}


def index_fields(
    connection: Connection, name: str, profile: Profile, present: Iterable[str]
) -> None:
    """Make the payload indexes that a collection lacks.

    Parameters
    ----------
    connection : Connection
        How the server is called.
    name : str
        Name of the collection.
    profile : Profile
        How it was made.
    present : iterable of str
        Fields that have an index.
    """
    for field in INDEXED_FIELDS.keys() - set(present):
        parameters = index_parameters(profile, field)
        connection.call("create_payload_index", name, field, parameters, wait=True)


def join_vector(
    connection: Connection, collection: str, profile: Profile, name: str, dimension: int
) -> None:
    """Make room for another vector of the points of a collection.

    Parameters
    ----------
    connection : Connection
        How the server is called.
    collection : str
        Name of the collection.
    profile : Profile
        How it was made.
    name : str
        Name of the vector. Where there is such a one of the same length, nothing is done.
    dimension : int
        Length of the vector.
    """
    connection.call("create_vector_name", collection, name, joining_vector(profile, dimension))
    if profile.vectors_on_disk:
        # This cannot be said when the vector is made.
        place = {name: models.VectorParamsDiff(on_disk=True)}
        connection.call("update_collection", collection, vectors_config=place)
