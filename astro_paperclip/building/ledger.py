"""Which stages of a build are current: kept in the collection's ``stages.json``."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from astro_paperclip.exceptions import CollectionError
from astro_paperclip.files import written_whole

__all__ = ["Ledger", "fingerprint"]

_FILE = "stages.json"


class Ledger:
    """A record of what each stage was made from, and of what it found.

    Parameters
    ----------
    home : `~pathlib.Path`
        The collection's directory.

    Raises
    ------
    CollectionError
        If the record is damaged.
    """

    def __init__(self, home: Path):
        self.path = home / _FILE
        try:
            text = self.path.read_text(encoding="utf-8") if self.path.exists() else "{}"
            self._entries = json.loads(text)
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise CollectionError(
                f"{self.path} is damaged: {error}. Remove it: what is there will be checked, and "
                "made again only where it has to be."
            ) from error

    def entry(self, stage: str) -> dict[str, Any]:
        """Return what is recorded of a stage; empty where nothing is."""
        return self._entries.get(stage, {})

    def write(self, stage: str, **entry: Any) -> None:
        """Record a stage, for good when this returns.

        Parameters
        ----------
        stage : str
            Name of the stage.
        **entry
            What to record, in values that JSON knows.
        """
        self._entries[stage] = entry
        with written_whole(self.path) as temporary:
            text = json.dumps(self._entries, indent=2, sort_keys=True)
            temporary.write_text(f"{text}\n", encoding="utf-8")


def fingerprint(settings: dict[str, Any], inputs: Iterable[Path]) -> str:
    """Return a hash of all that a stage is made from.

    Parameters
    ----------
    settings : dict
        Values that JSON knows.
    inputs : iterable of `~pathlib.Path`
        Files that are read; one that is missing counts as such.

    Returns
    -------
    fingerprint : str
        SHA-256, in hexadecimal.
    """
    contents = {path.name: _file_hash(path) for path in inputs}
    text = json.dumps([settings, contents], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _file_hash(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
