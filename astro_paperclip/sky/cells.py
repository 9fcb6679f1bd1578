"""HEALPix cells by which a database can preselect positions and footprints.

A database that stores with each position its `ancestors`, and with each footprint its
`footprint_cells`, finds all that can lie in a region, and little else, by asking for rows that
have at least one of a set of whole numbers: the region's `cover`, or its `query_cells`. Nothing
is lost, whatever rounding does; what else is found must be looked at with `Shape.contains` or
`~astro_paperclip.sky.overlaps`, unless its cell lies wholly inside.

Cells are nested and written as NUNIQ: 4 * 4^order + number. Those around a cell are written down
at every second order only: half the numbers to store and to read, for regions of somewhat more
cells.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.sky.healpix import (
    MAX_ORDER,
    cell_centers,
    cell_radius,
    cells_of,
    nuniq,
    orders_with_numbers,
)
from astro_paperclip.sky.moc import Moc
from astro_paperclip.sky.polygon import Polygon
from astro_paperclip.sky.shapes import Outlined, Shape, Union
from astro_paperclip.sky.spherical import arc_distances, positions, unit_vectors

__all__ = ["ancestors", "cover", "footprint_cells", "many_footprint_cells", "query_cells"]

_OUTSIDE, _BOUNDARY, _INSIDE = -1, 0, 1
_STEP = 2


def ancestors(ra: Any, dec: Any, order: int) -> np.ndarray:
    """Return the cells that positions lie in, at an order and at every second order above it.

    Parameters
    ----------
    ra, dec : array_like
        Positions (ICRS, deg), of shapes that broadcast to (n,).
    order : int
        Deepest order, 0 to 29.

    Returns
    -------
    cells : `numpy.ndarray` of int64, shape (n, order // 2 + 1)
        NUNIQ at the orders ... ``order - 2``, ``order``, ascending.

    Raises
    ------
    InvalidQueryError
        If a position is no position, or the order no order.
    """
    _check_order(order)
    ra, dec = np.atleast_1d(np.asarray(ra, dtype=float), np.asarray(dec, dtype=float))
    is_wrong = ~(np.isfinite(ra) & (np.abs(dec) <= 90))
    if is_wrong.any():
        raise InvalidQueryError(
            f"{np.count_nonzero(is_wrong)} of the positions are none, the first in row "
            f"{np.flatnonzero(is_wrong)[0]}: leave them out."
        )
    return _with_ancestors(order, cells_of(unit_vectors(ra, dec), order))


def cover(shape: Shape, max_order: int, max_cells: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Divide a region into cells wholly inside and cells that its boundary may run through.

    No cell but these has a point of the region. The sky is divided into ever smaller cells; a
    cell is decided as soon as its centre is farther from the boundary than any of its points
    is from the centre.

    Parameters
    ----------
    shape : Shape
        The region.
    max_order : int
        Deepest order, 0 to 29. Cells are of this and of every second order above it.
    max_cells : int, optional
        Most cells to return, at least as many as the whole sky has: 12, or 48 at odd orders.
        No order is begun that would have more.

    Returns
    -------
    inside : `numpy.ndarray` of int64, shape (n_inside,)
        NUNIQ of cells of several orders, ascending, none within another.
    boundary : `numpy.ndarray` of int64, shape (n_boundary,)
        NUNIQ of cells of the deepest order that was reached, ascending.

    Raises
    ------
    InvalidQueryError
        If the order is no order, or the number of cells too small.
    """
    _check_order(max_order)
    order, *deeper = _levels(max_order)
    if max_cells < len(_whole_sky(order)):
        raise InvalidQueryError(
            f"The sky has {len(_whole_sky(order))} cells at order {order}: max_cells must not be "
            f"{max_cells}."
        )
    inside, undecided = _divided(shape, order, _whole_sky(order))
    for level in deeper:
        held, split = _divided(shape, level, _parts_of(undecided))
        if len(inside) + len(held) + len(split) > max_cells:
            break
        inside, undecided, order = np.concatenate([inside, held]), split, level
    return np.sort(inside), nuniq(order, undecided)


def query_cells(shape: Shape, order: int, max_cells: int = 4000) -> list[int]:
    """Return what to look for among `footprint_cells` to find all that overlap a region.

    Parameters
    ----------
    shape : Shape
        The region.
    order : int
        The order that the footprints' cells were made with.
    max_cells : int, optional
        Most cells of the `cover`, to which the cells around them are added.

    Returns
    -------
    cells : list of int
        Ascending. A footprint that overlaps the region has at least one of these; most that
        have one overlap it.

    Raises
    ------
    InvalidQueryError
        As `cover` does.
    """
    cells = np.concatenate(cover(shape, order, max_cells))
    parents = [
        -_with_ancestors(level, number)[:, :-1] for level, number in orders_with_numbers(cells)
    ]
    return np.unique(np.concatenate([cells, *(part.ravel() for part in parents)])).tolist()


def footprint_cells(shape: Shape, order: int) -> list[int]:
    """Return the cells by which `query_cells` finds a footprint.

    A few cells cover the footprint, of the given order or, for a large footprint, of the one
    whose cells are about its size.

    Parameters
    ----------
    shape : Shape
        The footprint.
    order : int
        Deepest order, 0 to 29: 10 has cells of 3.4 arcmin, about a Hubble field.

    Returns
    -------
    cells : list of int
        Ascending: NUNIQ of the covering cells and of those around them, as `ancestors` gives
        them. For each covering cell above ``order``, which stands for all cells within it, there
        is also its NUNIQ with a minus.

    Raises
    ------
    InvalidQueryError
        If the order is no order.
    """
    return many_footprint_cells([shape], order)[0]


def many_footprint_cells(shapes: Sequence[Shape], order: int) -> list[list[int]]:
    """Return the `footprint_cells` of many footprints, much faster than one by one.

    Parameters
    ----------
    shapes : sequence of Shape
        The footprints.
    order : int
        Deepest order, 0 to 29.

    Returns
    -------
    cells : list of list of int
        Those of each footprint.

    Raises
    ------
    InvalidQueryError
        If the order is no order.
    """
    _check_order(order)
    parts = [(index, part) for index, shape in enumerate(shapes) for part in _parts(shape)]
    outlined = [(index, part) for index, part in parts if isinstance(part, Outlined)]
    rows, codes = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]

    def add(owners: np.ndarray, level: int, numbers: np.ndarray) -> None:
        cells = _with_ancestors(level, numbers)
        if level < order:
            cells = np.hstack([cells, -cells[:, -1:]])
        rows.append(np.repeat(owners, cells.shape[1]))
        codes.append(cells.ravel())

    for index, part in parts:
        if isinstance(part, Moc):
            for level, numbers in orders_with_numbers(part.nuniq):
                held_by, numbers = _at_level(level, numbers, order)
                add(np.full(len(numbers), index), held_by, numbers)
    if outlined:
        owners = np.array([index for index, _ in outlined])
        for level, which, numbers in _around([part for _, part in outlined], order):
            add(owners[which], level, numbers)
    return _grouped(np.concatenate(rows), np.concatenate(codes), len(shapes))


def _grouped(rows: np.ndarray, codes: np.ndarray, count: int) -> list[list[int]]:
    """Return the different codes of each row, ascending."""
    by_row = np.lexsort((codes, rows))
    rows, codes = rows[by_row], codes[by_row]
    is_new = np.ones(len(rows), dtype=bool)
    is_new[1:] = (rows[1:] != rows[:-1]) | (codes[1:] != codes[:-1])
    limits = np.searchsorted(rows[is_new], np.arange(1, count))
    return [part.tolist() for part in np.split(codes[is_new], limits)] if count else []


def _around(shapes: list[Outlined], order: int) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Return by order which shapes need which cells of it: indices of shapes, numbers."""
    circles = [shape.bounding_circle() for shape in shapes]
    centers = unit_vectors([circle.ra for circle in circles], [circle.dec for circle in circles])
    reach = np.radians([circle.radius for circle in circles])
    levels = _levels(order)
    radii = [cell_radius(level) for level in levels]
    # The deepest order whose cells are not smaller than the circle.
    depth = np.maximum(np.count_nonzero(np.array(radii) >= reach[:, None], axis=1) - 1, 0)
    sky = _whole_sky(levels[0])
    which, numbers = np.repeat(np.arange(len(shapes)), len(sky)), np.tile(sky, len(shapes))
    found = []
    for step, (level, radius) in enumerate(zip(levels, radii, strict=True)):
        middles = cell_centers(level, numbers)
        # Lengths of chords do for angles here, and need no arctangents.
        away = ((middles - centers[which]) ** 2).sum(axis=1)
        near = away <= _chord(reach + radius)[which] ** 2
        which, numbers, middles = which[near], numbers[near], middles[near]
        is_last = depth[which] == step
        if is_last.any():
            leaves = which[is_last], numbers[is_last], middles[is_last]
            found.append((level, *_beside(shapes, reach, *leaves, radius)))
        which = np.repeat(which[~is_last], 4**_STEP)
        numbers = _parts_of(numbers[~is_last])
    return found


def _chord(angles: np.ndarray) -> np.ndarray:
    """Return the chords of angles; that of angles beyond 180 deg is the diameter."""
    return 2 * np.sin(np.minimum(angles, np.pi) / 2)


def _beside(
    shapes: list[Outlined],
    reach: np.ndarray,
    which: np.ndarray,
    numbers: np.ndarray,
    middles: np.ndarray,
    radius: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Leave out cells that are too far from the edges of a polygon no larger than they are.

    No point of a polygon is farther from its edges than its bounding circle is wide, so that
    a cell with such a radius cannot hide in the middle of one.
    """
    is_polygon = np.array([isinstance(shape, Polygon) for shape in shapes]) & (reach <= radius)
    checked = np.flatnonzero(is_polygon[which])
    if not len(checked):
        return which, numbers
    needed = np.unique(which[checked])
    edges = [shapes[index].edges for index in needed]
    counts = np.array([len(start) for start, _ in edges])
    first = np.cumsum(counts) - counts
    start, end = (np.concatenate(ends) for ends in zip(*edges, strict=True))
    place = np.searchsorted(needed, which[checked])
    begins = np.cumsum(counts[place]) - counts[place]
    cell = np.repeat(np.arange(len(checked)), counts[place])
    edge = np.arange(len(cell)) - begins[cell] + first[place][cell]
    distances = arc_distances(middles[checked][cell], start[edge], end[edge])
    keep = np.ones(len(which), dtype=bool)
    keep[checked] = np.minimum.reduceat(distances, begins) <= radius
    return which[keep], numbers[keep]


def _divided(shape: Shape, order: int, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the NUNIQ of cells that lie inside, and the numbers of those undecided."""
    relation = _relation(shape, order, numbers)
    return nuniq(order, numbers[relation == _INSIDE]), numbers[relation == _BOUNDARY]


def _relation(shape: Shape, order: int, numbers: np.ndarray) -> np.ndarray:
    """Say of cells whether they lie surely inside, surely outside, or neither."""
    if isinstance(shape, Union):
        return np.maximum.reduce([_relation(part, order, numbers) for part in shape.shapes])
    if isinstance(shape, Moc):
        return _relation_to_moc(shape, order, numbers)
    if isinstance(shape, Outlined):
        return _relation_to_outline(shape, order, numbers)
    raise _no_shape(shape)


def _relation_to_outline(shape: Outlined, order: int, numbers: np.ndarray) -> np.ndarray:
    ra, dec = positions(cell_centers(order, numbers))
    side = np.where(shape.contains(ra, dec), _INSIDE, _OUTSIDE)
    is_clear = shape.boundary_distance(ra, dec) > np.degrees(cell_radius(order))
    return np.where(is_clear, side, _BOUNDARY)


def _relation_to_moc(shape: Moc, order: int, numbers: np.ndarray) -> np.ndarray:
    shift = 2 * (MAX_ORDER - order)
    ranges = numbers << shift, (numbers + 1) << shift
    parts = np.where(shape.overlaps_ranges(*ranges), _BOUNDARY, _OUTSIDE)
    return np.where(shape.holds_ranges(*ranges), _INSIDE, parts)


def _levels(order: int) -> list[int]:
    """Return the orders at which cells are written down: one, and every second above it."""
    return list(range(order % _STEP, order + 1, _STEP))


def _whole_sky(order: int) -> np.ndarray:
    return np.arange(12 * 4**order)


def _with_ancestors(order: int, numbers: np.ndarray) -> np.ndarray:
    """Return the NUNIQ of cells of one order and of those around them, one row a cell."""
    levels = np.array(_levels(order))
    return nuniq(levels, numbers[:, None] >> 2 * (order - levels))


def _at_level(level: int, numbers: np.ndarray, order: int) -> tuple[int, np.ndarray]:
    """Return cells of one order that hold those of another, at an order that is written down."""
    first = order % _STEP
    if level < first:
        return first, _parts_of(numbers, first - level)
    held_by = min(order, level - (level - first) % _STEP)
    return held_by, np.unique(numbers >> 2 * (level - held_by))


def _parts_of(numbers: np.ndarray, orders: int = _STEP) -> np.ndarray:
    """Return the cells that cells are divided into, some orders deeper."""
    return (4**orders * numbers[:, None] + np.arange(4**orders)).ravel()


def _parts(shape: Shape) -> tuple[Shape, ...]:
    if not isinstance(shape, Shape):
        raise _no_shape(shape)
    return shape.shapes if isinstance(shape, Union) else (shape,)


def _no_shape(value: Any) -> InvalidQueryError:
    return InvalidQueryError(
        f"{value!r:.200} is no shape: make one with astro_paperclip.sky.as_shape."
    )


def _check_order(order: int) -> None:
    if order not in range(MAX_ORDER + 1):
        raise InvalidQueryError(f"HEALPix has no order {order}: choose from 0 to {MAX_ORDER}.")
