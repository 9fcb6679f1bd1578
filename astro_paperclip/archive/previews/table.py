"""The table of previews, and the journal that it is made of."""

import json
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from astropy.table import Column, Table

from astro_paperclip.archive.storage import read_table, write_table
from astro_paperclip.columns import text_array

__all__ = [
    "Journal",
    "PreviewRecord",
    "preview_table",
    "read_previews",
    "read_records",
    "write_previews",
]

_RECORD_COLUMNS = {
    "image": "Path of the picture, from the directory of the collection",
    "status": "complete, failed (may be tried again) or refused (can never be used)",
    "message": "What went wrong, or was odd",
    "n_bytes": "Size of the file on disk",
    "sha256": "SHA-256 of the file on disk",
    "served_bytes": "Size of what was served; 0 where it is unknown",
    "served_sha256": "SHA-256 of what was served",
    "width": "Width of the picture on disk",
    "height": "Height of the picture on disk",
}

_UNITS = {"n_bytes": "byte", "served_bytes": "byte", "width": "pix", "height": "pix"}


@dataclass(frozen=True, slots=True)
class PreviewRecord:
    """What became of one preview.

    Parameters
    ----------
    preview : str
        Its MAST URI or address.
    image : str
        Path of the file from the directory of the collection; "" where it can have none.
    status : {"complete", "failed", "refused"}
        ``"failed"`` may be tried again, ``"refused"`` is never usable.
    message : str
        What went wrong, or was odd.
    n_bytes, sha256 : int, str
        Size and checksum of the file on disk.
    served_bytes, served_sha256 : int, str
        Size and checksum of what was served; 0 and "" where they are unknown.
    width, height : int
        Size of the picture on disk [pixel].
    max_side : int
        Largest side [pixel] that it was fetched for; 0 if there was no limit.
    """

    preview: str
    image: str
    status: str
    message: str = ""
    n_bytes: int = 0
    sha256: str = ""
    served_bytes: int = 0
    served_sha256: str = ""
    width: int = 0
    height: int = 0
    max_side: int = 0


class Journal:
    """Records of a run that is under way, one line each; threads may share it.

    It is read together with the table of the run before, so that nothing that was recorded is
    lost, whenever a run ends.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file. It is made with the first record.
    """

    def __init__(self, path: Path):
        self.path = path
        self._lock = threading.Lock()
        self._file = None

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, record: PreviewRecord) -> None:
        """Write a record; it outlives the process from here on.

        Parameters
        ----------
        record : PreviewRecord
            The record.
        """
        line = json.dumps(asdict(record)).encode()
        with self._lock:
            if self._file is None:
                # Unbuffered, and with a new line first, because the last one may be torn.
                self._file = self.path.open("ab", buffering=0)
            self._file.write(b"\n" + line + b"\n")


def read_records(table_path: Path, journal_path: Path) -> dict[str, PreviewRecord]:
    """Read what is known of previews from runs before this one.

    Parameters
    ----------
    table_path, journal_path : `~pathlib.Path`
        Table of previews and journal; they need not exist.

    Returns
    -------
    records : dict of PreviewRecord
        The last record of each, by ``preview``.

    Raises
    ------
    CollectionError
        If the table cannot be read.
    """
    records = {}
    if table_path.exists():
        table = read_previews(table_path)
        names = [field.name for field in fields(PreviewRecord) if field.name in table.colnames]
        max_side = table.meta.get("max_side") or 0
        for row in zip(*(table[name].tolist() for name in names), strict=True):
            record = PreviewRecord(**dict(zip(names, row, strict=True)), max_side=max_side)
            records[record.preview] = record
    if journal_path.exists():
        with journal_path.open("rb") as journal:
            for line in journal:
                if record := _record(line):
                    records[record.preview] = record
    return records


def _record(line: bytes) -> PreviewRecord | None:
    """Read a line of a journal, which may be torn."""
    try:
        return PreviewRecord(**json.loads(line))
    except (ValueError, TypeError):
        return None


def preview_table(
    selected: Table, records: Iterable[PreviewRecord], meta: Mapping[str, object]
) -> Table:
    """Put together what was selected and what became of it.

    Parameters
    ----------
    selected : `~astropy.table.Table`
        As `~astro_paperclip.archive.select_previews` returns it.
    records : iterable of PreviewRecord
        One a row.
    meta : mapping
        What else is known.

    Returns
    -------
    table : `~astropy.table.Table`
    """
    table = selected.copy()
    table.meta.update(meta)
    records = list(records)
    for name, description in _RECORD_COLUMNS.items():
        values = [getattr(record, name) for record in records]
        is_number = name in _UNITS
        values = np.array(values, dtype=np.int64) if is_number else text_array(values)
        table[name] = Column(values, description=description, unit=_UNITS.get(name))
    return table


def write_previews(table: Table, path: str | os.PathLike) -> None:
    """Write a table of previews; the file appears whole or not at all.

    Parameters
    ----------
    table : `~astropy.table.Table`
        As `~astro_paperclip.archive.download_previews` returns it.
    path : str or path-like
        Where to; ``previews.parquet`` in a collection.
    """
    write_table(table, path)


def read_previews(path: str | os.PathLike) -> Table:
    """Read a table of previews.

    Parameters
    ----------
    path : str or path-like
        ``previews.parquet`` of a collection.

    Returns
    -------
    table : `~astropy.table.Table`
        One row a preview, with the columns of
        `~astro_paperclip.archive.select_previews`, and ``image`` (path from the directory of the
        collection), ``status``, ``message``, ``n_bytes``, ``sha256``, ``served_bytes``,
        ``served_sha256``, ``width`` and ``height``.

    Raises
    ------
    CollectionError
        If it cannot be read.
    """
    return read_table(path)
