"""Regions on the sphere as ADQL compares them: STC-S text, sides along great circles."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from math import atan2, cos, hypot, isfinite, pi, radians, sin, sqrt

from astro_paperclip.simulation.server.tap.errors import QueryError

__all__ = ["Cap", "Polygon", "contains", "intersects", "parse_region", "separation"]

# Vectors are tuples of floats: a query compares one pair after the other, row by row, where
# arrays of three numbers would take ten times as long.
_Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Cap:
    """A circle on the sphere; a point is one without a radius.

    Parameters
    ----------
    center : tuple of float
        Unit vector.
    radius : float
        In radians, at most half a turn.
    """

    center: _Vector
    radius: float = 0.0

    def covers(self, other: "Cap | Polygon") -> bool:
        """Say whether the other region lies within this one, or on its rim.

        Parameters
        ----------
        other : `Cap` or `Polygon`
            Smaller than a hemisphere, where it is a polygon.

        Returns
        -------
        bool
        """
        if isinstance(other, Cap):
            return separation(self.center, other.center) + other.radius <= self.radius
        if self.radius > pi / 2:
            antipode = Cap(_scaled(self.center, -1.0), pi - self.radius)
            return not antipode.meets(other)
        return all(separation(self.center, vertex) <= self.radius for vertex in other.vertices)

    def meets(self, other: "Cap | Polygon") -> bool:
        """Say whether this region and the other one have a point in common.

        Parameters
        ----------
        other : `Cap` or `Polygon`
            The other region.

        Returns
        -------
        bool
        """
        if isinstance(other, Cap):
            return separation(self.center, other.center) <= self.radius + other.radius
        return other.distance(self.center) <= self.radius


@dataclass(frozen=True)
class Polygon:
    """A polygon whose sides are arcs of great circles, and which fits into a hemisphere.

    Parameters
    ----------
    vertices : tuple of tuple of float
        Unit vectors, three or more, the first one not repeated at the end.
    """

    vertices: tuple[_Vector, ...]

    def __post_init__(self):
        if len(self.vertices) < 3:
            raise QueryError(f"a polygon needs three vertices, not {len(self.vertices)}")
        if any(_dot(vertex, self._axes[2]) <= 0 for vertex in self.vertices):
            raise QueryError("polygons larger than a hemisphere are not supported")

    def covers(self, other: "Cap | Polygon") -> bool:
        """Say whether the other region lies within this one, or on its rim.

        Parameters
        ----------
        other : `Cap` or `Polygon`
            The other region.

        Returns
        -------
        bool
        """
        if isinstance(other, Cap):
            inside = self.distance(other.center) == 0
            return inside and self._distance_of_rim(other.center) >= other.radius
        inside = all(self.distance(vertex) == 0 for vertex in other.vertices)
        return inside and not self._crosses(other)

    def meets(self, other: "Cap | Polygon") -> bool:
        """Say whether this region and the other one have a point in common.

        Parameters
        ----------
        other : `Cap` or `Polygon`
            The other region.

        Returns
        -------
        bool
        """
        if isinstance(other, Cap):
            return other.meets(self)
        return (
            any(self.distance(vertex) == 0 for vertex in other.vertices)
            or any(other.distance(vertex) == 0 for vertex in self.vertices)
            or self._crosses(other)
        )

    def distance(self, point: _Vector) -> float:
        """Return how far a point lies from the polygon.

        Parameters
        ----------
        point : tuple of float
            Unit vector.

        Returns
        -------
        float
            In radians; 0 within the polygon.
        """
        return 0.0 if self._has(point) else self._distance_of_rim(point)

    @cached_property
    def _axes(self) -> tuple[_Vector, _Vector, _Vector]:
        """Two axes of the plane that touches the sphere in the middle, and the middle."""
        middle = _unit(tuple(map(sum, zip(*self.vertices, strict=True))))
        first = _unit(_cross(self.vertices[0], middle))
        return first, _cross(middle, first), middle

    @cached_property
    def _corners(self) -> list[tuple[float, float]]:
        corners = [self._project(vertex) for vertex in self.vertices]
        return [*corners, corners[0]]

    @cached_property
    def _sides(self) -> list[tuple[_Vector, _Vector]]:
        return list(pairwise((*self.vertices, self.vertices[0])))

    def _project(self, point):
        """Return gnomonic coordinates, in which arcs of great circles are straight lines."""
        height = _dot(point, self._axes[2])
        return _dot(point, self._axes[0]) / height, _dot(point, self._axes[1]) / height

    def _has(self, point):
        """Say whether a ray from the point leaves the polygon once more than it enters it."""
        if _dot(point, self._axes[2]) <= 0:
            return False
        x, y = self._project(point)
        is_inside = False
        for (x1, y1), (x2, y2) in pairwise(self._corners):
            if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
                is_inside = not is_inside
        return is_inside

    def _distance_of_rim(self, point):
        return min(_distance_of_arc(point, start, end) for start, end in self._sides)

    def _crosses(self, other):
        return any(_arcs_cross(*ours, *theirs) for ours in self._sides for theirs in other._sides)


def separation(first: _Vector, second: _Vector) -> float:
    """Return the angle between two unit vectors, exact for small angles and large ones.

    Parameters
    ----------
    first, second : tuple of float
        Unit vectors.

    Returns
    -------
    float
        In radians.
    """
    return atan2(_length(_cross(first, second)), _dot(first, second))


@lru_cache(maxsize=10_000)
def parse_region(text: str) -> tuple[Cap | Polygon, ...]:
    """Read a region as MAST writes it, ``POLYGON ICRS 10.1 -20.3 ...`` for instance.

    Parameters
    ----------
    text : str
        Points, circles and polygons in STC-S, coordinates in degrees; several of them are a
        union. Whatever their frame is called, it is taken for ICRS.

    Returns
    -------
    tuple of `Cap` or `Polygon`

    Raises
    ------
    QueryError
        If it cannot be read.
    """
    shapes = []
    for word in text.replace("(", " ").replace(")", " ").split():
        if word.upper() in _SHAPES:
            shapes.append((word.upper(), []))
        elif shapes and (number := _number(word)) is not None:
            shapes[-1][1].append(number)
    if not shapes:
        raise QueryError(f"{text[:60]!r} is no region: write POINT, CIRCLE or POLYGON")
    try:
        return tuple(_SHAPES[name](*numbers) for name, numbers in shapes)
    except (TypeError, ZeroDivisionError):
        raise QueryError(f"{text[:60]!r} has the wrong coordinates for its shape") from None


def contains(inner: str, outer: str) -> int:
    """Say whether one region lies within another one.

    Parameters
    ----------
    inner, outer : str
        Regions in STC-S. Each part of the inner one has to lie within one part of the other.

    Returns
    -------
    int
        1 or 0.
    """
    parts = parse_region(outer)
    return int(all(any(whole.covers(part) for whole in parts) for part in parse_region(inner)))


def intersects(first: str, second: str) -> int:
    """Say whether two regions have a point in common.

    Parameters
    ----------
    first, second : str
        Regions in STC-S.

    Returns
    -------
    int
        1 or 0.
    """
    others = parse_region(second)
    return int(any(one.meets(other) for one in parse_region(first) for other in others))


def _vector(ra, dec):
    ra, dec = radians(ra), radians(dec)
    return cos(dec) * cos(ra), cos(dec) * sin(ra), sin(dec)


def _circle(ra, dec, radius):
    if not 0 <= radius <= 180:
        raise QueryError(f"a circle of radius {radius} deg does not fit on the sky")
    return Cap(_vector(ra, dec), radians(radius))


def _polygon(*numbers):
    if len(numbers) % 2:
        raise QueryError(f"a polygon needs pairs of coordinates, not {len(numbers)} numbers")
    vertices = [_vector(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]
    # MAST repeats the first vertex at the end; a side without length has no great circle.
    distinct = [b for a, b in pairwise((vertices[-1], *vertices)) if separation(a, b) > 1e-12]
    return Polygon(tuple(distinct))


_SHAPES = {
    "POINT": lambda ra, dec: Cap(_vector(ra, dec)),
    "POSITION": lambda ra, dec: Cap(_vector(ra, dec)),
    "CIRCLE": _circle,
    "POLYGON": _polygon,
}


def _number(word):
    try:
        number = float(word)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _cross(a, b):
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


def _length(a):
    return sqrt(_dot(a, a))


def _scaled(a, factor):
    return a[0] * factor, a[1] * factor, a[2] * factor


def _unit(a):
    return _scaled(a, 1.0 / _length(a))


def _is_on_arc(point, start, end, pole):
    """Say whether a point of an arc's great circle lies on the arc itself."""
    return _dot(_cross(start, point), pole) >= 0 and _dot(_cross(point, end), pole) >= 0


def _distance_of_arc(point, start, end):
    pole = _unit(_cross(start, end))
    height = _dot(point, pole)
    foot = tuple(p - height * n for p, n in zip(point, pole, strict=True))
    if _is_on_arc(foot, start, end, pole):
        return atan2(abs(height), hypot(*foot))
    return min(separation(point, start), separation(point, end))


def _arcs_cross(a, b, c, d):
    first, second = _cross(a, b), _cross(c, d)
    meeting = _cross(first, second)
    return any(
        _is_on_arc(point, a, b, first) and _is_on_arc(point, c, d, second)
        for point in (meeting, _scaled(meeting, -1.0))
        if _dot(point, point) > 0
    )
