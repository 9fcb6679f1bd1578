"""Dates as values of columns that hold times as MJD."""

import datetime
import numbers
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from astro_paperclip.columns import COLUMNS
from astro_paperclip.criteria.tree import Match, Range
from astro_paperclip.exceptions import InvalidQueryError

__all__ = ["holds_dates", "parse_date", "parse_dates"]

_DATE = r"\d{4}-\d{1,2}-\d{1,2}(?:[T ][\d:.]+Z?)?"
_COMPARISON = re.compile(rf"(<=|>=|<|>)\s*({_DATE})")
_INTERVAL = re.compile(rf"({_DATE})?\.\.({_DATE})?")
_FIRST_DAY = datetime.datetime(1858, 11, 17)
"""Where MJD is zero (UTC)."""


@dataclass(frozen=True)
class _Moment:
    """A time (MJD, UTC), or the whole day that begins then."""

    mjd: float
    is_day: bool

    @property
    def bounds_after(self) -> dict[str, float]:
        """Bounds of what comes later."""
        return {"gte": self.mjd + 1} if self.is_day else {"gt": self.mjd}

    @property
    def bounds_until(self) -> dict[str, float]:
        """Bounds of what comes before its end."""
        return {"lt": self.mjd + 1} if self.is_day else {"lte": self.mjd}


def holds_dates(field: str) -> bool:
    """Return whether a column holds times, as MJD."""
    return field in COLUMNS and str(COLUMNS[field].unit) == "d"


def parse_date(field: str, item: Any) -> Match | Range | None:
    """Return what a date, or a comparison with dates, stands for.

    A date without a time of day is the whole day (UTC).

    Parameters
    ----------
    field : str
        A column of times.
    item : str, `~astropy.time.Time`, `~datetime.date` or `~datetime.datetime`
        An ISO date; a text such as ``">=2005-03-01"`` or ``"2005-03-01..2005-04-30"``.

    Returns
    -------
    filter : Match, Range or None
        `None` for what is no date.

    Raises
    ------
    InvalidQueryError
        If a date does not exist.
    """
    if isinstance(item, str):
        text = item.strip()
        if match := _COMPARISON.fullmatch(text):
            return _compared(field, match[1], _moment(field, match[2]))
        match = _INTERVAL.fullmatch(text)
        if match and (match[1] or match[2]):
            return parse_dates(field, [match[1], match[2]])
    moment = _moment(field, item)
    if moment is None:
        return None
    if moment.is_day:
        return Range(field, gte=moment.mjd, lt=moment.mjd + 1)
    return Match(field, (moment.mjd,))


def parse_dates(field: str, ends: Sequence[Any]) -> Range | None:
    """Return the range between two dates, both included; `None` leaves an end open.

    Returns
    -------
    range : Range or None
        `None` if these are no two dates.
    """
    if len(ends) != 2 or not any(_moment(field, end) for end in ends):
        return None
    moments = [_moment(field, end) or _mjd(end) for end in ends]
    if any(moment is None and end is not None for moment, end in zip(moments, ends, strict=True)):
        return None
    first, last = moments
    if first and last and first.mjd > last.mjd:
        raise InvalidQueryError(
            f"The range of {field} from {ends[0]} to {ends[1]} is empty: give the earlier first."
        )
    since = {} if first is None else {"gte": first.mjd}
    until = {} if last is None else last.bounds_until
    return Range(field, **since, **until)


def _compared(field: str, sign: str, moment: _Moment) -> Range:
    bounds = {
        ">=": {"gte": moment.mjd},
        ">": moment.bounds_after,
        "<": {"lt": moment.mjd},
        "<=": moment.bounds_until,
    }
    return Range(field, **bounds[sign])


def _moment(field: str, item: Any) -> _Moment | None:
    if hasattr(item, "utc") and hasattr(item, "mjd"):
        return _Moment(float(item.utc.mjd), is_day=False)
    is_day = isinstance(item, datetime.date) and not isinstance(item, datetime.datetime)
    if isinstance(item, str):
        text = item.strip()
        if not re.fullmatch(_DATE, text):
            return None
        is_day = not re.search("[T ]", text)
        item = _from_iso(field, text)
    elif is_day:
        item = datetime.datetime(item.year, item.month, item.day)
    if not isinstance(item, datetime.datetime):
        return None
    if item.tzinfo is not None:
        item = item.astimezone(datetime.UTC).replace(tzinfo=None)
    return _Moment((item - _FIRST_DAY) / datetime.timedelta(days=1), is_day)


def _mjd(item: Any) -> _Moment | None:
    """Return a number that stands beside a date as the time that it is."""
    is_number = isinstance(item, numbers.Real) and not isinstance(item, bool)
    return _Moment(float(item), is_day=False) if is_number else None


def _from_iso(field: str, text: str) -> datetime.datetime:
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidQueryError(
            f"{text!r} is no date for {field} ({error}): write 2005-03-01 or 2005-03-01T12:00:00."
        ) from None
