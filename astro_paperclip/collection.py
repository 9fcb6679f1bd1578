"""A collection: the directory in which everything about a set of observations lies.

The index of a collection may also lie on a server. What ``collection.toml`` says is then kept
there, beside the index.
"""

import datetime
import os
import tomllib
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import tomli_w

from astro_paperclip.exceptions import CollectionError, EncoderError
from astro_paperclip.files import written_whole

__all__ = ["FORMAT_VERSION", "JOINED_ENCODERS", "OWN_ENCODER", "Collection"]

FORMAT_VERSION = 1
"""Version of the layout of a collection directory and of its ``collection.toml``."""

OWN_ENCODER = "encoder"
"""Name of an encoder that lies in the collection itself, and of its folder there."""

JOINED_ENCODERS = "encoders"
"""Folder of a collection with its copies of encoders that joined its own, by name."""

_RECORD = "collection.toml"
_UNTRAINED = "compact"
"""Name of the one encoder whose towers were each trained alone."""

_SOFTWARE = ("astro_paperclip", "open_clip_torch", "torch", "qdrant-edge-py", "numpy", "astropy")


@dataclass(frozen=True)
class Collection:
    """What ``collection.toml`` says of a collection, and where its parts lie.

    Make one with `Collection.create` or `Collection.open`; `Collection.from_content` is for one
    whose index is on a server.

    Attributes
    ----------
    path : `~pathlib.Path` or str
        The collection's directory; the address of one on a server, which has no other parts.
    encoder_name : str
        Name of the encoder that made the vectors, as `astro_paperclip.encoders.load` takes it.
        Empty, as are the next three, until something is indexed.
    encoder_fingerprint : str
        Its fingerprint: vectors of encoders with different fingerprints cannot be compared.
    dimension : int
        Length of a vector.
    views : str
        Name of the views of each picture that were encoded.
    joined : dict
        Encoders that joined that one, by the names of their vectors: ``encoder``, its name or its
        folder in the collection, ``fingerprint`` and ``views``.
    title : str
        What the collection is, in a few words.
    recipe : dict
        What it was asked to hold, where it was built from an archive: mission, criteria and
        whatever else `astro_paperclip.building.build` needs to go on.
    created, modified : str
        Time of the first and of the last change (UTC, ISO 8601).
    software : dict
        Versions of the software that changed the collection last.
    """

    path: Path | str
    encoder_name: str = ""
    encoder_fingerprint: str = ""
    dimension: int = 0
    views: str = ""
    joined: dict[str, dict[str, str]] = field(default_factory=dict)
    title: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)
    created: str = ""
    modified: str = ""
    software: dict[str, str] = field(default_factory=dict)

    @classmethod
    def create(
        cls,
        path: str | os.PathLike,
        *,
        encoder_name: str = "",
        encoder_fingerprint: str = "",
        dimension: int = 0,
        views: str = "",
        title: str = "",
        recipe: dict[str, Any] | None = None,
    ) -> "Collection":
        """Make a directory into a collection, by writing its ``collection.toml``.

        Parameters
        ----------
        path : str or path-like
            The directory; it is made where needed.
        encoder_name, encoder_fingerprint : str, optional
            Name and fingerprint of the encoder that makes the vectors, where it is known.
        dimension : int, optional
            Length of a vector.
        views : str, optional
            Name of the views of each picture that are encoded.
        title : str, optional
            What the collection is. By default the name of the directory.
        recipe : dict, optional
            What the collection is asked to hold, in values that TOML knows.

        Returns
        -------
        Collection

        Raises
        ------
        CollectionError
            If ``path`` is a collection already, or cannot be a directory.
        """
        path = Path(path)
        if (path / _RECORD).exists():
            raise CollectionError(
                f"{path} is a collection already: use it with Collection.open, or choose "
                "another directory."
            )
        now = _now()
        collection = cls(
            path=path,
            encoder_name=str(encoder_name),
            encoder_fingerprint=str(encoder_fingerprint),
            dimension=int(dimension),
            views=str(views),
            title=title or path.resolve().name,
            recipe=dict(recipe or {}),
            created=now,
            modified=now,
            software=_software(),
        )
        collection._write()
        return collection

    @classmethod
    def open(cls, path: str | os.PathLike) -> "Collection":
        """Read the ``collection.toml`` of a collection.

        Parameters
        ----------
        path : str or path-like
            The collection's directory.

        Returns
        -------
        Collection

        Raises
        ------
        CollectionError
            If ``path`` is no collection, or one that is damaged or of an unknown version.
        """
        path = Path(path)
        record = path / _RECORD
        if not path.is_dir():
            what = "is a file, not a directory" if path.exists() else "does not exist"
            raise CollectionError(f"The collection {path} {what}. {_how_to_make(path)}")
        if not record.is_file():
            raise CollectionError(
                f"{path} is no collection: it has no {_RECORD}. {_how_to_make(path)}"
            )
        try:
            content = tomllib.loads(record.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise CollectionError(f"{record} is damaged: {error}. {_how_to_mend(path)}") from error
        return cls.from_content(path, content)

    @property
    def is_on_server(self) -> bool:
        """Whether the collection is an index on a server, and nothing besides."""
        return isinstance(self.path, str)

    @property
    def record_path(self) -> Path:
        """The file that this object was read from."""
        return self.path / _RECORD

    @property
    def index_path(self) -> Path:
        """The folder with the vectors and their payload."""
        return self.path / "index"

    @property
    def encoder_path(self) -> Path:
        """The folder with the collection's own encoder, where it has one."""
        return self.path / OWN_ENCODER

    @property
    def proposals_path(self) -> Path:
        """The file with a row a proposal, where the collection has one."""
        return self.path / "proposals.parquet"

    @property
    def observations_path(self) -> Path:
        """The file with a row an observation, where the collection has one."""
        return self.path / "observations.parquet"

    @property
    def previews_path(self) -> Path:
        """The file that says which product each preview is, where the collection has one."""
        return self.path / "previews.parquet"

    @property
    def pairs_path(self) -> Path:
        """The file with the collection's image-caption pairs, where it has one."""
        return self.path / "pairs.parquet"

    @property
    def is_indexed(self) -> bool:
        """Whether it is known which encoder makes the vectors."""
        return bool(self.encoder_fingerprint)

    @property
    def is_trained(self) -> bool:
        """Whether the two towers of the encoder were trained together, as words need it."""
        return self.is_indexed and self.encoder_name != _UNTRAINED

    def joined_encoder(self, name: str) -> str | Path | None:
        """Return what to load for an encoder that joined, by the name of its vectors.

        Parameters
        ----------
        name : str
            Anything; `None` is returned where no vectors have this name.

        Raises
        ------
        EncoderError
            If it is one that was kept in a collection, and is not here.
        """
        if name not in self.joined:
            return None
        encoder = self.joined[name]["encoder"]
        if not encoder.startswith(f"{JOINED_ENCODERS}/"):
            return encoder
        if self.is_on_server or not (self.path / encoder).is_dir():
            raise EncoderError(
                f"The encoder {name!r} ({self.joined[name]['fingerprint'][:12]}) that joined "
                f"{self.path} is not there, but in the collection that it was copied from, as "
                f"{encoder}: give encoder='FOLDER', that folder."
            )
        return self.path / encoder

    @staticmethod
    def exists(path: str | os.PathLike) -> bool:
        """Return whether a directory is a collection."""
        return (Path(path) / _RECORD).is_file()

    def save(self) -> "Collection":
        """Write the record with the present time and software versions.

        Returns
        -------
        Collection
            What was written.
        """
        saved = replace(self, modified=_now(), software=_software())
        saved._write()
        return saved

    @classmethod
    def from_content(cls, path: Path | str, content: dict[str, Any]) -> "Collection":
        """Return the collection that a record describes.

        Parameters
        ----------
        path : `~pathlib.Path` or str
            The collection's directory, or its address on a server.
        content : dict
            What `content` gave.

        Raises
        ------
        CollectionError
            If the record is damaged or of an unknown version.
        """
        record = path if isinstance(path, str) else path / _RECORD
        version = content.get("format_version")
        if version != FORMAT_VERSION:
            raise CollectionError(
                f"{record} is of format version {version!r}, and this version of astro_paperclip "
                f"reads {FORMAT_VERSION}. Update astro_paperclip, or index the pictures again "
                "into another directory."
            )
        try:
            return cls(
                path=path,
                **_encoder_of(content),
                joined=_joined_of(content),
                recipe=dict(content.get("recipe", {})),
                title=_typed(content, "title", str),
                created=_typed(content, "created", str),
                modified=_typed(content, "modified", str),
                software=dict(content.get("software", {})),
            )
        except (KeyError, TypeError) as error:
            raise CollectionError(
                f"{record} is damaged: {error.args[0]!r} is missing or of the wrong type. "
                f"{_how_to_mend(path)}"
            ) from error

    @property
    def content(self) -> dict[str, Any]:
        """The record in the form of ``collection.toml``."""
        content = {
            "format_version": FORMAT_VERSION,
            "title": self.title,
            "created": self.created,
            "modified": self.modified,
            "software": self.software,
        }
        if self.recipe:
            content["recipe"] = self.recipe
        if self.is_indexed:
            content["encoder"] = {
                "name": self.encoder_name,
                "fingerprint": self.encoder_fingerprint,
                "dimension": self.dimension,
                "views": self.views,
            }
        if self.joined:
            content["joined"] = self.joined
        return content

    def _write(self) -> None:
        try:
            with written_whole(self.record_path) as temporary:
                temporary.write_text(tomli_w.dumps(self.content), encoding="utf-8")
        except OSError as error:
            raise CollectionError(f"{self.record_path} cannot be written: {error}.") from error


def _encoder_of(content: dict[str, Any]) -> dict[str, Any]:
    """Return what a record says of the encoder; nothing before anything was indexed."""
    if "encoder" not in content and "recipe" in content:
        return {}
    encoder = content["encoder"]
    return {
        "encoder_name": _typed(encoder, "name", str),
        "encoder_fingerprint": _typed(encoder, "fingerprint", str),
        "dimension": _typed(encoder, "dimension", int),
        "views": _typed(encoder, "views", str),
    }


def _joined_of(content: dict[str, Any]) -> dict[str, dict[str, str]]:
    joined = _typed(content, "joined", dict) if "joined" in content else {}
    return {
        name: {fact: _typed(facts, fact, str) for fact in ("encoder", "fingerprint", "views")}
        for name, facts in ((name, _typed(joined, name, dict)) for name in joined)
    }


def _typed(table: dict, name: str, kind: type) -> Any:
    value = table[name]
    if type(value) is not kind:
        raise TypeError(name)
    return value


def _how_to_make(path: Path) -> str:
    return f"Make one with: astro-paperclip index {path} --pairs FILE --encoder NAME"


def _how_to_mend(path: Path | str) -> str:
    if isinstance(path, str):
        return f"Copy the collection there again: astro-paperclip index copy DIRECTORY {path}"
    return (
        f"Restore it from a copy, or remove {path} and index again: "
        f"astro-paperclip index {path} --pairs FILE --encoder NAME"
    )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _software() -> dict[str, str]:
    versions = {}
    for name in _SOFTWARE:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
