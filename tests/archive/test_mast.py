"""Addresses and patience, against a server that does what a list of actions says."""

import http.server
import threading
import time
from email.utils import formatdate

import pytest
import requests
from urllib3.util import Retry

from astro_paperclip.archive import Mast
from astro_paperclip.archive.replies import read_within
from astro_paperclip.config import conf
from astro_paperclip.exceptions import ArchiveError

QUICK = Retry(5, backoff_factor=0.001)


class ScriptedServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, actions):
        super().__init__(("127.0.0.1", 0), Handler)
        self.actions = iter(actions)
        self.seen = []
        self.stopped = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        next(self.server.actions)(self)

    def log_message(self, *args):
        pass

    def reply(self, status=200, body=b"", length=None, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = length is not None


def answers(status=200, body=b"", **options):
    return lambda handler: handler.reply(status, body, **options)


def trickles(handler):
    handler.reply(body=b"x", length=10**6)
    while not handler.server.stopped.wait(0.05):
        handler.wfile.write(b"x")
        handler.wfile.flush()


def hangs(handler):
    handler.server.stopped.wait(20)


def chunks_for_ever(handler):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while not handler.server.stopped.is_set():
        handler.wfile.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")


FINE = answers(body=b'{"status": "COMPLETE"}')


@pytest.fixture
def scripted():
    """Return a function that starts a server which does one action for each request."""
    servers = []

    def start(*actions):
        server = ScriptedServer(actions)
        servers.append((server, threading.Thread(target=server.serve_forever)))
        servers[-1][1].start()
        return server

    yield start
    for server, thread in servers:
        server.stopped.set()
        server.shutdown()
        thread.join()
        server.server_close()


def ask(mast):
    """Ask for a JSON document, as the clients of services do."""

    def once():
        response = mast.reply_session.get(mast.server)
        response.raise_for_status()
        return response.json()

    try:
        return mast.attempt(once)
    finally:
        mast.reply_session.close()


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        (answers(503), "server error"),
        (answers(500), "server error"),
        (answers(520), "server error"),
        (answers(429), "too many requests"),
        (answers(body=b"half", length=8), "incomplete"),
        (answers(body=b"<html>busy</html>"), "unreadable"),
        (trickles, "too slow"),
        (hangs, "too slow"),
    ],
)
def test_a_passing_fault_costs_an_attempt(scripted, action, kind):
    server = scripted(action, FINE)
    mast = Mast(server.url, retry=QUICK, timeout=0.3)
    assert ask(mast) == {"status": "COMPLETE"}
    assert dict(mast.traffic.faults) == {kind: 1}
    assert mast.traffic.requests == len(server.seen) == 2


def test_no_server_at_all():
    mast = Mast("http://127.0.0.1:9", retry=Retry(2), timeout=1)
    with pytest.raises(ArchiveError, match=r"127\.0\.0\.1:9.* failed 3 times.*connection"):
        ask(mast)
    assert dict(mast.traffic.faults) == {"connection": 3}


def test_patience_has_an_end(scripted):
    server = scripted(*[answers(503)] * 6)
    with pytest.raises(ArchiveError, match=r"failed 6 times.*server error"):
        ask(Mast(server.url, retry=QUICK))
    assert len(server.seen) == 6


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_final(scripted, status):
    server = scripted(answers(status))
    with pytest.raises(ArchiveError, match=str(status)):
        ask(Mast(server.url, retry=QUICK))
    assert len(server.seen) == 1


@pytest.mark.parametrize("form", ["seconds", "date", "nonsense"])
def test_retry_after_is_honoured(scripted, monkeypatch, form):
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    value = {"seconds": "7", "date": formatdate(time.time() + 60, usegmt=True), "nonsense": "soon"}
    server = scripted(answers(429, Retry_After=value[form]), FINE)
    ask(Mast(server.url, retry=QUICK))
    longest = {"seconds": 7, "date": 60, "nonsense": 0.1}[form]
    assert longest - 3 <= pauses[-1] <= longest


def test_nobody_waits_for_hours(scripted, monkeypatch):
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    ask(Mast(scripted(answers(503, Retry_After="86400"), FINE).url, retry=QUICK))
    assert max(pauses) <= 120


@pytest.mark.parametrize("action", [answers(body=b"x", length=10**10), chunks_for_ever])
def test_a_huge_reply_is_not_read(scripted, action):
    server = scripted(action)
    mast = Mast(server.url, retry=QUICK)
    with conf.set_temp("max_reply_size", 10**6), pytest.raises(ArchiveError, match="larger than"):
        ask(mast)
    assert mast.traffic.n_bytes < 2 * 10**6
    assert len(server.seen) == 1


def test_a_huge_reply_packed_small(scripted):
    import gzip

    body = gzip.compress(b"x" * 10**7)
    server = scripted(answers(body=body, Content_Encoding="gzip"))
    assert len(body) < 10**5
    with conf.set_temp("max_reply_size", 10**6), pytest.raises(ArchiveError, match="larger than"):
        ask(Mast(server.url, retry=QUICK))


def test_a_redirect_to_a_file_is_refused(scripted, tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    server = scripted(answers(302, Location=secret.as_uri()))
    with pytest.raises(ArchiveError, match=r"secret\.json"):
        ask(Mast(server.url, retry=QUICK))


def test_files_are_read_in_pieces(scripted):
    body = bytes(range(256)) * 2000
    mast = Mast(scripted(answers(body=body)).url)
    with mast.session.get(mast.server, stream=True, timeout=5) as response:
        pieces = list(read_within(response, max_bytes=10**6, timeout=5, traffic=mast.traffic))
    mast.session.close()
    assert b"".join(pieces) == body
    assert len(pieces) > 1
    assert mast.traffic.n_bytes == len(body)


def test_we_introduce_ourselves(scripted):
    server = scripted(FINE)
    ask(Mast(server.url))
    assert server.seen[0][1]["User-Agent"].startswith("astro_paperclip/")


def test_other_errors_pass_through():
    with pytest.raises(ZeroDivisionError):
        Mast("http://127.0.0.1:9").attempt(lambda: 1 / 0)


def test_addresses():
    mast = Mast()
    assert mast.server == "https://mast.stsci.edu"
    assert mast.tap_url == "https://mast.stsci.edu/vo-tap/api/v0.1/caom"
    assert mast.proposals_url == conf.proposals_url
    other = Mast("http://127.0.0.1:8000/")
    assert other.tap_url == "http://127.0.0.1:8000/vo-tap/api/v0.1/caom"
    assert other.proposals_url.startswith("http://127.0.0.1:8000/")
    assert other.proposals_url.endswith(conf.proposals_url.split("/", 3)[3])
    with conf.set_temp("mast_server", "http://127.0.0.1:8000"):
        assert Mast().proposals_url == other.proposals_url


@pytest.mark.parametrize("server", ["mast.stsci.edu", "ftp://mast.stsci.edu", "file:///tmp", "//x"])
def test_addresses_that_are_none(server):
    with pytest.raises(ArchiveError, match="no address"):
        Mast(server)


def test_addresses_of_files():
    mast = Mast()
    assert mast.file_url("mast:HST/product/a b&c.jpg") == (
        "https://mast.stsci.edu/api/v0.1/Download/file?uri=mast:HST/product/a%20b%26c.jpg"
    )
    url = "https://archive.stsci.edu/hst/previews/U27X/U27XCS01T.jpg"
    assert mast.file_url(url) == url


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "HST/a.jpg", "", "ftp://x/y", "https://"])
def test_addresses_of_no_files(uri):
    with pytest.raises(ArchiveError, match="neither a MAST URI"):
        Mast().file_url(uri)


def test_astroquery_is_pointed_at_the_server_alone():
    from astroquery.mast import Observations

    mast = Mast("http://127.0.0.1:9")
    portal = mast.observations._portal_api_connection
    assert portal.MAST_REQUEST_URL == "http://127.0.0.1:9/api/v0/invoke"
    assert portal._session is mast.reply_session
    assert "127.0.0.1" not in Observations._portal_api_connection.MAST_REQUEST_URL
    assert portal._column_configs is not Observations._portal_api_connection._column_configs


def test_a_request_that_is_refused_names_the_archive(scripted):
    server = scripted(answers(404))
    with pytest.raises(ArchiveError, match=f"MAST .{server.url}") as caught:
        ask(Mast(server.url))
    assert isinstance(caught.value.__cause__, requests.HTTPError)
