"""A Qdrant server on this machine's loopback address, for tests."""

import json
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from qdrant_client import QdrantClient

from .contract import Contract, Operation
from .engine import Engine
from .errors import ServerError, bad_request
from .faults import Fault, Reply
from .memory import folder_in_memory
from .routes import Application

__all__ = ["LoopbackServer", "Request"]

_OPEN_PATHS = ("/", "/healthz", "/livez", "/readyz")
"""Paths that need no key."""

_POLL_INTERVAL = 0.02
"""Seconds that closing takes at most."""


class Request(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    query: str
    body: Any


class LoopbackServer:
    """A server that holds clients to Qdrant's contract.

    Parameters
    ----------
    document : path-like
        Qdrant's OpenAPI document.
    api_key : str, optional
        What requests must show. By default they need no key.
    read_only_api_key : str, optional
        A key that is good for reading only.
    yellow_answers : int, optional
        How often a collection is reported as yellow after a change that makes a server build
        its indexes anew.

    Attributes
    ----------
    url : str
        The address.
    requests : list of Request
        All requests, in the order in which they came.
    violations : list of str
        What was wrong with requests that broke the contract; each was answered with 400.
    own_faults : list of str
        Answers that broke the contract, and other failures of the server itself.
    faults : list or callable
        What goes wrong: a list with a `Fault` or None for each of the next requests (other than
        ``GET /``), or a function of the method, the path and the number of the request among
        those of this method and path, counted from 1.
    """

    def __init__(
        self,
        document: Path,
        api_key: str | None = None,
        read_only_api_key: str | None = None,
        yellow_answers: int = 0,
    ):
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self.own_faults: list[str] = []
        self.faults: list[Fault | None] | Callable[[str, str, int], Fault | None] = []
        self._contract = Contract.load(Path(document))
        self._api_key = api_key
        self._read_only_api_key = read_only_api_key
        self._yellow_answers = yellow_answers
        self._clients: list[QdrantClient] = []
        self._counts: Counter = Counter()
        self._lock = threading.Lock()

    def __enter__(self) -> "LoopbackServer":
        self._folder = Path(tempfile.mkdtemp(prefix="loopback-", dir=folder_in_memory()))
        self._application = Application(Engine(self._folder), self._yellow_answers)
        self._listener = _Listener(self)
        self.url = f"http://127.0.0.1:{self._listener.server_port}"
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(_POLL_INTERVAL,), name="loopback server"
        )
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        for client in self._clients:
            client.close()
        self._listener.stop()
        self._thread.join()
        self._application.engine.close()
        shutil.rmtree(self._folder)

    def build_graph(self, name: str) -> None:
        """Build the graph of a collection, which a server does by itself with many vectors."""
        with self._lock:
            self._application.engine.get(name).build_graph()

    def client(self, **options: Any) -> QdrantClient:
        """Return a client of this server, which is closed with it.

        It does not ask for the server's version, as it would do so in a thread of its own that
        may outlive the server.

        Parameters
        ----------
        **options : object
            Passed to the client.
        """
        options = {"check_compatibility": False, "prefer_grpc": False} | options
        client = QdrantClient(url=self.url, **options)
        self._clients.append(client)
        return client

    def reply_to(
        self, method: str, target: str, headers: Any, content: bytes
    ) -> tuple[Reply | None, Fault]:
        """Carry out a request, unless a fault says otherwise.

        Parameters
        ----------
        method, target : str
            From the first line of the request.
        headers : mapping
            The headers.
        content : bytes
            The body.

        Returns
        -------
        reply : Reply or None
            What to send; None where the request was not carried out, and nothing is sent.
        fault : Fault
            How to send it.
        """
        address = urlsplit(target)
        with self._lock:
            fault = self._next_fault(method, address.path)
            request, error = self._read(method, address.path, address.query, content)
            self.requests.append(request)
            reply = None
            if fault.is_applied:
                reply = self._keyed_reply(request, headers, error)
        return fault.reply or reply, fault

    def _next_fault(self, method: str, path: str) -> Fault:
        self._counts[method, path] += 1
        if callable(self.faults):
            fault = self.faults(method, path, self._counts[method, path])
        else:
            # Clients ask for the version when they like: that takes no fault meant for others.
            fault = self.faults.pop(0) if self.faults and path != "/" else None
        return fault or Fault()

    def _read(
        self, method: str, path: str, query: str, content: bytes
    ) -> tuple[Request, ServerError | None]:
        try:
            body = json.loads(content, parse_constant=_refuse_constant) if content else None
        except ValueError as error:
            return Request(method, path, query, content), bad_request(str(error))
        return Request(method, path, query, body), None

    def _keyed_reply(self, request: Request, headers: Any, error: ServerError | None) -> Reply:
        """Answer a request if it shows the right key."""
        start = time.perf_counter()
        operation, values = self._contract.find(request.method, request.path)
        refusal = self._refusal(request.path, operation, headers)
        if refusal is not None:
            return refusal
        try:
            if error is not None:
                raise error
            status, result = 200, self._result(request, operation, values)
        except ServerError as failure:
            status, result = failure.status, str(failure)
            if failure.is_violation:
                self.violations.append(f"{request.method} {request.path}: {failure}")
        return self._checked_reply(operation, request, status, result, start)

    def _refusal(self, path: str, operation: Operation | None, headers: Any) -> Reply | None:
        if self._api_key is None or path in _OPEN_PATHS:
            return None
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        key = headers.get("api-key") or bearer
        if not key:
            return _text(401, "Must provide an API key or an Authorization bearer token")
        if key == self._api_key:
            return None
        if self._read_only_api_key is None or key != self._read_only_api_key:
            return _text(401, "Invalid API key or JWT")
        if operation is not None and operation.writes:
            return _text(403, "Forbidden: Write access is required")
        return None

    def _result(self, request: Request, operation: Operation | None, values: dict[str, str]) -> Any:
        if operation is None:
            raise ServerError(404, "there is no such operation", is_violation=True)
        errors = operation.request_errors(values, request.query, request.body)
        if errors:
            raise bad_request("; ".join(errors))
        parameters = dict(parse_qsl(request.query))
        return self._application.answer(
            request.method, operation.template, values, parameters, request.body
        )

    def _checked_reply(
        self,
        operation: Operation | None,
        request: Request,
        status: int,
        result: Any,
        start: float,
    ) -> Reply:
        """Wrap a result, and check that a server might have answered so."""
        seconds = time.perf_counter() - start
        if status != 200:
            body = {"status": {"error": result}, "time": seconds}
        elif isinstance(result, str) or request.path == "/":
            body = result
        else:
            body = {"result": result, "status": "ok", "time": seconds}
        kind = "text/plain" if isinstance(body, str) else "application/json"
        if operation is not None:
            errors = operation.response_errors(status, kind, body)
            place = f"answer to {request.method} {request.path}"
            self.own_faults.extend(f"{place}: {error}" for error in errors)
        if isinstance(body, str):
            return _text(status, body)
        return Reply(status, kind, json.dumps(body).encode())


class _Listener(ThreadingHTTPServer):
    """The network side: one thread for each connection, all of which end with the server."""

    daemon_threads = False

    def __init__(self, server: LoopbackServer):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.loopback = server
        self.stopping = threading.Event()
        self.connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember a connection before its thread starts, or a stop could miss it."""
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that has ended."""
        self.connections.discard(request)
        super().shutdown_request(request)

    def stop(self) -> None:
        """Close all connections and wait for their threads."""
        self.stopping.set()
        self.shutdown()
        for connection in list(self.connections):
            _hang_up(connection)
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Remember what would be printed."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError):
            self.loopback.own_faults.append(f"{type(error).__name__}: {error}")


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Listener

    def finish(self) -> None:
        # The client may have gone away first.
        with suppress(ConnectionError):
            super().finish()

    def _answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        reply, fault = self.server.loopback.reply_to(self.command, self.path, self.headers, content)
        if fault.delay:
            self.server.stopping.wait(fault.delay)
        if fault.cut == "before":
            self._cut()
            return
        self.send_response(reply.status)
        length = len(reply.content)
        headers = {"Content-Type": reply.kind, "Content-Length": str(length), **reply.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.content[: length // 2] if fault.cut else reply.content)
        if fault.cut:
            self.wfile.flush()
            self._cut()

    # The standard library looks for these names.
    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

    def _cut(self) -> None:
        self.close_connection = True
        _hang_up(self.connection)

    def log_message(self, *args: object) -> None:
        """Print nothing: `LoopbackServer.requests` is the log."""


def _hang_up(connection: socket.socket) -> None:
    # The other side may have been quicker.
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _text(status: int, text: str) -> Reply:
    return Reply(status, "text/plain", text.encode())


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
