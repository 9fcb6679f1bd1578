"""The route by MAST's portal, which astroquery's ``Observations`` asks."""

import math
import warnings
from collections.abc import Iterator
from typing import Any

from astropy.coordinates import SkyCoord
from astropy.table import Table

from astro_paperclip.archive.mast import Mast
from astro_paperclip.archive.traffic import TransientError
from astro_paperclip.columns import COLUMNS
from astro_paperclip.criteria import And, Cone, Filter, Match, Or, Range, Wildcard
from astro_paperclip.exceptions import ArchiveError, InvalidQueryError, NoResultsWarning

__all__ = ["PortalRoute", "portal_criteria"]

_PAGE_ROWS = 20_000
_MOST_INTEGERS = 1000
"""Ranges of whole numbers are spelt out up to this many numbers."""


class PortalRoute:
    """Observations from MAST's portal.

    Parameters
    ----------
    mast : Mast
        Where to ask.
    """

    def __init__(self, mast: Mast):
        self._mast = mast

    def replies(self, where: Filter) -> Iterator[Table]:
        """Yield the rows that fit a filter tree, page by page.

        Parameters
        ----------
        where : Filter
            The tree.

        Yields
        ------
        reply : `~astropy.table.Table`
            As astroquery makes it.

        Raises
        ------
        InvalidQueryError
            If the portal cannot be asked for this.
        ArchiveError
            If it fails, or gives fewer rows than it says it has.
        """
        criteria = portal_criteria(where)
        number, n_rows = 1, 0
        while True:
            reply, paging = self._mast.attempt(self._page, criteria, number)
            n_rows += len(reply)
            yield reply
            if number >= paging["pagesFiltered"]:
                break
            number += 1
        if n_rows != paging["rowsFiltered"]:
            raise ArchiveError(
                f"MAST's portal gave {n_rows} observations where it found "
                f"{paging['rowsFiltered']}: ask again, or with route='tap'."
            )

    def _page(self, criteria: dict[str, Any], number: int) -> tuple[Table, dict]:
        """Ask for one page; return its rows and what the portal says of the pages."""
        client = self._mast.observations
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NoResultsWarning)
                responses = client.query_criteria_async(
                    pagesize=_PAGE_ROWS, page=number, **criteria
                )
                reply = responses[0].json()
                if reply["status"] == "ERROR":
                    raise ArchiveError(
                        f"MAST's portal refused {criteria}: {reply.get('msg', 'no reason given')}"
                    )
                paging = reply["paging"]
                del reply  # it is read again, and two of them would take much memory
                return client._parse_result(responses), paging
        except (KeyError, TypeError, AttributeError) as error:
            raise TransientError(
                "unreadable", f"the portal's reply is none: {type(error).__name__} {error}"
            ) from error


def portal_criteria(where: Filter) -> dict[str, Any]:
    """Say in the terms of astroquery's ``query_criteria`` what a filter tree says.

    Parameters
    ----------
    where : Filter
        The tree.

    Returns
    -------
    criteria : dict
        Arguments of ``query_criteria``.

    Raises
    ------
    InvalidQueryError
        If they cannot say it.
    """
    criteria = {}
    for term in where.terms if isinstance(where, And) else (where,):
        if isinstance(term, Cone):
            position = SkyCoord(term.ra, term.dec, unit="deg")
            new = {"coordinates": position, "radius": term.radius}
        else:
            field, values = _values(term)
            new = {field: values}
        if criteria.keys() & new.keys():
            raise _inexpressible(term)
        criteria |= new
    if criteria.keys() <= {"coordinates", "radius"}:
        raise InvalidQueryError(
            "MAST's portal needs more than a position: name a mission, or use route='tap'."
        )
    return criteria


def _values(term: Filter) -> tuple[str, list]:
    """Return the column and the values of a term, as astroquery takes them."""
    match term:
        case Match(field, values) if COLUMNS[field].dtype != "float64":
            return field, list(values)
        case Match(field, (value,)):
            return field, [value, value]
        case Wildcard(field, pattern):
            return field, [pattern]
        case Or((Match(field, values), Wildcard(same, pattern))) if field == same:
            return field, [*values, pattern]
        case Range(field, gte=float(low), lte=float(high), gt=None, lt=None):
            if COLUMNS[field].dtype == "float64":
                return field, [low, high]
            if 0 <= math.floor(high) - math.ceil(low) < _MOST_INTEGERS:
                return field, list(range(math.ceil(low), math.floor(high) + 1))
    raise _inexpressible(term)


def _inexpressible(term: Filter) -> InvalidQueryError:
    return InvalidQueryError(
        f"MAST's portal cannot be asked for {term}: it takes values, one wildcard or one "
        "closed range a column, and nothing negated. Use route='tap' or route='auto'."
    )
