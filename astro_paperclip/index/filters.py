"""Translation of the neutral filter tree into the filters of an engine."""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from astro_paperclip.criteria import (
    And,
    Filter,
    Match,
    Not,
    Or,
    Range,
    Wildcard,
    replaced,
)
from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.index.dialect import Dialect
from astro_paperclip.index.schema import FLAGS_FIELD, flag

__all__ = ["HasId", "InCells", "expanded", "json_path", "translated"]


@dataclass(frozen=True)
class InCells:
    """The field, a list of whole numbers, has at least one of some."""

    field: str
    cells: tuple[int, ...]


@dataclass(frozen=True)
class HasId:
    """The point's id is one of some."""

    ids: tuple[str, ...]


_EXACT_INTEGERS = 2**53
_INT64 = range(-(2**63), 2**63)


def expanded(where: Filter, values: Callable[[str], Iterable[Any]]) -> Filter:
    """Replace the wildcards of a tree by the values that they stand for.

    Parameters
    ----------
    where : Filter
        The tree.
    values : callable
        Gives the values that a field has in the store.

    Returns
    -------
    Filter
        The same tree with a `~astro_paperclip.criteria.Match` for each wildcard.
    """

    def expand(node: Filter) -> Filter:
        if not isinstance(node, Wildcard):
            return node
        pieces = re.split("[*%]", node.pattern)
        fits = re.compile(".*".join(map(re.escape, pieces)), re.IGNORECASE | re.DOTALL).fullmatch
        texts = (value for value in values(node.field) if isinstance(value, str))
        return Match(node.field, tuple(sorted(text for text in texts if fits(text))))

    return replaced(where, expand)


@singledispatch
def translated(where: Filter, dialect: Dialect) -> Any:  # noqa: ARG001
    """Return a tree without wildcards and regions as a filter of an engine.

    Parameters
    ----------
    where : Filter
        The tree, after `expanded` and `~astro_paperclip.index.regions.located`.
    dialect : Dialect
        Makes the engine's conditions.

    Returns
    -------
    object
        The engine's own filter.
    """
    raise InvalidQueryError(f"{where!r} is no filter: make one with criteria.parse.")


@translated.register
def _(where: And, dialect: Dialect) -> Any:
    return dialect.all_of([translated(term, dialect) for term in where.terms])


@translated.register
def _(where: Or, dialect: Dialect) -> Any:
    return _any_of([translated(term, dialect) for term in where.terms], dialect)


@translated.register
def _(where: Not, dialect: Dialect) -> Any:
    return dialect.none_of([translated(where.term, dialect)])


@translated.register
def _(where: Match, dialect: Dialect) -> Any:
    texts = [value for value in where.values if isinstance(value, str)]
    conditions = [
        _number(where.field, value, dialect) for value in where.values if not isinstance(value, str)
    ]
    if texts:
        conditions.append(dialect.is_any(json_path(where.field), texts))
    return _any_of(conditions, dialect)


@translated.register
def _(where: Range, dialect: Dialect) -> Any:
    gte = None if where.gte is None else _widened(where.gte, -1)
    lte = None if where.lte is None else _widened(where.lte, +1)
    return dialect.all_of(
        [dialect.is_between(json_path(where.field), gte, lte, where.gt, where.lt)]
    )


@translated.register
def _(where: InCells, dialect: Dialect) -> Any:
    if not where.cells:
        return _any_of([], dialect)
    return dialect.all_of([dialect.is_any(where.field, where.cells)])


@translated.register
def _(where: HasId, dialect: Dialect) -> Any:
    return dialect.all_of([dialect.has_id(where.ids)])


def json_path(field: str) -> str:
    """Return how an engine is told the name of a payload field.

    A plain name is a path of its own; others, such as ``"size (pix)"``, must be quoted, or
    their dots and brackets would lead into nested objects.
    """
    if re.fullmatch(r"\w+", field, re.ASCII):
        return field
    if not field or '"' in field:
        raise InvalidQueryError(f"The column {field!r} cannot be searched: rename it.")
    return f'"{field}"'


def _any_of(conditions: list, dialect: Dialect) -> Any:
    if not conditions:
        # An empty list of alternatives would let everything through.
        return dialect.all_of([dialect.has_id([])])
    return dialect.any_of(conditions)


def _number(field: str, value: bool | int | float, dialect: Dialect) -> Any:
    """Return equality with a number or a boolean.

    The engine's match compares whole numbers with stored whole numbers only; a range finds 5
    and 5.0 alike.
    """
    if isinstance(value, bool):
        return dialect.is_value(json_path(FLAGS_FIELD), flag(field, value))
    if isinstance(value, int) and abs(value) > _EXACT_INTEGERS and value in _INT64:
        return dialect.is_value(json_path(field), value)
    gte, lte = _widened(value, -1), _widened(value, +1)
    return dialect.is_between(json_path(field), gte, lte, None, None)


def _widened(bound: float, direction: int) -> float:
    """Return a bound moved outwards by two units in the last place.

    The engine may store a float64 one unit off, so that a row that lies on the bound could
    be lost. Whole numbers are stored exactly.
    """
    bound = float(bound)
    return bound if bound.is_integer() else bound + direction * 2 * math.ulp(bound)
