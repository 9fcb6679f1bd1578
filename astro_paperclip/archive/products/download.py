"""Download products: many at once, each whole or not at all, none twice."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astro_paperclip.archive.cloud import cloud_addresses
from astro_paperclip.archive.mast import Mast
from astro_paperclip.archive.obsids import as_table
from astro_paperclip.archive.paths import safe_path
from astro_paperclip.archive.products.columns import (
    MANIFEST_COLUMNS,
    RANKING_COLUMNS,
    conformed,
    described,
)
from astro_paperclip.archive.products.lists import find_products, products_of
from astro_paperclip.archive.products.manifests import (
    keep_manifest,
    kept_files,
    read_manifest,
    verified,
)
from astro_paperclip.archive.transfer import Transfer, fetch_files
from astro_paperclip.config import conf
from astro_paperclip.exceptions import ArchiveError, DiskSpaceError, InvalidQueryError

__all__ = ["download_products"]

# They need an archive: docs/test_docstrings.py has one, ``server``, and runs them.
__doctest_skip__ = ["download_products"]

_FOLDER = "mastDownload"
"""Where astroquery puts files too."""

_STATUSES = {"complete": "COMPLETE", "failed": "ERROR", "refused": "SKIPPED"}


def download_products(
    products: Any,
    *,
    download_dir: str | os.PathLike | None = None,
    flat: bool | None = None,
    max_conn: int | None = None,
    max_bytes: int | None = None,
    offline: bool = False,
    cloud: bool = False,
    mast: Mast | None = None,
    progress: bool = True,
    **filters: Any,
) -> Table:
    """Download the files of products.

    A file takes its name when it is whole. One that is on disk and whole costs no request: its
    size and its checksum are compared with what the folder keeps of earlier downloads, or its
    size with the list of products. So to go on after an interruption, call the same again.

    Parameters
    ----------
    products : PaperclipResult, `~astropy.table.Table`, `~astropy.table.Row`, iterable or str
        Products, observations, some of their rows, or obsids. Also a manifest: what is not on
        disk yet is tried again.
    download_dir : str or path-like, optional
        Folder of the downloads. By default the working directory, or that of the manifest.
    flat : bool, optional
        Whether to put all files into the folder itself. By default, or where the manifest does
        not say otherwise, they lie in ``mastDownload/<obs_collection>/<obs_id>/`` below it, as
        astroquery has it.
    max_conn : int, optional
        Files that are fetched at once. By default the configuration item ``max_conn``.
    max_bytes : int, optional
        Larger files are left out. By default twice the largest size in the list of products,
        or the configuration item ``max_file_size`` if that is larger.
    offline : bool
        Whether to ask nothing of MAST. The products of observations are then those that the
        folder keeps of earlier downloads.
    cloud : bool
        Whether to fetch from MAST's public cloud storage what is there. That needs boto3.
    mast : Mast, optional
        Which MAST is asked, and how patiently.
    progress : bool
        Whether to show progress bars.
    **filters
        As `filter_products` takes them.

    Returns
    -------
    manifest : `~astropy.table.Table`
        One row a file: ``Local Path``, ``Status``, ``Message`` and ``URL`` as in astroquery's
        manifests; then ``dataURI``, ``obsid``, ``rank`` and ``score`` where they are known,
        ``size``, ``sha256``, and the other columns of products. ``Status`` is ``"COMPLETE"``,
        ``"ERROR"`` for what may be tried again, or ``"SKIPPED"`` for what can never be used,
        such as a file name that leads out of the folder. It is empty, with a
        `~astroquery.exceptions.NoResultsWarning`, if there is nothing to download.

    Raises
    ------
    InvalidQueryError
        If an argument makes no sense; nothing was asked then.
    ArchiveError
        If MAST cannot list the products, or boto3 is wanted and missing. What goes wrong with
        a file is in the manifest.
    DiskSpaceError
        If the files do not fit on the disk; nothing was downloaded then.

    Examples
    --------
    >>> from astro_paperclip import PaperclipMast
    >>> result = PaperclipMast.query_text("a comet", collection="hubble", limit=3)
    >>> from astro_paperclip.archive import Mast  # ``server`` is a simulated archive
    >>> mast = Mast(server)
    >>> manifest = PaperclipMast.download_products(
    ...     result, mast=mast, productType="SCIENCE", download_dir="comets", progress=False
    ... )
    >>> set(manifest["Status"].tolist())
    {'COMPLETE'}

    What is on disk and whole is not asked for again:

    >>> again = PaperclipMast.download_products(manifest, offline=True)
    >>> again["sha256"].tolist() == manifest["sha256"].tolist()
    True
    """
    for name, value in (("max_conn", max_conn), ("max_bytes", max_bytes)):
        if value is not None and (not isinstance(value, int | np.integer) or value < 1):
            raise InvalidQueryError(f"{name} must be a positive whole number, not {value!r}.")
    table = as_table(products)
    earlier = table.meta if "Local Path" in table.colnames else {}
    flat = earlier.get("flat", False) if flat is None else flat
    directory = Path(download_dir or earlier.get("download_dir", ".")).expanduser().absolute()
    if directory.exists() and not directory.is_dir():
        raise InvalidQueryError(f"download_dir={str(directory)!r} is a file, not a folder.")

    mast = Mast() if mast is None else mast
    kept = read_manifest(directory)
    if offline and "dataURI" not in table.colnames:
        found = products_of(kept, table, **filters)
    else:
        found = find_products(table, mast=mast, progress=progress, **filters)

    files = _planned(found, directory, flat, mast)
    _find_on_disk(files, directory, kept_files(kept))
    wanted = [file for file in files if file.status == "ERROR"]
    if offline:
        for file in wanted:
            file.message = "It is not on disk, and offline=True."
    elif files:
        if cloud:
            addresses = cloud_addresses([file.uri for file in wanted], mast, progress=progress)
            for file in wanted:
                file.url = addresses.get(file.uri, file.url)
        _check_space(wanted, directory)
        keep_manifest(_manifest(found, files), directory)
        largest = max((file.size for file in wanted), default=0)
        limits = {
            "max_conn": max_conn,
            "max_bytes": max_bytes or max(conf.max_file_size, 2 * largest),
        }
        try:
            _fetch(wanted, mast, progress, limits)
        finally:
            keep_manifest(_manifest(found, files), directory)
    manifest = _manifest(found, files)
    manifest.meta.update(download_dir=str(directory), flat=bool(flat))
    return manifest


@dataclass
class _File:
    """What is known of a file so far."""

    uri: str
    url: str
    path: Path | None
    size: int
    status: str = "ERROR"
    message: str = "It was not fetched yet."
    sha256: str = ""


def _planned(products: Table, directory: Path, flat: bool, mast: Mast) -> list[_File]:
    """Say where each product is to lie, and which ones cannot lie anywhere."""
    names = ("dataURI", "obs_collection", "obs_id", "productFilename", "size")
    files, owners = [], {}
    for uri, *folders, name, size in zip(*(products[n].tolist() for n in names), strict=True):
        size = max(size, 0)
        try:
            url = mast.file_url(uri)
            places = (name,) if flat else (_FOLDER, *folders, name)
            path = safe_path(directory, *places)
            if (owner := owners.setdefault(path, uri)) != uri:
                raise ArchiveError(f"{owner} has the same path: fetch them into two folders.")
        except ArchiveError as error:
            files.append(_File(uri, "", None, size, status="SKIPPED", message=str(error)))
        else:
            files.append(_File(uri, url, path, size))
    return files


def _find_on_disk(files: list[_File], directory: Path, kept: dict[str, tuple[int, str]]) -> None:
    """Mark the files that are there already."""

    def find(file: _File) -> tuple[int, str] | None:
        return verified(file.path, file.size, kept.get(file.path.relative_to(directory).as_posix()))

    possible = [file for file in files if file.path is not None]
    with ThreadPoolExecutor() as pool:
        for file, found in zip(possible, pool.map(find, possible), strict=True):
            if found is not None:
                file.size, file.sha256 = found
                file.status, file.message = "COMPLETE", ""


def _check_space(files: list[_File], directory: Path) -> None:
    """Raise if the files cannot fit on the disk."""
    place = next(folder for folder in (directory, *directory.parents) if folder.is_dir())
    needed, free = sum(file.size for file in files), shutil.disk_usage(place).free
    if needed > free:
        raise DiskSpaceError(
            f"{len(files)} files have {needed / 1e9:.2f} GB, but {place} has room for "
            f"{free / 1e9:.2f} GB only. Nothing was downloaded: choose fewer with filters such "
            "as productType and extension, or another download_dir."
        )


def _fetch(files: list[_File], mast: Mast, progress: bool, limits: dict[str, Any]) -> None:
    """Fetch files, and note what becomes of each."""
    by_path = {file.path: file for file in files}
    transfers = [Transfer(file.url, file.path, file.size or None) for file in files]
    options = {"describe": "Downloading", "progress": progress and bool(files), **limits}
    for result in fetch_files(transfers, mast=mast, **options):
        file = by_path[result.transfer.path]
        file.status, file.message = _STATUSES[result.status], result.message
        if file.status == "COMPLETE":
            file.size, file.sha256 = result.n_bytes, result.sha256


def _manifest(products: Table, files: list[_File]) -> Table:
    """Return products with what became of their files."""
    manifest = conformed(products, MANIFEST_COLUMNS.values())
    obsids = [p or own for p, own in zip(manifest["parent_obsid"], manifest["obsID"], strict=True)]
    columns = {
        "Local Path": ["" if file.path is None else str(file.path) for file in files],
        "Status": [file.status for file in files],
        "Message": [file.message for file in files],
        "URL": [file.url for file in files],
        "obsid": obsids,
        "size": [file.size for file in files],
        "sha256": [file.sha256 for file in files],
    }
    for name, values in columns.items():
        manifest[name] = described(values, MANIFEST_COLUMNS[name])
    place = manifest.colnames.index("obsid") + 1
    for name in reversed([name for name in RANKING_COLUMNS if name in products.colnames]):
        manifest.add_column(products[name], index=place)
    return manifest
