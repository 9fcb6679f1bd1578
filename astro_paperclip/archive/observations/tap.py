"""The route by MAST's TAP service for CAOM: few queries for many observations."""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING
from xml.parsers.expat import ExpatError

from astropy.table import Table
from requests import RequestException
from urllib3.exceptions import HTTPError

from astro_paperclip.archive.mast import Mast
from astro_paperclip.archive.observations.adql import select
from astro_paperclip.archive.traffic import TransientError, fault_of
from astro_paperclip.columns import OBSERVATION_COLUMNS
from astro_paperclip.criteria import Filter
from astro_paperclip.exceptions import ArchiveError

if TYPE_CHECKING:
    from pyvo.dal import AsyncTAPJob, TAPResults, TAPService

__all__ = ["TapRoute"]

_TABLE = "dbo.ObsPointing"
_PAGE_ROWS = 10_000
"""Rows of a query; MAST's service cuts replies off at 100 000 rows, or after 60 s."""

_LONGEST_JOB = 3600.0
"""Time [s] after which a job that does not end is given up."""

_LONGEST_POLL = 10.0
_PENDING = {"PENDING", "HELD"}
_ACTIVE = {*_PENDING, "QUEUED", "EXECUTING", "SUSPENDED", "UNKNOWN"}
_ENDED = {"COMPLETED", "ERROR", "ABORTED", "ARCHIVED"}


class TapRoute:
    """Observations from MAST's TAP service.

    Parameters
    ----------
    mast : Mast
        Where to ask.
    """

    def __init__(self, mast: Mast):
        self._mast = mast

    def replies(self, where: Filter, *, as_job: bool = False) -> Iterator[Table]:
        """Yield the rows that fit a filter tree, page by page, until there are no more.

        Rows without an ``obsid`` are not found after the first page. Pages follow each other by
        ``obsid``, so that no row is lost whatever limit the service has.

        Parameters
        ----------
        where : Filter
            The tree; some of the rows may not fit it, see
            `~astro_paperclip.archive.observations.adql.condition`.
        as_job : bool
            Whether to run the query as a job, which no gateway breaks off.

        Yields
        ------
        reply : `~astropy.table.Table`
            As pyvo makes it.

        Raises
        ------
        ArchiveError
            If the service refuses the query, or is not there.
        """
        ask = self._run_job if as_job else self._run_at_once
        after = None
        while True:
            result = ask(select(_TABLE, self._columns, where, top=_PAGE_ROWS, after=after))
            reply = result.to_table()
            yield reply
            is_cut = result.status[0].lower() == "overflow" or len(reply) >= _PAGE_ROWS
            if not is_cut:
                return
            last = _last_obsid(reply)
            if last is None or last == after:
                raise ArchiveError(
                    f"MAST's TAP service ({self._mast.tap_url}) broke off its list of "
                    f"observations after obsid {last}: use route='portal'."
                )
            after = last

    @cached_property
    def _service(self) -> "TAPService":
        from pyvo.dal import TAPService

        return TAPService(self._mast.tap_url, session=self._mast.reply_session)

    @cached_property
    def _columns(self) -> list[str]:
        """Columns that the service has: a query for one more would be refused."""
        one_row = f"SELECT TOP 1 * FROM {_TABLE}"  # noqa: S608
        reply = self._run_at_once(one_row).to_table()
        there = {name.lower() for name in reply.colnames}
        return [name for name in OBSERVATION_COLUMNS if name.lower() in there]

    def _run_at_once(self, adql: str) -> "TAPResults":
        return self._mast.attempt(self._sync, adql)

    def _sync(self, adql: str) -> "TAPResults":
        from pyvo.dal import DALQueryError

        query = self._service.create_query(adql, maxrec=_PAGE_ROWS)
        with _known_faults():
            try:
                return query.execute()
            except DALQueryError:
                # A service that is too busy may say so in a VOTable.
                with suppress(ArchiveError), _known_faults():
                    query.raise_if_error()
                raise

    def _run_job(self, adql: str) -> "TAPResults":
        attempt = self._mast.attempt
        job = attempt(self._submit, adql)
        try:
            attempt(self._start, job)
            self._wait(job)
            return attempt(self._fetch, job)
        finally:
            # The service deletes old jobs by itself.
            with suppress(ArchiveError):
                attempt(self._delete, job)

    def _submit(self, adql: str) -> "AsyncTAPJob":
        with _known_faults():
            job = self._service.submit_job(adql, maxrec=_PAGE_ROWS)
        if not job.job_id:
            raise TransientError("unreadable", f"{job.url} is no job")
        return job

    def _start(self, job: "AsyncTAPJob") -> None:
        """Start a job, unless an earlier attempt did so whose reply was lost."""
        if self._phase(job) in _PENDING:
            with _known_faults():
                job.run()
            if self._phase(job) in _PENDING:
                raise TransientError("unreadable", f"{job.url} did not start")

    def _wait(self, job: "AsyncTAPJob") -> None:
        deadline, pause = time.monotonic() + _LONGEST_JOB, 0.05
        while self._mast.attempt(self._phase, job) in _ACTIVE:
            if time.monotonic() > deadline:
                raise ArchiveError(
                    f"The job {job.url} did not end within {_LONGEST_JOB:.0f} s: ask for less "
                    "at a time, or later."
                )
            time.sleep(pause)
            pause = min(1.5 * pause, _LONGEST_POLL)

    def _phase(self, job: "AsyncTAPJob") -> str:
        with _known_faults():
            phase = job.phase
        if phase not in _ACTIVE | _ENDED:
            raise TransientError("unreadable", f"{job.url} says that the job is {phase!r}")
        if phase == "COMPLETED" and not _has_result(job):
            # pyvo takes a document that breaks off for a whole one.
            raise TransientError("unreadable", f"{job.url} says nothing of a result")
        return phase

    def _fetch(self, job: "AsyncTAPJob") -> "TAPResults":
        if not _has_result(job):
            self._phase(job)
        from pyvo.dal import DALServiceError

        with _known_faults():
            job.raise_if_error()
            try:
                return job.fetch_result()
            except DALServiceError as error:
                if error.cause is not None:
                    raise
                # The description of the job was no such thing when pyvo looked again.
                raise TransientError("unreadable", f"{job.url}: {error.reason}") from error

    def _delete(self, job: "AsyncTAPJob") -> None:
        with _known_faults():
            job.delete()


def _has_result(job: "AsyncTAPJob") -> bool:
    from pyvo.dal import DALServiceError

    try:
        return job.result is not None
    except DALServiceError:  # from some versions of pyvo, where there is none
        return False


@contextmanager
def _known_faults() -> Iterator[None]:
    """Turn pyvo's errors into those that `Mast.attempt` tells apart."""
    from pyvo.dal import DALFormatError, DALOverflowWarning, DALQueryError, DALServiceError

    try:
        with warnings.catch_warnings():
            # Looked for in the status of the result.
            warnings.simplefilter("ignore", DALOverflowWarning)
            yield
    except (ArchiveError, TransientError, RequestException, HTTPError):
        raise
    except DALQueryError as error:
        raise ArchiveError(f"MAST's TAP service refused the query: {error.reason}") from error
    except (DALFormatError, DALServiceError) as error:
        cause = error.cause
        if isinstance(cause, ArchiveError) or (cause is not None and fault_of(cause)):
            raise cause from error
        if isinstance(error, DALFormatError):
            raise TransientError("unreadable", f"no VOTable: {error.reason}") from error
        raise ArchiveError(f"MAST's TAP service failed: {error.reason}") from error
    except (AttributeError, ExpatError, LookupError, SyntaxError, TypeError, ValueError) as error:
        # What pyvo's and astropy's readers of XML stumble over.
        raise TransientError("unreadable", f"no XML of a TAP service: {error}") from error


def _last_obsid(reply: Table) -> str | None:
    names = [name for name in reply.colnames if name.lower() == "obsid"]
    cells = reply[names[0]].tolist() if names else []
    return str(int(cells[-1])) if cells and cells[-1] is not None else None
