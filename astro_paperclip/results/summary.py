"""The short table that is printed of a result."""

from pathlib import PurePath
from typing import Any

import numpy as np
from astropy.table import Column, Table

from astro_paperclip.columns import MEASURE_FORMATS, RANKING_COLUMNS
from astro_paperclip.results.cells import text_column
from astro_paperclip.results.printing import cut

__all__ = ["DISPLAY_COLUMNS", "summarized"]

DISPLAY_COLUMNS = [
    "rank",
    "score",
    "score_percentile",
    "rating",
    "obsid",
    "target_name",
    "instrument_name",
    "instrument",
    "filters",
    "t_exptime",
    "proposal_id",
    "title",
    "category",
    "obs_title",
]
"""Names of the columns that are shown first unless told otherwise."""

_NARROWEST_TEXT = 12
"""Text in a summary is never cut to fewer characters than this."""

_SUMMARY_FORMATS = {"rank": "d", **MEASURE_FORMATS}


def summarized(table: Table, names: list[str], width: int | None = None) -> Table:
    """Return a short table to print: the columns that have something to say.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows.
    names : list of str
        Names of the columns to show, if the table has them.
    width : int, optional
        Number of characters that a printed line may have. Default: no limit.

    Returns
    -------
    short : `~astropy.table.Table`
        Numbers for rank and scores, else text.
    """
    shown = {}
    for name in dict.fromkeys(names):
        if name in table.colnames:
            texts = _printed(table[name])
            is_news = any(texts) and texts not in shown.values()
            # Where nothing was ranked there are no scores to show.
            if is_news or name == "rank" or (name == "score" and not texts):
                shown[name] = texts
    if shown.keys() <= set(RANKING_COLUMNS) and "image" in table.colnames:
        shown["image"] = [PurePath(image).name for image in _printed(table["image"])]
    if width is not None:
        shown = _fitted(shown, width)
    short = Table({name: text_column(texts) for name, texts in shown.items()})
    for name in short.colnames:
        if name in RANKING_COLUMNS:
            short[name] = table[name]
        is_text = short[name].dtype.kind == "U"
        short[name].info.format = "<" if is_text else _SUMMARY_FORMATS[name]
    return short


def _printed(column: Any) -> list[str]:
    if not isinstance(column, Column) or column.ndim > 1:
        # Positions, times and vectors, as astropy prints them.
        return [" ".join(text.split()) for text in column.info.iter_str_vals()]
    masked = np.ma.getmaskarray(column)
    if column.dtype.kind == "f":
        unknown = masked | np.isnan(np.ma.getdata(column))
        form = MEASURE_FORMATS.get(column.name, ".6g")
        return [
            "" if is_missing else format(value, form)
            for value, is_missing in zip(column, unknown, strict=True)
        ]
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
    return {name: [cut(cell, widths[name]) for cell in texts[name]] for name in kept}
