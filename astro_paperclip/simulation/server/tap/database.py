"""The tables of the simulated TAP service in SQLite, and queries of them."""

import math
import sqlite3
import weakref
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from uuid import uuid4

from astro_paperclip.simulation.server.holdings import CAOM_COLUMNS, Holdings
from astro_paperclip.simulation.server.tap.adql import translate
from astro_paperclip.simulation.server.tap.errors import QueryError
from astro_paperclip.simulation.server.tap.geometry import (
    contains,
    intersects,
    parse_region,
    separation,
)
from astro_paperclip.simulation.server.tap.schema import TABLES

__all__ = ["Answer", "Database"]

_SQL_TYPES = {"char": "TEXT", "boolean": "INTEGER", "int": "INTEGER", "long": "INTEGER"}

# Tables are found by their last name alone, but for those that describe the others.
_SQL_NAMES = {
    name: name.replace(".", "_") if table.schema == "tap_schema" else name.partition(".")[2]
    for name, table in TABLES.items()
}

# What a query may do. Whatever changes something is refused.
_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION}

_OBSCORE = """
    CREATE VIEW obscore AS SELECT dataproduct_type, calib_level, obs_collection, obs_id,
      target_name, s_ra, s_dec, s_region, t_min, t_max, t_exptime, em_min, em_max,
      instrument_name,
      'ivo://mast.stsci.edu/observation/' || obs_id AS obs_publisher_did,
      'https://mast.stsci.edu/api/v0.1/Download/file?uri=' || dataurl AS access_url,
      CASE WHEN dataurl LIKE '%.fits' THEN 'application/fits' END AS access_format,
      CAST(NULL AS INTEGER) AS access_estsize,
      obs_collection AS facility_name
    FROM obspointing
"""


@dataclass(frozen=True)
class Answer:
    """What a query found.

    Parameters
    ----------
    names : list of str
        Names of the columns.
    rows : list of tuple
        Text, numbers and `None`, as SQLite gives them.
    is_cut : bool
        Whether there was more than the rows that were asked for.
    """

    names: list[str]
    rows: list[tuple]
    is_cut: bool


class Database:
    """
    Observations as tables that ADQL can be asked of, by several threads at a time.

    Parameters
    ----------
    holdings : `Holdings`
        The simulated archive.
    """

    def __init__(self, holdings: Holdings):
        # Every connection has the same tables, which are gone with the last one, this one.
        self._address = f"file:{uuid4().hex}?mode=memory&cache=shared"
        self._tables = self._open()
        weakref.finalize(self, self._tables.close)
        for name, table in TABLES.items():
            if name != "ivoa.obscore":
                columns = (
                    f"[{c.name}] {_SQL_TYPES.get(c.datatype, 'REAL')}" for c in table.columns
                )
                self._tables.execute(f"CREATE TABLE {_SQL_NAMES[name]} ({', '.join(columns)})")
        shared = ", ".join(
            column.name
            for column in TABLES["ivoa.obscore"].columns
            if column in TABLES["dbo.obspointing"].columns
        )
        self._tables.execute(_OBSCORE.format(shared=shared))
        self._insert("dbo.obspointing", _observations(holdings))
        for name, rows in _descriptions().items():
            self._insert(name, rows)
        self._tables.commit()

    def query(
        self,
        adql: str,
        max_rows: int,
        on_start: Callable[[Callable[[], None]], None] | None = None,
    ) -> Answer:
        """
        Carry out a query.

        Parameters
        ----------
        adql : str
            One ``SELECT`` in ADQL.
        max_rows : int
            Largest number of rows.
        on_start : callable, optional
            Called with a function that stops the query, from any thread.

        Returns
        -------
        `Answer`

        Raises
        ------
        QueryError
            If the query is none, or was stopped.
        """
        sql = translate(adql, _SQL_NAMES)
        with closing(self._open()) as connection:
            faults = _add_functions(connection)
            connection.execute("PRAGMA case_sensitive_like = ON")
            connection.set_authorizer(
                lambda action, *_: sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY
            )
            if on_start is not None:
                on_start(lambda: _interrupt(connection))
            try:
                cursor = connection.execute(sql)
                rows = cursor.fetchmany(max_rows + 1)
            except sqlite3.Error as error:
                raise QueryError(str(faults[0] if faults else error)) from error
            names = [column[0] for column in cursor.description]
            return Answer(names, rows[:max_rows], len(rows) > max_rows)

    def _open(self):
        return sqlite3.connect(self._address, uri=True, check_same_thread=False)

    def _insert(self, name, rows):
        marks = ", ".join("?" * len(TABLES[name].columns))
        statement = f"INSERT INTO {_SQL_NAMES[name]} VALUES ({marks})"  # noqa: S608
        self._tables.executemany(statement, rows)


def _interrupt(connection):
    # The query may have ended in the meantime, and its connection with it.
    with suppress(sqlite3.ProgrammingError):
        connection.interrupt()


def _create(table):
    columns = (f"[{c.name}] {_SQL_TYPES.get(c.datatype, 'REAL')}" for c in table.columns)
    return f"CREATE TABLE {_SQL_NAMES[table.name]} ({', '.join(columns)})"


def _observations(holdings):
    """Yield the rows of ``dbo.obspointing``."""
    numbers = [CAOM_COLUMNS.index(name) for name in ("obsid", "objID")]
    for batch in holdings.observations.to_batches(max_chunksize=10_000):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            cells = list(row)
            for index in numbers:
                cells[index] = None if cells[index] is None else int(cells[index])
            yield cells


def _descriptions():
    """Return the rows of TAP_SCHEMA, by the names of its tables."""
    schemas = dict.fromkeys(table.schema for table in TABLES.values())
    return {
        "tap_schema.schemas": [(name, None, None) for name in schemas],
        "tap_schema.tables": [
            (table.schema, name, "table", None, table.description) for name, table in TABLES.items()
        ],
        "tap_schema.columns": [
            (name, c.name, c.description, c.unit, c.ucd, c.utype, c.datatype, None, 1, 0, 0)
            for name, table in TABLES.items()
            for c in table.columns
        ],
    }


def _add_functions(connection):
    """Teach a connection ADQL's functions; return a list that gets the errors they raise."""
    faults = []

    def guarded(function):
        # SQLite keeps to itself why a function failed.
        def call(*values):
            if any(value is None for value in values):
                return None
            try:
                return function(*values)
            except QueryError as error:
                faults.append(error)
                raise
            except (TypeError, ValueError, AttributeError):
                name = function.__name__.strip("_")
                faults.append(QueryError(f"{name} cannot take {values!r}"))
                raise

        return call

    for function in _FUNCTIONS:
        name = function.__name__.strip("_")
        connection.create_function(name, -1, guarded(function), deterministic=True)
    return faults


def _coordinates(function, values):
    """Return the values without the name of the frame, which may go before them."""
    if values and isinstance(values[0], str) and not values[0].upper().startswith("POINT"):
        frame, *values = values
        if frame.upper() not in ("", "ICRS", "ICRS GEOCENTER"):
            raise QueryError(f"{function}: unknown frame {frame!r}; only ICRS is supported")
    return values


def _shape(name, values):
    """Write a shape in STC-S; a point among the values stands for its coordinates."""
    words = []
    for value in _coordinates(name, values):
        words += value.split()[2:] if isinstance(value, str) else [repr(float(value))]
    text = f"{name} ICRS {' '.join(words)}"
    parse_region(text)
    return text


def _point(*values):
    ra, dec = _coordinates("POINT", values)
    return f"POINT ICRS {float(ra)!r} {float(dec)!r}"


def _circle(*values):
    return _shape("CIRCLE", values)


def _polygon(*values):
    return _shape("POLYGON", values)


def _box(*values):
    """Write the polygon whose corners differ from the centre by half the extents."""
    ra, dec, width, height = _coordinates("BOX", values)
    west, east, south, north = ra - width / 2, ra + width / 2, dec - height / 2, dec + height / 2
    return _shape("POLYGON", (west, south, east, south, east, north, west, north))


def _contains(inner, outer):
    return contains(inner, outer)


def _intersects(first, second):
    return intersects(first, second)


def _distance(*values):
    if len(values) == 4:
        values = _point(*values[:2]), _point(*values[2:])
    (first,), (second,) = map(parse_region, values)
    return math.degrees(separation(first.center, second.center))


def _coord1(point):
    return float(point.split()[2])


def _coord2(point):
    return float(point.split()[3])


def _log(value):
    """Return the natural logarithm; SQLite's own is to the base of 10."""
    return math.log(value)


_FUNCTIONS = (
    *(_point, _circle, _polygon, _box, _contains, _intersects, _distance),
    *(_coord1, _coord2, _log),
)
