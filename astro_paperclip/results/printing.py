"""How a result is printed in a terminal: what matters first, and nothing hidden in silence."""

from typing import Any

import numpy as np
from astropy.table import Column, Table, TableFormatter

from astro_paperclip.columns import MEASURE_FORMATS

__all__ = ["ResultFormatter", "cut", "telling_columns"]

_HEADER = ("show_name", "show_unit", "show_dtype")

_NARROWEST_TEXT = 12
"""Texts are never cut to fewer characters than this."""


class ResultFormatter(TableFormatter):
    """Print a table whole where it fits the width, else its display columns first.

    Where all columns fit, or no width is given, the table is printed as astropy does it, with
    its columns in their order. Else the columns that ``display_columns`` names come first, long
    texts are cut, and a last line says which columns are not shown, instead of dots in the
    middle. ``pprint_include_names`` and ``pprint_exclude_names`` of the table go before this.
    """

    def _pformat_table(
        self, table: Table, max_lines: int | None = -1, max_width: int | None = -1, **options: Any
    ) -> tuple[list[str], dict]:
        lines, facts = super()._pformat_table(table, max_lines, -1, **options)
        _, width = self._get_pprint_size(max_lines, max_width)
        is_text = not options.get("html") and isinstance(options.get("align"), str | None)
        is_chosen = table.pprint_include_names() or table.pprint_exclude_names()
        if len(lines[0]) <= width and is_text:
            return lines, facts
        if not is_text or is_chosen or len(table.colnames) == 1:
            return super()._pformat_table(table, max_lines, max_width, **options)
        short = self._fitted(table, max_lines, width, options)
        lines, facts = super()._pformat_table(short, max_lines, max_width, **options)
        others = [name for name in table.colnames if name not in short.colnames]
        if others:
            plural = "column" if len(others) == 1 else "columns"
            lines.append(cut(f"{len(others)} {plural} not shown: {', '.join(others)}", width))
        return lines, facts

    def _fitted(self, table: Table, max_lines: int | None, width: int, options: dict) -> Table:
        """Return the first columns that fit side by side, texts cut to share the width."""
        first = telling_columns(table, table.display_columns)
        others = [name for name in table.colnames if name not in table.display_columns]
        # These columns are views with formats of their own: those of the table stay.
        short = Table([table[n] for n in [*first, *others]], names=[*first, *others], copy=False)
        shown = {key: options[key] for key in _HEADER if key in options}
        floors, widths = {}, {}
        for name in short.colnames:
            column = short[name]
            if _is_text(column):
                column.info.format = _one_line
            elif name in MEASURE_FORMATS and column.info.format is None:
                column.info.format = MEASURE_FORMATS[name]
            lines, _ = self._pformat_col(column, max_lines, **shown)
            widths[name] = floors[name] = len(lines[0])
            if _is_text(column):
                dtype = len(column.dtype.name) if options.get("show_dtype") else 0
                floors[name] = min(widths[name], max(_NARROWEST_TEXT, len(name), dtype))
        kept, room = _shared(first, floors, widths, width + 1)
        if len(kept) == len(first):
            kept |= _shared(others, floors, widths, room)[0]
        for name in kept:
            if kept[name] < widths[name]:
                short[name].info.format = _cut_to(kept[name])
        return short[list(kept)] if kept else short[short.colnames[:1]]


def _shared(
    names: list[str], floors: dict[str, int], widths: dict[str, int], room: int
) -> tuple[dict[str, int], int]:
    """Give columns their widths from the left, as long as there is room; return what is left.

    Each takes its least width and a blank; then what is left goes to the first that want more.
    """
    given = {}
    for name in names:
        if room < floors[name] + 1:
            break
        given[name] = floors[name]
        room -= floors[name] + 1
    for name in given:
        wanted = min(widths[name] - floors[name], room)
        given[name] += wanted
        room -= wanted
    return given, room


def telling_columns(table: Table, names: list[str]) -> list[str]:
    """Return the columns that have something to say.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows.
    names : list of str
        Names of columns, whether the table has them or not.

    Returns
    -------
    names : list of str
        Those that are there, without columns that are empty or repeat an earlier text.
    """
    kept = []
    for name in dict.fromkeys(names):
        if name not in table.colnames:
            continue
        # Without rows nothing is known of any column.
        says_nothing = len(table) and (
            _is_empty(table[name]) or any(_is_same(table[name], table[other]) for other in kept)
        )
        if not says_nothing:
            kept.append(name)
    return kept


def cut(text: str, length: int) -> str:
    """Return a text that is not too long, with an ellipsis where it was."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def _is_text(column: Any) -> bool:
    return isinstance(column, Column) and column.dtype.kind in "UO" and column.ndim == 1


def _is_empty(column: Any) -> bool:
    if not isinstance(column, Column):
        return False
    missing = np.ma.getmaskarray(column)
    if _is_text(column):
        missing = missing | (np.ma.getdata(column) == "")
    return bool(np.all(missing))


def _is_same(column: Any, other: Any) -> bool:
    if not (_is_text(column) and _is_text(other)):
        return False
    return bool(np.array_equal(np.ma.filled(column, ""), np.ma.filled(other, "")))


def _one_line(value: Any) -> str:
    return " ".join(str(value).split())


def _cut_to(length: int) -> Any:
    return lambda value: cut(_one_line(value), length)
