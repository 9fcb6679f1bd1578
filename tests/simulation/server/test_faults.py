"""Faults are injected as asked, counted, and noticed by a client."""

import io
import json
from collections import Counter

import pytest
import requests
from PIL import Image, UnidentifiedImageError

from astro_paperclip.simulation import FAULTS, serve

FILE = "/api/v0.1/Download/file"


class BrokenReplyError(Exception):
    """A reply that is not what was asked for."""


def get_file(session, server, uri):
    reply = session.get(f"{server.url}{FILE}", params={"uri": uri}, timeout=5)
    reply.raise_for_status()
    try:
        Image.open(io.BytesIO(reply.content)).load()
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise BrokenReplyError from error
    return reply.content


def get_json(session, server, service, params):
    request = json.dumps({"service": service, "params": params})
    reply = session.post(f"{server.url}/api/v0/invoke", data={"request": request}, timeout=5)
    reply.raise_for_status()
    try:
        return reply.json()
    except requests.exceptions.JSONDecodeError as error:
        raise BrokenReplyError from error


def products(session, server, obsid):
    return get_json(session, server, "Mast.Caom.Products", {"obsid": obsid})["data"]


@pytest.mark.parametrize(("fault", "status"), [("unavailable", 503), ("too_many_requests", 429)])
def test_refusals(archive, session, combined, fault, status):
    with serve(archive, fault_rate=1, faults=(fault,), retry_after=7) as server:
        for method in ("GET", "HEAD"):
            uri = {"uri": combined["jpegURL"]}
            reply = session.request(method, f"{server.url}{FILE}", params=uri)
            assert reply.status_code == status
            assert reply.headers["Retry-After"] == "7"
        reply = session.get(f"{server.url}/simulated/abstracts.cat")
        assert reply.status_code == status
        assert server.injected == {fault: 3}


@pytest.mark.parametrize("fault", ["reset", "truncated", "wrong_length", "html"])
def test_no_reply_with_a_fault_passes_for_a_good_one(archive, combined, fault):
    """Both lengths that are wrong, the larger and the smaller, come up."""
    with (
        requests.Session() as session,
        serve(archive, fault_rate=1, faults=(fault,)) as server,
    ):
        for _ in range(6):
            with pytest.raises((requests.RequestException, BrokenReplyError)):
                get_file(session, server, combined["jpegURL"])
            with pytest.raises((requests.RequestException, BrokenReplyError)):
                products(session, server, combined["obsid"])
        assert server.injected == {fault: 12}


def test_what_is_cut_short(archive, combined):
    lengths = set()
    with requests.Session() as session:
        with serve(archive) as server:
            whole = get_file(session, server, combined["jpegURL"])
        with serve(archive, fault_rate=1, faults=["wrong_length"]) as server:
            url = f"{server.url}{FILE}"
            for _ in range(12):
                uri = {"uri": combined["jpegURL"]}
                with session.get(url, params=uri, stream=True) as reply:
                    lengths.add(int(reply.headers["Content-Length"]))
        assert lengths == {len(whole) // 2, len(whole) * 3 // 2}
        with serve(archive, fault_rate=1, faults=["reset"]) as server:
            uri = {"uri": combined["jpegURL"]}
            with (
                session.get(f"{server.url}{FILE}", params=uri, stream=True) as reply,
                pytest.raises(requests.exceptions.ChunkedEncodingError, match="reset"),
            ):
                _ = reply.content
            assert reply.headers["Content-Length"] == str(len(whole))


def test_a_trickle_does_not_end(archive, combined):
    with serve(archive, fault_rate=1, faults=["trickle"]) as server, requests.Session() as session:
        uri = {"uri": combined["jpegURL"]}
        with session.get(f"{server.url}{FILE}", params=uri, stream=True, timeout=5) as reply:
            assert reply.raw.read(3) == b"\xff\xd8\xff"
    assert server.injected == {"trickle": 1}


def test_no_jpeg(archive, session, combined):
    with serve(archive, fault_rate=1, faults=["not_a_jpeg"]) as server:
        with pytest.raises(BrokenReplyError):
            get_file(session, server, combined["jpegURL"])
        # Nothing else can be what is no JPEG.
        rows = products(session, server, combined["obsid"])
        assert [row["size"] for row in rows if row["dataURI"] == combined["jpegURL"]] == [
            len(session.get(f"{server.url}{FILE}", params={"uri": combined["jpegURL"]}).content)
        ]
        assert server.injected == {"not_a_jpeg": 2}


def test_odd_lists(archive, session, combined):
    obsid = combined["obsid"]
    with serve(archive) as server:
        right = products(session, server, obsid)
    with serve(archive, fault_rate=1, faults=["no_products"]) as server:
        assert products(session, server, obsid) == []
        # There is nothing to take away from nothing.
        assert products(session, server, "1") == []
        assert server.injected == {"no_products": 1}
    with serve(archive, fault_rate=1, faults=["duplicate_products"]) as server:
        assert products(session, server, obsid)[::2] == right
        assert products(session, server, obsid)[1::2] == right
    with serve(archive, fault_rate=1, faults=["odd_obsids"]) as server:
        odd = products(session, server, obsid)
        assert Counter(type(row["obsID"]) for row in odd) == {
            float: len(right) - 1,
            type(None): 1,
        }
        assert {row["parent_obsid"] for row in odd} == {float(obsid)}
        params = {"columns": "*", "filters": [{"paramName": "intentType", "values": ["science"]}]}
        rows = get_json(session, server, "Mast.Caom.Filtered", params)["data"]
        assert {type(row["obsid"]) for row in rows} == {float, type(None)}
        count = get_json(
            session, server, "Mast.Caom.Filtered", params | {"columns": "COUNT_BIG(*)"}
        )
        assert count["data"] == [{"Column1": len(rows)}]
        assert server.injected == {"odd_obsids": 2}


def test_astroquery_meets_odd_obsids(archive, connect, combined):
    with serve(archive, fault_rate=1, faults=["odd_obsids"]) as server:
        table = connect(server).query_criteria(proposal_id=combined["proposal_id"])
        assert table["obsid"].mask.sum() == 1
        assert all(obsid.endswith(".0") for obsid in table["obsid"].compressed())


def test_the_rate_is_the_share_of_requests(archive, combined):
    """A client that asks again gets through; every refusal it met was counted."""
    faults = [name for name in FAULTS if name != "trickle"]
    met = 0
    with (
        requests.Session() as session,
        serve(archive, fault_rate=0.3, faults=faults, seed=4, retry_after=0) as server,
    ):
        good = 0
        while good < 100:
            try:
                get_file(session, server, combined["jpegURL"])
                good += 1
            except (requests.RequestException, BrokenReplyError):
                met += 1
        assert server.injected.total() == met
        assert server.requests["file"] == good + met
        assert 0.2 < met / server.requests["file"] < 0.4
        assert len(server.injected) == 7


def test_the_same_seed_deals_the_same_faults(archive, session):
    def statuses(seed):
        names = ("unavailable", "too_many_requests")
        with serve(archive, fault_rate=0.5, faults=names, seed=seed) as server:
            url = f"{server.url}/simulated/abstracts.cat"
            return [session.get(url).status_code for _ in range(20)]

    assert statuses(1) == statuses(1)
    assert statuses(1) != statuses(2)


def test_no_faults_unless_asked_for(server, session, combined):
    for _ in range(20):
        get_file(session, server, combined["jpegURL"])
    assert not server.injected
