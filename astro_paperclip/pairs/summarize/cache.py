"""`SummaryCache`: summaries on disk, kept as they are made."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

from astro_paperclip.language import Failure
from astro_paperclip.pairs.summarize.schema import Summary
from astro_paperclip.pairs.summarize.summarizer import Summarizer

__all__ = ["SummaryCache"]


class SummaryCache:
    """Summaries by summarizer, its version and abstract, in a file of JSON lines.

    Lines are only ever added. Whatever kills the process, at most the last
    line is torn; it is cut off when the file is next opened. Failures are written down too,
    with their reasons, but are no summaries: the next run tries again.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file; it is made where needed.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a+b")
        self._summaries: dict[str, Summary] = {}
        self._file.seek(0)
        whole = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            self._remember(line)
        self._file.truncate(whole)

    def __enter__(self) -> "SummaryCache":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._summaries)

    def get(self, summarizer: Summarizer, abstract: str) -> Summary | None:
        """Return the summary that the same summarizer made of the same abstract, if any."""
        return self._summaries.get(_key(summarizer, abstract))

    def add(self, summarizer: Summarizer, results: Mapping[str, Summary | Failure]) -> None:
        """Keep results, for good when this returns.

        Parameters
        ----------
        summarizer : Summarizer
            Who made them.
        results : mapping of str to Summary or Failure
            By abstract: the summary, or why there is none.
        """
        for abstract, result in results.items():
            key = _key(summarizer, abstract)
            entry = {"key": key, "summarizer": summarizer.name, "version": summarizer.version}
            if isinstance(result, Failure):
                entry["failure"] = result.reason
            else:
                entry["summary"] = result.model_dump()
                self._summaries[key] = result
            self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _remember(self, line: bytes) -> None:
        """Take a summary from a line; what is none, or damaged, is made again when needed."""
        try:
            entry = json.loads(line)
            if "summary" in entry:
                self._summaries[entry["key"]] = Summary.model_validate(entry["summary"])
        except (ValueError, KeyError, TypeError, ValidationError):
            return


def _key(summarizer: Summarizer, abstract: str) -> str:
    parts = json.dumps([summarizer.version, summarizer.name, abstract])
    return hashlib.sha256(parts.encode()).hexdigest()
