"""Cells of HEALPix in the nested scheme: numbers, centres and sizes.

Cell p of order k has the children 4p to 4p+3 of order k+1. NUNIQ, 4 * 4^k + p, is order and
number in one (IVOA, MOC standard 2.0). The geometry is that of Gorski et al. (2005, ApJ 622,
759), computed by `astropy_healpix`.
"""

import math
from functools import lru_cache

import numpy as np
from astropy_healpix import healpix_to_xyz, xyz_to_healpix

__all__ = [
    "MAX_ORDER",
    "cell_centers",
    "cell_radius",
    "cells_of",
    "nuniq",
    "order_and_number",
    "orders_with_numbers",
]

MAX_ORDER = 29
"""Deepest order: its cells are 0.4 milliarcsec wide, and their numbers just fit into int64."""

_FIRST_NUNIQ = 4 ** np.arange(1, MAX_ORDER + 2, dtype=np.int64)


def nuniq(order: int | np.ndarray, number: np.ndarray) -> np.ndarray:
    """Return the NUNIQ of cells.

    Parameters
    ----------
    order : int or `numpy.ndarray` of int64
        Order of the cells, 0 to `MAX_ORDER`.
    number : `numpy.ndarray` of int64
        Their nested numbers.

    Returns
    -------
    cells : `numpy.ndarray` of int64
    """
    return _FIRST_NUNIQ[order] + number


def order_and_number(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the orders and nested numbers of cells, `nuniq` undone."""
    cells = np.asarray(cells, dtype=np.int64)
    order = np.searchsorted(_FIRST_NUNIQ, cells, side="right") - 1
    return order, cells - _FIRST_NUNIQ[order]


def orders_with_numbers(cells: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Return each order that NUNIQs have, with the nested numbers of that order."""
    order, number = order_and_number(cells)
    return [(int(level), number[order == level]) for level in np.unique(order)]


def cells_of(vectors: np.ndarray, order: int) -> np.ndarray:
    """Return the nested numbers of the cells that directions lie in.

    Parameters
    ----------
    vectors : `numpy.ndarray`, shape (..., 3)
        Unit vectors.
    order : int
        Order of the cells.

    Returns
    -------
    number : `numpy.ndarray` of int64, shape (...)
    """
    return xyz_to_healpix(*np.moveaxis(vectors, -1, 0), 2**order, order="nested")


def cell_centers(order: int, number: np.ndarray) -> np.ndarray:
    """Return the centres of cells.

    Parameters
    ----------
    order : int
        Order of the cells.
    number : `numpy.ndarray` of int64, shape (n,)
        Their nested numbers.

    Returns
    -------
    vectors : `numpy.ndarray`, shape (n, 3)
        Unit vectors.
    """
    return np.stack(healpix_to_xyz(number, 2**order, order="nested"), axis=-1)


@lru_cache
def cell_radius(order: int) -> float:
    """Return how far a point of a cell can be from the cell's centre.

    The farthest points are corners, and of all cells those reach farthest whose centre lies
    at z = 2/3 on the middle of a base cell's side, or, at order 0, around the equator. HEALPix
    calls the same figure ``max_pixrad``. To this a millionth, and 1e-12 rad, are added, which
    rounding cannot use up.

    Parameters
    ----------
    order : int
        Order of the cells.

    Returns
    -------
    radius : float
        [rad]
    """
    side = 2.0**-order
    center = _vector(2 / 3, math.pi / 4 * side)
    corner = _vector(1 - (1 - side) ** 2 / 3, 0.0)
    apart = 2 * math.atan2(math.dist(center, corner), math.hypot(*np.add(center, corner)))
    return apart * (1 + 1e-6) + 1e-12


def _vector(z: float, azimuth: float) -> tuple[float, float, float]:
    across = math.sqrt(1 - z * z)
    return across * math.cos(azimuth), across * math.sin(azimuth), z
