"""Results in VOTable and FITS files, with what they remember.

Where ECSV keeps all that a table remembers, these formats hold texts under names. The records
of the searches are written under the name `~astro_paperclip.results.provenance.KEYWORD`, and
read back by ``PaperclipResult.read``. Plain tables read the same files.
"""

import os
import unicodedata
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import registry
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

from astro_paperclip.files import written_whole
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
    _check_free(output, overwrite)
    with written_whole(output) as temporary:
        votable.to_xml(str(temporary), tabledata_format=tabledata_format)


def _read_votable(result_class: type[Table], source: Any, **kwargs: Any) -> Table:
    from astropy.io.votable import parse
    from astropy.io.votable.tree import TableElement, VOTableFile

    if not isinstance(source, VOTableFile | TableElement):
        parsing = {name: kwargs.pop(name) for name in ("verify",) if name in kwargs}
        source = parse(source, **parsing)
    table = Table.read(source, format="votable", **({"use_names_over_ids": True} | kwargs))
    for name in table.colnames:
        # VOTables hold texts of any length; results hold them in columns that can be sorted.
        if table[name].dtype.kind == "O":
            table[name] = _texts(table[name])
    result = result_class(table)
    if isinstance(source, VOTableFile):
        infos = [info for resource in source.resources for info in resource.infos]
        values = [info.value for info in infos if info.name == KEYWORD]
        _remember(result, values)
    return result


def _write_fits(result: Any, output: Any, *, overwrite: bool = False, **kwargs: Any) -> None:
    table = Table(result, copy=True)
    table.meta.pop("__attributes__", None)
    table.meta.pop("searches", None)
    _make_ascii(table)
    if result.searches:
        table.meta[KEYWORD] = written_searches(result.searches)
    if not isinstance(output, str | os.PathLike):
        table.write(output, format="fits", **kwargs)
        return
    _check_free(output, overwrite)
    with written_whole(output) as temporary:
        table.write(temporary, format="fits", overwrite=True, **kwargs)


def _read_fits(result_class: type[Table], source: Any, **kwargs: Any) -> Table:
    table = Table.read(source, format="fits", **kwargs)
    table.convert_bytestring_to_unicode()
    written = table.meta.pop(KEYWORD, None)
    result = result_class(table)
    _remember(result, [written] if written is not None else [])
    return result


def _remember(result: Table, values: list[str]) -> None:
    searches = [search for value in values for search in read_searches(value)]
    if searches:
        result.meta["searches"] = searches


def _check_free(output: str | os.PathLike, overwrite: bool) -> None:
    if Path(output).exists() and not overwrite:
        raise OSError(f"File {str(output)!r} exists: give overwrite=True to replace it.")


def _texts(column: Any) -> Any:
    """Return a column of objects as a column of texts, where that is what they are."""
    missing = np.ma.getmaskarray(column)
    cells = ["" if cell is None else cell for cell in column.tolist()]
    if not all(isinstance(cell, str) for cell in cells):
        return column
    texts = type(column)(np.array(cells, dtype=str if any(cells) else "U1"), name=column.name)
    if missing.any():
        texts.mask = missing
    texts.description = column.description
    texts.meta.update(column.meta)
    return texts


def _make_ascii(table: Table) -> None:
    """Write texts without accents, as FITS has no letters beyond ASCII; and say so."""
    changed = []
    for name in table.colnames:
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


def _ascii(text: str) -> str:
    if text.isascii():
        return text
    letters = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(c if ord(c) < _ALPHABET else "?" for c in letters)
