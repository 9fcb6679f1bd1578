"""Jobs of the simulated TAP service, in the pattern of UWS."""

import html
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Condition, Thread
from uuid import uuid4

from astro_paperclip.simulation.server.tap.errors import QueryError
from astro_paperclip.simulation.server.tap.xml import document, element

__all__ = ["Job", "list_jobs"]

# What a job does not leave any more.
_FINAL = ("COMPLETED", "ERROR", "ABORTED")

_LIFETIME = timedelta(days=1)

# Longest time that a reply waits for a job to change [s].
_LONGEST_WAIT = 5.0

# A job may take that long [s], as MAST's do.
_DURATION = 600

_UWS = {
    "xmlns__uws": "http://www.ivoa.net/xml/UWS/v1.0",
    "xmlns__xlink": "http://www.w3.org/1999/xlink",
    "xmlns__xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "version": "1.1",
}


class Job:
    """
    A query that is carried out when it is told to be, in a thread of its own.

    Parameters
    ----------
    parameters : dict of str
        Parameters of the query, their names in upper case.
    run : callable
        Takes the parameters and, as ``on_start``, what is to be called with a function that
        stops the query; returns the result.

    Attributes
    ----------
    id : str
        Name of the job.
    phase : str
        PENDING, QUEUED, EXECUTING, COMPLETED, ERROR or ABORTED.
    result : bytes or None
        What the query found, once it is completed.
    error : str or None
        Why it failed.
    destruction : `~datetime.datetime`
        When the job is forgotten.
    duration : int
        Time that it may take, in seconds; stated only.
    """

    def __init__(self, parameters: dict[str, str], run: Callable[..., bytes]):
        self.id = uuid4().hex
        self.parameters = parameters
        self.phase = "PENDING"
        self.result = None
        self.error = None
        self.duration = _DURATION
        self._run = run
        self._stop = None
        self._changed = Condition()
        self._times = {"creationTime": datetime.now(UTC)}
        self.destruction = self._times["creationTime"] + _LIFETIME

    @property
    def is_expired(self) -> bool:
        """Whether the job is to be forgotten."""
        return datetime.now(UTC) > self.destruction

    def start(self) -> None:
        """Carry the query out, unless that was done before."""
        with self._changed:
            if self.phase != "PENDING":
                return
            self._enter("QUEUED")
        Thread(target=self._work, name=f"tap-{self.id}", daemon=True).start()

    def abort(self) -> None:
        """Stop the query, unless it has ended."""
        with self._changed:
            if self.phase in _FINAL:
                return
            self._enter("ABORTED")
            if self._stop is not None:
                self._stop()

    def wait(self, seconds: float) -> None:
        """
        Wait until the job enters another phase.

        Parameters
        ----------
        seconds : float
            At most; negative for as long as is allowed.
        """
        limit = min(seconds, _LONGEST_WAIT) if seconds >= 0 else _LONGEST_WAIT
        with self._changed:
            phase = self.phase
            if phase in ("QUEUED", "EXECUTING"):
                self._changed.wait_for(lambda: self.phase != phase, limit)

    def describe(self, url: str) -> bytes:
        """
        Write what is known of the job.

        Parameters
        ----------
        url : str
            Address of the job.

        Returns
        -------
        bytes
            UWS's XML.
        """
        with self._changed:
            parts = [
                element("uws:jobId", self.id),
                element("uws:ownerId", None),
                element("uws:phase", self.phase),
                element("uws:quote", None),
                *(element(f"uws:{name}", _iso(time)) for name, time in self._times.items()),
                element("uws:executionDuration", str(self.duration)),
                element("uws:destruction", _iso(self.destruction)),
                element("uws:parameters", self._describe_parameters()),
                element("uws:results", self._describe_result(url)),
            ]
            if self.error is not None:
                message = element("uws:message", html.escape(self.error))
                parts.append(element("uws:errorSummary", message, type="fatal", hasDetail="true"))
        return document(element("uws:job", "".join(parts), **_UWS))

    def _describe_parameters(self):
        return "".join(
            element("uws:parameter", html.escape(value), id=name)
            for name, value in self.parameters.items()
        )

    def _describe_result(self, url):
        if self.phase != "COMPLETED":
            return ""
        return element("uws:result", id="result", xlink__href=f"{url}/results/result")

    def _enter(self, phase):
        self.phase = phase
        if phase in _FINAL:
            self._times["endTime"] = datetime.now(UTC)
        self._changed.notify_all()

    def _work(self):
        try:
            result = self._run(self.parameters, on_start=self._begin)
        except QueryError as error:
            self._end("ERROR", error=str(error))
        else:
            self._end("COMPLETED", result=result)

    def _begin(self, stop):
        with self._changed:
            if self.phase == "ABORTED":
                raise QueryError("the job was aborted")
            self._stop = stop
            self._times["startTime"] = datetime.now(UTC)
            self._enter("EXECUTING")

    def _end(self, phase, *, result=None, error=None):
        with self._changed:
            self._stop = None
            if self.phase != "ABORTED":
                self.result, self.error = result, error
                self._enter(phase)


def list_jobs(jobs: list[Job], url: str) -> bytes:
    """
    Write a list of jobs.

    Parameters
    ----------
    jobs : list of `Job`
        The jobs.
    url : str
        Address that the jobs lie below.

    Returns
    -------
    bytes
        UWS's XML.
    """
    listed = (
        element(
            "uws:jobref",
            element("uws:phase", job.phase),
            id=job.id,
            xlink__href=f"{url}/{job.id}",
        )
        for job in jobs
    )
    return document(element("uws:jobs", "".join(listed), **_UWS))


def _iso(time):
    return time.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
