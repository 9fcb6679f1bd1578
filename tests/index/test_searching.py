"""Queries of a collection that lies on a server, from the query class and the command."""

from types import SimpleNamespace

import numpy as np
import pytest

from astro_paperclip import PaperclipMast, conf
from astro_paperclip.building import build, describe_collection, index_pairs
from astro_paperclip.cli.main import main
from astro_paperclip.collection import Collection
from astro_paperclip.exceptions import (
    CollectionError,
    EncoderError,
    IndexMismatchError,
    InvalidQueryError,
)
from astro_paperclip.index import copy_collection, open_store

from .conftest import DIMENSION, make_points

pytestmark = pytest.mark.usefixtures("own_cache")

FINGERPRINT = "f" * 64
POINTS = make_points(30)
ENCODER = SimpleNamespace(
    name="fake",
    fingerprint=FINGERPRINT,
    context_length=10,
    trained=True,
    count_tokens=len,
    encode_texts=lambda texts: POINTS.vectors[:1],
)


@pytest.fixture
def directory(tmp_path):
    home = tmp_path / "hubble"
    Collection.create(
        home,
        encoder_name="compact",
        encoder_fingerprint=FINGERPRINT,
        dimension=DIMENSION,
        views="whole",
    )
    rows = [row | {"image": f"previews/{n}.jpg"} for n, row in enumerate(POINTS.payloads)]
    with open_store(home, mode="w", encoder=FINGERPRINT) as store:
        store.upsert(POINTS.ids, POINTS.vectors, rows)
    return home


@pytest.fixture
def address(loopback, directory):
    target = f"{loopback.url}/hubble"
    copy_collection(directory, target, progress=False)
    return target


def test_same_answers_as_in_the_directory(directory, address):
    with PaperclipMast(encoder=ENCODER) as paperclip:
        here = paperclip.query_text("galaxy", collection=directory, limit=30)
        there = paperclip.query_text("galaxy", collection=address, limit=30)
    assert there["image"][0] == "previews/0.jpg"
    here.remove_column("image")
    there.remove_column("image")
    assert there.pformat(max_lines=-1, max_width=-1) == here.pformat(max_lines=-1, max_width=-1)
    np.testing.assert_allclose(there["score"], POINTS.ranking(POINTS.vectors[0])[1], atol=1e-6)
    assert there.index_info["collection"] == address
    assert there.index_info["count"] == 30


@pytest.mark.parametrize("name", ["collection", "qdrant_url"])
def test_configured_address(address, name):
    with conf.set_temp(name, address), PaperclipMast(encoder=ENCODER) as paperclip:
        assert len(paperclip.query_text("galaxy", limit=3)) == 3


def test_encoder_by_its_name(address, monkeypatch):
    asked = []

    def load(name, device=None):
        asked.append(name)
        return ENCODER

    monkeypatch.setattr("astro_paperclip.encoders.load", load)
    with PaperclipMast(collection=address) as paperclip:
        paperclip.query_text("galaxy", limit=1)
    assert asked == ["compact"]


def test_another_encoder(address):
    other = SimpleNamespace(**vars(ENCODER) | {"fingerprint": "0" * 64})
    with (
        PaperclipMast(collection=address, encoder=other) as paperclip,
        pytest.raises(IndexMismatchError, match="vectors of two encoders"),
    ):
        paperclip.query_text("galaxy")


def test_an_encoder_that_the_server_cannot_hold(address):
    with open_store(address, mode="w") as store:
        record = store.info()["collection"]
        record["encoder"]["name"] = "encoder"
        store.describe(record)
    with (
        PaperclipMast(collection=address) as paperclip,
        pytest.raises(EncoderError, match=r"encoder of its own \(ffffffffffff\).*encoder='FOLDER'"),
    ):
        paperclip.query_text("galaxy")


def test_a_collection_without_a_record(loopback):
    address = f"{loopback.url}/bare"
    with open_store(address, mode="w") as store:
        store.upsert(POINTS.ids, POINTS.vectors, POINTS.payloads)
    with (
        PaperclipMast(collection=address, encoder=ENCODER) as paperclip,
        pytest.raises(CollectionError, match=r"does not say which encoder.*index copy DIRECTORY"),
    ):
        paperclip.query_text("galaxy")


def test_an_address_without_a_name_opens_nothing():
    with pytest.raises(InvalidQueryError, match="no address of a collection"):
        PaperclipMast.query_text("galaxy", collection="http://127.0.0.1:9")


def test_description(address, directory):
    there, here = describe_collection(address), describe_collection(directory)
    assert there.pop("collection") == address
    assert here.pop("collection") == str(directory)
    assert there.pop("profile") == "laptop"
    assert there == here


def test_command(address, directory, tmp_path, capsys):
    assert main(["info", address]) == 0
    assert capsys.readouterr().out.startswith("30 points\n")
    copy = tmp_path / "copy"
    assert main(["index", "copy", address, str(copy), "--quiet", "--compare", "5"]) == 0
    assert "30 points copied" in capsys.readouterr().out
    assert describe_collection(copy)["points"] == 30
    assert main(["index", "copy", str(directory), str(directory), "--quiet"]) == 1
    assert "to itself" in capsys.readouterr().err


@pytest.mark.parametrize(
    "make", [lambda at: index_pairs(at, "pairs.csv", "compact"), lambda at: build(at, cycle=1)]
)
def test_collections_are_made_in_directories(make):
    with pytest.raises(InvalidQueryError, match=r"made in a directory.*index copy DIRECTORY http"):
        make("http://127.0.0.1:9/hubble")
