"""Lists of collections on a server that holds to Qdrant's contract."""

import pytest

from astro_paperclip import PaperclipMast, conf
from astro_paperclip.collection import Collection
from astro_paperclip.exceptions import CollectionServerError, InvalidQueryError
from astro_paperclip.index import (
    ServerAddress,
    collections_on_server,
    copy_collection,
    open_store,
)

from .conftest import DIMENSION, make_points
from .loopback.samples import make_collection


@pytest.fixture
def directory(tmp_path):
    home = tmp_path / "hubble"
    points = make_points(12)
    about = {"encoder_fingerprint": "abc", "dimension": DIMENSION, "views": "whole"}
    Collection.create(home, encoder_name="encoder", title="Hubble", **about)
    with open_store(home, mode="w", dimension=DIMENSION, encoder="abc") as store:
        store.upsert(points.ids, points.vectors, points.payloads)
    return home


def test_collections_of_a_server(loopback, directory, tmp_path):
    address = f"{loopback.url}/sky"
    copy_collection(directory, address, progress=False)
    make_collection(loopback.client(), name="foreign")
    assert collections_on_server(loopback.url) == [f"{loopback.url}/foreign", address]
    table = PaperclipMast.list_collections(f"{address}/")
    foreign, sky = table
    assert (sky["collection"], sky["title"], sky["points"]) == (address, "Hubble", 12)
    assert (sky["encoder"], sky["state"]) == ("encoder", "complete")
    assert foreign["state"].startswith("unreadable: ")
    assert "not made by astro_paperclip" in foreign["state"]
    with conf.set_temp("qdrant_url", address):
        both = PaperclipMast(collection=directory).list_collections()
        assert both["collection"].tolist() == [
            str(directory),
            f"{loopback.url}/foreign",
            address,
        ]
    # Collections of one server are listed once, whichever of them are named, and how.
    with conf.set_temp("qdrant_url", f"{loopback.url}/foreign/"):
        there = PaperclipMast(collection=address).list_collections()
    assert there["collection"].tolist() == [f"{loopback.url}/foreign", address]


@pytest.mark.parametrize("name", ["odd #1", "50% off", "50%25", "what?", "Größe"])
def test_names_that_other_programs_gave(loopback, name):
    make_collection(loopback.client(), name=name)
    (address,) = collections_on_server(loopback.url)
    assert ServerAddress.parse(address) == ServerAddress(loopback.url, name)
    (row,) = PaperclipMast.list_collections(loopback.url)
    assert "not made by astro_paperclip" in row["state"]


def test_a_server_that_is_away(directory):
    away = "http://127.0.0.1:9/sky"
    with conf.set_temp("retries", 0):
        with pytest.raises(CollectionServerError, match="did not answer"):
            PaperclipMast.list_collections(away)
        with conf.set_temp("qdrant_url", away):
            here, there = PaperclipMast(collection=directory).list_collections()
    assert here["points"] == 12
    assert there["collection"] == away
    assert there["state"].startswith("unreadable: The Qdrant server http://127.0.0.1:9")


def test_no_address():
    with pytest.raises(InvalidQueryError, match="without a user"):
        collections_on_server("http://user:secret@localhost:6333")
