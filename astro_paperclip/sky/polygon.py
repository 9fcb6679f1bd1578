"""Polygons of great circles, of any size up to a hemisphere and any number of vertices."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.sky.shapes import Circle, Outlined, padded_circle
from astro_paperclip.sky.spherical import (
    TOUCH,
    arc_distances,
    mean_direction,
    positions,
    separations,
    unit_vectors,
)

__all__ = ["Polygon"]

_CHUNK = 100_000
"""Pairs of points and edges that are looked at in one go: some 30 MB of vectors."""

_MARGIN = 1e-6
"""Least sine of the height of a polygon's vertices above the rim of their hemisphere."""


@dataclass(frozen=True)
class Polygon(Outlined):
    """A region within a closed line of great circles.

    Of the two sides of the line it is the one that lies in a hemisphere with it, whichever way
    round the vertices go. Where the line crosses itself, a position lies inside that an odd
    number of turns goes around.

    Parameters
    ----------
    vertices : tuple of (float, float)
        Right ascensions and declinations (ICRS, deg) of at least three vertices, which must fit
        into a hemisphere. A vertex that the next one repeats, as the first may the last, is
        dropped.
    """

    vertices: tuple[tuple[float, float], ...]

    def __post_init__(self):
        object.__setattr__(self, "vertices", _distinct(self.vertices))
        if len(set(self.vertices)) < 3:
            raise InvalidQueryError(
                f"A polygon needs three different vertices: {self.vertices!r:.200} has fewer."
            )
        object.__setattr__(self, "_center", _hemisphere(self.edges[0]))

    def contains(self, ra: Any, dec: Any) -> np.ndarray:
        """Say which positions lie in the polygon; see `Shape.contains`.

        A position nearer to an edge than 2e-9 arcsec counts as inside.
        """
        points = unit_vectors(ra, dec)
        flat = points.reshape(-1, 3)
        near = np.flatnonzero(separations(flat, self._center) <= self._reach)
        inside = np.zeros(len(flat), dtype=bool)
        for part in _parts(near, len(self.vertices)):
            inside[part] = self._odd(flat[part]) | (self._to_edges(flat[part]) <= TOUCH)
        return inside.reshape(points.shape[:-1])

    def boundary_distance(self, ra: Any, dec: Any) -> np.ndarray:
        """Return distances to the edges; see `Outlined.boundary_distance`."""
        points = unit_vectors(ra, dec)
        flat = points.reshape(-1, 3)
        distances = np.empty(len(flat))
        for part in _parts(np.arange(len(flat)), len(self.vertices)):
            distances[part] = self._to_edges(flat[part])
        return np.degrees(distances.reshape(points.shape[:-1]))

    @cached_property
    def edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Starts and ends of the edges, unit vectors of shape (n_vertices, 3) each."""
        start = unit_vectors(*np.array(self.vertices).T)
        return start, np.roll(start, -1, axis=0)

    def bounding_circle(self) -> Circle:
        """Return a circle around the mean of the vertices; see `Shape.bounding_circle`."""
        ra, dec = positions(self._center)
        return padded_circle(float(ra), float(dec), math.degrees(self._reach))

    @cached_property
    def _reach(self) -> float:
        # A circle smaller than a hemisphere holds the arcs between the points that it holds.
        return float(separations(self.edges[0], self._center).max()) + 10 * TOUCH

    @cached_property
    def _plane(self) -> np.ndarray:
        """Axes of the tangent plane of the centre, and its normal, as rows."""
        ra = math.radians(positions(self._center)[0])
        east = np.array([-math.sin(ra), math.cos(ra), 0.0])
        return np.stack([east, np.cross(self._center, east), self._center])

    def _projected(self, points: np.ndarray) -> np.ndarray:
        """Project points of the hemisphere gnomonically: great circles become straight lines."""
        seen = points @ self._plane.T
        return seen[:, :2] / seen[:, 2:]

    def _odd(self, points: np.ndarray) -> np.ndarray:
        """Say for which points of the hemisphere an odd number of edges lies to the east."""
        x, y = self._projected(points).T[..., None]
        # A vertex is projected once: both its edges must see it at the same height.
        x1, y1 = self._projected(self.edges[0]).T
        x2, y2 = np.roll(x1, -1), np.roll(y1, -1)
        straddles = (y1 > y) != (y2 > y)
        turn = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
        is_east = (turn > 0) == (y2 > y1)
        return np.count_nonzero(straddles & is_east, axis=1) % 2 == 1

    def _to_edges(self, points: np.ndarray) -> np.ndarray:
        return arc_distances(points[:, None], *self.edges).min(axis=1)


def _distinct(vertices: Any) -> tuple[tuple[float, float], ...]:
    """Return vertices as pairs of floats, without those that the next one repeats."""
    try:
        pairs = [(float(ra) % 360 % 360, float(dec)) for ra, dec in vertices]
    except (TypeError, ValueError) as error:
        raise InvalidQueryError(
            f"The vertices of a polygon are pairs of ra and dec in degrees, not {vertices!r:.200}."
        ) from error
    for ra, dec in pairs:
        if not (math.isfinite(ra) and -90 <= dec <= 90):
            raise InvalidQueryError(
                f"A polygon has no vertex ({ra}, {dec}): declinations go from -90 to 90 deg."
            )
    following = [*pairs[1:], *pairs[:1]]
    return tuple(pair for pair, other in zip(pairs, following, strict=True) if pair != other)


def _hemisphere(points: np.ndarray) -> np.ndarray:
    """Return the middle of a hemisphere that holds points, not too close to its rim."""
    middle = mean_direction(points)
    if (points @ middle).min() > 0.1:
        return middle
    # Uneven vertices pull their mean away, so the direction that is highest above all their
    # horizons is looked for: a linear program, if its components instead of its length are bound.
    from scipy.optimize import linprog

    above = np.hstack([-points, np.ones((len(points), 1))])
    bounds = [(-1, 1)] * 3 + [(None, None)]
    found = linprog([0, 0, 0, -1], A_ub=above, b_ub=np.zeros(len(points)), bounds=bounds).x[:3]
    middle = found / max(np.linalg.norm(found), np.finfo(float).tiny)
    if (points @ middle).min() < _MARGIN:
        raise InvalidQueryError(
            "A polygon must fit into a hemisphere, or its inside is not defined; the one with "
            f"{len(points)} vertices that begins at ({_first(points)}) does not: split it."
        )
    return middle


def _first(points: np.ndarray) -> str:
    ra, dec = positions(points[0])
    return f"{ra:.6f}, {dec:.6f}"


def _parts(indices: np.ndarray, edges: int) -> Iterator[np.ndarray]:
    """Cut indices of points into parts whose pairs with edges fit into memory."""
    size = max(1, _CHUNK // edges)
    return (indices[start : start + size] for start in range(0, len(indices), size))
