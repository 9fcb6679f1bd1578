"""Fixtures of the tests of the archive."""

import contextlib
import io
import socket
import struct
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse
from urllib3.util import Retry

from astro_paperclip.archive import Mast


class Web(ThreadingHTTPServer):
    """A server whose every path answers as it was told: in turn, and the last answer for ever.

    An answer is bytes, or a function of the handler; the methods below make such functions.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.answers = {}
        self.asked = defaultdict(list)
        self.n_connections = 0
        self.lock = threading.Lock()

    @property
    def n_requests(self):
        return sum(len(times) for times in self.asked.values())

    def put(self, path, *answers):
        self.answers[path] = list(answers)
        return self.url + path

    def handle_error(self, request, client_address):
        """Clients hang up in the middle of these answers; that is no error."""

    @staticmethod
    def status(code, body=b"no", **headers):
        def answer(handler):
            handler.head(code, **{"Content-Length": len(body), **headers})
            handler.wfile.write(body)

        return answer

    @staticmethod
    def redirect(target, code=302):
        return Web.status(code, b"", Location=target)

    @staticmethod
    def page(body=b"<html>busy</html>"):
        return Web.status(200, body, **{"Content-Type": "text/html"})

    @staticmethod
    def announced(length, body, reset=False):
        """Send a body, announce another length, and hang up."""

        def answer(handler):
            handler.close_connection = True
            handler.head(200, **{"Content-Length": length})
            handler.wfile.write(body)
            if reset:
                handler.wfile.flush()
                # A lingering time of nothing makes the closed socket send a reset.
                option = struct.pack("ii", 1, 0)
                handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
                handler.connection.close()

        return answer

    @staticmethod
    def endless(piece=bytes(1 << 16), pause=0.0, length=None):
        """Send pieces until the client has had enough, in chunks where no length is announced."""

        def answer(handler):
            handler.close_connection = True
            chunked = {"Transfer-Encoding": "chunked"}
            handler.head(200, **({"Content-Length": length} if length else chunked))
            chunk = piece if length else b"%x\r\n%s\r\n" % (len(piece), piece)
            while True:
                handler.wfile.write(chunk)
                time.sleep(pause)

        return answer

    @staticmethod
    def until_closed(body):
        """Send a body without a length, as HTTP/1.0 did."""

        def answer(handler):
            handler.close_connection = True
            handler.head(200)
            handler.wfile.write(body)

        return answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        with self.server.lock:
            self.server.n_connections += 1

    def do_GET(self):
        with self.server.lock:
            self.server.asked[self.path].append(time.monotonic())
            answers = self.server.answers.get(self.path) or [Web.status(404)]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, bytes):
            answer = Web.status(200, answer)
        with contextlib.suppress(OSError):
            answer(self)

    def head(self, code, **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def web():
    """Return a running server that answers as it is told."""
    with Web() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Canned(HTTPAdapter):
    """Replies that a function makes of requests: (status, media type, body)."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer
        self.asked = []

    def send(self, request, **_):
        self.asked.append(request)
        status, kind, body = self.answer(request)
        headers = {"Content-Type": kind}
        response = HTTPResponse(io.BytesIO(body), headers, status, preload_content=False)
        return self.build_response(request, response)


@pytest.fixture
def canned():
    """Return a function that makes a Mast from such a function, and a list of what it is asked."""

    def make(answer):
        mast = Mast("https://mast.example", retry=Retry(3, backoff_factor=0))
        adapter = Canned(answer)
        mast.reply_session.mount("https://", adapter)
        return mast, adapter.asked

    return make


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """Return the directory of a small simulated archive; tests only read it."""
    from astro_paperclip.simulation import write_archive

    folder = tmp_path_factory.mktemp("simulated") / "archive"
    write_archive(folder, proposals=12, images_per_proposal=(3, 6), size=64, progress=False)
    return folder


@pytest.fixture(scope="session")
def observations(simulated):
    """Return the observations of the simulated archive; tests only read them."""
    from astro_paperclip.archive.storage import read_table

    return read_table(simulated / "observations.parquet")
