"""What there is to search: collections, and their columns."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from astropy.table import MaskedColumn, Table

from astro_paperclip.config import conf
from astro_paperclip.core.metadata import column_table, metadata_kind, own_columns
from astro_paperclip.core.searcher import Searcher
from astro_paperclip.exceptions import CollectionError, InvalidQueryError
from astro_paperclip.index import collections_on_server, index_facts, is_address

__all__ = ["CataloguingQueries"]

# They need a collection: docs/test_docstrings.py has one, and runs them.
__doctest_skip__ = ["CataloguingQueries.list_collections"]

_FACTS = {
    "collection": ("str", "Directory or address, as queries take it"),
    "title": ("str", "What the collection is"),
    "points": ("int64", "Number of observations that can be searched"),
    "encoder": ("str", "Encoder that made the vectors"),
    "trained": ("bool", "Whether words find pictures with this encoder"),
    "state": ("str", "Whether the last indexing was finished, or why nothing can be searched"),
    "modified": ("str", "Last change (UTC, ISO 8601)"),
}


class CataloguingQueries(Searcher):
    """Says what there is to search."""

    def list_collections(self, location: str | os.PathLike | None = None) -> Table:
        """List the collections that can be searched from here.

        Parameters
        ----------
        location : str or `os.PathLike`, optional
            A folder whose folders are listed; or the address of a Qdrant server, or of a
            collection there. Default: the folder ``conf.collections_dir``, else that in which the
            collection of this instance or ``conf.collection`` lies; and the server that this or
            ``conf.qdrant_url`` is on.

        Returns
        -------
        `~astropy.table.Table`
            A row a collection: ``collection`` (as queries take it), ``title``, ``points``,
            ``encoder``, ``trained`` (whether words find pictures with it), ``state`` and
            ``modified`` (UTC). What cannot be read has a ``state`` that says why, and the other
            columns masked.

        Raises
        ------
        InvalidQueryError
            If there is no such folder, or none is known.
        CollectionServerError
            If a server was given and cannot be reached.

        Notes
        -----
        No index of a directory is opened: ``points`` and ``state`` are those of the last flush,
        and ``"writing"`` means that it is being written, or that writing was broken off.

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> table = PaperclipMast(collection="hubble").list_collections()
        >>> hubble = table[table["title"] == "hubble"][0]
        >>> int(hubble["points"]), str(hubble["state"])
        (78, 'complete')
        """
        if location is not None:
            found = _collections_at(location)
        else:
            # Two of the places may be on one server.
            found = dict.fromkeys(
                one for place in self._places() for one in _collections_at_hand(place)
            )
        return _table([_described(one) for one in found])

    def get_metadata(
        self, query_type: str, *, collection: str | os.PathLike | None = None
    ) -> Table:
        """List the columns of a result, or of a list of its products.

        Parameters
        ----------
        query_type : {"observations", "products"}
            What the columns belong to.
        collection : str or `os.PathLike`, optional
            A collection whose own columns are listed after the others, with ``"observations"``.
            Default: that of this instance, or the configured one, if there is one.

        Returns
        -------
        `~astropy.table.Table`
            A row a column, with the headings of `astroquery.mast`: ``Column Name``,
            ``Column Label``, ``Data Type``, ``Units``, ``Description``, and
            ``Examples/Valid Values``; and ``UCD``.

        Raises
        ------
        InvalidQueryError
            If there is no such kind.
        CollectionError
            If the collection cannot be read.

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> table = PaperclipMast.get_metadata("products")
        >>> table["Units"][table["Column Name"] == "size"].tolist()
        ['byte']
        """
        kind = metadata_kind(query_type)
        others = ()
        if kind == "observations" and self._has_location(collection):
            others = own_columns(self._open(self._location(collection)).store)
        return column_table(kind, others)

    def _has_location(self, collection: str | os.PathLike | None) -> bool:
        known = (collection, self._collection, conf.collection or None, conf.qdrant_url or None)
        return any(candidate is not None for candidate in known)

    def _places(self) -> list[str | Path]:
        """Return where collections are looked for."""
        own = self._location(None) if self._has_location(None) else None
        places = []
        if conf.collections_dir:
            places.append(Path(conf.collections_dir).expanduser())
        elif own and not is_address(own):
            places.append(Path(own).parent)
        if own and is_address(own):
            places.append(own)
        if conf.qdrant_url:
            places.append(conf.qdrant_url)
        if not places:
            raise InvalidQueryError(
                "It is not known where collections are: give location='FOLDER' or the address of a "
                "server, or set astro_paperclip.conf.collections_dir."
            )
        return places


def _collections_at(location: str | os.PathLike) -> Iterable[str]:
    """Return the collections in a folder or on a server."""
    if not isinstance(location, str | os.PathLike) or not os.fspath(location):
        raise InvalidQueryError(f"location must be a folder or an address, not {location!r}.")
    if is_address(location):
        return collections_on_server(location)
    folder = Path(location).expanduser().absolute()
    if not folder.is_dir():
        raise InvalidQueryError(f"There is no folder {folder} to look for collections in.")
    return sorted(str(record.parent) for record in folder.glob("[!.]*/collection.toml"))


def _collections_at_hand(place: str | Path) -> Iterator[str]:
    """Return the collections of one place; the place itself if it cannot be reached."""
    try:
        yield from _collections_at(place)
    except CollectionError:
        # What is on this machine can be listed without the server; its row says what is wrong.
        yield str(place)


def _described(location: str) -> dict:
    """Return the row of a collection."""
    try:
        facts = index_facts(location)
    except CollectionError as error:
        return {"collection": location, "state": f"unreadable: {error}"}
    row = {"collection": location, "points": facts["count"], "state": facts["state"]}
    home = facts["collection"]
    if home is None:
        return row
    row |= {"title": home.title, "modified": home.modified}
    if home.is_indexed:
        row |= {"encoder": home.encoder_name, "trained": home.is_trained}
    return row


def _table(rows: list[dict]) -> Table:
    fills = {"str": "", "int64": 0, "bool": False}
    table = Table()
    for name, (dtype, description) in _FACTS.items():
        values = [row.get(name, fills[dtype]) for row in rows]
        # A list without text would make a column without width.
        values = np.array(values or [], dtype=dtype if values or dtype != "str" else "U1")
        missing = [name not in row for row in rows]
        table[name] = MaskedColumn(values, mask=missing, description=description)
    return table
