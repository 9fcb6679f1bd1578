"""The store in a directory, by Qdrant Edge: no server, one writer or several readers.

A search compares all vectors that fit the filter, unless there is a graph and they are very
many. Below some hundred thousand points that takes milliseconds, needs no build, and never
misses a neighbour as a filtered graph search can.
"""

import json
import os
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from astro_paperclip.exceptions import (
    InvalidQueryError,
)
from astro_paperclip.index.embedded.files import (
    file_sizes,
    write_manifest,
)
from astro_paperclip.index.embedded.opening import INDEX, OpenedFolder
from astro_paperclip.index.embedded.packing import (
    is_worth_a_graph,
    is_worth_packing,
    pack,
    size_on_disk,
)
from astro_paperclip.index.embedded.shard import Shard
from astro_paperclip.index.engine import VECTOR
from astro_paperclip.index.manifest import (
    BUILDING,
    COMPLETE,
    WRITING,
)
from astro_paperclip.index.profiles import Profile
from astro_paperclip.index.schema import SCHEMA_VERSION
from astro_paperclip.index.validation import check_room, checked_points

__all__ = ["EmbeddedStore"]

_POINTS_PER_UPDATE = 512
_LEAST_OF_A_GRAPH = 0.1
"""Share of points [1] in a graph that was built once; the engine's number is not exact."""

_POINTS_PER_FLUSH = 4096


class EmbeddedStore(OpenedFolder):
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
        self._folder = self._location / INDEX
        self._mode = mode
        # Nobody writes while somebody reads, so that regions stand for the same points.
        self._known_regions = {} if mode == "r" else None
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
        manifest, vectors = self._manifest, self._vector_facts()
        return {
            "location": str(self._location),
            "engine": manifest.engine if manifest else None,
            "engine_version": manifest.engine_version if manifest else None,
            "count": vectors[VECTOR]["count"] if vectors else 0,
            "dimension": self._dimension,
            "encoder": manifest.encoder if manifest else self._encoder,
            "state": manifest.state if manifest else "empty",
            "profile": self._made_with.as_content() if manifest else {},
            "vectors": vectors,
        }

    def finish(self, progress: bool, *, force: bool = False) -> bool:
        """Build the graph, or bring it up to date, or else pack the points, where it is worth it.

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
            If the graph could not be built, or the points not be packed.
        """
        self._check_writable()
        count = self.count()
        if not count:
            return False
        shard, folder = self._shard_folder, self._folder
        has_graph = self._engine.graph_size() > _LEAST_OF_A_GRAPH * count
        if force or has_graph or is_worth_a_graph(count):
            with self._given_away("Building the graph"):
                pack(shard, folder, count, progress, self._made_with)
                self._record(has_graph=True)
            return True
        if is_worth_packing(count - self._engine.packed_size()):
            with self._given_away("Packing the points"):
                # What is packed when this process is killed must not pass for a graph.
                self._record(has_graph=False)
                pack(shard, folder, count, progress)
        return False

    @contextmanager
    def _given_away(self, task: str) -> Iterator[None]:
        """Leave the shard to another process while the block lasts."""
        if self._has_written:
            self.flush()
        check_room(self._location, 2 * size_on_disk(self._shard_folder), task, "try it again")
        self._record(state=BUILDING if self._manifest.state == COMPLETE else WRITING)
        self._engine.close()
        try:
            yield
        finally:
            self._load()

    def _record(self, **changes: Any) -> None:
        self._manifest = replace(self._manifest, **changes)
        write_manifest(self._manifest, self._folder)

    def _finish(self, state: str) -> None:
        self._engine.flush()
        self._unflushed = 0
        files = file_sizes(self._folder, self._shard_folder)
        counts = {"count": self.count(), "vectors": self._joined_facts()}
        self._record(state=state, files=files, **counts)

    def _settle(self) -> None:
        """Open the shard once more, so that readers find nothing left to bring in."""
        self._engine.close()
        Shard.load(self._shard_folder, self._folder).close()
