"""Requests come in and replies go out by HTTP, or fail to."""

import socket
import struct
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from urllib.parse import parse_qsl, urlsplit

from astro_paperclip.logger import log
from astro_paperclip.simulation.server.application import Application
from astro_paperclip.simulation.server.faults import CUT_SHORT, Faults, spoil
from astro_paperclip.simulation.server.reply import Reply

__all__ = ["Server"]

# Pause between two bytes of a trickle [s].
_TRICKLE_PAUSE = 0.2

# SO_LINGER, on and of no time: closing the socket resets the connection.
_RESET = struct.pack("ii", 1, 0)


class Server(ThreadingMixIn, TCPServer):
    """
    A server of HTTP on loopback, one thread a connection.

    Parameters
    ----------
    application : `Application`
        What is answered.
    faults : `Faults`
        What goes wrong.
    port : int
        0 for any that is free.
    latency : float
        Time before each answer [s].
    retry_after : int
        Pause that a refusal asks for [s].

    Attributes
    ----------
    requests : `~collections.Counter`
        Number of requests by kind.
    """

    # TCPServer and not HTTPServer, which asks for the host's name, at times for seconds.
    allow_reuse_address = True
    block_on_close = True
    daemon_threads = False
    request_queue_size = 128

    def __init__(
        self, application: Application, faults: Faults, *, port: int, latency: float,
        retry_after: int,
    ):  # fmt: skip
        self.application = application
        self.faults = faults
        self.latency = latency
        self.retry_after = retry_after
        self.requests = Counter()
        self.closing = threading.Event()
        self._connections = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def count(self, kind: str | None) -> None:
        """Count a request."""
        if kind is not None:
            with self._lock:
                self.requests[kind] += 1

    def process_request(self, request, client_address):
        """Remember the connection, and hand it to a thread."""
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        """Close a connection that its thread is done with."""
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self):
        """Close the server and all connections, and wait for their threads."""
        self.closing.set()
        with self._lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    # The client closed it first.
                    continue
        super().server_close()

    def handle_error(self, request, client_address):  # noqa: ARG002
        """Log what went wrong in a thread."""
        log.exception(f"The simulated archive failed at a request of {client_address}")


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "SimulatedMAST"
    # Head and body go out in two pieces; the second is not to wait for the first's receipt.
    disable_nagle_algorithm = True

    def handle(self):
        """Answer requests until the client leaves."""
        try:
            super().handle()
        except ConnectionError:
            # The client left in the middle of a reply.
            self.close_connection = True

    def do_GET(self):
        """Answer any request."""
        url = urlsplit(self.path)
        # Read also where nothing is done with it: the next request follows it.
        form = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        parameters = dict(parse_qsl(f"{url.query}&{form}", keep_blank_values=True))
        if self.server.latency:
            self.server.closing.wait(self.server.latency)
        answer = self.server.application.answer(self.command, url.path, parameters, self.headers)
        self.server.count(answer.kind)
        fault = self.server.faults.deal(self.command, answer)
        if fault is None:
            self._send(answer.reply)
        elif fault.name in CUT_SHORT:
            self.close_connection = True
            getattr(self, f"_send_{fault.name}")(answer.reply, fault)
        else:
            self._send(spoil(answer.reply, fault, self.server.retry_after))

    do_POST = do_HEAD = do_DELETE = do_GET  # noqa: N815

    def log_message(self, format, *args):  # noqa: A002
        """Log at the level of debugging, not on the terminal."""
        log.debug(f"simulated archive: {format % args}")

    def _send(self, reply):
        self._send_head(reply, len(reply.body))
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def _send_head(self, reply: Reply, length):
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(length))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _send_reset(self, reply, fault):
        """Send a half, and reset the connection."""
        self._send_truncated(reply, fault)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        # Closed here, the connection is not shut down in good order first.
        self.connection.close()

    def _send_truncated(self, reply, fault):  # noqa: ARG002
        """Send a half, and close the connection as if that were all."""
        self._send_head(reply, len(reply.body))
        self.wfile.write(reply.body[: len(reply.body) // 2])

    def _send_wrong_length(self, reply, fault):
        """Announce half as much again, or only half where the cut shows."""
        length = len(reply.body)
        is_short = fault.seed % 2 and not reply.content_type.startswith("text/plain")
        self._send_head(reply, length // 2 if is_short else length * 3 // 2)
        self.wfile.write(reply.body)

    def _send_trickle(self, reply, fault):  # noqa: ARG002
        """Send a byte now and then, but never the last, until the client has had enough."""
        self._send_head(reply, len(reply.body))
        sent = 0
        self.connection.settimeout(_TRICKLE_PAUSE)
        while not self.server.closing.is_set():
            if sent < len(reply.body) - 1:
                self.wfile.write(reply.body[sent : sent + 1])
                sent += 1
            try:
                if not self.connection.recv(1):
                    return
            except TimeoutError:
                continue
