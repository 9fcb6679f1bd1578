"""Many files at once: whole, or not there."""

import errno
import hashlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
from urllib3.util import Retry

from astro_paperclip.archive import Mast
from astro_paperclip.archive.fetching import remove_leftovers
from astro_paperclip.archive.transfer import Transfer, fetch_files
from astro_paperclip.exceptions import DiskSpaceError, ImageError, InvalidQueryError

BODY = bytes(range(256)) * 40


@pytest.fixture
def mast(web):
    """Return a client that is quick to try again."""
    return Mast(web.url, retry=Retry(6, backoff_factor=0), timeout=1.0)


@pytest.fixture
def fetch(tmp_path, mast):
    """Return a function that fetches one address."""

    def fetch(url, size=None, **options):
        transfers = [Transfer(url, tmp_path / "files" / "a.bin", size)]
        (result,) = fetch_files(transfers, mast=mast, progress=False, **options)
        return result

    return fetch


def names(folder):
    """Return the names of all files below a folder, hidden ones too."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_file_arrives_whole(web, fetch, tmp_path, mast):
    result = fetch(web.put("/a", BODY), size=len(BODY))
    assert (result.status, result.message, result.attempts) == ("complete", "", 1)
    checksum = hashlib.sha256(BODY).hexdigest()
    assert (result.n_bytes, result.sha256) == (len(BODY), checksum)
    assert (result.served_bytes, result.served_sha256) == (len(BODY), checksum)
    assert (tmp_path / "files" / "a.bin").read_bytes() == BODY
    assert (tmp_path / "files" / "a.bin").stat().st_mode & 0o777 == 0o666 & ~current_umask()
    assert names(tmp_path) == ["a.bin"]
    assert (mast.traffic.requests, mast.traffic.n_bytes) == (1, len(BODY))
    assert not mast.traffic.faults


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


FAULTS = {
    "too many requests": lambda web: web.status(429, **{"Retry-After": 0}),
    "server error": lambda web: web.status(503),
    "connection": None,
    "incomplete": lambda web: web.announced(len(BODY), BODY[:999]),
    "incomplete, reset": lambda web: web.announced(len(BODY), BODY[:999], reset=True),
    "too slow": lambda web: web.endless(b"x", pause=0.05, length=999),
    "too slow, silent": lambda web: web.endless(b"x", pause=1.6, length=999),
    "unreadable": lambda web: web.page(),
}


@pytest.mark.parametrize("name", [name for name in FAULTS if FAULTS[name]])
def test_what_passes_is_tried_again(web, fetch, mast, tmp_path, name):
    fault = FAULTS[name](web)
    result = fetch(web.put("/a", fault, fault, BODY))
    assert (result.status, result.attempts) == ("complete", 3)
    assert (tmp_path / "files" / "a.bin").read_bytes() == BODY
    kind = name.partition(",")[0]
    expected = {"connection", "incomplete"} if "reset" in name else {kind}
    assert set(mast.traffic.faults) <= expected
    assert mast.traffic.faults.total() == 2
    assert mast.traffic.requests == web.n_requests == 3


@pytest.mark.parametrize("name", [name for name in FAULTS if FAULTS[name] and "slow" not in name])
def test_what_does_not_pass_is_given_up(web, fetch, mast, tmp_path, name):
    result = fetch(web.put("/a", FAULTS[name](web)))
    assert (result.status, result.attempts) == ("failed", 7)
    assert name.partition(",")[0] in result.message or "reset" in name
    assert names(tmp_path) == []
    assert mast.traffic.faults.total() == web.n_requests == 7


def test_a_server_that_is_not_there(fetch, mast, tmp_path):
    result = fetch("http://127.0.0.1:1/a")
    assert result.status == "failed"
    assert mast.traffic.faults == {"connection": 7}
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "message"),
    [(401, "not public"), (403, "exclusive"), (404, "404"), (410, "410"), (204, "HTTP 204")],
)
def test_what_would_be_refused_again_is_asked_for_once(web, fetch, tmp_path, code, message):
    result = fetch(web.put("/a", web.status(code, b"")))
    assert (result.status, result.attempts) == ("refused", 1)
    assert message in result.message
    assert web.n_requests == 1
    assert names(tmp_path) == []


def test_redirects_on_the_web_are_followed(web, fetch):
    web.put("/c", BODY)
    web.put("/b", web.redirect(f"{web.url}/c", 307))
    assert fetch(web.put("/a", web.redirect("b", 301))).status == "complete"
    assert web.n_connections == 1


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://127.0.0.1/a", "//[", "/a", "data:,x"]
)
def test_redirects_to_elsewhere_are_not(web, fetch, tmp_path, target):
    result = fetch(web.put("/a", web.redirect(target)))
    assert result.status == "refused"
    assert names(tmp_path) == []
    assert web.n_requests == (31 if target == "/a" else 1)


@pytest.mark.parametrize("answer", ["announced", "in chunks", "redirect", "gzip"])
def test_ten_gigabytes_take_neither_memory_nor_disk(web, fetch, tmp_path, answer):
    import gzip

    bomb = gzip.compress(bytes(20_000_000))
    answers = {
        "announced": web.endless(length=10_000_000_000),
        "in chunks": web.endless(),
        "redirect": _endless_redirect,
        "gzip": web.status(200, bomb, **{"Content-Encoding": "gzip"}),
    }
    tracemalloc.start()
    result = fetch(web.put("/a", answers[answer]), max_bytes=1_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result.status == "refused"
    assert ("404" if answer == "redirect" else "larger than the") in result.message
    assert names(tmp_path) == []
    assert peak < 5_000_000


def _endless_redirect(handler):
    handler.close_connection = True
    handler.head(302, Location="/b", **{"Transfer-Encoding": "chunked"})
    while True:
        handler.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")


def test_a_wrong_size_in_the_list_is_noted(web, fetch):
    result = fetch(web.put("/a", BODY), size=7)
    assert result.status == "complete"
    assert result.message == f"{len(BODY)} bytes came, where 7 were listed"


def test_the_size_in_the_list_counts_where_nothing_else_does(web, fetch, mast):
    answers = [web.until_closed(BODY[:-1]), web.until_closed(BODY)]
    assert fetch(web.put("/a", *answers), size=len(BODY)).status == "complete"
    assert mast.traffic.faults == {"incomplete": 1}


def test_files_that_are_checked_and_changed(web, fetch, tmp_path):
    def finish(path):
        assert path.parent == tmp_path / "files"
        path.write_bytes(path.read_bytes()[:100])
        return "short"

    result = fetch(web.put("/a", BODY), finish=finish)
    assert result.finished == "short"
    assert (result.n_bytes, result.served_bytes) == (100, len(BODY))
    assert result.sha256 == hashlib.sha256(BODY[:100]).hexdigest()
    assert result.served_sha256 == hashlib.sha256(BODY).hexdigest()


def no_picture_unless_good(path):
    if path.read_bytes() != b"good":
        raise ImageError("nothing to be seen")


def test_what_is_no_picture_may_be_one_next_time(web, fetch, mast, tmp_path):
    bad = [b"bad"] * 4
    result = fetch(web.put("/a", *bad, b"good"), finish=no_picture_unless_good)
    assert (result.status, result.attempts) == ("complete", 5)
    assert mast.traffic.faults == {"not an image": 4}
    result = fetch(web.put("/a", *bad, b"bad"), finish=no_picture_unless_good)
    assert (result.status, result.attempts) == ("refused", 5)
    assert "nothing to be seen" in result.message
    assert mast.traffic.faults == {"not an image": 9}
    assert (tmp_path / "files" / "a.bin").read_bytes() == b"good"


def test_a_record_is_made_before_a_file_takes_its_name(web, fetch, tmp_path):
    def record(result):
        assert names(tmp_path) != ["a.bin"]
        records.append(result)

    records = []
    result = fetch(web.put("/a", BODY), record=record)
    assert records == [result]
    assert names(tmp_path) == ["a.bin"]


def test_connections_are_kept(web, mast, tmp_path):
    transfers = [Transfer(web.put(f"/{i}", BODY), tmp_path / str(i)) for i in range(60)]
    results = list(fetch_files(transfers, mast=mast, max_conn=3, progress=False))
    assert Counter(result.status for result in results) == {"complete": 60}
    assert {result.transfer for result in results} == set(transfers)
    assert web.n_connections <= 3


def test_transfers_are_taken_when_there_is_a_place_for_them(web, mast, tmp_path):
    taken = []

    def endlessly_many():
        for number in itertools.count():
            taken.append(number)
            yield Transfer(web.url + "/a", tmp_path / str(number))

    web.put("/a", BODY)
    results = fetch_files(endlessly_many(), mast=mast, max_conn=4, progress=False)
    for _ in itertools.islice(results, 50):
        assert len(taken) <= 60
    results.close()
    assert len(taken) <= 60
    assert names(tmp_path) == sorted(name for name in names(tmp_path) if name.isdigit())


def test_all_transfers_rest_when_the_server_asks_for_it(web, mast, tmp_path):
    web.put("/busy", web.status(503, **{"Retry-After": 1}), BODY)
    web.put("/a", BODY)
    transfers = [Transfer(web.url + "/busy", tmp_path / "busy")]
    transfers += [Transfer(web.url + "/a", tmp_path / str(number)) for number in range(100)]
    results = list(fetch_files(transfers, mast=mast, max_conn=2, progress=False))
    assert all(result.status == "complete" for result in results)
    refused, answered = web.asked["/busy"]
    assert answered - refused >= 1
    # One other request may have been on its way.
    others = [when for when in web.asked["/a"] if refused + 0.1 < when < refused + 0.95]
    assert len(others) <= 1


def test_leftovers_are_removed(tmp_path, web, fetch):
    folder = tmp_path / "files"
    folder.mkdir()
    leftover = folder / f".{'0a' * 16}.part"
    others = [folder / ".mine.part", folder / f"{'0a' * 16}.part", folder / ".hidden"]
    for path in (leftover, *others):
        path.write_bytes(b"half")
    fetch(web.put("/a", BODY))
    assert leftover.exists(), "another process may be at work on it"
    os.utime(leftover, (0, 0))
    fetch(web.put("/a", BODY))
    assert not leftover.exists()
    leftover.write_bytes(b"half")
    remove_leftovers(folder)
    assert not leftover.exists()
    assert all(path.exists() for path in others)
    remove_leftovers(folder / "nowhere")


def test_a_full_disk_stops_all(web, fetch, tmp_path):
    def finish(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DiskSpaceError, match="make room"):
        fetch(web.put("/a", BODY), finish=finish)
    assert names(tmp_path) == []


def test_an_unexpected_error_is_not_hidden(web, fetch, tmp_path):
    def finish(path):
        raise ZeroDivisionError("a fault of the program")

    with pytest.raises(ZeroDivisionError):
        fetch(web.put("/a", BODY), finish=finish)
    assert names(tmp_path) == []


def test_bad_arguments_fail_before_any_work(web, mast, tmp_path):
    with pytest.raises(InvalidQueryError, match="max_conn=0"):
        fetch_files([Transfer(web.url, tmp_path / "a")], mast=mast, max_conn=0)
    assert list(fetch_files([], mast=mast, progress=False)) == []
    assert web.n_requests == 0


def test_who_loses_interest_is_left_alone(web, mast, tmp_path):
    transfers = [Transfer(web.put("/0", BODY), tmp_path / "0")]
    transfers += [Transfer(web.put(f"/{i}", _slowly), tmp_path / str(i)) for i in range(1, 9)]
    results = fetch_files(transfers, mast=mast, max_conn=4, progress=False)
    assert next(results).status == "complete"
    results.close()
    assert names(tmp_path) == ["0"]
    assert threading.active_count() < 20


def _slowly(handler):
    handler.head(200, **{"Content-Length": 10_000_000})
    for _ in range(1000):
        handler.wfile.write(bytes(10_000))
        time.sleep(0.1)


INTERRUPTED = """
import signal
import sys
import threading
from pathlib import Path
from astro_paperclip.archive import Mast
from astro_paperclip.archive.transfer import Transfer, fetch_files

url, folder, taker = sys.argv[1:]
if taker == "another thread":
    # As when a signal comes just before the main thread begins to wait: nothing wakes it.
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
transfers = [Transfer(f"{url}/{i}", Path(folder, str(i))) for i in range(100)]
for result in fetch_files(transfers, mast=Mast(url), max_conn=4, progress=False):
    print(result.status, flush=True)
"""


@pytest.mark.parametrize(
    ("how", "taker"),
    [
        (signal.SIGINT, "the main thread"),
        (signal.SIGINT, "another thread"),
        (signal.SIGKILL, "the main thread"),
    ],
)
def test_an_interruption_leaves_whole_files_only(web, tmp_path, how, taker):
    for number in range(100):
        web.put(f"/{number}", BODY if number < 5 else _slowly)
    command = [sys.executable, "-c", INTERRUPTED, web.url, str(tmp_path), taker]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        for _ in range(5):
            assert process.stdout.readline() == b"complete\n"
        process.send_signal(how)
        # The files that were under way would take minutes.
        _, errors = process.communicate(timeout=20)
    files = [path for path in tmp_path.iterdir() if not path.name.startswith(".")]
    assert sorted(path.name for path in files) == ["0", "1", "2", "3", "4"]
    assert all(path.read_bytes() == BODY for path in files)
    if how == signal.SIGINT:
        assert b"KeyboardInterrupt" in errors
        assert names(tmp_path) == ["0", "1", "2", "3", "4"]
    remove_leftovers(Path(tmp_path))
    assert names(tmp_path) == ["0", "1", "2", "3", "4"]
