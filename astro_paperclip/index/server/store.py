"""The store on a Qdrant server: any number of readers and writers, on any number of machines."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from qdrant_client import models

from astro_paperclip.exceptions import (
    CollectionError,
    CollectionInterruptedWarning,
    CollectionServerError,
    InvalidQueryError,
)
from astro_paperclip.index.address import ServerAddress
from astro_paperclip.index.engine import VECTOR
from astro_paperclip.index.manifest import COMPLETE, Manifest
from astro_paperclip.index.profiles import Profile
from astro_paperclip.index.schema import SCHEMA_VERSION
from astro_paperclip.index.server.connection import Connection
from astro_paperclip.index.server.finishing import end_bulk_load
from astro_paperclip.index.server.making import (
    METADATA_KEY,
    index_fields,
    join_vector,
    make_collection,
    metadata,
)
from astro_paperclip.index.server.points import ServerPoints
from astro_paperclip.index.server.settings import final_settings
from astro_paperclip.index.validation import checked_points
from astro_paperclip.index.writing import StoreWriter

__all__ = ["ENGINE", "OLDEST_SERVER", "OLDEST_TO_JOIN", "ServerStore"]

ENGINE = "qdrant"
"""Name of the engine in manifests."""

OLDEST_SERVER = (1, 16)
"""The first version whose collections have metadata, in which the manifest is kept."""

OLDEST_TO_JOIN = (1, 18)
"""The first version whose collections other vectors can join."""


class ServerStore(StoreWriter):
    """A `~astro_paperclip.index.Store` in a collection of a Qdrant server.

    Parameters
    ----------
    location : str
        Address of the collection, ``https://HOST:6333/NAME``.
    mode : {"r", "w"}
        Whether to search or to change the index. ``"w"`` makes a collection where there is none.
    dimension : int, optional
        Length of a vector. By default that of the index, or of the first vectors stored.
    encoder : str, optional
        Fingerprint of the encoder: recorded in a new index, compared with that of another.
    oldest : int, optional
        The oldest form of payloads that will do: the present one, unless it is to be upgraded.
    profile : Profile, optional
        Settings of a collection that is made now, which must not be there. By default those of
        ``"laptop"``, where there is none.

    Raises
    ------
    CollectionError
        If there is no such collection to read, it is none of this package's, or there is one
        where a profile was given.
    CollectionServerError
        If the server cannot be reached, refuses, or is too old.
    IndexMismatchError
        If the index has vectors of another length or encoder.

    Notes
    -----
    Stored points are on the server's disk from the moment that `upsert` returns. Several
    writers do not harm each other, because a point's id follows from its picture.
    """

    def __init__(
        self,
        location: str,
        mode: str = "r",
        dimension: int | None = None,
        encoder: str | None = None,
        oldest: int = SCHEMA_VERSION,
        profile: Profile | None = None,
    ):
        if mode not in ("r", "w"):
            raise InvalidQueryError(f"mode is 'r' or 'w', not {mode!r}.")
        self._location = ServerAddress.parse(location)
        self._mode = mode
        self._dimension = dimension
        self._encoder = encoder
        self._oldest = oldest
        self._profile = profile
        self._manifest = None
        self._connection = Connection(self._location)
        try:
            self._open()
        except BaseException:
            self._release()
            raise

    def _open(self) -> None:
        name = self._location.collection
        self._server_version = _checked_version(self._connection, self._location)
        if self._connection.call("collection_exists", name):
            if self._profile is not None:
                raise self._present()
            self._adopt()
        elif self._mode == "r":
            raise self._missing()
        elif self._dimension is not None:
            self._create()

    def _missing(self) -> CollectionError:
        return CollectionError(
            f"There is no collection {self._location.collection!r} on the server "
            f"{self._location.url}. Make one with: astro-paperclip index copy DIRECTORY "
            f"{self._location}"
        )

    def _present(self) -> CollectionError:
        return CollectionError(
            f"There is a collection {self._location} already, and most settings cannot be "
            "changed later: choose another name, or remove it on the server first."
        )

    def _adopt(self) -> None:
        """Take up what is on the server."""
        name = self._location.collection
        found = self._connection.call("get_collection", name)
        self._manifest = self._manifest_in(found)
        self._manifest.check_vectors_of(self._encoder, self._dimension, str(self._location))
        self._dimension = self._manifest.dimension
        self._engine = ServerPoints(self._connection, name)
        if self._mode == "r":
            self._check_contents()
            return
        index_fields(self._connection, name, self._made_with, found.payload_schema)
        if self._encoder and not self._manifest.encoder and not self.count():
            self._record(encoder=self._encoder)

    def _manifest_in(self, found: models.CollectionInfo) -> Manifest:
        remedy = f"choose another name than {self._location.collection!r}."
        content = (found.config.metadata or {}).get(METADATA_KEY)
        if content is None:
            raise CollectionError(
                f"{self._location} was not made by astro_paperclip: it has no record of what is "
                f"in it. To make one, {remedy}"
            )
        return Manifest.from_content(content, ENGINE, str(self._location), remedy, self._oldest)

    def _check_contents(self) -> None:
        """Check that the points are there which were when writing was last finished."""
        if self._manifest.state != COMPLETE:
            warnings.warn(
                f"{self._location} is being written, or writing it was broken off: the points "
                "stored so far are searched.",
                CollectionInterruptedWarning,
                stacklevel=4,
            )
        elif (count := self.count()) < self._manifest.count:
            raise CollectionError(
                f"{self._location} has {count} of {self._manifest.count} points. If a node of the "
                "cluster is down, wait for it; else copy the collection there again."
            )

    def _create(self) -> None:
        """Make the collection, with the indexes of its payload before its first point."""
        name = self._location.collection
        manifest = Manifest(
            dimension=self._dimension,
            encoder=self._encoder,
            vector=VECTOR,
            engine=ENGINE,
            engine_version=self._server_version,
            profile=self._profile_to_make.as_content(),
        )
        make_collection(self._connection, name, manifest)
        self._adopt()
        if self._profile is not None and self._profile != self._made_with:
            raise self._present()  # another writer was first

    def upsert(
        self,
        ids: Sequence[str],
        vectors: np.ndarray,
        payloads: Sequence[Mapping[str, Any]],
        other_vectors: Mapping[str, Sequence[np.ndarray | None]] | None = None,
    ) -> None:
        """Store points; one whose id is there already is replaced as a whole.

        Parameters
        ----------
        ids : sequence of str
            UUIDs, as `~astro_paperclip.index.point_id` makes them.
        vectors : array_like
            Shape ``(n, dimension)``; finite, and none of length zero.
        payloads : sequence of mappings
            Columns of each point. Missing values (`None`, NaN, masked) are left out.
        other_vectors : mapping of str to sequence, optional
            Vectors for which `add_vector` made room, by name: one for each point, or `None` for
            one that has none. A point that is replaced keeps none that are not given here.

        Raises
        ------
        InvalidQueryError
            If ids, vectors and payloads do not belong together, or a vector is no direction.
        CollectionServerError
            If the server fails; batches that it acknowledged before are stored.
        """
        self._check_writable()
        ids, vectors, payloads = checked_points(ids, vectors, payloads, self._dimension)
        if not ids:
            return
        named = self._vectors_by_name(vectors, other_vectors)
        if self._engine is None:
            self._dimension = vectors.shape[1]
            self._create()
        self._mark_writing()
        self._engine.upsert(ids, named, payloads)

    def _joined(self) -> dict[str, dict[str, Any]]:
        # Another writer may have let a vector join since this one looked.
        found = self._connection.call("get_collection", self._location.collection)
        content = (found.config.metadata or {}).get(METADATA_KEY, {})
        return content.get("vectors", {})

    def _join(self, name: str, facts: dict[str, Any]) -> None:
        if _version_numbers(self._server_version) < OLDEST_TO_JOIN:
            oldest = ".".join(map(str, OLDEST_TO_JOIN))
            raise CollectionServerError(
                f"The Qdrant server {self._location.url} is version {self._server_version}: it "
                f"takes {oldest} or newer for a vector to join a collection. Update the server; "
                "its collections stay as they are."
            )
        join_vector(
            self._connection,
            self._location.collection,
            self._made_with,
            name,
            facts["dimension"],
        )
        self._record(vectors={name: facts})

    def _put(self, name: str, ids: list[str], vectors: np.ndarray) -> None:
        self._mark_writing()
        self._engine.put_vectors(name, ids, vectors)

    def info(self) -> dict[str, Any]:
        """Return what the store is.

        Returns
        -------
        dict
            ``location``, ``engine``, ``engine_version`` (of the server), ``count``,
            ``dimension``, ``encoder`` (fingerprint), ``state`` (``"complete"``, ``"writing"``
            or ``"interrupted"``; ``"empty"`` before anything was stored), ``collection`` (what
            `describe` recorded), ``profile`` (what `~astro_paperclip.index.Profile.as_content`
            gave), ``is_loading`` (whether `finish` has to end a bulk load), ``vectors`` (by name,
            the main one first: ``dimension``, ``encoder``, and ``count``, the number of points
            that have it).
        """
        vectors = self._vector_facts()
        return {
            "location": str(self._location),
            "engine": ENGINE,
            "engine_version": self._server_version,
            "count": vectors[VECTOR]["count"] if vectors else 0,
            "dimension": self._dimension,
            "encoder": self._manifest.encoder if self._manifest else self._encoder,
            "state": self._manifest.state if self._manifest else "empty",
            "collection": self._manifest.collection if self._manifest else {},
            "profile": self._made_with.as_content() if self._manifest else {},
            "is_loading": self._manifest is not None and self._is_loading(),
            "vectors": vectors,
        }

    def describe(self, collection: Mapping[str, Any]) -> None:
        """Record what ``collection.toml`` says of a collection in a directory.

        Parameters
        ----------
        collection : mapping
            The content of a `~astro_paperclip.collection.Collection`.
        """
        self._check_writable()
        if self._engine is None:
            raise InvalidQueryError(
                f"{self._location} does not exist yet: open it with the dimension of its vectors."
            )
        self._record(collection=dict(collection))

    def finish(self, progress: bool = True) -> bool:
        """End a bulk load: let the server build the graph, and wait until it has done so.

        Parameters
        ----------
        progress : bool, optional
            Whether to show a progress bar.

        Returns
        -------
        bool
            Whether the collection's profile has a graph to build after loading.
        """
        self._check_writable()
        if self._engine is None:
            raise self._missing()
        return end_bulk_load(self._connection, self._location, self._made_with, progress)

    def _is_loading(self) -> bool:
        profile = self._made_with
        if not profile.bulk_load:
            return False
        found = self._connection.call("get_collection", self._location.collection)
        return bool(final_settings(profile, found.config))

    def _finish(self, state: str) -> None:
        # What was acknowledged is durable already.
        self._record(state=state, count=self.count(), vectors=self._joined_facts())

    def _record(self, **changes: Any) -> None:
        vectors = self._joined() | changes.pop("vectors", {})
        self._manifest = replace(self._manifest, vectors=vectors, **changes)
        self._connection.call(
            "update_collection",
            self._location.collection,
            metadata=metadata(self._manifest),
        )

    def _release(self) -> None:
        self._is_open = False
        self._engine = None
        self._connection.close()


def _checked_version(connection: Connection, address: ServerAddress) -> str:
    """Return the server's version, or raise if it cannot keep a manifest."""
    version = connection.server_version
    if _version_numbers(version) < OLDEST_SERVER:
        oldest = ".".join(map(str, OLDEST_SERVER))
        raise CollectionServerError(
            f"The Qdrant server {address.url} is version {version}: it takes {oldest} or newer to "
            "keep a record of what a collection holds."
        )
    return version


def _version_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
