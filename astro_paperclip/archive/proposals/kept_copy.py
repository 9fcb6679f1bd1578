"""Keep a copy of a file that is published at an address, and know how old it is."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from tqdm import tqdm

from astro_paperclip.archive.mast import Mast
from astro_paperclip.archive.replies import read_within
from astro_paperclip.archive.traffic import TransientError
from astro_paperclip.config import conf
from astro_paperclip.files import written_whole

__all__ = ["KeptCopy", "bring_up_to_date"]


@dataclass(frozen=True)
class KeptCopy:
    """The copy of a file that is published somewhere.

    Parameters
    ----------
    path : `~pathlib.Path`
        The copy; need not exist.
    """

    path: Path

    @classmethod
    def of(cls, url: str, folder: Path) -> "KeptCopy":
        """Return the copy of an address.

        Parameters
        ----------
        url : str
            Where the file is published.
        folder : `~pathlib.Path`
            Where copies are kept.

        Returns
        -------
        copy : KeptCopy
            With the suffix of the address.
        """
        name = hashlib.sha256(url.encode()).hexdigest()[:16]
        return cls(folder / f"{name}{PurePosixPath(urlsplit(url).path).suffix}")

    @property
    def notes(self) -> dict:
        """What is known of the copy: ``date``, ``url`` and what identifies the version."""
        try:
            notes = json.loads(self._notes_path.read_text(encoding="utf-8"))
            datetime.fromisoformat(notes["date"])
        except (OSError, ValueError, TypeError, KeyError):
            return {}
        return notes if self.path.is_file() else {}

    @property
    def date(self) -> datetime | None:
        """When the copy was the published version for the last time that this was checked."""
        notes = self.notes
        return datetime.fromisoformat(notes["date"]) if notes else None

    def write_notes(self, notes: dict) -> None:
        """Write what is known of the copy.

        Parameters
        ----------
        notes : dict
            See `notes`.
        """
        with written_whole(self._notes_path) as temporary:
            temporary.write_text(json.dumps(notes, indent=2) + "\n", encoding="utf-8")

    @property
    def _notes_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")


def bring_up_to_date(
    copy: KeptCopy, url: str, mast: Mast, is_usable: Callable[[Path], bool], *, progress: bool
) -> None:
    """Fetch a file, unless the copy is the published version.

    Parameters
    ----------
    copy : KeptCopy
        Where to. It is replaced only by a file that is whole and usable.
    url : str
        Where from.
    mast : Mast
        Who is asked, and how patiently.
    is_usable : callable
        Tells whether a file holds what it should; ``True`` for one that does.
    progress : bool
        Whether to show a progress bar.

    Raises
    ------
    ArchiveError
        If the file cannot be had.
    """
    copy.write_notes(mast.attempt(_fetch, copy, url, mast, is_usable, progress))


def _fetch(
    copy: KeptCopy, url: str, mast: Mast, is_usable: Callable[[Path], bool], progress: bool
) -> dict:
    notes = copy.notes
    asked = {"If-None-Match": notes.get("etag"), "If-Modified-Since": notes.get("last_modified")}
    headers = {name: value for name, value in asked.items() if value}
    date = datetime.now(UTC).isoformat(timespec="seconds")
    mast.traffic.count(requests=1)
    with mast.session.get(url, headers=headers, stream=True, timeout=mast.timeout) as response:
        response.raise_for_status()
        if response.status_code == 304 and notes:
            return notes | {"date": date}
        with written_whole(copy.path) as temporary:
            _store(response, temporary, mast, progress)
            if not is_usable(temporary):
                raise TransientError("unreadable", f"{url} sent something else than was asked for")
            _check_length(url, temporary, mast)
    return {
        "url": url,
        "date": date,
        "etag": response.headers.get("ETag"),
        "last_modified": response.headers.get("Last-Modified"),
    }


def _store(response, path: Path, mast: Mast, progress: bool) -> None:
    pieces = read_within(
        response, max_bytes=conf.max_reply_size, timeout=mast.timeout, traffic=mast.traffic
    )
    announced = response.headers.get("Content-Length", "")
    total = int(announced) if announced.isdigit() else None
    bar = tqdm(desc="proposals", total=total, unit="B", unit_scale=True, disable=not progress)
    with bar, path.open("wb") as file:
        for piece in pieces:
            file.write(piece)
            bar.update(len(piece))


def _check_length(url: str, path: Path, mast: Mast) -> None:
    """Ask for the length of a file that may have been cut short without a sign of it."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 1000))
        if file.read().rstrip().endswith(b"-----"):
            return
    mast.traffic.count(requests=1)
    headers = {"Accept-Encoding": "identity"}
    response = mast.session.head(url, headers=headers, timeout=mast.timeout, allow_redirects=True)
    response.raise_for_status()
    length = response.headers.get("Content-Length")
    if length is not None and length != str(path.stat().st_size):
        raise TransientError("incomplete", f"{url} has {length} bytes, but fewer or more came")
