"""Regions of the sky: what they all can do, circles, boxes, and unions of any.

Positions are ICRS, in degrees. A boundary belongs to its region. Shapes are immutable, compare
by value and can be keys of a dictionary.

Examples
--------
>>> from astro_paperclip.sky import Box, Circle, Polygon
>>> Circle(83.63, 22.01, 0.1).contains([83.6, 84.6], 22.0).tolist()
[True, False]
>>> Box(359, 1, -1, 1).contains(0, 0).item()
True
>>> Polygon(((10, 80), (130, 80), (250, 80))).contains(0, 90).item()
True
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from astropy.coordinates import angular_separation

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.sky.spherical import (
    arc_distances,
    mean_direction,
    positions,
    separations,
    unit_vectors,
)

__all__ = ["Box", "Circle", "Outlined", "Shape", "Union", "padded_circle"]


class Shape(ABC):
    """A region of the sky, its boundary included."""

    @abstractmethod
    def contains(self, ra: Any, dec: Any) -> np.ndarray:
        """Say which positions lie in the region.

        Parameters
        ----------
        ra, dec : array_like
            Positions (ICRS, deg), of shapes that broadcast. NaN lies nowhere.

        Returns
        -------
        inside : `numpy.ndarray` of bool
            Of the shape that the positions broadcast to.
        """

    @abstractmethod
    def bounding_circle(self) -> "Circle":
        """Return a circle, not always the smallest, that holds the region."""


class Outlined(Shape):
    """A region with a boundary that distances can be measured to."""

    @abstractmethod
    def boundary_distance(self, ra: Any, dec: Any) -> np.ndarray:
        """Return how far positions are from the boundary, on either side of it.

        Parameters
        ----------
        ra, dec : array_like
            Positions (ICRS, deg), of shapes that broadcast.

        Returns
        -------
        distances : `numpy.ndarray` of float
            [deg]; never more than the true distance by more than rounding, and infinite where
            there is no boundary.
        """


@dataclass(frozen=True)
class Circle(Outlined):
    """All positions up to an angular distance from a centre.

    Parameters
    ----------
    ra, dec : float
        Centre (ICRS, deg).
    radius : float
        Angular radius (deg), more than 0 and at most 180.
    """

    ra: float
    dec: float
    radius: float

    def __post_init__(self):
        _set_floats(self, "ra", "dec", "radius")
        if not (math.isfinite(self.ra) and -90 <= self.dec <= 90 and 0 < self.radius <= 180):
            raise InvalidQueryError(
                f"There is no {self}: declinations go from -90 to 90 deg, radii from above 0 to "
                "180 deg."
            )

    def contains(self, ra: Any, dec: Any) -> np.ndarray:
        """Say which positions lie in the circle; see `Shape.contains`."""
        return self._separation(ra, dec) <= self.radius

    def boundary_distance(self, ra: Any, dec: Any) -> np.ndarray:
        """Return distances to the rim; see `Outlined.boundary_distance`."""
        return np.abs(self._separation(ra, dec) - self.radius)

    def bounding_circle(self) -> "Circle":
        """Return the circle itself."""
        return self

    def _separation(self, ra: Any, dec: Any) -> np.ndarray:
        here = np.radians(self.ra), np.radians(self.dec)
        return np.degrees(angular_separation(*here, np.radians(ra), np.radians(dec)))


@dataclass(frozen=True)
class Box(Outlined):
    """A range of right ascension and declination: the RANGE of SIA2.

    Its upper and lower edges are parallels, not great circles. A pole that it reaches belongs
    to it, whatever right ascension the pole is given.

    Parameters
    ----------
    ra_min, ra_max : float
        Western and eastern edge (ICRS, deg), each wrapped into one turn; ``ra_min`` greater
        than ``ra_max`` leads across RA 0. A full turn or more, (0, 360) for instance, is all
        right ascensions.
    dec_min, dec_max : float
        Lower and upper edge (ICRS, deg).
    """

    ra_min: float
    ra_max: float
    dec_min: float
    dec_max: float

    def __post_init__(self):
        _set_floats(self, "ra_min", "ra_max", "dec_min", "dec_max")
        if not (math.isfinite(self.ra_min) and math.isfinite(self.ra_max)):
            raise InvalidQueryError(f"There is no {self}: right ascensions must be finite.")
        if not -90 <= self.dec_min <= self.dec_max <= 90:
            raise InvalidQueryError(
                f"There is no {self}: declinations go from -90 to 90 deg, the smaller one first."
            )

    @classmethod
    def from_limits(cls, ra_min: float, ra_max: float, dec_min: float, dec_max: float) -> "Box":
        """Make a box of limits that may be open.

        Parameters
        ----------
        ra_min, ra_max, dec_min, dec_max : float
            As for `Box`; infinite ones stand for RA 0 and 360 deg, and for the poles.

        Returns
        -------
        box : Box

        Raises
        ------
        InvalidQueryError
            If there is no such box.
        """
        return cls(
            0.0 if ra_min == -math.inf else ra_min,
            360.0 if ra_max == math.inf else ra_max,
            -90.0 if dec_min == -math.inf else dec_min,
            90.0 if dec_max == math.inf else dec_max,
        )

    @property
    def is_ring(self) -> bool:
        """Whether the box holds all right ascensions."""
        return self.ra_max - self.ra_min >= 360

    @cached_property
    def width(self) -> float:
        """Extent in right ascension [deg], at most 360."""
        return 360.0 if self.is_ring else (self.ra_max % 360 - self.ra_min % 360) % 360

    def contains(self, ra: Any, dec: Any) -> np.ndarray:
        """Say which positions lie in the box; see `Shape.contains`."""
        dec = np.asarray(dec, dtype=float)
        is_pole = (np.abs(dec) == 90) & np.isfinite(ra)
        within = (dec >= self.dec_min) & (dec <= self.dec_max)
        return within & (self.spans(ra) | is_pole)

    def spans(self, ra: Any) -> np.ndarray:
        """Say which right ascensions [deg] the box holds."""
        ra = np.asarray(ra, dtype=float) % 360
        if self.is_ring:
            return np.isfinite(ra)
        low, high = self.ra_min % 360, self.ra_max % 360
        if low <= high:
            return (ra >= low) & (ra <= high)
        return (ra >= low) | (ra <= high)

    def boundary_distance(self, ra: Any, dec: Any) -> np.ndarray:
        """Return distances to the edges; see `Outlined.boundary_distance`."""
        ra, dec = np.broadcast_arrays(np.asarray(ra, dtype=float), np.asarray(dec, dtype=float))
        nearest = np.full(ra.shape, np.inf)
        # Of all points of a parallel the one on a position's own meridian is the nearest; of a
        # part of it elsewhere, an end is, which belongs to a meridian's edge.
        spans = self.spans(ra)
        for edge, is_edge in (
            (self.dec_min, self.dec_min > -90),
            (self.dec_max, self.dec_max < 90),
        ):
            if is_edge:
                nearest = np.where(spans, np.minimum(nearest, np.abs(dec - edge)), nearest)
        if not self.is_ring:
            points = unit_vectors(ra, dec)[..., None, :]
            to_meridians = arc_distances(points, *self.meridians).min(axis=-1)
            nearest = np.minimum(nearest, np.degrees(to_meridians))
        return nearest

    @cached_property
    def corners(self) -> np.ndarray:
        """Right ascensions and declinations of the corners [deg], shape (4, 2)."""
        edges = (self.ra_min, self.ra_max), (self.dec_min, self.dec_max)
        return np.array([(ra, dec) for ra in edges[0] for dec in edges[1]])

    @cached_property
    def meridians(self) -> tuple[np.ndarray, np.ndarray]:
        """Both edges along meridians: starts and ends of arcs up to 90 deg, shape (4, 3) each."""
        middle = (self.dec_min + self.dec_max) / 2
        ra = np.repeat([self.ra_min, self.ra_max], 2)
        start = unit_vectors(ra, np.tile([self.dec_min, middle], 2))
        return start, unit_vectors(ra, np.tile([middle, self.dec_max], 2))

    def bounding_circle(self) -> Circle:
        """Return a circle around the middle or around a pole; see `Shape.bounding_circle`."""
        candidates = [(0.0, 90.0, 90 - self.dec_min), (0.0, -90.0, self.dec_max + 90)]
        if self.width <= 180:
            # No point of an edge is then farther from the middle than the edge's ends.
            middle = self.ra_min + self.width / 2, (self.dec_min + self.dec_max) / 2
            away = separations(unit_vectors(*middle), unit_vectors(*self.corners.T))
            candidates.append((*middle, math.degrees(away.max())))
        return padded_circle(*min(candidates, key=lambda circle: circle[2]))


@dataclass(frozen=True)
class Union(Shape):
    """All positions that lie in at least one of several shapes.

    Parameters
    ----------
    shapes : tuple of Shape
        At least one; unions among them are taken apart.
    """

    shapes: tuple[Shape, ...]

    def __post_init__(self):
        shapes = []
        for shape in self.shapes:
            if not isinstance(shape, Shape):
                raise InvalidQueryError(f"{shape!r} is no shape: astro_paperclip.sky has them.")
            shapes.extend(shape.shapes if isinstance(shape, Union) else [shape])
        if not shapes:
            raise InvalidQueryError("A union of no shapes is empty: give at least one.")
        object.__setattr__(self, "shapes", tuple(shapes))

    def contains(self, ra: Any, dec: Any) -> np.ndarray:
        """Say which positions lie in one of the shapes; see `Shape.contains`."""
        return np.logical_or.reduce([shape.contains(ra, dec) for shape in self.shapes])

    def bounding_circle(self) -> Circle:
        """Return a circle around the mean of the shapes' own; see `Shape.bounding_circle`."""
        circles = [shape.bounding_circle() for shape in self.shapes]
        centers = unit_vectors(
            [circle.ra for circle in circles], [circle.dec for circle in circles]
        )
        middle = mean_direction(centers)
        away = np.degrees(separations(centers, middle)) + [circle.radius for circle in circles]
        ra, dec = positions(middle)
        return padded_circle(float(ra), float(dec), float(away.max()))


def padded_circle(ra: float, dec: float, radius: float) -> Circle:
    """Return a circle that is larger than a computed one by more than rounding.

    Parameters
    ----------
    ra, dec : float
        Centre (ICRS, deg).
    radius : float
        Computed radius (deg).

    Returns
    -------
    circle : Circle
        Its radius is at most 180 deg.
    """
    return Circle(ra, dec, min(180.0, radius + 1e-11))


def _set_floats(shape: Shape, *names: str) -> None:
    """Replace numbers of any type by floats, so that equal shapes have equal hashes."""
    for name in names:
        value = getattr(shape, name)
        try:
            object.__setattr__(shape, name, float(value))
        except (TypeError, ValueError) as error:
            raise InvalidQueryError(
                f"{name} of a {type(shape).__name__} must be a number in degrees, not {value!r}."
            ) from error
