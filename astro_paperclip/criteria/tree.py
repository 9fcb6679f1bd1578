"""The neutral filter tree: frozen dataclasses that know of no database."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from astro_paperclip.exceptions import InvalidQueryError

__all__ = [
    "And",
    "Cone",
    "Filter",
    "Match",
    "Not",
    "Or",
    "Overlaps",
    "Range",
    "Wildcard",
    "Within",
    "fields_of",
    "replaced",
]


@dataclass(frozen=True)
class And:
    """All terms hold; no terms: always."""

    terms: tuple["Filter", ...]


@dataclass(frozen=True)
class Or:
    """At least one term holds; no terms: never."""

    terms: tuple["Filter", ...]


@dataclass(frozen=True)
class Not:
    """The term does not hold. A row without a value for a field is not equal to any value."""

    term: "Filter"


@dataclass(frozen=True)
class Match:
    """The field equals one of the values: text as it is written, numbers as numbers.

    A field that holds a list matches when one of its elements does.
    """

    field: str
    values: tuple[str | int | float | bool, ...]


@dataclass(frozen=True)
class Wildcard:
    """The text of the field fits a pattern, in which ``*`` and ``%`` stand for any characters.

    Upper and lower case are the same.
    """

    field: str
    pattern: str


@dataclass(frozen=True)
class Range:
    """The field is a number within the bounds that are given."""

    field: str
    gte: float | None = None
    lte: float | None = None
    gt: float | None = None
    lt: float | None = None

    def __post_init__(self):
        bounds = [bound for bound in (self.gte, self.lte, self.gt, self.lt) if bound is not None]
        if not bounds or not all(math.isfinite(bound) for bound in bounds):
            raise InvalidQueryError(
                f"The bounds of a range of {self.field} must be finite numbers, at least one."
            )


@dataclass(frozen=True)
class Cone:
    """The position lies in a circle on the sky, or on its rim.

    Parameters
    ----------
    ra, dec : float
        Centre (ICRS, deg). Right ascensions are wrapped into one turn.
    radius : float
        Angular radius (deg), more than 0 and at most 180.
    """

    ra: float
    dec: float
    radius: float

    def __post_init__(self):
        if not (math.isfinite(self.ra) and -90 <= self.dec <= 90 and 0 < self.radius <= 180):
            raise InvalidQueryError(
                f"A cone of radius {self.radius} deg at ({self.ra}, {self.dec}) deg does not "
                "exist: declinations go from -90 to 90, radii from above 0 to 180."
            )


@dataclass(frozen=True)
class Within:
    """The position lies in a region of the sky, or on its boundary.

    Parameters
    ----------
    region : object
        Anything that `astro_paperclip.sky.as_shape` takes.
    """

    region: Any

    def __post_init__(self):
        _make_shape(self)


@dataclass(frozen=True)
class Overlaps:
    """The footprint (``s_region``) shares a point with a region of the sky.

    A row without a footprint, or with one that cannot be read, counts as its position.

    Parameters
    ----------
    region : object
        Anything that `astro_paperclip.sky.as_shape` takes.
    """

    region: Any

    def __post_init__(self):
        _make_shape(self)


Filter = And | Or | Not | Match | Wildcard | Range | Cone | Within | Overlaps
"""Any node of a filter tree."""


def replaced(where: Filter, replace: Callable[[Filter], Any]) -> Any:
    """Return a tree in which each node that is no connective is what a function makes of it.

    Parameters
    ----------
    where : Filter
        The tree.
    replace : callable
        Takes a node other than `And`, `Or` and `Not`, and returns what stands in its place.
    """
    if isinstance(where, And | Or):
        return type(where)(tuple(replaced(term, replace) for term in where.terms))
    if isinstance(where, Not):
        return Not(replaced(where.term, replace))
    return replace(where)


def fields_of(where: Filter) -> set[str]:
    """Return the names of the columns that the conditions of a tree are about.

    Parameters
    ----------
    where : Filter
        The tree. Regions of the sky name no column.
    """
    fields = set()
    replaced(where, lambda node: fields.add(getattr(node, "field", None)))
    return fields - {None}


def _make_shape(node: Within | Overlaps) -> None:
    # Reading regions takes astropy's coordinates, which a query of words does not need.
    from astro_paperclip.sky import as_shape

    object.__setattr__(node, "region", as_shape(node.region))
