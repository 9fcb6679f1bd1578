"""Opening an index in a directory, making one, and mending what a dead writer left."""

import shutil
import warnings
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from astro_paperclip.exceptions import CollectionError, CollectionInterruptedWarning
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
from astro_paperclip.index.embedded.packing import remove_remains
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
from astro_paperclip.index.validation import check_room
from astro_paperclip.index.writing import StoreWriter

__all__ = ["INDEX", "SHARD", "OpenedFolder"]

INDEX = "index"
"""Folder of the index in a collection."""

SHARD = "shard"
"""Folder of the engine's files in that of the index."""

_BROKEN_OFF = {WRITING: INTERRUPTED, BUILDING: COMPLETE}
"""States of an index that a dead process left, and those it has when it is in order again."""


class OpenedFolder(StoreWriter):
    """Opens the index of a directory for a subclass, alone or beside other readers.

    Attributes that the subclass sets: those of `StoreWriter`, what it was called with
    (``_encoder``, ``_oldest``), ``_folder``, that of the index, ``_held``, what is to be released
    in the end, and ``_finalizer``, which does that.
    """

    _folder: Path
    _encoder: str | None
    _oldest: int
    _held: ExitStack
    _finalizer: Callable[[], None]

    @property
    def _shard_folder(self) -> Path:
        return self._folder / SHARD

    def _open_to_read(self) -> None:
        if not has_manifest(self._folder):
            raise CollectionError(
                f"There is no index in {self._folder}. Make one with: "
                f"{how_to_index(self._location)}"
            )
        self._lock(shared=True)
        while self._read_manifest().state in _BROKEN_OFF or not is_settled(self._shard_folder):
            self._held.close()
            self._lock(shared=False)
            self._load()
            self._held.close()
            self._lock(shared=True)
        check_files(self._manifest, self._folder)
        try:
            dimensions, datatype = self._manifest.dimensions, self._made_with.datatype
            shard = Shard.load_shared(self._shard_folder, self._folder, dimensions, datatype)
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
        for remains in self._location.glob(f".{INDEX}-*"):
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
        self._hold(Shard.load(self._shard_folder, self._folder))
        remove_remains(self._shard_folder)
        if self._mode == "w":
            self._engine.make_room_for_words(self._shard_folder)
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
            profile=self._profile_to_make.as_content(),
        )
        datatype = self._made_with.datatype
        with written_whole_folder(self._folder) as temporary:
            path = temporary / SHARD
            with closing(Shard.create(path, self._folder, dimension, datatype)) as shard:
                shard.flush()
            sizes = file_sizes(temporary, path)
            self._manifest = replace(self._manifest, files=sizes)
            write_manifest(self._manifest, temporary)
        self._hold(Shard.load(self._shard_folder, self._folder))

    def _read_manifest(self) -> Manifest:
        manifest = read_manifest(self._folder, self._oldest)
        manifest.check_vectors_of(self._encoder, self._dimension, self._folder)
        self._manifest = manifest
        self._dimension = manifest.dimension
        return manifest

    def _check_contents(self) -> None:
        """Check that all points and vectors are there, and that they can be found."""
        vectors = self._vector_facts()
        count = vectors[VECTOR]["count"]
        if count != self._manifest.count:
            raise self._damaged(f"it has {count} of {self._manifest.count} points")
        for name, facts in vectors.items():
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
        shard.has_graph = self._manifest.has_graph
        self._engine = shard

    def _release(self) -> None:
        self._is_open = False
        self._engine = None
        self._finalizer()

    def _make_room_for_joined(self) -> None:
        for name, facts in self._manifest.vectors.items():
            self._engine.make_room_for(name, facts["dimension"], self._made_with.datatype)
