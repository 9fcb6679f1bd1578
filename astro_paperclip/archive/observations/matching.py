"""Which rows of a table of observations fit a filter tree."""

import re
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
from astropy.table import Table

from astro_paperclip.archive.observations.sky import separations
from astro_paperclip.criteria import And, Cone, Filter, Match, Not, Or, Range, Wildcard
from astro_paperclip.exceptions import InvalidQueryError

__all__ = ["LIST_COLUMNS", "SEPARATOR", "fits"]

LIST_COLUMNS = {"filters", "project", "target_classification", "wavelength_region"}
"""Columns that MAST writes several values into, with `SEPARATOR` between them."""

SEPARATOR = ";"


def fits(where: Filter, table: Table) -> np.ndarray:
    """Find the rows that fit a filter tree.

    The databases behind MAST's services differ in what they take for equal, as in upper and
    lower case. What they found is looked at again here, so that it does not depend on them.

    Parameters
    ----------
    where : Filter
        The tree.
    table : `~astropy.table.Table`
        Columns as in `~astro_paperclip.columns.OBSERVATION_COLUMNS`.

    Returns
    -------
    mask : `numpy.ndarray` of bool, shape (n_rows,)

    Raises
    ------
    InvalidQueryError
        If it is no tree.
    """
    match where:
        case And(terms):
            masks = [fits(term, table) for term in terms]
            return reduce(np.logical_and, masks, np.ones(len(table), dtype=bool))
        case Or(terms):
            masks = [fits(term, table) for term in terms]
            return reduce(np.logical_or, masks, np.zeros(len(table), dtype=bool))
        case Not(term):
            return ~fits(term, table)
        case Cone(ra, dec, radius):
            return separations(table, ra, dec) <= radius
        case Match(field, values):
            return _where(table, field, set(values).__contains__)
        case Wildcard(field, pattern):
            pieces = map(re.escape, re.split("[*%]", pattern))
            wanted = re.compile(".*".join(pieces), re.IGNORECASE | re.DOTALL)
            return _where(table, field, wanted.fullmatch)
        case Range(field):
            return _where(table, field, lambda value: _is_within(where, value))
    raise InvalidQueryError(f"{where!r} is no filter: make one with criteria.parse.")


def _where(table: Table, field: str, test: Callable) -> np.ndarray:
    """Return where a value, or an element of a list of values, passes a test."""

    def passes(value: Any) -> bool:
        if value is None:
            return False
        parts = value.split(SEPARATOR) if field in LIST_COLUMNS else []
        return any(map(test, (value, *parts)))

    return np.array(list(map(passes, table[field].tolist())), dtype=bool)


def _is_within(where: Range, value: float) -> bool:
    return (
        (where.gte is None or value >= where.gte)
        and (where.lte is None or value <= where.lte)
        and (where.gt is None or value > where.gt)
        and (where.lt is None or value < where.lt)
    )
