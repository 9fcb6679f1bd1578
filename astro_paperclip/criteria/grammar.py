"""MAST's value grammar for criteria, read into the filter tree."""

import difflib
import math
import numbers
import re
from collections.abc import Collection, Iterable
from typing import Any

from astro_paperclip.columns import COLUMNS
from astro_paperclip.criteria.dates import holds_dates, parse_date, parse_dates
from astro_paperclip.criteria.tree import And, Filter, Match, Not, Or, Range, Wildcard
from astro_paperclip.exceptions import InvalidQueryError

__all__ = ["parse"]


_KINDS = {"str": "text", "int64": "number", "float64": "number", "bool": "flag"}
_NOT_STORED = {"rank", "score"}
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_COMPARISON = re.compile(rf"(<=|>=|<|>)\s*({_NUMBER})")
_INTERVAL = re.compile(rf"({_NUMBER})?\.\.({_NUMBER})?")
_BOUNDS = {">=": "gte", "<=": "lte", ">": "gt", "<": "lt"}
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def parse(*, known: Collection[str] | None = None, **criteria: Any) -> Filter | None:
    """Read criteria in MAST's grammar.

    Parameters
    ----------
    known : collection of str, optional
        The columns that can be searched. When given, any other name is an error. When not,
        names that `~astro_paperclip.columns.COLUMNS` lacks are taken for columns of the
        user's own, unless they look like a slip of the pen.
    **criteria
        A value for each column that is to be restricted; all must hold. `None` restricts
        nothing. A value is one of

        - a text or number that the column equals;
        - a text with ``*`` or ``%`` for any characters, upper and lower case being the same;
        - ``[min, max]``, two numbers, for columns of numbers: from ``min`` to ``max``, both
          included; `None` leaves an end open;
        - ``"min..max"``, ``">=min"``, ``">min"``, ``"<=max"``, ``"<max"`` for numbers;
        - for columns of times, such as ``t_min``: a `~astropy.time.Time`, a `datetime.datetime`, a
          `datetime.date` or an ISO date in the place of a number (MJD); a date without a time of
          day is the whole day (UTC);
        - any text form with ``!`` before it: the opposite;
        - a list of these: at least one of those without ``!``, and none of those with it.

        Quantities are converted to the unit of the column.

    Returns
    -------
    filter : Filter or None
        The tree, or `None` where there are no criteria.

    Raises
    ------
    InvalidQueryError
        If a column is unknown, or a value does not fit its column.
    """
    terms = []
    for field, value in criteria.items():
        if value is not None:
            _check_name(field, known)
            terms.append(_parse_value(field, value))
    return _combined(And, terms) if terms else None


def _check_name(field: str, known: Collection[str] | None) -> None:
    stored = [name for name in COLUMNS if name not in _NOT_STORED]
    names = stored if known is None else list(known)
    if field in names:
        return
    close = difflib.get_close_matches(field, names, n=3, cutoff=0.8 if known is None else 0.6)
    if known is None and not close and field not in _NOT_STORED:
        return
    advice = f"Did you mean {' or '.join(close)}?" if close else ""
    raise InvalidQueryError(
        f"There is no column {field!r} to search in. {advice or 'Choose from ' + ', '.join(names)}"
    )


def _parse_value(field: str, value: Any) -> Filter:
    """Return what a column's value stands for, negations and alternatives included."""
    kind = _KINDS[COLUMNS[field].dtype] if field in COLUMNS else None
    items = _items(field, value)
    if holds_dates(field) and not isinstance(value, str):
        between = parse_dates(field, items)
        if between is not None:
            return between
    if kind in ("number", None) and _is_pair_of_numbers(value, items, kind):
        return _interval(field, *items)
    wanted, unwanted = [], []
    for item in items:
        if isinstance(item, str) and item.startswith("!"):
            unwanted.append(_parse_item(field, kind, item[1:]))
        else:
            wanted.append(_parse_item(field, kind, item))
    terms = [_alternatives(field, wanted)] if wanted else []
    if unwanted:
        terms.append(Not(_alternatives(field, unwanted)))
    return _combined(And, terms)


def _items(field: str, value: Any) -> list:
    """Return the alternatives of a value as plain Python objects."""
    if hasattr(value, "unit") and hasattr(value, "to_value"):
        value = _in_unit_of_column(field, value)
    if hasattr(value, "tolist"):
        value = value.tolist()
    is_scalar = isinstance(value, str | bytes) or getattr(value, "shape", None) == ()
    if is_scalar or not isinstance(value, Iterable):
        value = [value]
    items = []
    for item in value:
        if hasattr(item, "unit") and hasattr(item, "to_value"):
            item = _in_unit_of_column(field, item)
        items.append(item.item() if hasattr(item, "item") else item)
    if not items:
        raise InvalidQueryError(f"The list of values for {field} is empty: nothing could match.")
    return items


def _in_unit_of_column(field: str, quantity: Any) -> Any:
    unit = COLUMNS[field].unit if field in COLUMNS else None
    if unit is None:
        raise InvalidQueryError(f"The unit of {field} is not known: give numbers, not {quantity}.")
    try:
        return quantity.to_value(unit)
    except Exception as error:
        raise InvalidQueryError(f"{field} is in {unit}: {quantity} cannot be converted.") from error


def _is_pair_of_numbers(value: Any, items: list, kind: str | None) -> bool:
    if isinstance(value, str) or len(items) != 2 or items == [None, None]:
        return False
    if kind == "number":
        return all(item is None or _number(item) is not None for item in items)
    return all(item is None or (_is_real(item) and math.isfinite(item)) for item in items)


def _parse_item(field: str, kind: str | None, item: Any) -> Filter:
    """Return what one alternative stands for, its ``!`` already taken off."""
    if kind == "flag":
        return Match(field, (_flag(field, item),))
    if kind == "text":
        return _parse_text(field, item)
    comparison = _parse_comparison(field, item)
    if comparison is None and holds_dates(field):
        comparison = parse_date(field, item)
    if comparison is not None:
        return comparison
    if kind == "number":
        number = _number(item)
        if number is None:
            dates = ", or dates in their place" if holds_dates(field) else ""
            raise InvalidQueryError(
                f"{item!r} is no value for {field}, a column of numbers: give a number, "
                f"'min..max', '>=min' or '<=max'{dates}."
            )
        return Match(field, (number,))
    return _parse_free(field, item)


def _parse_text(field: str, item: Any) -> Filter:
    if _parse_comparison(field, item) is not None:
        raise InvalidQueryError(
            f"{field} is a column of text, which {item!r} cannot be compared with: "
            "give the text, or a part of it with '*'."
        )
    if _is_real(item):
        number = _number(item)
        item = None if number is None else str(number)
    if not isinstance(item, str) or not item:
        raise InvalidQueryError(f"{item!r} is no value for {field}, a column of text.")
    return Wildcard(field, item) if re.search("[*%]", item) else Match(field, (item,))


def _parse_free(field: str, item: Any) -> Filter:
    """Return a match in a column whose type is not declared, where digits may be text."""
    if isinstance(item, bool):
        return Match(field, (item,))
    number = _number(item)
    if isinstance(item, str) and number is None:
        return _parse_text(field, item)
    if number is None:
        raise InvalidQueryError(f"{item!r} is no value for {field}: give a text or a number.")
    return Match(field, (number, item if isinstance(item, str) else str(number)))


def _parse_comparison(field: str, item: Any) -> Range | None:
    if not isinstance(item, str):
        return None
    text = item.strip()
    if match := _COMPARISON.fullmatch(text):
        return Range(field, **{_BOUNDS[match[1]]: float(match[2])})
    match = _INTERVAL.fullmatch(text)
    if match and (match[1] or match[2]):
        return _interval(field, match[1], match[2])
    return None


def _interval(field: str, low: Any, high: Any) -> Range:
    low = None if low is None else float(low)
    high = None if high is None else float(high)
    if low is not None and high is not None and low > high:
        raise InvalidQueryError(
            f"The range of {field} from {low:g} to {high:g} is empty: give the smaller one first."
        )
    return Range(field, gte=low, lte=high)


def _alternatives(field: str, terms: list[Filter]) -> Filter:
    """Return the disjunction of terms, plain values gathered into one match."""
    values = [value for term in terms if isinstance(term, Match) for value in term.values]
    gathered = [Match(field, tuple(values))] if values else []
    return _combined(Or, gathered + [term for term in terms if not isinstance(term, Match)])


def _combined(node: type, terms: list[Filter]) -> Filter:
    return terms[0] if len(terms) == 1 else node(tuple(terms))


def _is_real(item: Any) -> bool:
    return isinstance(item, numbers.Real) and not isinstance(item, bool)


def _number(item: Any) -> int | float | None:
    """Return a finite number, whole ones as `int`; `None` for anything else."""
    if isinstance(item, str) and re.fullmatch(_NUMBER, item.strip()):
        item = float(item) if re.search("[.eE]", item) else int(item)
    if not _is_real(item) or not math.isfinite(item):
        return None
    return int(item) if item == int(item) else float(item)


def _flag(field: str, item: Any) -> bool:
    flag = _FLAGS.get(str(item).strip().lower())
    if flag is None:
        raise InvalidQueryError(f"{item!r} is no value for {field}: give True or False.")
    return flag
