"""Results in VOTable and FITS files, with what they remember.

Where ECSV keeps all that a table remembers, these formats hold texts under names. The records
of the searches are written under the name `~astro_paperclip.results.provenance.KEYWORD`, and
read back by ``PaperclipResult.read``. Plain tables read the same files.
"""

import os
import unicodedata
import warnings
from typing import Any

import numpy as np
from astropy import units as u
from astropy.io import registry
from astropy.table import Column, MaskedColumn, Table
from astropy.utils.exceptions import AstropyUserWarning

from astro_paperclip.columns import COLUMNS
from astro_paperclip.files import check_free, written_whole
from astro_paperclip.results.cells import text_column
from astro_paperclip.results.provenance import KEYWORD, read_searches, written_searches

__all__ = ["register_formats"]

_ALPHABET = 128
"""Characters of ASCII, which texts in FITS are made of."""


def register_formats(result_class: type[Table]) -> None:
    """Let the readers and writers of VOTable and FITS keep what a kind of table remembers.

    Parameters
    ----------
    result_class : type
        The class, with ``searches`` and ``to_votable()``.
    """

    def read_votable(source: Any, **kwargs: Any) -> Table:
        return _read_votable(result_class, source, **kwargs)

    def read_fits(source: Any, **kwargs: Any) -> Table:
        return _read_fits(result_class, source, **kwargs)

    registry.register_reader("votable", result_class, read_votable, force=True)
    registry.register_writer("votable", result_class, _write_votable, force=True)
    registry.register_reader("fits", result_class, read_fits, force=True)
    registry.register_writer("fits", result_class, _write_fits, force=True)


def _write_votable(
    result: Any, output: Any, *, overwrite: bool = False, tabledata_format: str | None = None
) -> None:
    votable = result.to_votable()
    if not isinstance(output, str | os.PathLike):
        votable.to_xml(output, tabledata_format=tabledata_format)
        return
    check_free(output, overwrite)
    with written_whole(output) as temporary:
        votable.to_xml(str(temporary), tabledata_format=tabledata_format)


def _read_votable(result_class: type[Table], source: Any, **kwargs: Any) -> Table:
    from astropy.io.votable import parse
    from astropy.io.votable.tree import TableElement, VOTableFile

    if not isinstance(source, VOTableFile | TableElement):
        parsing = {name: kwargs.pop(name) for name in ("verify",) if name in kwargs}
        source = parse(source, **parsing)
    table = Table.read(source, format="votable", **({"use_names_over_ids": True} | kwargs))
    result = result_class(_tidied(table))
    if isinstance(source, VOTableFile):
        infos = [info for resource in source.resources for info in resource.infos]
        _remember(result, [info.value for info in infos if info.name == KEYWORD])
    return result


def _write_fits(result: Any, output: Any, *, overwrite: bool = False, **kwargs: Any) -> None:
    table = Table(result, copy=True)
    table.meta.pop("__attributes__", None)
    table.meta.pop("searches", None)
    _make_ascii(table)
    _mark_missing(table)
    if result.searches:
        table.meta[KEYWORD] = written_searches(result.searches)
    if not isinstance(output, str | os.PathLike):
        table.write(output, format="fits", **kwargs)
        return
    check_free(output, overwrite)
    with written_whole(output) as temporary:
        table.write(temporary, format="fits", overwrite=True, **kwargs)


def _read_fits(result_class: type[Table], source: Any, **kwargs: Any) -> Table:
    table = Table.read(source, format="fits", **kwargs)
    written = table.meta.pop(KEYWORD, None)
    result = result_class(_tidied(table))
    _remember(result, [written] if written is not None else [])
    return result


def _remember(result: Table, values: list[str]) -> None:
    searches = [search for value in values for search in read_searches(value)]
    if searches:
        result.meta["searches"] = searches


def _tidied(table: Table) -> Table:
    """Return a table that was read with columns of the kind that results have."""
    tidied = Table(meta=table.meta)
    for name in table.colnames:
        column = table[name]
        if not isinstance(column, Column):
            # Positions and times, which FITS holds too.
            tidied[name] = column
            continue
        # VOTables have their lines wrapped, and astropy notes how a text was written.
        description = " ".join((column.description or "").split()) or None
        meta = {key: value for key, value in column.meta.items() if not key.startswith("_")}
        values, missing = np.ma.getdata(column), np.ma.getmaskarray(column)
        if values.dtype.kind == "O" and all(isinstance(cell, str | None) for cell in values):
            values = text_column([cell or "" for cell in values])
        elif values.dtype.kind == "S":
            values = np.char.decode(values, "utf-8", "replace")
        if values.dtype.kind == "U":
            # Neither format knows whether a text is empty or missing.
            missing = missing | (values == "")
        elif name in COLUMNS and COLUMNS[name].dtype == "bool" and values.dtype.kind == "i":
            values = values.astype(bool)
        values = values.astype(values.dtype.newbyteorder("="))
        unit = column.unit
        if name in COLUMNS and COLUMNS[name].unit == "%" and unit in (None, u.percent):
            # VOTables have no percent, and FITS files have it as a hundredth.
            unit, description = u.percent, COLUMNS[name].description
        facts = {"name": name, "unit": unit, "description": description, "meta": meta}
        if missing.any():
            tidied[name] = MaskedColumn(values, mask=missing, **facts)
        else:
            tidied[name] = Column(values, **facts)
    return tidied


def _mark_missing(table: Table) -> None:
    """Let a whole number that cannot occur stand for what is missing, as FITS has it."""
    for name in _columns(table):
        if not np.ma.getmaskarray(table[name]).any():
            continue
        if table[name].dtype.kind == "b":
            # A logical column of FITS has no third value, so that numbers take its place.
            table[name] = table[name].astype(np.int16)
        if table[name].dtype.kind == "i":
            table[name].fill_value = np.iinfo(table[name].dtype).min


def _make_ascii(table: Table) -> None:
    """Write texts without accents, as FITS has no letters beyond ASCII; and say so."""
    changed = []
    for name in _columns(table):
        column = table[name]
        if column.dtype.kind != "U":
            continue
        texts = np.ma.getdata(column)
        plain = [_ascii(text) for text in texts.tolist()]
        if plain != texts.tolist():
            changed.append(name)
            width = max(map(len, plain))
            table[name] = column.astype(f"U{max(width, 1)}")
            table[name][:] = np.ma.array(plain, mask=np.ma.getmaskarray(column))
    if changed:
        warnings.warn(
            f"FITS holds ASCII only: in {', '.join(changed)}, accents were left off and other "
            "characters became '?'. ECSV and VOTable keep them.",
            AstropyUserWarning,
            stacklevel=4,
        )


def _columns(table: Table) -> list[str]:
    """Return the names of columns proper, which positions and times are not."""
    return [name for name in table.colnames if isinstance(table[name], Column)]


def _ascii(text: str) -> str:
    if text.isascii():
        return text
    letters = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(c if ord(c) < _ALPHABET else "?" for c in letters)
