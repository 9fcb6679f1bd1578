"""Translation of the neutral filter tree into the filters of Qdrant Edge."""

import math
import re
from collections.abc import Callable, Iterable
from functools import singledispatch
from typing import Any

import qdrant_edge

from astro_paperclip.criteria import And, Cone, Filter, Match, Not, Or, Range, Wildcard
from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.index.schema import FLAGS_FIELD, POSITION_FIELD, flag, lon_lat

__all__ = ["expanded", "json_path", "translated"]

_EARTH_RADIUS = 6371008.8
"""Radius of the engine's sphere (m): the mean radius that the ``geo`` crate's haversine uses."""

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
    if isinstance(where, And | Or):
        return type(where)(tuple(expanded(term, values) for term in where.terms))
    if isinstance(where, Not):
        return Not(expanded(where.term, values))
    if isinstance(where, Wildcard):
        pieces = re.split("[*%]", where.pattern)
        fits = re.compile(".*".join(map(re.escape, pieces)), re.IGNORECASE | re.DOTALL).fullmatch
        texts = (value for value in values(where.field) if isinstance(value, str))
        return Match(where.field, tuple(sorted(text for text in texts if fits(text))))
    return where


@singledispatch
def translated(where: Filter) -> qdrant_edge.Filter:
    """Return a tree without wildcards as a filter of the engine.

    Parameters
    ----------
    where : Filter
        The tree, after `expanded`.

    Returns
    -------
    `qdrant_edge.Filter`
    """
    raise InvalidQueryError(f"{where!r} is no filter: make one with criteria.parse.")


@translated.register
def _(where: And) -> qdrant_edge.Filter:
    return qdrant_edge.Filter(must=[translated(term) for term in where.terms])


@translated.register
def _(where: Or) -> qdrant_edge.Filter:
    return _any_of([translated(term) for term in where.terms])


@translated.register
def _(where: Not) -> qdrant_edge.Filter:
    return qdrant_edge.Filter(must_not=[translated(where.term)])


@translated.register
def _(where: Match) -> qdrant_edge.Filter:
    texts = [value for value in where.values if isinstance(value, str)]
    conditions = [
        _number(where.field, value) for value in where.values if not isinstance(value, str)
    ]
    if texts:
        conditions.append(_matched(where.field, qdrant_edge.MatchAny(texts)))
    return _any_of(conditions)


@translated.register
def _(where: Range) -> qdrant_edge.Filter:
    bounds = qdrant_edge.RangeFloat(
        gte=None if where.gte is None else _widened(where.gte, -1),
        lte=None if where.lte is None else _widened(where.lte, +1),
        gt=where.gt,
        lt=where.lt,
    )
    return qdrant_edge.Filter(must=[_ranged(where.field, bounds)])


@translated.register
def _(where: Cone) -> qdrant_edge.Filter:
    if where.radius == 180:
        return qdrant_edge.Filter(must_not=[qdrant_edge.IsEmptyCondition(POSITION_FIELD)])
    # The engine leaves out the rim itself.
    radius = where.radius * (1 + 1e-9)
    circle = qdrant_edge.GeoRadius(
        qdrant_edge.GeoPoint(**lon_lat(where.ra, where.dec)), math.radians(radius) * _EARTH_RADIUS
    )
    return qdrant_edge.Filter(
        must=[qdrant_edge.FieldCondition(key=POSITION_FIELD, geo_radius=circle)]
    )


def json_path(field: str) -> str:
    """Return how the engine is told the name of a payload field.

    A plain name is a path of its own; others, such as ``"size (pix)"``, must be quoted, or
    their dots and brackets would lead into nested objects.
    """
    if re.fullmatch(r"\w+", field, re.ASCII):
        return field
    if not field or '"' in field:
        raise InvalidQueryError(f"The column {field!r} cannot be searched: rename it.")
    return f'"{field}"'


def _any_of(conditions: list) -> qdrant_edge.Filter:
    if not conditions:
        # An empty list of alternatives would let everything through.
        return qdrant_edge.Filter(must=[qdrant_edge.HasIdCondition(set())])
    return qdrant_edge.Filter(should=conditions)


def _number(field: str, value: bool | int | float) -> qdrant_edge.FieldCondition:
    """Return equality with a number or a boolean.

    The engine's match compares whole numbers with stored whole numbers only; a range finds 5
    and 5.0 alike.
    """
    if isinstance(value, bool):
        return _matched(FLAGS_FIELD, qdrant_edge.MatchValue(flag(field, value)))
    if isinstance(value, int) and abs(value) > _EXACT_INTEGERS and value in _INT64:
        return _matched(field, qdrant_edge.MatchValue(value))
    bounds = qdrant_edge.RangeFloat(gte=_widened(value, -1), lte=_widened(value, +1))
    return _ranged(field, bounds)


def _widened(bound: float, direction: int) -> float:
    """Return a bound moved outwards by two units in the last place.

    The engine may store a float64 one unit off, so that a row that lies on the bound could
    be lost. Whole numbers are stored exactly.
    """
    bound = float(bound)
    return bound if bound.is_integer() else bound + direction * 2 * math.ulp(bound)


def _matched(field: str, match: Any) -> qdrant_edge.FieldCondition:
    return qdrant_edge.FieldCondition(key=json_path(field), match=match)


def _ranged(field: str, bounds: qdrant_edge.RangeFloat) -> qdrant_edge.FieldCondition:
    return qdrant_edge.FieldCondition(key=json_path(field), range=bounds)
