"""Requests to the simulated TAP service, and the replies."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from threading import Lock

from astro_paperclip.simulation.server.holdings import Holdings
from astro_paperclip.simulation.server.reply import Reply
from astro_paperclip.simulation.server.tap.database import Database
from astro_paperclip.simulation.server.tap.errors import QueryError
from astro_paperclip.simulation.server.tap.jobs import Job, list_jobs
from astro_paperclip.simulation.server.tap.schema import TABLES
from astro_paperclip.simulation.server.tap.vosi import availability, capabilities, tables
from astro_paperclip.simulation.server.tap.votable import CONTENT_TYPE, write_answer, write_error
from astro_paperclip.simulation.server.tap.xml import XML_TYPE

__all__ = ["MAX_ROWS", "PREFIX", "TapService"]

PREFIX = "/vo-tap/api/v0.1/caom"
"""Where MAST's TAP service for CAOM lies on its server."""

MAX_ROWS = 100_000
"""Largest number of rows of an answer of MAST's."""


class TapService:
    """
    A TAP service with the observations of a simulated archive, as MAST's for CAOM.

    Answers are VOTables, whatever format was asked for. Tables cannot be uploaded.

    Parameters
    ----------
    holdings : `Holdings`
        The simulated archive.
    """

    def __init__(self, holdings: Holdings):
        self._database = Database(holdings)
        self._jobs: dict[str, Job] = {}
        self._lock = Lock()

    def handle(
        self, method: str, path: str, parameters: Mapping[str, str], headers: Mapping[str, str]
    ) -> Reply:
        """
        Answer a request; threads may call this at the same time.

        Parameters
        ----------
        method : str
            GET, POST or DELETE of HTTP.
        path : str
            Below the address of the service: ``/sync``, ``/async/<job>/phase``.
        parameters : mapping of str to str
            Of the address and of the form; the case of their names does not matter.
        headers : mapping of str to str
            Of the request; ``Host`` is where the service is.

        Returns
        -------
        `Reply`
        """
        parameters = {name.upper(): value for name, value in parameters.items()}
        url = f"http://{headers.get('Host', 'localhost')}{PREFIX}"
        first, *rest = path.strip("/").split("/")
        try:
            if first == "sync" and not rest:
                return Reply(200, self._run(parameters), CONTENT_TYPE)
            if first == "async":
                return self._handle_jobs(method, rest, parameters, f"{url}/async")
            return _describe(first, rest, url)
        except QueryError as error:
            return Reply(400, write_error(str(error)), CONTENT_TYPE)

    def _run(self, parameters, on_start: Callable | None = None):
        _check(parameters)
        limit = parameters.get("MAXREC", str(MAX_ROWS))
        if not limit.isdigit():
            raise QueryError(f"MAXREC={limit!r} is no number of rows")
        query = parameters["QUERY"]
        answer = self._database.query(query, min(int(limit), MAX_ROWS), on_start)
        return write_answer(answer, query)

    def _handle_jobs(self, method, path, parameters, url):
        if not path:
            return self._handle_list(method, parameters, url)
        with self._lock:
            job = self._jobs.get(path[0])
        if job is None or job.is_expired:
            return Reply.text(f"There is no job {path[0]!r}", 404)
        is_deleted = method == "DELETE" or parameters.get("ACTION") == "DELETE"
        if len(path) == 1 and is_deleted:
            job.abort()
            with self._lock:
                self._jobs.pop(job.id, None)
            return _see_other(url)
        if method == "POST":
            _change(job, "/".join(path[1:]), parameters)
            return _see_other(f"{url}/{job.id}")
        return _tell(job, "/".join(path[1:]), parameters, f"{url}/{job.id}")

    def _handle_list(self, method, parameters, url):
        if method == "POST":
            phase = parameters.pop("PHASE", None)
            job = Job(parameters, self._run)
            with self._lock:
                self._jobs[job.id] = job
            if phase == "RUN":
                job.start()
            return _see_other(f"{url}/{job.id}")
        with self._lock:
            self._jobs = {name: job for name, job in self._jobs.items() if not job.is_expired}
            jobs = list(self._jobs.values())
        wanted = parameters.get("PHASE")
        jobs = [job for job in jobs if wanted in (None, job.phase)]
        return Reply(200, list_jobs(jobs, url), XML_TYPE)


def _check(parameters):
    for name in ("LANG", "QUERY"):
        if not parameters.get(name):
            raise QueryError(f"Error in query {name.lower()}: Field required")
    if not parameters["LANG"].upper().startswith("ADQL"):
        raise QueryError(f"LANG={parameters['LANG']!r} is not supported; use ADQL")
    if parameters.get("REQUEST", "doQuery") != "doQuery":
        raise QueryError(f"REQUEST={parameters['REQUEST']!r} is not supported; use doQuery")
    if "UPLOAD" in parameters:
        raise QueryError("UPLOAD is not supported")


def _describe(first, rest, url):
    """Answer requests for what the service says of itself."""
    if first == "capabilities" and not rest:
        return Reply(200, capabilities(url, MAX_ROWS), XML_TYPE)
    if first == "availability" and not rest:
        return Reply(200, availability(), XML_TYPE)
    if first == "tables" and not rest:
        return Reply(200, tables(TABLES.values()), XML_TYPE)
    if first == "tables" and len(rest) == 1 and rest[0].lower() in TABLES:
        return Reply(200, tables([TABLES[rest[0].lower()]]), XML_TYPE)
    return Reply.text(f"The TAP service has nothing at {'/'.join([first, *rest])!r}", 404)


def _change(job, part, parameters):
    if part == "phase" and parameters.get("PHASE") == "RUN":
        job.start()
    elif part == "phase" and parameters.get("PHASE") == "ABORT":
        job.abort()
    elif part == "parameters" and job.phase == "PENDING":
        job.parameters.update(parameters)
    elif part == "destruction" and "DESTRUCTION" in parameters:
        job.destruction = _time(parameters["DESTRUCTION"])
    elif part == "executionduration" and parameters.get("EXECUTIONDURATION", "").isdigit():
        job.duration = int(parameters["EXECUTIONDURATION"])
    else:
        raise QueryError(f"a job in phase {job.phase} cannot do this to its {part or 'self'!r}")


def _tell(job, part, parameters, url):
    if part == "":
        if "WAIT" in parameters:
            job.wait(_seconds(parameters["WAIT"]))
        return Reply(200, job.describe(url), XML_TYPE)
    if part == "phase":
        return Reply.text(job.phase)
    if part == "destruction":
        return Reply.text(job.destruction.isoformat())
    if part == "executionduration":
        return Reply.text(str(job.duration))
    if part == "results/result" and job.result is not None:
        return Reply(200, job.result, CONTENT_TYPE)
    if part == "error" and job.error is not None:
        return Reply(200, write_error(job.error), CONTENT_TYPE)
    return Reply.text(f"A job in phase {job.phase} has no {part!r}", 404)


def _see_other(url):
    return Reply(303, headers={"Location": url})


def _seconds(text):
    try:
        return float(text)
    except ValueError:
        raise QueryError(f"WAIT={text!r} is no number of seconds") from None


def _time(text):
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise QueryError(f"{text!r} is no time such as 2030-01-01T00:00:00Z") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
