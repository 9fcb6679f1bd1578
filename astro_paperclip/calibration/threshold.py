"""What a user means by the smallest score of a match."""

import numbers
import re
from typing import Any

import numpy as np
from astropy import units as u

from astro_paperclip.exceptions import InvalidQueryError

__all__ = ["checked_threshold", "percentile_of"]

_PERCENT = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*%\s*")

_ROUNDING = 1e-6
"""By so much the score of a picture with itself may exceed 1."""


def checked_threshold(value: Any) -> float | str | None:
    """Return a threshold of scores as a plain value.

    Parameters
    ----------
    value : float, `~astropy.units.Quantity`, str or None
        A number is a cosine similarity; a quantity in percent, or a text such as ``"99%"``, a
        percentile.

    Returns
    -------
    float, str or None
        The cosine similarity, or the percentile as text: ``"99%"``.

    Raises
    ------
    InvalidQueryError
        If it is neither.

    Examples
    --------
    >>> from astropy import units as u
    >>> from astro_paperclip.calibration import checked_threshold
    >>> checked_threshold(0.25), checked_threshold(99 * u.percent), checked_threshold("99.5 %")
    (0.25, '99%', '99.5%')
    """
    if value is None:
        return None
    if isinstance(value, u.Quantity):
        if value.unit == u.percent and value.isscalar and 0 <= value.value <= 100:
            return f"{float(value.value):.12g}%"
    elif isinstance(value, str):
        match = _PERCENT.fullmatch(value)
        if match and float(match[1]) <= 100:
            return f"{float(match[1]):.12g}%"
    elif _is_number(value) and abs(value) <= 1 + _ROUNDING:
        return float(value)
    raise InvalidQueryError(
        "score_threshold must be a cosine similarity between -1 and 1, or a percentile such as "
        f"'99%' or 99 * u.percent, not {value!r}."
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)


def percentile_of(threshold: float | str | None) -> float | None:
    """Return the percentile [percent] that a checked threshold asks for, if it asks for one."""
    return float(threshold.removesuffix("%")) if isinstance(threshold, str) else None
