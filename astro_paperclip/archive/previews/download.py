"""Download previews into a collection; stop at any moment and go on later."""

import hashlib
import math
import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from astropy.table import Table
from tqdm import tqdm

from astro_paperclip.archive.cloud import cloud_addresses
from astro_paperclip.archive.fetching import file_digest, remove_leftovers
from astro_paperclip.archive.mast import Mast
from astro_paperclip.archive.paths import safe_path
from astro_paperclip.archive.previews.table import (
    Journal,
    PreviewRecord,
    preview_table,
    read_records,
    write_previews,
)
from astro_paperclip.archive.transfer import Transfer, Transferred, fetch_files
from astro_paperclip.exceptions import ArchiveError, DiskSpaceError, ImageError, InvalidQueryError
from astro_paperclip.images.read import MINIMUM_SIDE, read_image
from astro_paperclip.images.shrink import shrink_picture

__all__ = ["download_previews"]

_FOLDER = "previews"
_TABLE = "previews.parquet"
_JOURNAL = "previews.jsonl"

_PICTURE_SUFFIXES = {"jpg", "jpeg", "png", "gif", "webp", "tif", "tiff", "bmp"}

_BYTES_PER_PIXEL = 0.5
"""Size of a preview that was made smaller: above what JPEGs of quality 90 take of the sky."""

_USUAL_SIZE = 2_500_000
"""Size of a preview [byte] that MAST says nothing of."""

_SPARE_ROOM = 100_000_000
"""Room [byte] on the disk that is left alone."""

_DECODING = threading.BoundedSemaphore(os.cpu_count() or 1)
"""Large pictures take memory while they are decoded; more at once would not be faster."""


def download_previews(
    selected: Table,
    collection_path: str | os.PathLike,
    *,
    mast: Mast | None = None,
    max_side: int | None = 512,
    cloud: bool = False,
    max_conn: int | None = None,
    retry_failed: bool = True,
    offline: bool = False,
    progress: bool = True,
) -> Table:
    """Download previews into a collection, and record them in its ``previews.parquet``.

    A file takes its name, ``previews/<proposal_id>/<file name>.jpg``, when it is whole and a
    picture. What is complete is not asked for again. A run that was interrupted, at any moment,
    goes on where it was, and ends with the same files and the same table as one that was not.
    One run at a time may work on a collection.

    Parameters
    ----------
    selected : `~astropy.table.Table`
        As `~astro_paperclip.archive.select_previews` returns it.
    collection_path : str or path-like
        The directory of the collection; made where needed.
    mast : Mast, optional
        Where previews are fetched from, and how patiently.
    max_side : int, optional
        Larger pictures are made smaller: their longest side has this many pixels. World
        coordinates in their comment are rewritten for it, see
        `~astro_paperclip.images.read_wcs`. None to keep them as they are served.
    cloud : bool
        Whether to look in MAST's public cloud bucket first, through astroquery. This needs boto3
        and no account.
    max_conn : int, optional
        Number of files that are fetched at once. By default the configuration item
        ``max_conn``.
    retry_failed : bool
        Whether to try those again that failed in an earlier run.
    offline : bool
        Whether to take what is there and ask for nothing.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    previews : `~astropy.table.Table`
        The rows of ``selected``, with ``image`` (path from the directory of the collection),
        ``status``, ``message``, ``n_bytes``, ``sha256``, ``served_bytes``, ``served_sha256``,
        ``width`` and ``height``. The status is ``"complete"``; ``"failed"`` where another run
        may have more luck; or ``"refused"`` where it cannot, because there is no such file, it
        is not public, is no picture, is too large, or has a name that cannot be used. Remove
        the table to have those tried again, too.

    Raises
    ------
    InvalidQueryError
        If an argument makes no sense.
    DiskSpaceError
        If the disk has too little room.
    ArchiveError
        If the cloud was asked for and cannot be used.
    CollectionError
        If the table of an earlier run is damaged.
    """
    _check_arguments(selected, max_side)
    root = Path(collection_path)
    (root / _FOLDER).mkdir(parents=True, exist_ok=True)
    for folder in (root / _FOLDER).iterdir():
        remove_leftovers(folder)
    wanted = _wanted(selected, root, max_side or 0)
    found, pending = _sorted_out(wanted, root, retry_failed, progress)
    if offline:
        message = "It was not fetched: the run was offline."
        found += [replace(record, message=message) for record in pending]
        pending = []
    with Journal(root / _JOURNAL) as journal:
        if pending:
            sizes = dict(zip(selected["preview"].tolist(), selected["size"].tolist(), strict=True))
            _check_room(root, [sizes[record.preview] for record in pending], max_side)
            options = {"max_conn": max_conn, "progress": progress}
            download = _Download(root, mast or Mast(), journal, sizes, options)
            complete = download.from_cloud(pending) if cloud else []
            left = {record.preview for record in pending} - {r.preview for r in complete}
            found += complete
            found += download.from_mast([record for record in pending if record.preview in left])
    records = {record.preview: record for record in found}
    rows = [records[preview] for preview in selected["preview"].tolist()]
    table = preview_table(selected, rows, {"max_side": max_side})
    write_previews(table, root / _TABLE)
    (root / _JOURNAL).unlink(missing_ok=True)
    return table


def _check_arguments(selected: Table, max_side: int | None) -> None:
    needed = ("obsid", "proposal_id", "preview", "productFilename", "size")
    missing = [name for name in needed if name not in selected.colnames]
    if missing:
        raise InvalidQueryError(
            f"The previews lack the column {', '.join(missing)}: give what select_previews returns."
        )
    if len(set(selected["preview"].tolist())) < len(selected):
        raise InvalidQueryError("Some previews occur twice: each must be there once.")
    if max_side is not None and max_side < MINIMUM_SIDE:
        raise InvalidQueryError(f"max_side={max_side!r} must be at least {MINIMUM_SIDE}, or None.")


def _wanted(selected: Table, root: Path, max_side: int) -> list[PreviewRecord]:
    """Give each preview its place in the collection."""
    names = [_jpeg_name(name) for name in selected["productFilename"].tolist()]
    proposals = selected["proposal_id"].tolist()
    # Some file systems take upper and lower case for the same.
    places = [(proposal, name.casefold()) for proposal, name in zip(proposals, names, strict=True)]
    number = Counter(places)
    records = []
    for row, preview in enumerate(selected["preview"].tolist()):
        name = names[row]
        if number[places[row]] > 1:
            checksum = hashlib.sha256(preview.encode()).hexdigest()[:8]
            name = f"{name.removesuffix('.jpg')}-{checksum}.jpg"
        try:
            path = safe_path(root, _FOLDER, proposals[row], name)
        except ArchiveError as error:
            record = PreviewRecord(preview, "", "refused", str(error))
        else:
            image = path.relative_to(root).as_posix()
            record = PreviewRecord(preview, image, "failed", max_side=max_side)
        records.append(record)
    return records


def _sorted_out(
    wanted: list[PreviewRecord], root: Path, retry_failed: bool, progress: bool
) -> tuple[list[PreviewRecord], list[PreviewRecord]]:
    """Return the previews that nobody has to be asked for, and the others."""
    known = read_records(root / _TABLE, root / _JOURNAL)
    taken = {record.image for record in known.values()}
    found, pending = [], []
    for record in tqdm(wanted, "checking previews", unit="file", disable=not progress, leave=False):
        before = known.get(record.preview)
        if record.status == "refused":
            there = record
        elif before is not None:
            there = _remembered(record, before, root, retry_failed)
        else:
            there = None if record.image in taken else _recognized(record, root)
        if there is None:
            pending.append(record)
        else:
            found.append(there)
    return found, pending


def _jpeg_name(name: str) -> str:
    stem, _, suffix = name.rpartition(".")
    return f"{stem}.jpg" if suffix.lower() in _PICTURE_SUFFIXES else f"{name}.jpg"


def _remembered(
    wanted: PreviewRecord, known: PreviewRecord, root: Path, retry_failed: bool
) -> PreviewRecord | None:
    """Return what an earlier run recorded of a preview, or None if it has to be fetched."""
    if known.status == "complete":
        return known if known.image == wanted.image and _is_as_wanted(known, wanted, root) else None
    is_final = known.status == "refused" or not retry_failed
    return replace(known, image=wanted.image) if is_final else None


def _is_as_wanted(known: PreviewRecord, wanted: PreviewRecord, root: Path) -> bool:
    """Say whether a file is still as it was recorded, and not too small or too large."""
    path, limit = root / known.image, wanted.max_side or math.inf
    longest = max(known.width, known.height)
    # Of a picture that was made smaller, there was more to be had.
    is_cut = longest == known.max_side and limit > known.max_side
    if longest > limit or is_cut or not path.is_file() or path.stat().st_size != known.n_bytes:
        return False
    return file_digest(path)[1] == known.sha256


def _recognized(wanted: PreviewRecord, root: Path) -> PreviewRecord | None:
    """Return a record of a file that no run has recorded, if it is a picture as wanted."""
    path = root / wanted.image
    if not path.is_file():
        return None
    try:
        width, height = read_image(path).size
    except ImageError:
        return None
    if max(width, height) > (wanted.max_side or math.inf):
        return None
    n_bytes, sha256 = file_digest(path)
    found = {"n_bytes": n_bytes, "sha256": sha256, "width": width, "height": height}
    return replace(wanted, status="complete", **found)


def _check_room(root: Path, sizes: list[int], max_side: int | None) -> None:
    """Refuse to start what the disk has no room for."""
    largest = math.inf if max_side is None else _BYTES_PER_PIXEL * max_side**2
    needed = sum(min(size or _USUAL_SIZE, largest) for size in sizes) + _SPARE_ROOM
    free = shutil.disk_usage(root).free
    if free < needed:
        raise DiskSpaceError(
            f"{len(sizes)} previews need about {needed / 1e6:.0f} MB of disk, and "
            f"{free / 1e6:.0f} MB are free at {root}: make room, or choose fewer or smaller ones. "
            "Nothing was fetched."
        )


class _Download:
    """Fetches previews, keeps a journal, and makes records of them."""

    def __init__(
        self, root: Path, mast: Mast, journal: Journal, sizes: dict[str, int], options: dict
    ):
        self._root = root
        self._mast = mast
        self._journal = journal
        self._sizes = sizes
        self._options = options

    def from_cloud(self, pending: list[PreviewRecord]) -> list[PreviewRecord]:
        """Fetch what is in MAST's public bucket; return the records of what is complete."""
        addresses = cloud_addresses(
            [record.preview for record in pending], self._mast, progress=self._options["progress"]
        )
        found = [record for record in pending if record.preview in addresses]
        fetched = self._fetched(found, addresses, "fetching from the cloud")
        return [record for record in fetched if record.status == "complete"]

    def from_mast(self, pending: list[PreviewRecord]) -> list[PreviewRecord]:
        """Fetch previews from where they are on the web; return the records of all."""
        addresses, found, records = {}, [], []
        for record in pending:
            try:
                addresses[record.preview] = self._mast.file_url(record.preview)
                found.append(record)
            except ArchiveError as error:
                records.append(replace(record, status="refused", message=str(error)))
        for record in self._fetched(found, addresses, "fetching previews"):
            if record.status != "complete":
                self._journal.add(record)
            records.append(record)
        return records

    def _fetched(
        self, pending: list[PreviewRecord], addresses: dict[str, str], describe: str
    ) -> Iterator[PreviewRecord]:
        """Fetch previews and yield their records; of complete ones the journal has them first."""
        wanted = {self._root / record.image: record for record in pending}
        transfers = [
            Transfer(addresses[record.preview], path, self._sizes[record.preview] or None)
            for path, record in wanted.items()
        ]
        if not transfers:
            return

        def finish(path: Path) -> tuple[int, int]:
            with _DECODING:
                return shrink_picture(path, pending[0].max_side or None)

        def record(transferred: Transferred) -> PreviewRecord:
            width, height = transferred.finished or (0, 0)
            return replace(
                wanted[transferred.transfer.path],
                status=transferred.status,
                message=transferred.message,
                n_bytes=transferred.n_bytes,
                sha256=transferred.sha256,
                served_bytes=transferred.served_bytes,
                served_sha256=transferred.served_sha256,
                width=width,
                height=height,
            )

        results = fetch_files(
            transfers,
            mast=self._mast,
            finish=finish,
            record=lambda transferred: self._journal.add(record(transferred)),
            describe=describe,
            **self._options,
        )
        with closing(results):
            yield from map(record, results)
