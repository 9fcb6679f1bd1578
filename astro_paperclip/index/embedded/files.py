"""The files of an index in a directory: its manifest, and whether all of them are whole.

The engine has no checksums: a shard whose files were cut short can open without a word, and
one that lost a segment's version file loses the segment. So the sizes of all files are noted
after each flush, and compared before the engine is let at them.
"""

import json
from pathlib import Path

from astro_paperclip.exceptions import CollectionError
from astro_paperclip.files import written_whole
from astro_paperclip.index.manifest import Manifest, how_to_index
from astro_paperclip.index.schema import SCHEMA_VERSION

__all__ = [
    "ENGINE",
    "check_files",
    "file_sizes",
    "has_manifest",
    "is_settled",
    "read_manifest",
    "write_manifest",
]

ENGINE = "qdrant-edge"
"""Name of the engine in manifests."""

_MANIFEST = "manifest.json"
_SEGMENTS = "segments"
_JOURNALS = "*_journal.dat"
_CHANGING = ("edge_config.json", "wal/first-index")


def has_manifest(folder: Path) -> bool:
    """Return whether a folder has a manifest, that is, holds a whole index."""
    return (folder / _MANIFEST).is_file()


def read_manifest(folder: Path, oldest: int = SCHEMA_VERSION) -> Manifest:
    """Return the manifest of the index in a folder, whose payload is not older than a version.

    Raises
    ------
    CollectionError
        If it cannot be read, or is of another version or engine.
    """
    path = folder / _MANIFEST
    remedy = f"remove {folder} and index again: {how_to_index(folder.parent)}"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CollectionError(f"{path} is damaged ({error}): {remedy}") from error
    return Manifest.from_content(content, ENGINE, str(path), remedy, oldest)


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write the manifest into the index's folder, in one step."""
    try:
        with written_whole(folder / _MANIFEST) as temporary:
            content = json.dumps(manifest.as_content(), indent=1)
            temporary.write_text(content, encoding="utf-8")
    except OSError as error:
        raise CollectionError(f"{folder / _MANIFEST} cannot be written: {error}.") from error


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def check_files(manifest: Manifest, folder: Path) -> None:
    """Check that no file of the engine was lost or cut short.

    Raises
    ------
    CollectionError
        If one was.
    """
    for name, size in manifest.files.items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else None
        if found is None:
            what = "is missing"
        elif found < size:
            what = f"has {found} of {size} bytes"
        elif path.suffix == ".json" and not _is_json(path):
            what = "was cut short"
        else:
            continue
        raise CollectionError(
            f"The index in {folder} is damaged: {path} {what}. Remove {folder} and index "
            f"again: {how_to_index(folder.parent)}"
        )


def file_sizes(folder: Path, shard: Path) -> dict[str, int]:
    """Return the sizes (bytes) of the data files of a shard, by path within ``folder``.

    Of files that change whenever the shard is opened, it is only noted that there are some.
    """
    changing = [shard / name for name in _CHANGING]
    sizes = {path.relative_to(folder).as_posix(): 0 for path in changing if path.is_file()}
    for path in sorted((shard / _SEGMENTS).rglob("*")):
        name = path.relative_to(folder)
        is_passing = path.match(_JOURNALS) or any(part.startswith(".") for part in name.parts)
        if path.is_file() and path.suffix != ".json" and not is_passing:
            sizes[name.as_posix()] = path.stat().st_size
    return sizes


def is_settled(shard: Path) -> bool:
    """Return whether opening a shard would leave its files as they are.

    A flush leaves journals, which the next opening brings in and removes.
    """
    return next((shard / _SEGMENTS).rglob(_JOURNALS), None) is None
