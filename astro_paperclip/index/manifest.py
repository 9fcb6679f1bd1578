"""The index's own record of what it holds, against which it is checked when it is opened."""

from dataclasses import asdict, dataclass, field
from typing import Any

from astro_paperclip.exceptions import CollectionError, IndexMismatchError
from astro_paperclip.index.schema import SCHEMA_VERSION

__all__ = ["BUILDING", "COMPLETE", "INTERRUPTED", "WRITING", "Manifest", "how_to_index"]

COMPLETE = "complete"
WRITING = "writing"
BUILDING = "building"
"""A complete index is being packed or linked, or this was broken off: all points are there."""

INTERRUPTED = "interrupted"
"""Writing was broken off; everything that had been stored was brought in order since."""


@dataclass(frozen=True)
class Manifest:
    """What an index holds.

    Attributes
    ----------
    dimension : int
        Length of a vector.
    encoder : str or None
        Fingerprint of the encoder that made the vectors.
    vector : str
        Name of the vector that is searched.
    engine, engine_version : str
        What wrote the index.
    count : int
        Number of points at the last flush.
    state : {"complete", "writing", "building", "interrupted"}
        Whether the last change was finished.
    files : dict
        Sizes (bytes) of the engine's files at the last flush, by path in the index's folder;
        empty for an index on a server.
    schema_version : int
        Version of the payload's form.
    collection : dict
        What ``collection.toml`` says, for an index that lies on a server, without one.
    profile : dict
        What `~astro_paperclip.index.Profile.as_content` gave; empty for an index that
        was made without one.
    vectors : dict
        Vectors that joined the main one, by name: ``dimension``, ``encoder`` and ``count``, the
        number of points that had it at the last flush.
    has_graph : bool
        Whether the points that the engine has packed are linked by a graph, too.
    """

    dimension: int
    encoder: str | None
    vector: str
    engine: str
    engine_version: str
    count: int = 0
    state: str = COMPLETE
    files: dict[str, int] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION
    collection: dict[str, Any] = field(default_factory=dict)
    profile: dict[str, Any] = field(default_factory=dict)
    vectors: dict[str, dict[str, Any]] = field(default_factory=dict)
    has_graph: bool = True

    @classmethod
    def from_content(
        cls, content: Any, engine: str, where: str, remedy: str, oldest: int = SCHEMA_VERSION
    ) -> "Manifest":
        """Return a manifest that was stored as a dictionary.

        Parameters
        ----------
        content : dict
            What `as_content` gave.
        engine : str
            The engine that it must be of.
        where : str
            Where it was found, for messages.
        remedy : str
            What else can be done than to update this package, for messages.
        oldest : int, optional
            The oldest form of payloads that will do.

        Raises
        ------
        CollectionError
            If it is no manifest, or one of another version or engine.
        """
        try:
            manifest = cls(**content)
        except TypeError as error:
            raise CollectionError(
                f"{where} is damaged or of another version ({error}). Update astro_paperclip, or "
                f"{remedy}"
            ) from error
        if manifest.engine != engine or manifest.schema_version > SCHEMA_VERSION:
            raise CollectionError(
                f"{where} describes an index of {manifest.engine}, version "
                f"{manifest.schema_version}; this astro_paperclip reads {engine}, version "
                f"{SCHEMA_VERSION}. Update it, or {remedy}"
            )
        if manifest.schema_version < oldest:
            raise CollectionError(
                f"{where} describes an index of version {manifest.schema_version}, and this "
                f"astro_paperclip searches version {SCHEMA_VERSION}: bring it up to date with "
                "astro-paperclip index upgrade COLLECTION"
            )
        return manifest

    @property
    def dimensions(self) -> dict[str, int]:
        """Lengths of all vectors by name, the main one first."""
        joined = {name: facts["dimension"] for name, facts in self.vectors.items()}
        return {self.vector: self.dimension} | joined

    def as_content(self) -> dict[str, Any]:
        """Return the manifest as a dictionary that JSON can hold."""
        return asdict(self)

    def check_vectors_of(self, encoder: str | None, dimension: int | None, where: Any) -> None:
        """Check that the vectors can be compared with those of an encoder.

        Raises
        ------
        IndexMismatchError
            If they have another length, or come from another encoder.
        """
        if dimension not in (None, self.dimension):
            raise IndexMismatchError(
                f"The index in {where} has vectors of length {self.dimension}, not {dimension}. "
                "Use the encoder that it was made with, or index into another collection."
            )
        if encoder and self.encoder and encoder != self.encoder:
            raise IndexMismatchError(
                f"The index in {where} was made with the encoder of fingerprint {self.encoder}, "
                f"not {encoder}: vectors of two encoders cannot be compared. Use the first, or "
                "index into another collection."
            )


def how_to_index(collection: Any) -> str:
    """Return the command that fills a collection's index."""
    return f"astro-paperclip index {collection} --pairs FILE --encoder NAME"
