"""Read proposals, from STScI's catalogue of Hubble's or from any table of them."""

import numbers
import os
import re
import warnings
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from astropy import units as u
from astropy.table import Column, Table
from astropy.utils.exceptions import AstropyUserWarning
from astroquery.exceptions import CorruptDataWarning

from astro_paperclip.archive.mast import Mast
from astro_paperclip.archive.proposals.catalogue import FIELDS, Catalogue, plain_number
from astro_paperclip.archive.proposals.files import gather_table, read_catalogue
from astro_paperclip.archive.proposals.kept_copy import KeptCopy, bring_up_to_date
from astro_paperclip.cache import cache_directory
from astro_paperclip.columns import COLUMNS, text_array
from astro_paperclip.exceptions import ArchiveError, InvalidQueryError, NoResultsWarning

__all__ = ["read_proposals"]

_WHERE = "https://archive.stsci.edu/hst/proposal_abstracts.html"
"""The page that describes the catalogue and links to it."""

_DESCRIPTIONS = {
    "title": "Title of the proposal",
    "abstract": "Abstract of the proposal",
    "proposal_pi": "Principal investigator",
}
_LISTED = 10


def read_proposals(
    source: str | os.PathLike | Table | None = None,
    *,
    mission: str = "HST",
    proposal_id: int | str | Iterable[int | str] | None = None,
    cycle: int | str | Iterable[int | str] | None = None,
    mast: Mast | None = None,
    max_age: u.Quantity = 30 * u.day,
    refresh: bool = False,
    progress: bool = True,
) -> Table:
    """Read proposals with their abstracts.

    Parameters
    ----------
    source : str, path-like or `~astropy.table.Table`, optional
        STScI's catalogue ``abstracts.cat``, or a table (CSV, ECSV, Parquet, or JSON with one
        object a line) with an ID, a title or an abstract, and what else it knows; or the
        address of such a file. By default the catalogue at the address of the configuration
        item ``proposals_url``.
    mission : str
        Whose proposals they are. Only Hubble's have a catalogue; those of other missions need
        a ``source``.
    proposal_id : int, str or an iterable of them, optional
        Read only these proposals.
    cycle : int, str or an iterable of them, optional
        Read only proposals of these cycles.
    mast : Mast, optional
        How addresses are asked. By default MAST itself.
    max_age : `~astropy.units.Quantity`
        What was fetched is kept, and used without asking for so long. Then it is asked whether
        there is a newer version.
    refresh : bool
        Whether to ask in any case.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    proposals : `~astropy.table.Table`
        One row a proposal: ``proposal_id``, ``title``, ``abstract``, ``category``,
        ``proposal_type``, ``proposal_pi`` and ``cycle``, all texts, empty where unknown. Its
        ``meta`` has ``source``, ``mission``, ``date`` and ``age`` of the source (not of a
        table), ``left_out``, the number of records that are not there by reason, and
        ``faults``, pairs of a line (or row) number and a message.

    Raises
    ------
    InvalidQueryError
        If the source or an argument makes no sense.
    ArchiveError
        If the catalogue can't be fetched, and there is no copy of an earlier time.

    Warns
    -----
    CorruptDataWarning
        If records were left out because they are damaged, or are second versions.
    NoResultsWarning
        If there is no proposal with one of the IDs, or none of them at all.
    AstropyUserWarning
        If an old copy is used, as no newer one can be fetched.
    """
    wanted_ids = _wanted("proposal_id", proposal_id)
    wanted_cycles = _wanted("cycle", cycle)
    catalogue, meta = _load(source, mission, mast, max_age, refresh, progress)
    rows = [
        row
        for row in catalogue.rows
        if (wanted_ids is None or row["proposal_id"] in wanted_ids)
        and (wanted_cycles is None or row["cycle"] in wanted_cycles)
    ]
    table = _table(rows)
    left_out = {
        "damaged": catalogue.n_damaged,
        "listed twice": catalogue.n_duplicates,
        "not asked for": len(catalogue.rows) - len(rows),
    }
    table.meta |= meta
    table.meta["left_out"] = {reason: number for reason, number in left_out.items() if number}
    table.meta["faults"] = catalogue.faults
    _warn(catalogue, wanted_ids, rows, meta["source"])
    return table


def _wanted(name: str, values) -> set[str] | None:
    """Return the texts that a column may have, or `None` for any."""
    if values is None:
        return None
    if isinstance(values, str | numbers.Number):
        values = [values]
    wanted = set()
    for value in values:
        text = plain_number(str(value))
        is_fit = isinstance(value, str | numbers.Integral) and not isinstance(value, bool)
        if not is_fit or not text or (name == "proposal_id" and not text.isdecimal()):
            example = "10001" if name == "proposal_id" else "29"
            raise InvalidQueryError(f"{value!r} is no {name}: give a number such as {example}.")
        wanted.add(text)
    if not wanted:
        raise InvalidQueryError(f"{name} is empty: leave it out to read all proposals.")
    return wanted


def _load(source, mission, mast, max_age, refresh, progress) -> tuple[Catalogue, dict]:
    """Return what a source holds, and where it came from."""
    meta = {"source": "a table", "mission": mission}
    if isinstance(source, Table):
        return gather_table(source), meta
    if source is None and mission.upper() != "HST":
        raise InvalidQueryError(
            f"There is no catalogue of the proposals of {mission}: give a table of them as source."
        )
    if source is None or re.match("https?://", str(source)):
        mast = mast or Mast()
        url = str(source or mast.proposals_url)
        copy = _up_to_date_copy(url, mast, max_age, refresh, progress)
        return read_catalogue(copy.path), meta | _dated(url, copy.date)
    path = Path(source).expanduser()
    if not path.is_file():
        raise InvalidQueryError(f"There is no file {path} to read proposals from.")
    modified = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return read_catalogue(path), meta | _dated(str(path), modified)


def _dated(source: str, date: datetime) -> dict:
    return {"source": source, "date": date.isoformat(timespec="seconds"), "age": _age(date)}


def _age(date: datetime) -> u.Quantity:
    return ((datetime.now(UTC) - date).total_seconds() * u.s).to(u.day)


def _up_to_date_copy(url, mast, max_age, refresh, progress) -> KeptCopy:
    """Return the copy of an address, fetched where it is missing or too old."""
    try:
        max_age = u.Quantity(max_age).to(u.day)
    except u.UnitConversionError:
        raise InvalidQueryError(f"max_age={max_age} is no time: give it as 30 * u.day.") from None
    copy = KeptCopy.of(url, cache_directory("proposals"))
    if copy.date is not None and _age(copy.date) <= max_age and not refresh:
        return copy
    try:
        bring_up_to_date(copy, url, mast, _holds_proposals, progress=progress)
    except ArchiveError as error:
        if copy.date is None:
            raise ArchiveError(
                f"The proposals at {url} cannot be fetched: {error} The catalogue can also be "
                f"downloaded by hand, see {_WHERE}, and given as source; the configuration item "
                "'proposals_url' is its address."
            ) from error
        warnings.warn(
            f"The proposals at {url} cannot be fetched now ({error}); the copy that is used is "
            f"{_age(copy.date).value:.0f} days old.",
            AstropyUserWarning,
            stacklevel=4,
        )
    return copy


def _holds_proposals(path: Path) -> bool:
    try:
        return bool(read_catalogue(path).rows)
    except InvalidQueryError:
        return False


def _table(rows: list[dict[str, str]]) -> Table:
    table = Table()
    for name in FIELDS:
        info = COLUMNS.get(name)
        table[name] = Column(
            text_array(row[name] for row in rows),
            description=_DESCRIPTIONS.get(name) or info.description,
            meta={"ucd": info.ucd if info else "meta.abstract"},
        )
    return table


def _warn(catalogue: Catalogue, wanted_ids: set[str] | None, rows: list, source: str) -> None:
    if catalogue.faults:
        line, message = catalogue.faults[0]
        warnings.warn(
            f"{len(catalogue.faults)} of {catalogue.n_records} records of {source} were left out, "
            f"the first in line {line}: {message}. meta['faults'] has all of them.",
            CorruptDataWarning,
            stacklevel=3,
        )
    known = {row["proposal_id"] for row in catalogue.rows}
    unknown = sorted((wanted_ids or set()) - known, key=int)
    if unknown:
        listed = ", ".join(unknown[:_LISTED]) + (", ..." if len(unknown) > _LISTED else "")
        message = f"{source} has no proposal {listed}."
    elif not rows:
        message = f"{source} has no such proposals."
    else:
        return
    warnings.warn(message, NoResultsWarning, stacklevel=3)
