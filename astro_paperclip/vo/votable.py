"""Tables as VOTables that say what they are, where they come from, and that they are whole."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from astropy import units as u
from astropy.io.votable import from_table
from astropy.io.votable.tree import Info

from astro_paperclip.exceptions import InvalidQueryError

if TYPE_CHECKING:
    from astropy.io.votable.tree import VOTableFile
    from astropy.table import Table

__all__ = ["make_votable"]

_PUBLISHER = "astro_paperclip"
_CONTACT = "https://github.com/astro-paperclip/astro_paperclip"


def make_votable(
    table: "Table",
    *,
    searches: Iterable[dict] = (),
    infos: dict[str, str] | None = None,
    description: str = "",
) -> "VOTableFile":
    """Return a table as the reply of a service of the Virtual Observatory.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows. UCDs, utypes and xtypes are taken from the ``meta`` of its columns.
    searches : iterable of dict
        Records of the searches that the rows stem from: ``query``, ``index``, ``software`` and
        ``date``. They become INFO elements by the names of DataOrigin [1]_.
    infos : dict of str, optional
        Further INFO elements, by name.
    description : str
        What the table is.

    Returns
    -------
    votable : `~astropy.io.votable.tree.VOTableFile`
        Columns in percent are without a unit, as readers take the sign for none of VOUnits [3]_.
        With one RESOURCE of type "results" and an INFO ``QUERY_STATUS`` of value "OK" [2]_.

    Raises
    ------
    InvalidQueryError
        If a column is made of other things than numbers and texts.

    References
    ----------
    .. [1] Data Origin in the VO, https://www.ivoa.net/documents/DataOrigin/
    .. [2] Data Access Layer Interface, version 1.1, section 4.4,
       https://www.ivoa.net/documents/DALI/
    .. [3] Units in the VO, https://www.ivoa.net/documents/VOUnits/

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_paperclip.vo import make_votable
    >>> votable = make_votable(Table({"rank": [1, 2]}), infos={"ENCODER": "compact"})
    >>> [info.name for info in votable.resources[0].infos]
    ['QUERY_STATUS', 'ENCODER']
    """
    for name in table.colnames:
        if not hasattr(table[name], "dtype"):
            raise InvalidQueryError(
                f"A VOTable cannot hold the column {name!r}, of {type(table[name]).__name__}: "
                "remove it, or write its parts as numbers or texts."
            )
    bare = table.copy(copy_data=False)
    # What a table remembers is written below, in words that other programs know.
    bare.meta.clear()
    _drop_percent(bare)
    votable = from_table(bare)
    resource = votable.resources[0]
    resource.type = "results"
    resource.description = description or None
    resource.infos.append(Info(name="QUERY_STATUS", value="OK"))
    for name, value in _origin(list(searches)).items():
        votable.infos.append(Info(name=name, value=value))
        votable.infos[-1].content = _MEANINGS[name]
    for name, value in (infos or {}).items():
        resource.infos.append(Info(name=name, value=value))
    return votable


def _drop_percent(table: "Table") -> None:
    """Say in the description of columns what their unit may not: readers refuse a sign."""
    for name in table.colnames:
        if table[name].unit == u.percent:
            table[name].unit = None
            table[name].description = f"{table[name].description or name} (percent)"


def _origin(searches: list[dict]) -> dict[str, str]:
    """Say by whom, when, of what and how searches were made; each name may stand but once."""
    if not searches:
        return {}
    queries = [search.get("query", {}) for search in searches]
    software = dict.fromkeys(
        f"{name}/{number}"
        for search in searches
        for name, number in search.get("software", {}).items()
    )
    indexes = dict.fromkeys(
        json.dumps(search["index"], sort_keys=True) for search in searches if search.get("index")
    )
    origin = {
        "publisher": _PUBLISHER,
        "server_software": " ".join(software),
        "query": json.dumps(queries[0] if len(queries) == 1 else queries, sort_keys=True),
        "request_date": max(search.get("date", "") for search in searches),
        "contact": _CONTACT,
        "resource_version": "; ".join(indexes),
    }
    return {name: value for name, value in origin.items() if value}


_MEANINGS = {
    "publisher": "The program that ranked the observations; MAST publishes them",
    "server_software": "Versions of what took part",
    "query": "What was asked for, as JSON",
    "request_date": "When (UTC)",
    "contact": "Where to ask",
    "resource_version": "What was searched, as JSON",
}
