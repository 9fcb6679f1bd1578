"""The neutral filter tree: frozen dataclasses that know of no database."""

import math
from dataclasses import dataclass

from astro_paperclip.exceptions import InvalidQueryError

__all__ = ["And", "Cone", "Filter", "Match", "Not", "Or", "Range", "Wildcard"]


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
    """The position is nearer to a point of the sky than a radius.

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


Filter = And | Or | Not | Match | Wildcard | Range | Cone
"""Any node of a filter tree."""
