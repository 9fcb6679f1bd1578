"""Geometry of unit vectors: distances, arcs of great circles, parallels.

Every formula keeps its digits for angles of a microarcsecond and of 180 deg alike: angles are
arctangents of two lengths, and normals of short arcs are made of the difference of their ends.
See Kahan (2006), "How Futile are Mindless Assessments of Roundoff in Floating-Point
Computation?", section 12, for the angle between two vectors.
"""

import numpy as np

__all__ = [
    "TOUCH",
    "arc_distances",
    "arcs_meet",
    "mean_direction",
    "parallel_crossings",
    "positions",
    "separations",
    "unit_vectors",
]

TOUCH = 1e-14
"""Points nearer than this [rad; 2e-9 arcsec] are one: float64 cannot tell them apart."""


def unit_vectors(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Return the directions of positions.

    Parameters
    ----------
    ra, dec : array_like
        Positions [deg], of shapes that broadcast.

    Returns
    -------
    vectors : `numpy.ndarray`, shape (..., 3)
    """
    ra, dec = np.radians(ra), np.radians(dec)
    x, y = np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra)
    return np.stack(np.broadcast_arrays(x, y, np.sin(dec)), axis=-1)


def positions(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of directions.

    Parameters
    ----------
    vectors : `numpy.ndarray`, shape (..., 3)
        Of any length but 0.

    Returns
    -------
    ra, dec : `numpy.ndarray`, shape (...)
        [deg]; right ascensions in [0, 360).
    """
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    # A tiny negative angle would be rounded to 360.
    ra = np.degrees(np.arctan2(y, x)) % 360 % 360
    return ra, np.degrees(np.arctan2(z, np.hypot(x, y)))


def mean_direction(vectors: np.ndarray) -> np.ndarray:
    """Return the direction of the mean of unit vectors; that of the first where they cancel.

    Parameters
    ----------
    vectors : `numpy.ndarray`, shape (n, 3)

    Returns
    -------
    direction : `numpy.ndarray`, shape (3,)
    """
    mean = vectors.mean(axis=0)
    length = np.linalg.norm(mean)
    return mean / length if length > 1e-9 else vectors[0]


def separations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the angles between unit vectors.

    Parameters
    ----------
    first, second : `numpy.ndarray`, shape (..., 3)
        Of shapes that broadcast.

    Returns
    -------
    angles : `numpy.ndarray`, shape (...)
        [rad]
    """
    apart = np.linalg.norm(first - second, axis=-1)
    return 2 * np.arctan2(apart, np.linalg.norm(first + second, axis=-1))


def arc_distances(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the distances of points to arcs of great circles.

    Parameters
    ----------
    points : `numpy.ndarray`, shape (..., 3)
        Unit vectors.
    start, end : `numpy.ndarray`, shape (..., 3)
        Ends of the arcs, less than 180 deg apart. All three shapes broadcast.

    Returns
    -------
    distances : `numpy.ndarray`, shape (...)
        [rad]
    """
    normal, along = _frames(start, end)
    height = _dot(points, normal)
    ahead = _dot(points, along)
    # An arc of no length has a normal of zeros.
    is_between = (ahead >= 0) & (_dot(points, np.cross(end, normal)) >= 0) & normal.any(axis=-1)
    to_circle = np.arctan2(np.abs(height), np.hypot(ahead, _dot(points, start)))
    to_ends = np.minimum(separations(points, start), separations(points, end))
    return np.where(is_between, np.minimum(to_circle, to_ends), to_ends)


def arcs_meet(
    start: np.ndarray, end: np.ndarray, other_start: np.ndarray, other_end: np.ndarray
) -> np.ndarray:
    """Say which arcs of great circles share a point with which others.

    Parameters
    ----------
    start, end : `numpy.ndarray`, shape (n, 3)
        Ends of arcs, less than 180 deg apart.
    other_start, other_end : `numpy.ndarray`, shape (m, 3)
        Ends of the others.

    Returns
    -------
    meet : `numpy.ndarray` of bool, shape (n, m)
        Arcs that come within `TOUCH` of each other count.
    """
    a, b = start[:, None], end[:, None]
    c, d = other_start[None], other_end[None]
    first, second = _frames(a, b)[0], _frames(c, d)[0]
    side_c, side_d = _dot(c, first), _dot(d, first)
    side_a, side_b = _dot(a, second), _dot(b, second)
    # The last condition leaves out arcs that cross each other's antipodes.
    crosses = (side_c * side_d < 0) & (side_a * side_b < 0) & (side_c * side_b > 0)
    touches = np.minimum(arc_distances(a, c, d), arc_distances(b, c, d)) <= TOUCH
    touched = np.minimum(arc_distances(c, a, b), arc_distances(d, a, b)) <= TOUCH
    return crosses | touches | touched


def parallel_crossings(start: np.ndarray, end: np.ndarray, dec: float) -> np.ndarray:
    """Return where arcs of great circles meet a parallel of declination.

    On a great circle whose nearest point to a pole is at polar distance p0, the point that is
    s farther on has the polar distance p with cos p = cos p0 cos s (a right spherical
    triangle). Its form in half angles, sin^2(s/2) = sin((p+p0)/2) sin((p-p0)/2) / cos p0, keeps
    its digits at the poles.

    Parameters
    ----------
    start, end : `numpy.ndarray`, shape (m, 3)
        Ends of the arcs, less than 180 deg apart.
    dec : float
        Declination of the parallel [deg].

    Returns
    -------
    points : `numpy.ndarray`, shape (k, 3)
        Unit vectors, at most two for each arc. An arc along the equator has none: its ends tell
        where it meets the equator.
    """
    pole = np.array([0.0, 0.0, 1.0 if dec >= 0 else -1.0])
    distance = np.radians(90 - abs(dec))
    normal, _ = _frames(start, end)
    foot = pole - _dot(normal, pole)[:, None] * normal
    length = np.linalg.norm(foot, axis=-1)
    nearest = np.arctan2(np.abs(normal[:, 2]), length)
    is_tilted = length > TOUCH
    normal, foot, nearest = normal[is_tilted], foot[is_tilted], nearest[is_tilted]
    foot = foot / length[is_tilted, None]
    share = np.sin((distance + nearest) / 2) * np.sin((distance - nearest) / 2) / np.cos(nearest)
    # Where circle and parallel touch, rounding may separate them.
    is_met = (share >= -TOUCH) & (share <= 1)
    step = 2 * np.arcsin(np.sqrt(np.clip(share, 0, 1)))[:, None]
    sideways = np.cross(normal, foot)
    points = [np.cos(step) * foot + sign * np.sin(step) * sideways for sign in (-1, 1)]
    ends = start[is_tilted], end[is_tilted]
    on_arc = [is_met & (arc_distances(point, *ends) <= 4 * TOUCH) for point in points]
    return np.concatenate([point[keep] for point, keep in zip(points, on_arc, strict=True)])


def _frames(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the normals of arcs and their tangents at the start; zeros for arcs of no length."""
    # start x (end - start) is start x end without the loss of digits of short arcs.
    normal = np.cross(start, end - start)
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    normal = np.divide(normal, length, out=np.zeros_like(normal), where=length > 0)
    return normal, np.cross(normal, start)


def _dot(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return (first * second).sum(axis=-1)
