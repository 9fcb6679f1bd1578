"""The index's own record of what it holds, against which it is checked when it is opened.

The engine has no checksums: a shard whose files were cut short can open without a word, and
one that lost a segment's version file loses the segment. So the sizes of all files are noted
after each flush, and compared before the engine is let at them.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from astro_paperclip.exceptions import CollectionError
from astro_paperclip.files import written_whole
from astro_paperclip.index.schema import SCHEMA_VERSION

__all__ = ["COMPLETE", "INTERRUPTED", "WRITING", "Manifest", "how_to_index"]

COMPLETE = "complete"
WRITING = "writing"
INTERRUPTED = "interrupted"
"""Writing was broken off; everything that had been stored was brought in order since."""

_NAME = "manifest.json"
_ENGINE = "qdrant-edge"


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
    state : {"complete", "writing", "interrupted"}
        Whether the last change was finished.
    files : dict
        Sizes (bytes) of the engine's files at the last flush, by path in the index's folder.
    schema_version : int
        Version of the payload's form.
    """

    dimension: int
    encoder: str | None
    vector: str
    engine_version: str
    engine: str = _ENGINE
    count: int = 0
    state: str = COMPLETE
    files: dict[str, int] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Return the manifest of the index in a folder.

        Raises
        ------
        CollectionError
            If it cannot be read, or is of another version or engine.
        """
        path = folder / _NAME
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            manifest = cls(**content)
        except (OSError, ValueError, TypeError) as error:
            raise CollectionError(
                f"{path} is damaged or of another version ({error}). Update astro_paperclip, or "
                f"remove {folder} and index again: {how_to_index(folder.parent)}"
            ) from error
        if (manifest.engine, manifest.schema_version) != (_ENGINE, SCHEMA_VERSION):
            raise CollectionError(
                f"{path} describes an index of {manifest.engine}, version "
                f"{manifest.schema_version}; this astro_paperclip reads {_ENGINE}, version "
                f"{SCHEMA_VERSION}. Update it, or index again into another directory: "
                f"{how_to_index(folder.parent)}"
            )
        return manifest

    @staticmethod
    def is_in(folder: Path) -> bool:
        """Return whether a folder has a manifest, that is, holds a whole index."""
        return (folder / _NAME).is_file()

    def write(self, folder: Path) -> None:
        """Write the manifest into the index's folder, in one step."""
        try:
            with written_whole(folder / _NAME) as temporary:
                temporary.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        except OSError as error:
            raise CollectionError(f"{folder / _NAME} cannot be written: {error}.") from error

    def check_files(self, folder: Path) -> None:
        """Check that no file of the engine was lost or cut short.

        Raises
        ------
        CollectionError
            If one was.
        """
        for name, size in self.files.items():
            path = folder / name
            found = path.stat().st_size if path.is_file() else None
            if found is None or found < size:
                what = "is missing" if found is None else f"has {found} of {size} bytes"
                raise CollectionError(
                    f"The index in {folder} is damaged: {path} {what}. Remove {folder} and index "
                    f"again: {how_to_index(folder.parent)}"
                )


def how_to_index(collection: Path) -> str:
    """Return the command that fills a collection's index."""
    return f"astro-paperclip index {collection} --pairs FILE --encoder NAME"
