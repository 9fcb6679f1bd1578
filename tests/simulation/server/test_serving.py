"""Serving: addresses, files, connections, tables without previews."""

import json
import socket
import threading
from contextlib import ExitStack

import pyarrow as pa
import pytest
import requests
from PIL import Image

from astro_paperclip.config import conf
from astro_paperclip.exceptions import CollectionError
from astro_paperclip.simulation import Holdings, serve

FILE = "/api/v0.1/Download/file"


def ask(session, server, service, params, **more):
    request = json.dumps({"service": service, "params": params, **more})
    return session.post(f"{server.url}/api/v0/invoke", data={"request": request})


def test_parts_of_a_file(server, session, combined):
    def get(span, method="GET"):
        return session.request(
            method,
            f"{server.url}{FILE}",
            params={"uri": combined["jpegURL"]},
            headers={"Range": span} if span else {},
        )

    whole = get(None)
    length = len(whole.content)
    assert whole.headers["Content-Type"] == "image/jpeg"
    assert whole.headers["Accept-Ranges"] == "bytes"
    head = get(None, "HEAD")
    assert (head.content, int(head.headers["Content-Length"])) == (b"", length)
    for span, part in [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=10-", slice(10, None)),
        ("bytes=-7", slice(-7, None)),
        (f"bytes=5-{length + 100}", slice(5, None)),
    ]:
        reply = get(span)
        assert reply.status_code == 206
        assert reply.content == whole.content[part]
        start, stop, _ = part.indices(length)
        assert reply.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{length}"
    assert get(f"bytes={length}-").status_code == 416
    for span in ("bytes=-", "lines=1-2", "bytes=0-1,4-5"):
        assert get(span).content == whole.content


def test_unknown_addresses(server, session):
    for path in ("/", "/api", f"{FILE}?uri=../pairs.csv", f"{FILE}?uri=mast:HST/x.jpg", FILE):
        assert session.get(server.url + path).status_code == 404
    assert set(server.requests) == {"file"}
    url = f"{server.url}/portal/Mashup/Mashup.asmx/columnsconfig"
    assert session.post(url, data={"colConfigId": "Mast.Nothing"}).json() == {}


def test_the_catalogue_of_proposals(server, session, archive):
    text = session.get(f"{server.url}/simulated/abstracts.cat").text
    rule, *_, last = text.splitlines()
    assert set(rule) == {"-"}
    assert rule == last
    records = [record.strip() for record in text.split(rule) if record.strip()]
    proposals = Holdings.read(archive).proposals.to_pylist()
    for record, proposal in zip(records, proposals, strict=True):
        words = (
            f"Prop. Type: {proposal['proposal_type']} Category: {proposal['category']} "
            f"ID: {proposal['proposal_id']} Cycle: {proposal['cycle']} "
            f"Title: {proposal['title']} PI: {proposal['proposal_pi']} {proposal['abstract']}"
        )
        assert record.split() == words.split()
        assert proposal["proposal_type"] in ("GO", "SNAP", "GTO")
        assert max(map(len, record.splitlines())) < 80
    with conf.set_temp("proposals_url", "https://example.org/list/of.cat?x=1"):
        assert session.get(f"{server.url}/list/of.cat").text == text
    assert server.requests == {"proposals": 2}


def test_tables_without_previews(session, tmp_path):
    number = 3000
    columns = {
        "obsid": [str(number) for number in range(number)],
        "obs_id": [f"jw{number:05d}" for number in range(number)],
        "obs_collection": ["JWST"] * number,
        "proposal_id": [str(number // 100) for number in range(number)],
        "filters": [None, "F090W", "F090W;F187N"] * (number // 3),
        "jpegURL": [None, "https://example.org/a.jpg", "mast:JWST/product/b.jpg"] * (number // 3),
        "s_ra": [float("nan")] * number,
        "s_dec": [None] * number,
    }
    proposals = pa.table({"proposal_id": ["0", "1"], "cycle": [1, None]})
    holdings = Holdings(proposals, pa.table(columns))
    assert holdings.proposals["cycle"].to_pylist() == ["1", ""]
    with serve(holdings) as server:
        entry = {"paramName": "obs_collection", "values": ["JWST"]}
        params = {"columns": "*", "filters": [entry]}
        rows = ask(session, server, "Mast.Caom.Filtered", params).json()["data"]
        assert [row["obsid"] for row in rows] == list(range(number))
        assert {row["s_ra"] for row in rows} == {None}
        circle = {"ra": 0, "dec": 0, "radius": 180}
        assert ask(session, server, "Mast.Caom.Cone", circle).json()["data"] == []
        products = ask(session, server, "Mast.Caom.Products", {"obsid": "0,1,2"}).json()["data"]
        assert [row["parent_obsid"] for row in products] == [0] * 2 + [1] * 4 + [2] * 7
        for row in products:
            uri = {"uri": row["dataURI"]}
            content = session.get(f"{server.url}{FILE}", params=uri).content
            assert len(content) == row["size"]
            if row["productType"] == "PREVIEW":
                (tmp_path / "preview").write_bytes(content)
                with Image.open(tmp_path / "preview") as image:
                    image.load()


def test_each_answer_is_late(archive, session):
    with serve(archive, latency=0.1) as server:
        for _ in range(2):
            # A pause is never shorter than asked for, but for the clock's grain.
            assert session.get(f"{server.url}/").elapsed.total_seconds() > 0.09


def test_a_slow_answer_holds_up_nobody_else(archive, combined):
    """Three replies that never end begin all the same."""
    with (
        serve(archive, fault_rate=1, faults=["trickle"]) as server,
        requests.Session() as session,
        ExitStack() as replies,
    ):
        for _ in range(3):
            uri = {"uri": combined["jpegURL"]}
            reply = session.get(f"{server.url}{FILE}", params=uri, stream=True, timeout=30)
            replies.enter_context(reply)
            assert reply.raw.read(1) == b"\xff"
        assert server.requests == {"file": 3}


def test_it_stops_with_connections_open(archive):
    before = threading.active_count()
    with serve(archive, latency=60) as server:
        host, port = server.url.removeprefix("http://").split(":")
        idle = socket.create_connection((host, int(port)))
        asking = socket.create_connection((host, int(port)))
        asking.sendall(b"GET /simulated/abstracts.cat HTTP/1.1\r\nHost: x\r\n\r\n")
        half = socket.create_connection((host, int(port)))
        half.sendall(b"POST /api/v0/invoke HTTP/1.1\r\nContent-Length: 100\r\n\r\nreq")
        gone = socket.create_connection((host, int(port)))
        gone.sendall(b"GET / HTTP/1.1\r\n")
        gone.close()
    for connection in (idle, asking, half):
        connection.close()
    assert threading.active_count() == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


def test_an_archive_is_served_twice(archive):
    with serve(archive) as one, serve(archive) as other:
        assert one.url != other.url
        port = int(one.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"), serve(archive, port=port):
            pass


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"faults": ("reset", "fire")}, "fire"),
        ({"fault_rate": 1.5}, "fault_rate=1.5"),
        ({"latency": -1}, "latency=-1"),
    ],
)
def test_arguments_are_checked(archive, arguments, message):
    with pytest.raises(ValueError, match=message), serve(archive, **arguments):
        pass


def test_a_directory_without_archive(tmp_path):
    with (
        pytest.raises(CollectionError, match=r"no proposals.parquet and no observations.parquet"),
        serve(tmp_path),
    ):
        pass
