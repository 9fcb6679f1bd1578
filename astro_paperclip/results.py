"""What a query returns: an astropy table, ranked, that MAST's own functions understand."""

import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath
from typing import Any

import numpy as np
from astropy.table import Column, MaskedColumn, Table, TableAttribute

from astro_paperclip.columns import COLUMNS, CONTRACT_COLUMNS, ColumnInfo

__all__ = ["PaperclipResult"]

DISPLAY_COLUMNS = [
    "rank",
    "score",
    "obsid",
    "target_name",
    "instrument_name",
    "instrument",
    "filters",
    "proposal_id",
    "category",
    "title",
    "obs_title",
]

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

_NARROWEST_TEXT = 12
"""Text in a summary is never cut to fewer characters than this."""


_SCORE_FORMAT = ".3f"
_SUMMARY_FORMATS = {"rank": "d", "score": _SCORE_FORMAT}


class PaperclipResult(Table):
    """Ranked observations: a `~astropy.table.Table` that remembers the search it came from.

    ``rank`` and ``score`` come first, then the columns that `astroquery.mast.Observations`
    asks for: ``obsid``, ``obs_id``, ``target_name`` and ``obs_collection``, which are always
    there as text without missing values (``""`` where unknown). MAST's other columns and
    whatever else the index holds follow, missing values masked. Units, descriptions, UCDs and
    utypes are set where `astro_paperclip.columns` knows them.

    A result is sliced, masked, stacked, pickled and written like any other table, and stays a
    `PaperclipResult` in ECSV. Where it came from is in ``meta["searches"]``, one record for
    each search that the rows stem from.

    Attributes
    ----------
    display_columns : list of str
        Names of the columns that `summary` shows. Assign a list of your own to change it.

    Examples
    --------
    >>> from astro_paperclip import PaperclipResult
    >>> result = PaperclipResult.from_hits([], query={"kind": "text", "text": "a comet"})
    >>> result.colnames
    ['rank', 'score', 'obsid', 'obs_id', 'target_name', 'obs_collection']
    >>> result.query["text"]
    'a comet'
    """

    display_columns = TableAttribute(default=DISPLAY_COLUMNS)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # An ECSV file cannot tell "" from a missing value, and MAST's functions turn a masked
        # obsid into the text "None".
        for name in CONTRACT_COLUMNS[2:]:
            if name in self.colnames and isinstance(self[name], MaskedColumn):
                self[name] = _unmasked(self[name])

    @classmethod
    def from_hits(
        cls,
        hits: Iterable,
        *,
        query: Mapping[str, Any] | None = None,
        index_info: Mapping[str, Any] | None = None,
    ) -> "PaperclipResult":
        """Make a table of what the index found.

        Parameters
        ----------
        hits : iterable
            Objects with ``.id`` (str), ``.score`` (float) and ``.payload`` (mapping of column
            names to values; `None`, NaN or absence is a missing value).
        query : mapping, optional
            What was asked: JSON-like values. ``offset`` says how many better matches were
            passed over, so that ranks go on from there.
        index_info : mapping, optional
            What was searched: JSON-like values.

        Returns
        -------
        PaperclipResult
            One row a hit, by falling score; equal scores by ``obsid``, then by id.

        Notes
        -----
        An ``obsid`` that is not a positive whole number is no key to MAST's products, and is
        given as unknown (``""``). Ranks and scores are the search's own, whatever a payload
        holds under these names.
        """
        query = dict(query or {})
        hits = sorted(hits, key=lambda hit: (-hit.score, _obsid(hit.payload.get("obsid")), hit.id))
        payloads = [hit.payload for hit in hits]
        first_rank = int(query.get("offset", 0)) + 1

        columns = {
            "rank": np.arange(first_rank, first_rank + len(hits), dtype=np.int64),
            "score": np.array([hit.score for hit in hits], dtype=np.float64),
            "obsid": _text_column([_obsid(payload.get("obsid")) for payload in payloads]),
        }
        for name in CONTRACT_COLUMNS[3:]:
            columns[name] = _text_column([_text(_known(p.get(name))) or "" for p in payloads])
        table = cls()
        for name, values in columns.items():
            table[name] = _described(Column(values, name=name), COLUMNS[name])
        for name in _payload_names(payloads):
            if name not in columns:
                table[name] = _payload_column(name, [_known(p.get(name)) for p in payloads])

        table.meta["searches"] = [
            {
                "query": query,
                "index": dict(index_info or {}),
                "software": dict(_software_versions()),
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        ]
        return table

    @property
    def searches(self) -> list[dict]:
        """Records of the searches that the rows stem from, each once.

        A record holds ``query`` (what was asked), ``index`` (what was searched), ``software``
        (versions) and ``date`` (UTC).
        """
        distinct = []
        for search in self.meta.get("searches", []):
            if search not in distinct:
                distinct.append(search)
        return distinct

    @property
    def query(self) -> dict | None:
        """What was asked, or `None` where rows of several searches were stacked."""
        return self._of_the_search("query")

    @property
    def index_info(self) -> dict | None:
        """What was searched, or `None` where rows of several searches were stacked."""
        return self._of_the_search("index")

    def summary(self, width: int | None = None) -> Table:
        """Give a short table to print: the display columns that have something to say.

        Columns without a value, and columns that repeat an earlier one, are left out. Where
        nothing but the score is known of the images, their file names are given.

        Parameters
        ----------
        width : int, optional
            Number of characters that a printed line may have. Long text is cut to fit, then
            columns are left out from the right. Default: no limit.

        Returns
        -------
        `~astropy.table.Table`
            A plain table in the order of the rows: numbers for rank and score, else text.
        """
        shown = {}
        for name in dict.fromkeys(self.display_columns):
            if name in self.colnames:
                texts = _printed(self[name])
                is_news = any(texts) and texts not in shown.values()
                if is_news or name in CONTRACT_COLUMNS[:2]:
                    shown[name] = texts
        if set(shown) == set(CONTRACT_COLUMNS[:2]) and "image" in self.colnames:
            shown["image"] = [PurePath(image).name for image in _printed(self["image"])]
        if width is not None:
            shown = _fitted(shown, width)
        short = Table({name: _text_column(texts) for name, texts in shown.items()})
        for name in short.colnames:
            if name in ("rank", "score"):
                short[name] = self[name]
            short[name].info.format = _SUMMARY_FORMATS.get(name, "<")
        return short

    def _of_the_search(self, part: str) -> dict | None:
        searches = self.searches
        return searches[0][part] if len(searches) == 1 else None


@cache
def _software_versions() -> dict[str, str]:
    found = {}
    for name in _SOFTWARE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _known(value: Any) -> Any:
    """Return the value, or `None` for what stands for a missing one."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _text(value: Any) -> str | None:
    """Write a payload value as text; a whole number never gets a decimal point."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        # MAST joins several values of one cell, as of filters, in this way.
        return ";".join(value)
    if isinstance(value, list | dict):
        return json.dumps(value, sort_keys=True)
    return str(value)


def _obsid(value: Any) -> str:
    """Return the observation's key in MAST as digits, or "" where there is none."""
    text = (_text(_known(value)) or "").strip()
    return text if text.isascii() and text.isdigit() and int(text) > 0 else ""


def _payload_names(payloads: list[Mapping]) -> list[str]:
    """Return all names of the payloads: those of `COLUMNS` in its order, then the others."""
    present = dict.fromkeys(name for payload in payloads for name in payload)
    known = [name for name in COLUMNS if name in present]
    return known + [name for name in present if name not in COLUMNS]


def _payload_column(name: str, values: list) -> Column:
    info = COLUMNS.get(name)
    present = [value for value in values if value is not None]
    if info and all(_FITS[info.dtype](value) for value in present):
        return _described(_column(name, values, info.dtype), info)
    # Without a column's own type its unit means nothing, so that it is not set.
    return _column(name, values, _common_type(present))


def _common_type(values: list) -> str:
    """Return the narrowest type that holds all values as they are."""
    types = {type(value) for value in values}
    if types == {bool}:
        return "bool"
    if types == {int}:
        return "int64" if all(map(_is_integer, values)) else "str"
    if types and types <= {int, float}:
        return "float64"
    return "str"


def _is_integer(value: Any) -> bool:
    limits = np.iinfo(np.int64)
    return _is_number(value) and value == value // 1 and limits.min <= value <= limits.max


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_FITS = {
    "str": lambda _: True,
    "bool": lambda value: isinstance(value, bool),
    "int64": _is_integer,
    "float64": _is_number,
}

_FILL = {"str": "", "bool": False, "int64": 0, "float64": 0.0}


def _column(name: str, values: list, dtype: str) -> Column:
    cells = [_text(value) for value in values] if dtype == "str" else values
    missing = [cell is None for cell in cells]
    filled = [_FILL[dtype] if cell is None else cell for cell in cells]
    data = _text_column(filled) if dtype == "str" else np.array(filled, dtype=dtype)
    if any(missing):
        return MaskedColumn(data, name=name, mask=missing)
    return Column(data, name=name)


def _unmasked(column: MaskedColumn) -> Column:
    filled = Column(column.filled("").astype(str), name=column.name)
    filled.description = column.description
    filled.meta.update(column.meta)
    return filled


def _text_column(texts: list[str]) -> np.ndarray:
    # An empty list would become numbers, and an all-empty one text without width.
    return np.array(texts, dtype=f"U{max((len(text) for text in texts), default=0) or 1}")


def _described(column: Column, info: ColumnInfo) -> Column:
    column.unit = info.unit
    column.description = info.description
    # Lower-case keys are those that astropy's VOTable writer turns into attributes of a FIELD.
    identity = {"ucd": info.ucd, "utype": info.utype}
    column.meta.update({key: value for key, value in identity.items() if value is not None})
    return column


def _printed(column: Column) -> list[str]:
    if column.name == "score":
        return [format(value, _SCORE_FORMAT) for value in column]
    masked = np.ma.getmaskarray(column)
    return [
        "" if is_missing else " ".join(str(cell).split())
        for cell, is_missing in zip(column, masked, strict=True)
    ]


def _fitted(texts: dict[str, list[str]], width: int) -> dict[str, list[str]]:
    """Cut the widest columns, then leave out the last ones, until a line fits the width."""
    widths = {n: max([len(n), *map(len, cells)]) for n, cells in texts.items()}
    floors = {name: min(widths[name], max(len(name), _NARROWEST_TEXT)) for name in texts}
    kept = list(texts)
    while len(kept) > 1 and sum(floors[name] + 1 for name in kept) - 1 > width:
        kept.pop()
    while (excess := sum(widths[name] + 1 for name in kept) - 1 - width) > 0:
        widest = max(kept, key=lambda name: widths[name] - floors[name])
        room = widths[widest] - floors[widest]
        if room == 0:
            break
        others = [widths[name] for name in kept if name != widest]
        step = max(1, widths[widest] - max(others, default=0))
        widths[widest] -= min(room, excess, step)
    return {name: [_cut(cell, widths[name]) for cell in texts[name]] for name in kept}


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"
