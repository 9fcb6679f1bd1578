"""Translation of the neutral filter tree into ADQL."""

from collections.abc import Sequence

from astro_paperclip.archive.observations.matching import LIST_COLUMNS, SEPARATOR
from astro_paperclip.archive.observations.sky import box
from astro_paperclip.columns import COLUMNS
from astro_paperclip.criteria import And, Cone, Filter, Match, Not, Or, Range, Wildcard
from astro_paperclip.exceptions import InvalidQueryError

__all__ = ["condition", "select"]

_ALWAYS, _NEVER = "1 = 1", "1 = 0"


def select(
    table: str, columns: Sequence[str], where: Filter, *, top: int, after: str | None = None
) -> str:
    """Write a query for one page of rows, in the order of their keys.

    Parameters
    ----------
    table : str
        Name of the table.
    columns : sequence of str
        Names of the columns.
    where : Filter
        What the rows have to fit.
    top : int
        Largest number of rows.
    after : str, optional
        Key that the page before ended with.

    Returns
    -------
    adql : str
    """
    terms = [condition(where)]
    if after is not None:
        terms.append(f"obsid > {int(after)}")
    names, conditions = ", ".join(columns), " AND ".join(terms)
    return f"SELECT TOP {top} {names} FROM {table} WHERE {conditions} ORDER BY obsid"  # noqa: S608


def condition(where: Filter, *, negated: bool = False) -> str:
    """Write a tree as a condition of ADQL that at least those rows meet that fit the tree.

    ADQL cannot say everything: its ``LIKE`` takes ``_`` for any character, its circles are too
    slow at MAST, where a box of coordinates is fast. The condition is then the wider one;
    `~astro_paperclip.archive.observations.matching.fits` finds the rows that are meant.

    Parameters
    ----------
    where : Filter
        The tree.
    negated : bool
        Whether its opposite is meant.

    Returns
    -------
    adql : str
        In brackets where needed.

    Raises
    ------
    InvalidQueryError
        If it is no tree.
    """
    match where:
        case Not(term):
            return condition(term, negated=not negated)
        case And(terms) | Or(terms):
            word = " AND " if isinstance(where, And) != negated else " OR "
            parts = [condition(term, negated=negated) for term in terms]
            return f"({word.join(parts)})" if parts else (_ALWAYS if "AND" in word else _NEVER)
        case Match() | Range() | Wildcard():
            text, is_exact = _LEAVES[type(where)](where)
            if not negated:
                return text
            # NOT of something unknown is unknown, but a row without a value is not equal to any.
            return f"({where.field} IS NULL OR NOT {text})" if is_exact else _ALWAYS
        case Cone():
            return _ALWAYS if negated else _box(where)
    raise InvalidQueryError(f"{where!r} is no filter: make one with criteria.parse.")


def _match(where: Match) -> tuple[str, bool]:
    values = [_literal(where.field, value) for value in where.values]
    if not values:
        return _NEVER, True
    parts = [f"{where.field} IN ({', '.join(values)})"]
    if where.field in LIST_COLUMNS:
        for value in where.values:
            parts += [f"{where.field} LIKE {_quoted(p)}" for p in _as_element(str(value))]
    is_exact = where.field not in LIST_COLUMNS or not any("_" in value for value in values)
    return f"({' OR '.join(parts)})", is_exact


def _wildcard(where: Wildcard) -> tuple[str, bool]:
    pattern = where.pattern.replace("*", "%").lower()
    is_list = where.field in LIST_COLUMNS
    patterns = [pattern, *(_as_element(pattern) if is_list else [])]
    parts = [f"LOWER({where.field}) LIKE {_quoted(pattern)}" for pattern in patterns]
    return f"({' OR '.join(parts)})", not is_list and "_" not in pattern


def _range(where: Range) -> tuple[str, bool]:
    bounds = {">=": where.gte, "<=": where.lte, ">": where.gt, "<": where.lt}
    parts = [
        f"{where.field} {sign} {bound!r}" for sign, bound in bounds.items() if bound is not None
    ]
    return f"({' AND '.join(parts)})", True


_LEAVES = {Match: _match, Wildcard: _wildcard, Range: _range}


def _box(where: Cone) -> str:
    declinations, turns = box(where)
    parts = [f"s_ra BETWEEN {low!r} AND {high!r}" for low, high in turns]
    return f"(s_dec BETWEEN {declinations[0]!r} AND {declinations[1]!r} AND ({' OR '.join(parts)}))"


def _as_element(pattern: str) -> list[str]:
    """Return patterns of lists that have something as their first, last or any other element."""
    return [
        f"{pattern}{SEPARATOR}%",
        f"%{SEPARATOR}{pattern}",
        f"%{SEPARATOR}{pattern}{SEPARATOR}%",
    ]


def _literal(field: str, value: str | float | bool) -> str:
    if field in COLUMNS and COLUMNS[field].dtype == "str":
        return _quoted(str(value))
    return repr(int(value) if isinstance(value, bool) else value)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
