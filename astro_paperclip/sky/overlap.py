"""Whether two regions of the sky share a point."""

import numpy as np

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.sky.healpix import (
    MAX_ORDER,
    cell_centers,
    cell_radius,
    orders_with_numbers,
)
from astro_paperclip.sky.moc import Moc
from astro_paperclip.sky.polygon import Polygon
from astro_paperclip.sky.shapes import Box, Circle, Outlined, Shape, Union
from astro_paperclip.sky.spherical import (
    TOUCH,
    arcs_meet,
    parallel_crossings,
    positions,
    separations,
    unit_vectors,
)

__all__ = ["overlaps"]

_FINEST = 24
"""Order of the cells, 0.01 arcsec wide, at which the dividing of a MOC's cells ends."""

_MOST_CELLS = 20_000

_RANKS = [Moc, Circle, Box, Polygon]
"""Of two types, what the earlier one knows of the other decides."""


def overlaps(shape: Shape, footprint: Shape) -> bool:
    """Say whether two regions share a point, be it one of their boundaries.

    Parameters
    ----------
    shape, footprint : Shape
        The regions, in any order.

    Returns
    -------
    overlap : bool
        Exact but for rounding: regions within 2e-9 arcsec of each other count as touching. A
        MOC touches a circle, box or polygon that comes within 0.02 arcsec of one of its cells;
        or, where they run along each other for long, within a 5000th of that length. Two
        MOCs overlap if they have a cell in common.

    Raises
    ------
    InvalidQueryError
        If one of them is no shape.

    Examples
    --------
    >>> from astro_paperclip.sky import Box, Circle, overlaps
    >>> overlaps(Circle(0, 89, 2), Box(170, 190, 88, 90))
    True
    """
    for region in (shape, footprint):
        if not isinstance(region, Shape):
            raise InvalidQueryError(
                f"{region!r} is no shape: make one with astro_paperclip.sky.as_shape."
            )
    return any(_overlap(one, other) for one in _parts(shape) for other in _parts(footprint))


def _overlap(one: Shape, other: Shape) -> bool:
    """Say whether two shapes overlap that are no unions."""
    if not _are_near(one.bounding_circle(), other.bounding_circle()):
        return False
    one, other = sorted((one, other), key=lambda shape: _RANKS.index(type(shape)))
    return _meets(one, other)


def _are_near(one: Circle, other: Circle) -> bool:
    apart = separations(unit_vectors(one.ra, one.dec), unit_vectors(other.ra, other.dec))
    return np.degrees(apart) <= one.radius + other.radius + np.degrees(TOUCH)


def _meets(one: Shape, other: Shape) -> bool:
    """Say whether two shapes overlap, of types that `_overlap` has put in order."""
    if isinstance(one, Moc):
        if isinstance(other, Moc):
            return bool(one.overlaps_ranges(*other.ranges.T).any())
        return _moc_meets_outline(one, other)
    if isinstance(one, Circle):
        return _circle_meets(one, other)
    if isinstance(one, Box):
        return _boxes_meet(one, other) if isinstance(other, Box) else _box_meets(one, other)
    return _polygons_meet(one, other)


def _circle_meets(circle: Circle, other: Outlined) -> bool:
    if other.contains(circle.ra, circle.dec):
        return True
    away = other.boundary_distance(circle.ra, circle.dec)
    return bool(away <= circle.radius + np.degrees(TOUCH))


def _boxes_meet(box: Box, other: Box) -> bool:
    low, high = max(box.dec_min, other.dec_min), min(box.dec_max, other.dec_max)
    if low > high:
        return False
    share_pole = high == 90 or low == -90
    return bool(share_pole or box.spans(other.ra_min) or other.spans(box.ra_min))


def _polygons_meet(polygon: Polygon, other: Polygon) -> bool:
    return bool(
        polygon.contains(*np.array(other.vertices).T).any()
        or other.contains(*np.array(polygon.vertices).T).any()
        or arcs_meet(*polygon.edges, *other.edges).any()
    )


def _box_meets(box: Box, polygon: Polygon) -> bool:
    if box.contains(*np.array(polygon.vertices).T).any():
        return True
    if polygon.contains(*box.corners.T).any():
        return True
    if not box.is_ring and arcs_meet(*polygon.edges, *box.meridians).any():
        return True
    for dec in (box.dec_min, box.dec_max):
        ra, _ = positions(parallel_crossings(*polygon.edges, dec))
        if box.spans(ra).any():
            return True
    return False


def _moc_meets_outline(moc: Moc, other: Outlined) -> bool:
    """Divide the map's cells until a centre lies in the other shape, or all are clear of it."""
    most = _MOST_CELLS + 4 * len(moc.cells)
    own = dict(orders_with_numbers(moc.nuniq))
    cells = np.empty(0, dtype=np.int64)
    for order in range(MAX_ORDER + 1):
        cells = np.concatenate(
            [(4 * cells[:, None] + np.arange(4)).ravel(), own.pop(order, cells[:0])]
        )
        ra, dec = positions(cell_centers(order, cells))
        if other.contains(ra, dec).any():
            return True
        cells = cells[other.boundary_distance(ra, dec) <= np.degrees(cell_radius(order))]
        if len(cells) and (order >= _FINEST or len(cells) > most):
            return True
        if not len(cells) and not own:
            break
    return False


def _parts(shape: Shape) -> tuple[Shape, ...]:
    return shape.shapes if isinstance(shape, Union) else (shape,)
