"""Positions, regions and footprints on the sky."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord, angular_separation
from astropy.table import Table

from astro_paperclip.criteria import Cone
from astro_paperclip.exceptions import InvalidQueryError

__all__ = [
    "Shape",
    "box",
    "overlapping",
    "read_region",
    "read_shapes",
    "separations",
    "surrounding",
]

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_SHAPE = re.compile(rf"(POLYGON|CIRCLE)\s+((?:[A-Z][A-Z0-9]*\s+)*)((?:{_NUMBER}(?:\s+|(?=\))|$))+)")
_FRAMES = {"", "ICRS", "FK5", "J2000", "GSC1", "ICRS TOPOCENTER", "ICRS GEOCENTER"}
"""Frames that are taken for ICRS: they agree within a fraction of an arcsecond."""

_HORIZON = 85.0
"""Points farther than this [deg] from the tangent point are not projected."""


@dataclass(frozen=True)
class Shape:
    """A circle or a polygon of great circles, ICRS.

    Parameters
    ----------
    points : `numpy.ndarray`, shape (n, 2)
        Right ascensions and declinations [deg] of the corners, in order, either way round; or
        of the one centre.
    radius : float
        Of a circle [deg]; 0 for a polygon.
    """

    points: np.ndarray
    radius: float = 0.0

    def projected(self, center: np.ndarray) -> np.ndarray | None:
        """Return the points in the tangent plane of a centre, where great circles are straight.

        Parameters
        ----------
        center : `numpy.ndarray`, shape (2,)
            Tangent point [deg].

        Returns
        -------
        points : `numpy.ndarray`, shape (n, 2), or None
            [rad at the tangent point]; `None` where a point is too far away for that.
        """
        (ra, dec), (ra0, dec0) = np.radians(self.points).T, np.radians(center)
        height = np.sin(dec0) * np.sin(dec) + np.cos(dec0) * np.cos(dec) * np.cos(ra - ra0)
        if height.min() < math.cos(math.radians(_HORIZON)):
            return None
        east = np.cos(dec) * np.sin(ra - ra0)
        north = np.cos(dec0) * np.sin(dec) - np.sin(dec0) * np.cos(dec) * np.cos(ra - ra0)
        return np.stack([east, north], axis=1) / height[:, None]


def separations(table: Table, ra: float, dec: float) -> np.ndarray:
    """Measure how far observations are from a point of the sky.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Columns ``s_ra`` and ``s_dec``.
    ra, dec : float
        The point [deg].

    Returns
    -------
    distances : `numpy.ndarray`, shape (n_rows,)
        [deg]; NaN where the position is not known.
    """
    place = [np.ma.filled(np.ma.asarray(table[name]), np.nan) for name in ("s_ra", "s_dec")]
    here, there = np.radians(place), np.radians([ra, dec])
    return np.degrees(angular_separation(*here, *there))


def box(cone: Cone) -> tuple[tuple[float, float], list[tuple[float, float]]]:
    """Return ranges of coordinates that hold a cone.

    Parameters
    ----------
    cone : `~astro_paperclip.criteria.Cone`
        The cone.

    Returns
    -------
    declinations : tuple of float
        From, to [deg].
    right_ascensions : list of tuple of float
        One range from, to [deg], or two where the cone lies across 0.
    """
    radius = cone.radius + 1e-9  # the rim belongs to the cone, whatever rounding does to it
    south, north = cone.dec - radius, cone.dec + radius
    if south <= -90 or north >= 90:
        return (max(south, -90.0), min(north, 90.0)), [(0.0, 360.0)]
    reach = math.sin(math.radians(radius)) / math.cos(math.radians(cone.dec))
    width = math.degrees(math.asin(min(1.0, reach)))
    low, high = (cone.ra - width) % 360, (cone.ra + width) % 360
    return (south, north), [(low, high)] if low <= high else [(0.0, high), (low, 360.0)]


def read_shapes(text: str) -> list[Shape]:
    """Read a footprint in the STC-S that MAST writes.

    Parameters
    ----------
    text : str
        ``POLYGON`` or ``CIRCLE`` with an optional frame and decimal degrees; several of them one
        behind the other, or in a ``UNION``.

    Returns
    -------
    shapes : list of Shape
        None where nothing can be read.
    """
    shapes = []
    for kind, frame, numbers in _SHAPE.findall(text.upper()):
        values = [float(number) for number in numbers.split()]
        if " ".join(frame.split()) not in _FRAMES:
            continue
        if kind == "CIRCLE" and len(values) == 3:
            shapes.append(Shape(np.array([values[:2]]), values[2]))
        elif kind == "POLYGON" and len(values) >= 6 and len(values) % 2 == 0:
            points = np.array(values).reshape(-1, 2)
            is_closed = len(points) > 3 and np.allclose(points[0], points[-1], atol=1e-9)
            shapes.append(Shape(points[:-1] if is_closed else points))
    return shapes


def read_region(region: Any) -> list[Shape]:
    """Read what a user gives for a region of the sky.

    Parameters
    ----------
    region : str, circle or polygon of `regions`, or iterable of those
        Text is STC-S.

    Returns
    -------
    shapes : list of Shape
        At least one.

    Raises
    ------
    InvalidQueryError
        If it is no region, or one too large to be looked at in one plane.
    """
    shapes = _shapes_of(region)
    if not shapes:
        raise InvalidQueryError(
            f"{region!r} is no region of the sky: give a circle or a polygon of the package "
            "regions, or STC-S such as 'CIRCLE ICRS 83.6 22.0 0.1'."
        )
    cone = surrounding(shapes)
    if cone.radius > _HORIZON / 2:
        raise InvalidQueryError(
            f"The region is too large: it reaches {cone.radius:.0f} deg from its centre, and "
            f"{_HORIZON / 2:.0f} deg are the limit. Search parts of it."
        )
    return shapes


def surrounding(shapes: Sequence[Shape]) -> Cone:
    """Return a cone that holds all shapes.

    Parameters
    ----------
    shapes : sequence of Shape
        At least one.

    Returns
    -------
    cone : `~astro_paperclip.criteria.Cone`
    """
    points = np.concatenate([shape.points for shape in shapes])
    center = _center(points)
    ra, dec = np.radians(points).T
    away = np.degrees(angular_separation(*np.radians(center), ra, dec))
    radii = np.concatenate([np.full(len(shape.points), shape.radius) for shape in shapes])
    return Cone(float(center[0]), float(center[1]), min(180.0, float((away + radii).max()) + 1e-9))


def overlapping(shapes: Sequence[Shape], table: Table) -> np.ndarray:
    """Find the observations whose footprint shares a point with one of the shapes.

    Parameters
    ----------
    shapes : sequence of Shape
        See `read_region`.
    table : `~astropy.table.Table`
        Columns ``s_region``, ``s_ra`` and ``s_dec``. Where there is no footprint that can be
        read, the position counts for it.

    Returns
    -------
    mask : `numpy.ndarray` of bool, shape (n_rows,)
    """
    rows = zip(*(table[name].tolist() for name in ("s_region", "s_ra", "s_dec")), strict=True)
    mask = np.zeros(len(table), dtype=bool)
    for index, (text, ra, dec) in enumerate(rows):
        footprint = read_shapes(text) if text else []
        if not footprint and ra is not None and dec is not None:
            footprint = [Shape(np.array([[ra, dec]]))]
        mask[index] = any(_overlap(one, other) for one in shapes for other in footprint)
    return mask


def _shapes_of(region: Any) -> list[Shape]:
    if isinstance(region, str):
        return read_shapes(region)
    center, vertices = getattr(region, "center", None), getattr(region, "vertices", None)
    radius = getattr(region, "radius", None)
    if isinstance(center, SkyCoord) and hasattr(radius, "to_value"):
        return [Shape(_degrees(center.reshape(1)), float(radius.to_value("deg")))]
    if isinstance(vertices, SkyCoord) and vertices.size >= 3:
        return [Shape(_degrees(vertices))]
    if isinstance(region, Iterable):
        return [shape for part in region for shape in read_region(part)]
    return []


def _degrees(coordinates: SkyCoord) -> np.ndarray:
    icrs = coordinates.icrs
    return np.stack([icrs.ra.deg, icrs.dec.deg], axis=1)


def _center(points: np.ndarray) -> np.ndarray:
    """Return the direction of the mean of points on the sphere [deg]."""
    ra, dec = np.radians(points).T
    x, y, z = (
        (np.cos(dec) * np.cos(ra)).mean(),
        (np.cos(dec) * np.sin(ra)).mean(),
        np.sin(dec).mean(),
    )
    return np.array(
        [math.degrees(math.atan2(y, x)) % 360, math.degrees(math.atan2(z, math.hypot(x, y)))]
    )


def _overlap(one: Shape, other: Shape) -> bool:
    """Say whether two shapes share a point."""
    if len(one.points) > 1 and len(other.points) > 1:
        return _polygons_overlap(one, other)
    circle, shape = (one, other) if len(one.points) == 1 else (other, one)
    center = circle.points[0]
    if len(shape.points) == 1:
        away = np.degrees(angular_separation(*np.radians(center), *np.radians(shape.points[0])))
        return bool(away <= circle.radius + shape.radius)
    plane = shape.projected(center)
    if plane is None:
        return False
    origin = np.zeros((1, 2))
    # Seen from the tangent point, distances in the plane grow with the angle.
    nearest = math.degrees(math.atan(_distance_to_edges(plane)))
    return nearest <= circle.radius or bool(_inside(origin, plane)[0])


def _polygons_overlap(one: Shape, other: Shape) -> bool:
    center = _center(one.points)
    first, second = one.projected(center), other.projected(center)
    if first is None or second is None:
        return False
    return bool(
        _edges_cross(first, second)
        or _inside(first[:1], second)[0]
        or _inside(second[:1], first)[0]
    )


def _inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Say which points lie in a polygon: an odd number of edges is east of them."""
    start, end = polygon, np.roll(polygon, -1, axis=0)
    x, y = points[:, :1], points[:, 1:]
    straddles = (start[:, 1] > y) != (end[:, 1] > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (end[:, 0] - start[:, 0]) / (end[:, 1] - start[:, 1])
        is_east = x < start[:, 0] + (y - start[:, 1]) * slope
    return (np.count_nonzero(straddles & is_east, axis=1) % 2).astype(bool)


def _distance_to_edges(polygon: np.ndarray) -> float:
    """Return the distance of the origin to the nearest edge of a polygon."""
    start, along = polygon, np.roll(polygon, -1, axis=0) - polygon
    length = (along**2).sum(axis=1)
    share = np.clip(-(start * along).sum(axis=1) / np.where(length > 0, length, 1), 0, 1)
    return float(np.hypot(*(start + share[:, None] * along).T).min())


def _edges_cross(first: np.ndarray, second: np.ndarray) -> bool:
    """Say whether an edge of one polygon meets one of the other."""
    a, b = first[:, None], np.roll(first, -1, axis=0)[:, None]
    c, d = second[None], np.roll(second, -1, axis=0)[None]

    def side(p, q, r):
        return np.sign(
            (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1])
            - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0])
        )

    crosses = (side(a, b, c) * side(a, b, d) < 0) & (side(c, d, a) * side(c, d, b) < 0)
    return bool(crosses.any())
