"""Read what people judged: likeness of images, and votes on what an image shows."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from astro_paperclip.exceptions import PairsError
from astro_paperclip.pairs.formats import SUFFIXES, read_file

__all__ = [
    "ImageDistances",
    "Votes",
    "read_image_distances",
    "read_votes",
]

_FITS = (".fits", ".fit", ".fits.gz")


@dataclass(frozen=True)
class ImageDistances:
    """How unlike each other people find images.

    Parameters
    ----------
    images : list of str
        Names of the n images.
    distances : `numpy.ndarray`
        Shape (n, n), float64: symmetric; only its order matters. NaN on the diagonal and where
        a pair was not compared.
    """

    images: list[str]
    distances: np.ndarray


@dataclass(frozen=True)
class Votes:
    """How many people see what in images.

    Parameters
    ----------
    images : list of str
        Names of the n images.
    queries : list of str
        What the q questions ask for, in words that an encoder is given.
    fractions : `numpy.ndarray`
        Shape (q, n), float64: share of the votes, from 0 to 1; NaN where nobody was asked.
    """

    images: list[str]
    queries: list[str]
    fractions: np.ndarray


def read_image_distances(
    path: str | os.PathLike,
    *,
    names: str | os.PathLike | Sequence[str] | None = None,
    name_column: str = "image",
    pair_columns: tuple[str, str, str] = ("image_1", "image_2", "distance"),
    hdu: int | str | None = None,
    similarity: bool = False,
) -> ImageDistances:
    """Read what people found similar.

    Three forms are recognised: a square FITS image; a square table (a column of names and one
    column for each name); and a long table (two columns of names and one of distances, each
    pair once or twice). Tables are CSV, ECSV, Parquet or FITS files.

    Parameters
    ----------
    path : str or `os.PathLike`
        The file.
    names : str, `os.PathLike` or sequence of str, optional
        Of the rows of a FITS image, in their order, or a table that has them.
    name_column : str, optional
        Column with the names of images.
    pair_columns : tuple of str, optional
        Columns of a long table: both images, and their distance.
    hdu : int or str, optional
        Number or name of the part of a FITS file. Default: the first with data.
    similarity : bool, optional
        Whether larger values stand for images that are more alike, not less.

    Returns
    -------
    ImageDistances
        Names in the order of the file.

    Raises
    ------
    PairsError
        If the file cannot be read, is in none of these forms, names repeat or do not fit, or
        distances are not symmetric.

    Notes
    -----
    Made for the Hubble Image Similarity Project [1]_, whose distances between 2,098 cutouts of
    Hubble images come from about 850,000 comparisons by people. Its files at MAST (``hisp``)
    are FITS files; how they are laid out inside was not at hand when this was written. It is
    assumed that the distances are a square image or one of the tables above, and that a table
    of cutouts names its rows: say which columns and parts with the arguments.

    References
    ----------
    .. [1] White, R. L., & Peek, J. E. G. 2025, arXiv:2504.17688, doi:10.17909/0q3g-by85
    """
    path = Path(path)
    data = _read(path, hdu)
    if isinstance(data, Table):
        images, matrix = _from_table(data, path, name_column, pair_columns)
    else:
        images, matrix = _names(names, name_column, path), data
    matrix = np.array(matrix, dtype=np.float64)
    if matrix.shape != (len(images), len(images)) or len(set(images)) < len(images):
        raise PairsError(
            f"{path}: distances of shape {matrix.shape} do not belong to {len(images)} names, "
            f"of which {len(set(images))} differ."
        )
    np.fill_diagonal(matrix, np.nan)
    if np.isnan(matrix).all():
        raise PairsError(f"{path}: it holds no distance between two images.")
    if not np.allclose(matrix, matrix.T, rtol=1e-5, atol=0, equal_nan=True):
        row, column = np.argwhere(~np.isclose(matrix, matrix.T, rtol=1e-5, atol=0, equal_nan=True))[
            0
        ]
        raise PairsError(
            f"{path}: the distance between {images[row]!r} and {images[column]!r} depends on "
            f"their order: {matrix[row, column]:g} and {matrix[column, row]:g}."
        )
    return ImageDistances(images, np.nanmax(matrix) - matrix if similarity else matrix)


def read_votes(
    path: str | os.PathLike, queries: Mapping[str, str], *, image_column: str = "image"
) -> Votes:
    """Read vote fractions such as those of Galaxy Zoo.

    Parameters
    ----------
    path : str or `os.PathLike`
        A CSV, ECSV, Parquet or FITS table: one row an image.
    queries : mapping of str to str
        For each column with vote fractions, what to search for: ``{"merging_merger_fraction":
        "merging galaxies"}``. An empty field means that nobody was asked.
    image_column : str, optional
        Column with names or paths of images, which are returned as they are.

    Returns
    -------
    Votes
        Images in the order of the file, queries in that of ``queries``.

    Raises
    ------
    PairsError
        If the file cannot be read, a column is missing, or a value is no fraction.
    """
    path = Path(path)
    table = _read(path, None)
    missing = [
        name
        for name in (image_column, *queries)
        if not isinstance(table, Table) or name not in table.colnames
    ]
    if missing or not queries:
        raise PairsError(f"{path}: column missing: {', '.join(missing) or 'none was asked for'}")
    fractions = np.stack([_numbers(table, name, path) for name in queries])
    wrong = np.argwhere((fractions < 0) | (fractions > 1))
    if len(wrong):
        query, row = wrong[0]
        raise PairsError(
            f"{path}, row {row + 1}: {list(queries)[query]} is {fractions[query, row]:g}, which is "
            "no fraction from 0 to 1."
        )
    return Votes([str(name) for name in table[image_column]], list(queries.values()), fractions)


def _read(path: Path, hdu: int | str | None) -> Table | np.ndarray:
    """Return the table or the image that a file holds."""
    if path.name.lower().endswith(_FITS):
        return _read_fits(path, hdu)
    if path.suffix.lower() not in SUFFIXES:
        raise PairsError(f"{path}: unknown suffix, give one of {', '.join(SUFFIXES + _FITS)}")
    table, faults = read_file(path)
    if faults:
        raise PairsError("\n".join(faults))
    return table


def _read_fits(path: Path, hdu: int | str | None) -> Table | np.ndarray:
    try:
        with fits.open(path, memmap=False) as parts:
            if hdu is None:
                hdu = next(number for number, part in enumerate(parts) if part.data is not None)
            part = parts[hdu]
            if part.is_image:
                return np.asarray(part.data)
            table = Table(part.data)
    except (OSError, KeyError, IndexError, StopIteration) as error:
        raise PairsError(f"{path}: there is no such FITS data: {error}") from error
    table.convert_bytestring_to_unicode()
    return table


def _names(
    names: str | os.PathLike | Sequence[str] | None, name_column: str, path: Path
) -> list[str]:
    """Return names of rows, which may be in a table."""
    if names is None:
        raise PairsError(f"{path}: the rows have no names; give a list, or a table with them.")
    if not isinstance(names, (str, os.PathLike)):
        return [str(name) for name in names]
    table = _read(Path(names), None)
    if not isinstance(table, Table) or name_column not in table.colnames:
        raise PairsError(f"{names}: column missing: {name_column}")
    return [str(name).strip() for name in table[name_column]]


def _from_table(
    table: Table, path: Path, name_column: str, pair_columns: tuple[str, str, str]
) -> tuple[list[str], np.ndarray]:
    """Return names and a square matrix from a long or a square table."""
    if set(pair_columns) <= set(table.colnames):
        first, second = ([str(name) for name in table[column]] for column in pair_columns[:2])
        images = list(
            dict.fromkeys(name for pair in zip(first, second, strict=True) for name in pair)
        )
        place = {name: number for number, name in enumerate(images)}
        rows, columns = ([place[name] for name in side] for side in (first, second))
        if len(set(zip(rows, columns, strict=True))) < len(rows):
            raise PairsError(f"{path}: two rows give the distance between the same images.")
        values = _numbers(table, pair_columns[2], path)
        matrix = np.full((len(images), len(images)), np.nan)
        matrix[rows, columns] = values
        return images, np.where(np.isnan(matrix), matrix.T, matrix)
    if name_column not in table.colnames:
        raise PairsError(
            f"{path}: column missing: {name_column}, or {', '.join(pair_columns)}; it has "
            f"{', '.join(table.colnames[:10])}"
        )
    images = [str(name) for name in table[name_column]]
    missing = [name for name in images if name not in table.colnames]
    if missing:
        raise PairsError(
            f"{path}: no column for {len(missing)} of its rows, the first {missing[0]!r}"
        )
    return images, np.stack([_numbers(table, name, path) for name in images], axis=1)


def _numbers(table: Table, name: str, path: Path) -> np.ndarray:
    """Return a column as float64, NaN where it is empty."""
    values = np.ma.filled(np.ma.asarray(table[name]).astype(object), np.nan)
    try:
        return np.array([np.nan if value in ("", None) else float(value) for value in values])
    except (TypeError, ValueError) as error:
        raise PairsError(f"{path}, column {name}: {error}") from error
