"""ADQL, translated to the SQL of SQLite."""

import re
from collections.abc import Mapping

from astro_paperclip.simulation.server.tap.errors import QueryError

__all__ = ["translate"]

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*)
  | (?P<text>'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")+")
  | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<sign><>|!=|<=|>=|\|\||[-+*/=<>(),.])
    """,
    re.VERBOSE,
)

# SQLite would take them; a parser of ADQL does not.
_NOT_ADQL = {"glob", "limit", "match", "regexp"}

# MAST's service takes one of them in a query, and refuses a second one.
_GEOMETRIC = {"contains", "intersects"}


def translate(adql: str, tables: Mapping[str, str]) -> str:
    """
    Translate a query in ADQL to SQLite's SQL.

    Parameters
    ----------
    adql : str
        One ``SELECT``. Names are folded to lower case unless they are quoted.
    tables : mapping of str to str
        Full names of tables, in lower case, and what they are called in SQLite.

    Returns
    -------
    str
        The same query, ``TOP`` turned to ``LIMIT``.

    Raises
    ------
    QueryError
        If it is no such query. What the words mean is left to SQLite.
    """
    tokens = _tokens(adql)
    words = [text for kind, text in tokens if kind == "word"]
    if not words or tokens[0] != ("word", "select"):
        raise QueryError(f"a query starts with SELECT, not with {adql.strip()[:20]!r}")
    if foreign := _NOT_ADQL.intersection(words):
        raise QueryError(f"{min(foreign).upper()} is no ADQL; use TOP for a number of rows")
    if sum(word in _GEOMETRIC for word in words) > 1:
        raise QueryError("only one CONTAINS or INTERSECTS is supported in a query")
    return _write(_name_tables(tokens, tables))


def _tokens(adql):
    tokens, position = [], 0
    while position < len(adql):
        found = _TOKEN.match(adql, position)
        if found is None:
            raise QueryError(f"syntax error at {adql[position : position + 20]!r}")
        kind, text = found.lastgroup, found.group()
        if kind != "space":
            tokens.append((kind, text.lower() if kind == "word" else text))
        position = found.end()
    return tokens


def _name_tables(tokens, tables):
    """Put the names of tables in SQLite for the full ones."""
    named, index = [], 0
    while index < len(tokens):
        texts = [text for _, text in tokens[index : index + 3]]
        table = tables.get("".join(texts).lower()) if texts[1:2] == ["."] else None
        named.append(tokens[index] if table is None else ("word", table))
        index += 1 if table is None else 3
    return named


def _write(tokens):
    """Write the query, with the limit of each SELECT at its end."""
    written, limits = [], [None]
    tokens = iter(tokens)
    for kind, text in tokens:
        if text == "(":
            limits.append(None)
        elif text == ")":
            if len(limits) == 1:
                raise QueryError("a bracket is closed that was never opened")
            written += _limit(limits.pop())
        if (kind, text) == ("word", "top"):
            limits[-1] = _number_of_rows(next(tokens, (None, "")))
        elif (kind, text) == ("word", "offset"):
            # ADQL's OFFSET stands alone, SQLite's only behind a limit.
            written += [*(_limit(limits[-1]) or ["LIMIT", "-1"]), text]
            limits[-1] = None
        elif kind == "quoted":
            # Where SQLite knows no column of the name, it takes "name" for a text, not [name].
            written.append(f"[{text[1:-1]}]")
        else:
            written.append(text)
    if len(limits) > 1:
        raise QueryError("a bracket is opened that is never closed")
    return " ".join([*written, *_limit(limits[0])])


def _limit(rows):
    return [] if rows is None else ["LIMIT", rows]


def _number_of_rows(token):
    kind, text = token
    if kind != "number" or not text.isdigit():
        raise QueryError(f"TOP needs a whole number, not {text!r}")
    return text
