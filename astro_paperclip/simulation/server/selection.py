"""The portal's filters on observations: values, wildcards, ranges, circles on the sky."""

import re
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
from astropy.coordinates import angular_separation

from astro_paperclip.exceptions import InvalidQueryError

__all__ = ["distances", "select"]


def select(table: pa.Table, filters: Sequence[dict]) -> np.ndarray:
    """
    Find the rows that fit all filters of a request.

    Text is compared without regard to case, as MAST's database does. A column with a
    separator fits where one of its parts does. A row without a value fits no filter.

    Parameters
    ----------
    table : `pyarrow.Table`
        Observations.
    filters : sequence of dict
        Each with ``paramName`` and ``values``, which are texts or ``{"min": a, "max": b}``
        (both included; None: no bound); ``freeText``, a pattern in which ``%`` stands for any
        characters, and ``separator`` are optional.

    Returns
    -------
    `numpy.ndarray` of bool, shape (n_rows,)

    Raises
    ------
    InvalidQueryError
        If a filter makes no sense.
    """
    names = {name.lower(): name for name in table.column_names}
    fits = np.ones(len(table), dtype=bool)
    for entry in filters:
        asked = str(entry.get("paramName"))
        if asked.lower() not in names:
            raise InvalidQueryError(f"Invalid column name '{asked}'.")
        fits &= _fits_one(table[names[asked.lower()]], entry)
    return fits


def distances(table: pa.Table, ra: float, dec: float) -> np.ndarray:
    """
    Measure how far the observations' positions are from a point of the sky.

    Parameters
    ----------
    table : `pyarrow.Table`
        Observations.
    ra, dec : float
        The point, ICRS [deg].

    Returns
    -------
    `numpy.ndarray` of float, shape (n_rows,)
        [deg]; NaN where the position is not known.
    """
    place = [np.radians(table[name].to_numpy()) for name in ("s_ra", "s_dec")]
    return np.degrees(angular_separation(*place, np.radians(ra), np.radians(dec)))


def _fits_one(column, entry):
    values = entry.get("values") or []
    ranges = [value for value in values if isinstance(value, dict)]
    words = {str(value).lower() for value in values if not isinstance(value, dict)}
    fits = np.zeros(len(column), dtype=bool)
    for bounds in ranges:
        fits |= _within(column, bounds)
    pattern = entry.get("freeText")
    if words or pattern:
        fits |= _where(column, _test_of_text(words, pattern, entry.get("separator")))
    return fits


def _within(column, bounds):
    """Find the numbers between two bounds."""
    try:
        low, high = (
            default if bounds.get(name) is None else float(bounds[name])
            for name, default in (("min", -np.inf), ("max", np.inf))
        )
        numbers = column.cast(pa.float64()).to_numpy()
    except (TypeError, ValueError, pa.ArrowInvalid) as error:
        raise InvalidQueryError(f"Error converting data type varchar to float: {bounds}") from error
    # NaN, which stands for no value here, is within no bounds.
    return (numbers >= low) & (numbers <= high)


def _test_of_text(words, pattern, separator) -> Callable[[str], bool]:
    """Return the function that says whether a value in lower case fits."""
    parts = (re.escape(part) for part in (pattern or "").lower().split("%"))
    fits_pattern = re.compile(".*".join(parts), re.DOTALL).fullmatch if pattern else None

    def fits(value):
        found = {value, *value.split(separator)} if separator else {value}
        return not words.isdisjoint(found) or bool(fits_pattern and any(map(fits_pattern, found)))

    return fits


def _where(column, test):
    """Find the rows whose text passes a test, which is asked once for each different text."""
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    # The last answer is for rows without a value.
    passed = np.array([test(text.lower()) for text in encoded.dictionary.to_pylist()] + [False])
    return passed[encoded.indices.fill_null(len(passed) - 1).to_numpy(zero_copy_only=False)]
