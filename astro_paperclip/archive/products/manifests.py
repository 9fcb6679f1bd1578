"""The record that a folder of downloads keeps of its files."""

from pathlib import Path

import numpy as np
from astropy.table import Table, vstack

from astro_paperclip.archive.fetching import file_digest
from astro_paperclip.archive.products.columns import MANIFEST_COLUMNS, conformed
from astro_paperclip.archive.storage import read_table, write_table

__all__ = ["keep_manifest", "kept_files", "read_manifest", "verified"]

_NAME = "paperclip_manifest.parquet"


def read_manifest(directory: Path) -> Table:
    """Read what a folder keeps of earlier downloads.

    Parameters
    ----------
    directory : `~pathlib.Path`
        Folder of the downloads.

    Returns
    -------
    manifest : `~astropy.table.Table`
        Columns `MANIFEST_COLUMNS`, ``Local Path`` relative to the folder; empty if there were
        none.

    Raises
    ------
    CollectionError
        If it cannot be read.
    """
    path = directory / _NAME
    kept = read_table(path) if path.exists() else Table()
    return conformed(kept, MANIFEST_COLUMNS.values())


def keep_manifest(manifest: Table, directory: Path) -> None:
    """Keep what became of some files, besides what is kept of others.

    Parameters
    ----------
    manifest : `~astropy.table.Table`
        Columns `MANIFEST_COLUMNS` at least. Rows without a path are not kept.
    directory : `~pathlib.Path`
        Folder of the downloads, made where needed.
    """
    new = manifest[manifest["Local Path"] != ""]
    new = conformed(new, MANIFEST_COLUMNS.values())
    paths = [Path(path).relative_to(directory).as_posix() for path in new["Local Path"]]
    new["Local Path"] = np.array(paths, dtype=str)
    old = read_manifest(directory)
    others = old[~np.isin(old["Local Path"], new["Local Path"])]
    write_table(vstack([others, new]), directory / _NAME)


def kept_files(manifest: Table) -> dict[str, tuple[int, str]]:
    """Return size and checksum of the files that were complete, by their paths.

    Parameters
    ----------
    manifest : `~astropy.table.Table`
        As `read_manifest` gave it.

    Returns
    -------
    files : dict of (int, str)
    """
    complete = manifest[manifest["Status"] == "COMPLETE"]
    values = (complete[name].tolist() for name in ("Local Path", "size", "sha256"))
    return {path: (size, sha256) for path, size, sha256 in zip(*values, strict=True)}


def verified(path: Path, listed_size: int, kept: tuple[int, str] | None) -> tuple[int, str] | None:
    """Say whether a file is on disk and whole.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.
    listed_size : int
        Its size as MAST says; 0 if unknown.
    kept : (int, str) or None
        Its size and checksum when it was complete, if they are known; they go before what
        MAST says.

    Returns
    -------
    found : (int, str) or None
        Size and checksum of the file on disk, `None` if it has to be fetched.
    """
    if not path.is_file():
        return None
    size = listed_size if kept is None else kept[0]
    if not size or path.stat().st_size != size:
        return None
    found = file_digest(path)
    return found if kept is None or found == kept else None
