"""The store in a directory, by Qdrant Edge: no server, one writer or several readers.

A search compares all vectors that fit the filter, unless there is a graph and they are very
many. Below some hundred thousand points that takes milliseconds, needs no build, and never
misses a neighbour as a filtered graph search can.
"""

import json
import os
import shutil
import warnings
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from astro_paperclip.exceptions import (
    CollectionError,
    CollectionInterruptedWarning,
    InvalidQueryError,
)
from astro_paperclip.files import written_whole_folder
from astro_paperclip.index.embedded.files import (
    ENGINE,
    check_files,
    file_sizes,
    has_manifest,
    is_settled,
    read_manifest,
    write_manifest,
)
from astro_paperclip.index.embedded.graph import (
    build_graph,
    is_worth_a_graph,
    remove_remains,
    size_on_disk,
)
from astro_paperclip.index.embedded.shard import Shard, engine_version
from astro_paperclip.index.engine import VECTOR
from astro_paperclip.index.locking import IndexLock
from astro_paperclip.index.manifest import (
    BUILDING,
    COMPLETE,
    INTERRUPTED,
    WRITING,
    Manifest,
    how_to_index,
)
from astro_paperclip.index.profiles import Profile
from astro_paperclip.index.schema import SCHEMA_VERSION
from astro_paperclip.index.validation import check_room, checked_points
from astro_paperclip.index.writing import StoreWriter

__all__ = ["EmbeddedStore"]

_INDEX = "index"
_SHARD = "shard"
_POINTS_PER_UPDATE = 512
_LEAST_OF_A_GRAPH = 0.1
"""Share of points [1] in a graph that was built once; the engine's number is not exact."""

_POINTS_PER_FLUSH = 4096
_DEFAULT_PROFILE = "laptop"
_BROKEN_OFF = {WRITING: INTERRUPTED, BUILDING: COMPLETE}
"""States of an index that a dead process left, and those it has when it is in order again."""


class EmbeddedStore(StoreWriter):
    """A `~astro_paperclip.index.Store` in the ``index`` folder of a collection.

    Parameters
    ----------
    location : path-like
        The collection's directory.
    mode : {"r", "w"}
        Whether to search, beside other readers, or to change the index, alone. ``"w"`` makes
        an index where there is none.
    dimension : int, optional
        Length of a vector. By default that of the index, or of the first vectors stored.
    encoder : str, optional
        Fingerprint of the encoder: recorded in a new index, compared with that of another.
    oldest : int, optional
        The oldest form of payloads that will do: the present one, unless it is to be upgraded.
    profile : Profile, optional
        Settings of an index that is made now, which must not be there. By default those of
        ``"laptop"``, where there is none.

    Raises
    ------
    CollectionError
        If there is no index to read, it is damaged, or there is one where a profile was given.
    CollectionLockedError
        If another handle is changing the index or, with ``"w"``, reading it.
    IndexMismatchError
        If the index has vectors of another length or encoder.

    Notes
    -----
    Stored points survive the end of the process from the moment that `upsert` returns, and
    a power failure from `flush` on. Never fork while a store is open: open it in the child.
    """

    def __init__(
        self,
        location: str | os.PathLike,
        mode: str = "r",
        dimension: int | None = None,
        encoder: str | None = None,
        oldest: int = SCHEMA_VERSION,
        profile: Profile | None = None,
    ):
        if mode not in ("r", "w"):
            raise InvalidQueryError(f"mode is 'r' or 'w', not {mode!r}.")
        self._location = Path(location)
        self._folder = self._location / _INDEX
        self._mode = mode
        self._dimension = dimension
        self._encoder = encoder
        self._oldest = oldest
        self._profile = profile
        self._manifest = None
        self._unflushed = 0
        self._held = ExitStack()
        self._finalizer = weakref.finalize(self, self._held.close)
        try:
            if mode == "r":
                self._open_to_read()
            else:
                self._open_to_write()
        except BaseException:
            self._release()
            raise

    def _open_to_read(self) -> None:
        if not has_manifest(self._folder):
            raise CollectionError(
                f"There is no index in {self._folder}. Make one with: "
                f"{how_to_index(self._location)}"
            )
        self._lock(shared=True)
        while self._read_manifest().state in _BROKEN_OFF or not is_settled(self._folder / _SHARD):
            self._held.close()
            self._lock(shared=False)
            self._load()
            self._held.close()
            self._lock(shared=True)
        check_files(self._manifest, self._folder)
        try:
            dimensions, datatype = self._manifest.dimensions, self._made_with.datatype
            shard = Shard.load_shared(self._folder / _SHARD, self._folder, dimensions, datatype)
            self._hold(shard)
            self._check_contents()
        except OSError:
            # Where this user may not make links, there is one reader at a time.
            self._held.close()
            self._lock(shared=False)
            self._load()
        if self._manifest.state == INTERRUPTED:
            warnings.warn(
                f"The last indexing of {self._location} did not finish: the "
                f"{self._manifest.count} points stored so far are searched. Index again to add "
                f"the rest: {how_to_index(self._location)}",
                CollectionInterruptedWarning,
                stacklevel=4,
            )

    def _open_to_write(self) -> None:
        try:
            self._location.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CollectionError(f"{self._location} cannot be made: {error}.") from error
        self._lock(shared=False)
        for remains in self._location.glob(f".{_INDEX}-*"):
            shutil.rmtree(remains, ignore_errors=True)
        if has_manifest(self._folder):
            if self._profile is not None:
                raise CollectionError(
                    f"There is an index in {self._folder} already, and most settings cannot be "
                    "changed later: choose another directory, or remove it first."
                )
            self._load()
        elif self._folder.exists() and any(self._folder.iterdir()):
            raise CollectionError(
                f"{self._folder} is damaged: it has no manifest. Remove it and index again: "
                f"{how_to_index(self._location)}"
            )
        elif self._dimension is not None:
            self._create(self._dimension)

    def _load(self) -> None:
        """Open the shard as its only user, after bringing in what a dead writer left."""
        state = self._read_manifest().state
        if state in _BROKEN_OFF:
            check_room(self._location, 0, "Opening the index", "open it again")
        else:
            check_files(self._manifest, self._folder)
        self._hold(Shard.load(self._folder / _SHARD, self._folder))
        remove_remains(self._folder / _SHARD)
        if self._mode == "w":
            self._engine.make_room_for_words(self._folder / _SHARD)
            self._engine.create_missing_indexes()
        if state in _BROKEN_OFF:
            self._make_room_for_joined()
        if state == BUILDING:
            self._check_contents()
        if state in _BROKEN_OFF:
            self._finish(_BROKEN_OFF[state])
        self._check_contents()

    def _create(self, dimension: int) -> None:
        """Make the index: whole, or not at all."""
        check_room(self._location, 0)
        self._dimension = dimension
        self._manifest = Manifest(
            dimension=dimension,
            encoder=self._encoder,
            vector=VECTOR,
            engine=ENGINE,
            engine_version=engine_version(),
            profile=(self._profile or Profile.named(_DEFAULT_PROFILE)).as_content(),
        )
        datatype = self._made_with.datatype
        with written_whole_folder(self._folder) as temporary:
            path = temporary / _SHARD
            with closing(Shard.create(path, self._folder, dimension, datatype)) as shard:
                shard.flush()
            sizes = file_sizes(temporary, path)
            self._manifest = replace(self._manifest, files=sizes)
            write_manifest(self._manifest, temporary)
        self._hold(Shard.load(self._folder / _SHARD, self._folder))

    @property
    def _made_with(self) -> Profile:
        recorded = self._manifest.profile
        return Profile.from_content(recorded) if recorded else Profile.named(_DEFAULT_PROFILE)

    def _read_manifest(self) -> Manifest:
        manifest = read_manifest(self._folder, self._oldest)
        manifest.check_vectors_of(self._encoder, self._dimension, self._folder)
        self._manifest = manifest
        self._dimension = manifest.dimension
        return manifest

    def _check_contents(self) -> None:
        """Check that all points and vectors are there, and that they can be found."""
        count = self.count()
        if count != self._manifest.count:
            raise self._damaged(f"it has {count} of {self._manifest.count} points")
        for name, facts in self._vector_facts().items():
            recorded = self._manifest.vectors.get(name, facts)
            if facts["count"] != recorded["count"]:
                raise self._damaged(
                    f"it has {facts['count']} of {recorded['count']} vectors {name!r}"
                )
            if facts["count"] and not self._engine.finds_a_vector(name, facts["dimension"]):
                raise self._damaged(f"its vectors {name!r} cannot be read")

    def _damaged(self, what: str) -> CollectionError:
        return CollectionError(
            f"The index in {self._folder} is damaged: {what}. Remove it and index again: "
            f"{how_to_index(self._location)}"
        )

    def _lock(self, *, shared: bool) -> None:
        self._held.callback(IndexLock(self._location, shared=shared).release)

    def _hold(self, shard: Shard) -> None:
        self._held.callback(shard.close)
        self._engine = shard

    def _release(self) -> None:
        self._is_open = False
        self._engine = None
        self._finalizer()

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
        DiskSpaceError
            If the disk is too full; nothing was written then.
        """
        self._check_writable()
        ids, vectors, payloads = checked_points(ids, vectors, payloads, self._dimension)
        if not ids:
            return
        named = self._vectors_by_name(vectors, other_vectors)
        size = sum(
            vector.nbytes for column in named.values() for vector in column if vector is not None
        )
        check_room(self._location, 2 * (size + sum(len(json.dumps(row)) for row in payloads)))
        if self._engine is None:
            self._create(vectors.shape[1])
        self._mark_writing()
        for part in self._updates(len(ids)):
            columns = {name: column[part] for name, column in named.items()}
            self._engine.upsert(ids[part], columns, payloads[part])

    def _updates(self, count: int) -> Iterator[slice]:
        """Iterate over the parts of a change, and flush where it is time to."""
        for start in range(0, count, _POINTS_PER_UPDATE):
            yield slice(start, start + _POINTS_PER_UPDATE)
            self._unflushed += min(_POINTS_PER_UPDATE, count - start)
            if self._unflushed >= _POINTS_PER_FLUSH:
                # Otherwise the log would grow with everything stored since the last flush.
                self._engine.flush()
                self._unflushed = 0

    def _join(self, name: str, facts: dict[str, Any]) -> None:
        check_room(self._location, 0)
        # Recorded first: whoever opens the index after a sudden end makes room for the vector.
        self._has_written = True
        self._record(state=WRITING, vectors=self._manifest.vectors | {name: facts})
        self._make_room_for_joined()

    def _make_room_for_joined(self) -> None:
        for name, facts in self._manifest.vectors.items():
            self._engine.make_room_for(name, facts["dimension"], self._made_with.datatype)

    def _put(self, name: str, ids: list[str], vectors: np.ndarray) -> None:
        check_room(self._location, 2 * vectors.nbytes)
        self._mark_writing()
        for part in self._updates(len(ids)):
            self._engine.put_vectors(name, ids[part], vectors[part])

    def info(self) -> dict[str, Any]:
        """Return what the store is.

        Returns
        -------
        dict
            ``location``, ``engine``, ``engine_version`` (that wrote it), ``count``,
            ``dimension``, ``encoder`` (fingerprint), ``state`` (``"complete"``, ``"writing"``,
            ``"building"`` or ``"interrupted"``; ``"empty"`` before anything was stored),
            ``profile`` (what `~astro_paperclip.index.Profile.as_content` gave), ``vectors`` (by
            name, the main one first: ``dimension``, ``encoder``, and ``count``, the number of
            points that have it).
        """
        manifest = self._manifest
        return {
            "location": str(self._location),
            "engine": manifest.engine if manifest else None,
            "engine_version": manifest.engine_version if manifest else None,
            "count": self.count(),
            "dimension": self._dimension,
            "encoder": manifest.encoder if manifest else self._encoder,
            "state": manifest.state if manifest else "empty",
            "profile": self._made_with.as_content() if manifest else {},
            "vectors": self._vector_facts(),
        }

    def finish(self, progress: bool, *, force: bool = False) -> bool:
        """Build the graph, or bring it up to date, where it is worth it.

        An interruption loses nothing: everything is searched as before.

        Parameters
        ----------
        progress : bool
            Whether to show for how long it has been built.
        force : bool, optional
            Whether to build the first graph of an index with few points, too.

        Returns
        -------
        bool
            Whether there is a graph of all points now.

        Raises
        ------
        DiskSpaceError
            If the disk is too full for a second copy of everything.
        CollectionError
            If the graph could not be built.
        """
        self._check_writable()
        count = self.count()
        has_graph = self._engine.graph_size() > _LEAST_OF_A_GRAPH * count
        if not count or not (force or has_graph or is_worth_a_graph(count)):
            return False
        if self._has_written:
            self.flush()
        shard = self._folder / _SHARD
        check_room(self._location, 2 * size_on_disk(shard), "Building the graph", "build it again")
        self._record(state=BUILDING if self._manifest.state == COMPLETE else WRITING)
        self._engine.close()
        try:
            build_graph(shard, self._folder, self._made_with, count, progress)
        finally:
            self._load()
        return True

    def _record(self, **changes: Any) -> None:
        self._manifest = replace(self._manifest, **changes)
        write_manifest(self._manifest, self._folder)

    def _finish(self, state: str) -> None:
        self._engine.flush()
        self._unflushed = 0
        files = file_sizes(self._folder, self._folder / _SHARD)
        counts = {"count": self.count(), "vectors": self._joined_facts()}
        self._record(state=state, files=files, **counts)

    def _settle(self) -> None:
        """Open the shard once more, so that readers find nothing left to bring in."""
        self._engine.close()
        Shard.load(self._folder / _SHARD, self._folder).close()
