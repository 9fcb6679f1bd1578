"""Join groups of rows that look at the same patch of sky."""

from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u

from astro_paperclip.exceptions import PairsError

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord

__all__ = ["sky_groups"]

_ROWS_AT_ONCE = 1000
"""Rows whose neighbours are looked up together; deep fields have thousands of neighbours each."""


def sky_groups(group_id: np.ndarray, coordinates: "SkyCoord", radius: u.Quantity) -> np.ndarray:
    """Join groups that have positions close to each other.

    A chain of neighbours is one group, whatever its length.

    Parameters
    ----------
    group_id : array_like of str, shape (n,)
        What belongs together in any case, such as the number of the proposal.
    coordinates : `~astropy.coordinates.SkyCoord`, shape (n,)
        Positions. Where one is not finite, the row stays with its group.
    radius : `~astropy.units.Quantity`
        Groups are joined if a position of one is no further from a position of the other.

    Returns
    -------
    groups : `numpy.ndarray` of str, shape (n,)
        The names of the joined groups: of each the smallest one, numbers as numbers.

    Raises
    ------
    PairsError
        If the shapes differ, or the radius is no angle between 0 and 180 degrees.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    group_id = np.asarray(group_id).astype(str)
    if group_id.ndim != 1 or coordinates.shape != group_id.shape:
        raise PairsError(f"{coordinates.shape} coordinates do not fit {group_id.shape} groups.")
    names, numbers = np.unique(group_id, return_inverse=True)
    first, second = _neighbours(numbers, coordinates, _checked(radius))
    links = coo_array((np.ones(len(first)), (first, second)), shape=(len(names),) * 2)
    _, component = connected_components(links, directed=False)
    chosen: dict[int, str] = {}
    for number in sorted(range(len(names)), key=lambda number: _order(names[number])):
        chosen.setdefault(component[number], names[number])
    return np.array([chosen[component[number]] for number in numbers], dtype=names.dtype)


def _checked(radius: u.Quantity) -> u.Quantity:
    angle = u.Quantity(radius)
    if not angle.isscalar or not angle.unit.is_equivalent(u.deg):
        raise PairsError(f"{radius!r} is no radius on the sky: give one such as 2 * u.arcmin.")
    if not 0 <= angle.to_value(u.deg) <= 180:
        raise PairsError(f"The radius {radius} must be between 0 and 180 degrees.")
    return angle


def _neighbours(
    numbers: np.ndarray, coordinates: "SkyCoord", radius: u.Quantity
) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of groups that have positions within the radius, each pair once."""
    from astropy.coordinates import SkyCoord
    from scipy.spatial import KDTree

    places = np.column_stack([numbers, *_angles(coordinates)])
    places = np.unique(places[np.isfinite(places).all(axis=1)], axis=0)
    numbers = places[:, 0].astype(int)
    points = SkyCoord(places[:, 1:], unit=u.deg).cartesian.xyz.value.T
    chord = 2 * np.sin(radius / 2).value
    tree = KDTree(points)
    n_groups = numbers.max(initial=0) + 1
    found = np.empty(0, dtype=int)  # both numbers in one, which is quicker to sort
    for start in range(0, len(points), _ROWS_AT_ONCE):
        part = KDTree(points[start : start + _ROWS_AT_ONCE])
        near = part.sparse_distance_matrix(tree, chord, output_type="ndarray")
        pairs = numbers[start + near["i"]] * n_groups + numbers[near["j"]]
        found = np.union1d(found, pairs)
    return np.divmod(found, n_groups)


def _angles(coordinates: "SkyCoord") -> list[np.ndarray]:
    """Return ICRS angles [deg], not finite where they are masked."""
    angles = (coordinates.icrs.ra.deg, coordinates.icrs.dec.deg)
    return [angle.filled(np.nan) if hasattr(angle, "filled") else angle for angle in angles]


def _order(name: str) -> tuple[bool, int, str]:
    """Sort numbers as numbers, before all other names."""
    return (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)
