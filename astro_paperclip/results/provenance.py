"""Where the rows of a result come from: a record of each search, and how files carry it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

__all__ = ["KEYWORD", "distinct_searches", "read_searches", "search_record", "written_searches"]

KEYWORD = "SEARCHES"
"""Name of the card of a FITS header, and of the INFO of a VOTable, that holds the records."""

_SOFTWARE = (
    "astro_paperclip",
    "astropy",
    "astroquery",
    "numpy",
    "torch",
    "open_clip_torch",
    "qdrant-edge-py",
    "qdrant-client",
)


def search_record(query: Mapping[str, Any], index_info: Mapping[str, Any] | None) -> dict:
    """Return the record of a search that has just been made.

    Parameters
    ----------
    query : mapping
        What was asked: JSON-like values.
    index_info : mapping, optional
        What was searched: JSON-like values.

    Returns
    -------
    record : dict
        ``query``, ``index``, ``software`` (versions) and ``date`` (UTC).
    """
    return {
        "query": dict(query),
        "index": dict(index_info or {}),
        "software": dict(_software_versions()),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def distinct_searches(meta: Mapping[str, Any]) -> list[dict]:
    """Return the records of a table's ``meta``, each once.

    Parameters
    ----------
    meta : mapping
        Of a table; stacked tables have the records of all.

    Returns
    -------
    searches : list of dict
    """
    distinct = []
    for search in meta.get("searches", []):
        if search not in distinct:
            distinct.append(search)
    return distinct


def written_searches(searches: list[dict]) -> str:
    """Write records as text for a header that holds nothing but text.

    Parameters
    ----------
    searches : list of dict
        The records.

    Returns
    -------
    text : str
        JSON in ASCII. It has no apostrophe, which a long card of a FITS header would be torn at.
    """
    return json.dumps(searches).replace("'", "\\u0027")


def read_searches(text: str) -> list[dict]:
    """Read what `written_searches` wrote.

    Parameters
    ----------
    text : str
        What the header holds.

    Returns
    -------
    searches : list of dict
        Empty if the text is of another origin.
    """
    try:
        searches = json.loads(text)
    except (TypeError, ValueError):
        return []
    is_record = isinstance(searches, list) and all(isinstance(item, dict) for item in searches)
    return searches if is_record else []


@cache
def _software_versions() -> dict[str, str]:
    found = {}
    for name in _SOFTWARE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
