"""Multi-order coverage maps (MOC): regions made of HEALPix cells.

See the IVOA's MOC standard, version 2.0. A cell is a range of cells of order 29, the deepest
there is, and a map a list of such ranges.
"""

import os
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.sky.healpix import (
    MAX_ORDER,
    cell_centers,
    cell_radius,
    cells_of,
    order_and_number,
)
from astro_paperclip.sky.shapes import Circle, Shape, padded_circle
from astro_paperclip.sky.spherical import mean_direction, positions, separations, unit_vectors

__all__ = ["Moc"]

_LAST = 12 * 4**MAX_ORDER
_ORDER = re.compile(r"(\d+)/")
_CELLS = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True)
class Moc(Shape):
    """A set of HEALPix cells.

    A position belongs to the one cell that it is numbered with, also on the line between two.

    Parameters
    ----------
    cells : tuple of (int, int)
        Order and nested number of each cell. They may repeat and hold each other; what is kept
        is the shortest list that covers the same sky, in order.

    Examples
    --------
    >>> from astro_paperclip.sky import Moc
    >>> Moc.from_text("1/0-3 2/16").cells
    ((0, 0), (2, 16))
    """

    cells: tuple[tuple[int, int], ...]

    def __post_init__(self):
        try:
            cells = np.array([(int(order), int(number)) for order, number in self.cells], np.int64)
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidQueryError(
                f"The cells of a MOC are pairs of order and nested number, not {self.cells!r:.200}."
            ) from error
        if not len(cells):
            raise InvalidQueryError("The MOC has no cells: it is no region.")
        order, number = cells.T
        is_wrong = (order < 0) | (order > MAX_ORDER)
        is_wrong |= (number < 0) | (number >= 12 * 4 ** np.clip(order, 0, MAX_ORDER))
        if is_wrong.any():
            order, number = cells[is_wrong][0].tolist()
            raise InvalidQueryError(
                f"There is no HEALPix cell {order}/{number}: orders go from 0 to {MAX_ORDER}, "
                "numbers from 0 to below 12 * 4^order."
            )
        shift = 2 * (MAX_ORDER - order)
        ranges = _merged(np.stack([number << shift, (number + 1) << shift], axis=1))
        ranges.flags.writeable = False
        object.__setattr__(self, "cells", _cells_of_ranges(ranges))
        object.__setattr__(self, "_ranges", ranges)

    @classmethod
    def from_ranges(cls, ranges: Any) -> "Moc":
        """Make a map of ranges of cells of order 29.

        Parameters
        ----------
        ranges : array_like of int, shape (n, 2)
            First cell, and the one behind the last.

        Returns
        -------
        moc : Moc

        Raises
        ------
        InvalidQueryError
            If there are none, or no such cells.
        """
        ranges = np.asarray(ranges)
        is_fit = ranges.ndim == 2 and ranges.shape[1:] == (2,) and ranges.dtype.kind in "iu"
        if not is_fit:
            raise InvalidQueryError(f"These are no ranges of cells: {ranges!r:.200}")
        if (ranges[:, 0] > ranges[:, 1]).any() or (ranges < 0).any() or (ranges > _LAST).any():
            raise InvalidQueryError(
                f"Ranges of cells of order {MAX_ORDER} ascend, from 0 to at most {_LAST}."
            )
        return cls(_cells_of_ranges(_merged(ranges.astype(np.int64))))

    @classmethod
    def from_text(cls, text: str) -> "Moc":
        """Read a map in the standard's ASCII form, ``5/12-14 6/101`` for instance.

        Parameters
        ----------
        text : str
            Orders, each with its nested numbers or ranges of them, both ends included.

        Returns
        -------
        moc : Moc

        Raises
        ------
        InvalidQueryError
            If it is anything else.
        """
        order, ranges = None, []
        for token in (
            re.sub(r"(\d+)\s*/", r" \1/ ", text.strip().removeprefix("s")).replace(",", " ").split()
        ):
            if match := _ORDER.fullmatch(token):
                order = int(match[1])
            elif (match := _CELLS.fullmatch(token)) and order is not None:
                ranges.append(_ascii_range(text, order, int(match[1]), int(match[2] or match[1])))
            else:
                raise InvalidQueryError(
                    f"{text!r:.200} is no MOC, because of {token!r}: one looks like "
                    "'5/12-14 6/101'."
                )
        if not ranges:
            raise InvalidQueryError(f"The MOC {text!r:.200} has no cells: it is no region.")
        return cls.from_ranges(np.array(ranges, dtype=np.int64))

    @classmethod
    def from_nuniq(cls, cells: Any) -> "Moc":
        """Make a map of cells that are given as NUNIQ, 4 * 4^order + number.

        Parameters
        ----------
        cells : array_like of int
            At least one.

        Returns
        -------
        moc : Moc

        Raises
        ------
        InvalidQueryError
            If one is no NUNIQ.
        """
        cells = np.atleast_1d(np.asarray(cells))
        if (
            cells.dtype.kind not in "iu"
            or (cells < 4).any()
            or (cells >= 4 * 4 ** (MAX_ORDER + 1)).any()
        ):
            raise InvalidQueryError(
                f"A NUNIQ is a whole number from 4 to below 4^{MAX_ORDER + 2}: {cells!r:.200} "
                "are not."
            )
        return cls(tuple(zip(*(part.tolist() for part in order_and_number(cells)), strict=True)))

    @classmethod
    def from_mocpy(cls, moc: Any) -> "Moc":
        """Take over a ``mocpy.MOC``, or any object with its ``to_depth29_ranges``.

        Parameters
        ----------
        moc : object
            The map.

        Returns
        -------
        moc : Moc

        Raises
        ------
        InvalidQueryError
            If it is empty.
        """
        return cls.from_ranges(moc.to_depth29_ranges)

    @classmethod
    def from_fits(cls, path: str | os.PathLike) -> "Moc":
        """Read a map from a FITS file.

        Parameters
        ----------
        path : str or path-like
            A file with a binary table of NUNIQs or of ranges.

        Returns
        -------
        moc : Moc

        Raises
        ------
        InvalidQueryError
            If it cannot be read, or holds no map of the sky in equatorial coordinates.
        """
        from astropy.io import fits

        try:
            with fits.open(path) as hdus:
                table = next(hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU))
                header, columns = table.header.copy(), len(table.columns)
                values = np.array(table.data.field(0)).ravel()
        except (OSError, StopIteration, TypeError, ValueError) as error:
            raise InvalidQueryError(f"{path} cannot be read as a MOC in FITS: {error}") from error
        _check_header(path, header, columns)
        if str(header.get("ORDERING", "NUNIQ")).upper().startswith("RANG"):
            if len(values) % 2:
                raise InvalidQueryError(f"{path} holds {len(values)} ends of ranges: one lacks.")
            return cls.from_ranges(values.reshape(-1, 2))
        return cls.from_nuniq(values)

    @property
    def ranges(self) -> np.ndarray:
        """First cells of order 29 and those behind the last, ascending; int64, shape (n, 2)."""
        return self._ranges

    @cached_property
    def nuniq(self) -> np.ndarray:
        """The cells as NUNIQ, int64, shape (n,)."""
        order, number = np.array(self.cells, dtype=np.int64).T
        return 4 * 4**order + number

    def contains(self, ra: Any, dec: Any) -> np.ndarray:
        """Say which positions lie in one of the cells; see `Shape.contains`."""
        vectors = unit_vectors(ra, dec)
        is_finite = np.isfinite(vectors).all(axis=-1)
        inside = np.zeros(is_finite.shape, dtype=bool)
        numbers = cells_of(vectors[is_finite], MAX_ORDER)
        inside[is_finite] = self.overlaps_ranges(numbers, numbers + 1)
        return inside

    def overlaps_ranges(self, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Say which ranges of cells share a cell with the map.

        Parameters
        ----------
        start, stop : `numpy.ndarray` of int64, shape (n,)
            First cells of order 29, and those behind the last.

        Returns
        -------
        overlap : `numpy.ndarray` of bool, shape (n,)
        """
        ends = self._ranges[:, 1]
        following = np.searchsorted(ends, start, side="right")
        return (following < len(ends)) & (
            self._ranges[np.minimum(following, len(ends) - 1), 0] < stop
        )

    def holds_ranges(self, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Say which ranges of cells lie wholly in the map.

        Parameters
        ----------
        start, stop : `numpy.ndarray` of int64, shape (n,)
            First cells of order 29, and those behind the last.

        Returns
        -------
        held : `numpy.ndarray` of bool, shape (n,)
        """
        last = np.searchsorted(self._ranges[:, 0], start, side="right") - 1
        return (last >= 0) & (self._ranges[np.maximum(last, 0), 1] >= stop)

    def bounding_circle(self) -> Circle:
        """Return a circle around the mean of the cells' centres; see `Shape.bounding_circle`."""
        orders, numbers = np.array(self.cells, dtype=np.int64).T
        levels = np.unique(orders).tolist()
        centers = [cell_centers(level, numbers[orders == level]) for level in levels]
        radii = [
            np.full(len(part), cell_radius(level))
            for part, level in zip(centers, levels, strict=True)
        ]
        centers = np.concatenate(centers)
        middle = mean_direction(centers)
        away = separations(centers, middle) + np.concatenate(radii)
        ra, dec = positions(middle)
        return padded_circle(float(ra), float(dec), float(np.degrees(away.max())))


def _ascii_range(text: str, order: int, first: int, last: int) -> tuple[int, int]:
    if order > MAX_ORDER or first > last or last >= 12 * 4**order:
        raise InvalidQueryError(
            f"The MOC {text!r:.200} has no cells {order}/{first}-{last}: orders go to "
            f"{MAX_ORDER}, numbers ascend to below 12 * 4^order."
        )
    size = 4 ** (MAX_ORDER - order)
    return first * size, (last + 1) * size


def _check_header(path: str | os.PathLike, header: Any, columns: int) -> None:
    """Refuse maps of something else than the equatorial sky."""
    dimension = str(header.get("MOCDIM", "SPACE")).strip().upper()
    if dimension != "SPACE":
        raise InvalidQueryError(f"{path} is a MOC of {dimension}, not of the sky alone.")
    frame = str(header.get("COORDSYS", "C")).strip().upper()
    if frame not in ("C", "ICRS", "EQUATORIAL"):
        raise InvalidQueryError(f"The frame of {path} is {frame!r}: a MOC is equatorial ('C').")
    if columns != 1:
        raise InvalidQueryError(f"{path} has {columns} columns: it is a map of values, not a MOC.")


def _merged(ranges: np.ndarray) -> np.ndarray:
    """Return ranges in order, those joined that overlap or follow on each other."""
    ranges = ranges[ranges[:, 0] != ranges[:, 1]]
    ranges = ranges[np.argsort(ranges[:, 0], kind="stable")]
    if not len(ranges):
        return ranges
    reached = np.maximum.accumulate(ranges[:, 1])
    begins = np.concatenate([[True], ranges[1:, 0] > reached[:-1]])
    ends = np.concatenate([begins[1:], [True]])
    return np.stack([ranges[begins, 0], reached[ends]], axis=1)


def _cells_of_ranges(ranges: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Return the largest cells that fit into ranges, by order and number."""
    cells = []
    for order in range(MAX_ORDER + 1):
        shift = 2 * (MAX_ORDER - order)
        first, last = -(-ranges[:, 0] >> shift), ranges[:, 1] >> shift
        is_full = last > first
        for start, stop in zip(first[is_full].tolist(), last[is_full].tolist(), strict=True):
            cells.extend((order, number) for number in range(start, stop))
        before = np.stack([ranges[is_full, 0], first[is_full] << shift], axis=1)
        behind = np.stack([last[is_full] << shift, ranges[is_full, 1]], axis=1)
        ranges = np.concatenate([ranges[~is_full], before, behind])
        ranges = ranges[ranges[:, 0] < ranges[:, 1]]
    return tuple(sorted(cells))
