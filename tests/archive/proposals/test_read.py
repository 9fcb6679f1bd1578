"""Proposals from files, tables and addresses; the copy that is kept of an address."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, Table
from astropy.utils.exceptions import AstropyUserWarning
from astroquery.exceptions import CorruptDataWarning
from urllib3.util import Retry

from astro_paperclip import conf
from astro_paperclip.archive import Mast
from astro_paperclip.archive.proposals.read import read_proposals
from astro_paperclip.archive.storage import write_table
from astro_paperclip.exceptions import ArchiveError, InvalidQueryError, NoResultsWarning
from astro_paperclip.simulation import write_archive
from astro_paperclip.simulation.server import serve

RULE = "-" * 78
COLUMNS = ["proposal_id", "title", "abstract", "category"]
COLUMNS += ["proposal_type", "proposal_pi", "cycle"]


def catalogue_of(*numbers, cycle="12", title="Sources"):
    """Return a catalogue with proposals of these numbers."""
    return "".join(
        f"{RULE}\nProp. Type: GO\nCategory: AGN\nID: {number}\nCycle: {cycle}\n"
        f"Title: {title} {number}\nPI: Ada Example\n\nAbstract {number}.\n"
        for number in numbers
    )


@pytest.fixture
def catalogue(tmp_path):
    """Return a catalogue of five proposals in three cycles."""
    path = tmp_path / "abstracts.cat"
    parts = [catalogue_of(1, 2), catalogue_of(3, 4, cycle="13"), catalogue_of(5, cycle="")]
    path.write_text("".join(parts))
    return path


def ids(table):
    return table["proposal_id"].tolist()


class TestFiles:
    def test_the_catalogue(self, catalogue):
        proposals = read_proposals(catalogue)
        assert proposals.colnames == COLUMNS
        assert dict(zip(COLUMNS, proposals[1], strict=True)) == {
            "proposal_id": "2",
            "title": "Sources 2",
            "abstract": "Abstract 2.",
            "category": "AGN",
            "proposal_type": "GO",
            "proposal_pi": "Ada Example",
            "cycle": "12",
        }
        assert proposals["cycle"][4] == ""
        assert all(proposals[name].description for name in COLUMNS)
        assert proposals.meta["source"] == str(catalogue)
        assert 0 * u.day <= proposals.meta["age"] < 1 * u.day
        assert proposals.meta["faults"] == []

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ({"cycle": 12}, ["1", "2"]),
            ({"cycle": "Cycle 13"}, ["3", "4"]),
            ({"cycle": range(12, 14)}, ["1", "2", "3", "4"]),
            ({"proposal_id": 4}, ["4"]),
            ({"proposal_id": ["5", "01"]}, ["1", "5"]),
            ({"proposal_id": np.array([1, 3]), "cycle": ["13"]}, ["3"]),
            ({"proposal_id": MaskedColumn(["1", "3"])}, ["1", "3"]),
        ],
    )
    def test_a_choice(self, catalogue, asked, found):
        proposals = read_proposals(catalogue, **asked)
        assert ids(proposals) == found
        assert proposals.meta["left_out"] == {"not asked for": 5 - len(found)}

    def test_unknown_proposals_are_named(self, catalogue):
        with pytest.warns(NoResultsWarning, match="no proposal 77, 780"):
            assert ids(read_proposals(catalogue, proposal_id=["780", 1, 77])) == ["1"]

    def test_nothing_found_is_an_empty_table(self, catalogue):
        with pytest.warns(NoResultsWarning, match="no such proposals"):
            proposals = read_proposals(catalogue, cycle=30)
        assert len(proposals) == 0
        assert proposals.colnames == COLUMNS

    @pytest.mark.parametrize(
        "asked",
        [
            {"cycle": []},
            {"cycle": ""},
            {"cycle": 12.5},
            {"proposal_id": True},
            {"proposal_id": "ten"},
            {"proposal_id": [1, None]},
        ],
    )
    def test_senseless_choices(self, asked):
        (name,) = asked
        with pytest.raises(InvalidQueryError, match=name):
            read_proposals("never-read.cat", **asked)

    def test_damaged_records(self, catalogue):
        with catalogue.open("a") as file:
            file.write(catalogue_of("x", 2) + catalogue_of(1, title="Other"))
        with pytest.warns(CorruptDataWarning, match=r"2 of 8 records .* line 2: proposal 1"):
            proposals = read_proposals(catalogue, cycle=12)
        assert proposals["title"].tolist() == ["Other 1", "Sources 2"]
        assert [line for line, _ in proposals.meta["faults"]] == [2, 47]
        assert proposals.meta["left_out"] == {"damaged": 1, "listed twice": 2, "not asked for": 3}

    def test_programmes_of_jwst(self, shared):
        path = shared / "data/jwst_proposals/programmes.jsonl"
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        proposals = read_proposals(path, mission="JWST")
        assert len(proposals) == len(rows) == 1473
        by_id = {str(row["proposal_id"]): row for row in rows}
        for row in proposals:
            title = by_id[row["proposal_id"]]["title"]
            assert row["title"].split() == title.split()
        cycles = {row["cycle"].removeprefix("Cycle ") for row in rows}
        assert set(proposals["cycle"].tolist()) == cycles == {"", "1", "2", "3", "4"}
        chosen = read_proposals(path, mission="JWST", proposal_id=2080)
        assert chosen["proposal_pi"].tolist() == ["Jason Glenn"]

    def test_faulty_lines_of_json(self, tmp_path):
        lines = ['{"id": 1, "title": "T"}', "{", "", "[1]", '{"title": "T"}', '{"id": "x"}']
        (tmp_path / "a.jsonl").write_text("\n".join(lines))
        with pytest.warns(CorruptDataWarning, match="4 of 5 records"):
            proposals = read_proposals(tmp_path / "a.jsonl")
        assert ids(proposals) == ["1"]
        assert [line for line, _ in proposals.meta["faults"]] == [2, 4, 5, 6]

    @pytest.mark.parametrize("suffix", ["csv", "ecsv", "parquet"])
    def test_any_table(self, tmp_path, suffix):
        table = Table({"Prop. ID": [3, 4], "Title": ["A: b", "C &amp; d"], "PI": ["E", "F"]})
        table["Cycle"] = MaskedColumn([29, 0], mask=[False, True])
        path = tmp_path / f"a.{suffix}"
        if suffix == "parquet":
            write_table(table, path)
        else:
            table.write(path)
        for source in (path, table):
            proposals = read_proposals(source)
            assert proposals.colnames == COLUMNS
            assert ids(proposals) == ["3", "4"]
            assert proposals["title"].tolist() == ["A: b", "C & d"]
            assert proposals["proposal_pi"].tolist() == ["E", "F"]
            assert proposals["cycle"].tolist() == ["29", ""]
            assert proposals["abstract"].tolist() == ["", ""]

    def test_what_was_written_is_read(self, catalogue, tmp_path):
        proposals = read_proposals(catalogue)
        write_table(proposals, tmp_path / "proposals.parquet")
        again = read_proposals(tmp_path / "proposals.parquet")
        assert again.colnames == proposals.colnames
        assert again.values_equal(proposals).as_array().tolist() == [(True,) * 7] * 5

    def test_unusable_sources(self, tmp_path):
        with pytest.raises(InvalidQueryError, match=r"no file .*lost"):
            read_proposals(tmp_path / "lost.cat")
        with pytest.raises(InvalidQueryError, match="only: a, title"):
            read_proposals(Table({"a": [1], "title": ["t"]}))
        (tmp_path / "a.parquet").write_text("no table")
        with pytest.raises(InvalidQueryError, match=r"a\.parquet"):
            read_proposals(tmp_path / "a.parquet")
        with pytest.raises(InvalidQueryError, match="JWST"):
            read_proposals(mission="JWST")


class Published:
    """A catalogue at an address; `script` holds what is answered first."""

    def __init__(self):
        self.text = catalogue_of(1, 2) + RULE + "\n"
        self.script = []
        self.asked = []

    def answer(self, request):
        self.asked.append(request)
        body, version = self.text.encode(), f'"{hash(self.text)}"'
        fault = self.script.pop(0) if self.script and request.command == "GET" else ""
        if fault == "503":
            request.send_response(503)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        if request.headers["If-None-Match"] == version:
            request.send_response(304)
            request.end_headers()
            return
        length = len(body)
        if fault == "html":
            body = b"<!DOCTYPE html><html><body>We moved. -----</body></html>"
            length = len(body)
        elif fault == "cut":
            body = body[: length // 2]
        elif fault == "short":
            body = body[: length // 2]
            length //= 2
        request.send_response(200)
        request.send_header("Content-Length", str(length))
        request.send_header("ETag", version)
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(body)
        request.close_connection = True


@contextmanager
def running(published):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            published.answer(self)

        def do_HEAD(self):
            published.answer(self)

        def log_message(self, *args):
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def published(tmp_path):
    """Publish a catalogue at the address that ``published.mast`` asks."""
    published = Published()
    with running(published) as address, conf.set_temp("cache_dir", str(tmp_path / "cache")):
        published.mast = Mast(address, retry=Retry(3, backoff_factor=0), timeout=5)
        yield published
        published.mast.session.close()


def grow_old(tmp_path, days):
    """Make the copies that are kept look older."""
    for path in (tmp_path / "cache/proposals").glob("*.json"):
        notes = json.loads(path.read_text())
        date = np.datetime64(notes["date"][:19]) - np.timedelta64(days, "D")
        path.write_text(json.dumps(notes | {"date": f"{date}+00:00"}))


class TestAddresses:
    def read(self, published, **kwargs):
        return read_proposals(mast=published.mast, progress=False, **kwargs)

    def test_the_configured_address(self, published):
        proposals = self.read(published)
        assert ids(proposals) == ["1", "2"]
        assert proposals.meta["source"] == published.mast.proposals_url
        assert conf.proposals_url.endswith(published.asked[0].path)
        assert proposals.meta["age"] < 1 * u.hour

    def test_any_address(self, published):
        url = f"{published.mast.server}/elsewhere/list.cat"
        assert ids(read_proposals(url, mast=published.mast, progress=False)) == ["1", "2"]
        assert published.asked[0].path == "/elsewhere/list.cat"

    def test_a_copy_is_used_until_it_is_old(self, published, tmp_path):
        self.read(published)
        published.text = catalogue_of(1, 2, 3) + RULE
        grow_old(tmp_path, 29)
        proposals = self.read(published)
        assert ids(proposals) == ["1", "2"]
        assert proposals.meta["age"].to_value("d") == pytest.approx(29, abs=0.1)
        assert len(published.asked) == 1
        assert ids(self.read(published, max_age=10 * u.day)) == ["1", "2", "3"]
        assert self.read(published).meta["age"] < 1 * u.hour
        assert len(published.asked) == 2

    def test_an_old_copy_that_is_current_is_not_sent_again(self, published, tmp_path):
        self.read(published)
        grow_old(tmp_path, 31)
        before = published.mast.traffic.n_bytes
        proposals = self.read(published)
        assert len(published.asked) == 2
        assert published.mast.traffic.n_bytes == before
        assert ids(proposals) == ["1", "2"]
        assert proposals.meta["age"] < 1 * u.hour

    def test_asked_to_look_again(self, published):
        self.read(published)
        published.text = catalogue_of(7) + RULE
        assert ids(self.read(published, refresh=True)) == ["7"]

    @pytest.mark.parametrize(
        ("fault", "kind"),
        [
            ("503", "server error"),
            ("html", "unreadable"),
            ("cut", "incomplete"),
            ("short", "incomplete"),
        ],
    )
    def test_a_passing_fault(self, published, fault, kind):
        published.text = catalogue_of(*range(1, 40)) + RULE
        published.script = [fault]
        assert len(self.read(published)) == 39
        assert dict(published.mast.traffic.faults) == {kind: 1}

    def test_a_catalogue_without_a_last_line_of_dashes(self, published):
        published.text = catalogue_of(1, 2)
        assert ids(self.read(published)) == ["1", "2"]
        assert not published.mast.traffic.faults

    @pytest.mark.parametrize("fault", ["503", "html", "cut", "short"])
    def test_a_lasting_fault_leaves_the_copy(self, published, tmp_path, fault):
        self.read(published)
        grow_old(tmp_path, 45)
        published.text = catalogue_of(7, 8, 9) + RULE
        published.script = [fault] * 4
        with pytest.warns(AstropyUserWarning, match="45 days old"):
            proposals = self.read(published)
        assert ids(proposals) == ["1", "2"]
        assert proposals.meta["age"].to_value("d") == pytest.approx(45, abs=0.1)
        assert ids(self.read(published)) == ["7", "8", "9"]

    def test_nothing_to_fall_back_on(self, published):
        published.script = ["503"] * 4
        with pytest.raises(ArchiveError, match="by hand"):
            self.read(published)
        assert ids(self.read(published)) == ["1", "2"]

    def test_a_senseless_age(self, published):
        with pytest.raises(InvalidQueryError, match=r"30 \* u\.day"):
            self.read(published, max_age=3 * u.m)


def test_the_catalogue_of_a_server(tmp_path):
    directory = write_archive(tmp_path / "sky", proposals=5, size=32, progress=False).parent
    known = read_proposals(directory / "proposals.parquet")
    with serve(directory) as server, conf.set_temp("cache_dir", str(tmp_path / "cache")):
        mast = Mast(server.url)
        proposals = read_proposals(mast=mast, progress=False)
        mast.session.close()
    assert ids(proposals) == ids(known)
    for name in ("title", "abstract", "category", "proposal_pi", "cycle"):
        assert proposals[name].tolist() == known[name].tolist()


@pytest.mark.remote_data
def test_the_real_catalogue(tmp_path):
    with conf.set_temp("cache_dir", str(tmp_path)):
        proposals = read_proposals(proposal_id=10001, progress=False)
    assert proposals["title"].tolist() == ["Locating Ultraluminous X-Ray Sources"]
    assert proposals["cycle"].tolist() == ["12"]
    assert proposals.meta["left_out"]["not asked for"] > 10_000
