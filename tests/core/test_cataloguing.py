"""What there is to search."""

import json
import shutil

import numpy as np
import pytest
from astroquery.mast import Observations

from astro_paperclip import PaperclipMast, conf
from astro_paperclip.collection import Collection
from astro_paperclip.columns import COLUMNS
from astro_paperclip.exceptions import CollectionError, InvalidQueryError

pytest.importorskip("qdrant_edge")

from astro_paperclip.index import index_facts, open_store, point_id

DIMENSION = 4
FINGERPRINT = "e" * 64


def make(path, names, encoder_name="encoder"):
    about = {"encoder_fingerprint": FINGERPRINT, "dimension": DIMENSION, "views": "whole"}
    Collection.create(path, encoder_name=encoder_name, title=f"The {path.name}", **about)
    rows = [
        {
            "image": name,
            "obsid": "5",
            "our_number": 2,
            "our_share": 0.5,
            "our_note": "a",
            "ok": True,
        }
        for name in names
    ]
    vectors = np.random.default_rng(1).normal(size=(len(names), DIMENSION))
    with open_store(path, mode="w", dimension=DIMENSION, encoder=FINGERPRINT) as store:
        store.upsert([point_id(name) for name in names], vectors, rows)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with collections in every state, and what is none."""
    folder = tmp_path_factory.mktemp("collections")
    make(folder / "first", ["a", "b", "c"])
    make(folder / "second", ["a"], encoder_name="compact")
    Collection.create(folder / "planned", recipe={"mission": "HST"})
    make(folder / "damaged", ["a"])
    (folder / "damaged" / "index" / "manifest.json").write_text("{")
    make(folder / "cut", ["a"])
    index = folder / "cut" / "index"
    sizes = json.loads((index / "manifest.json").read_text())["files"]
    (index / max(sizes, key=sizes.get)).write_bytes(b"")
    (folder / "newer").mkdir()
    (folder / "newer" / "collection.toml").write_text("format_version = 99\n")
    (folder / "pictures").mkdir()
    (folder / "notes.txt").write_text("")
    return folder


@pytest.fixture
def table(folder):
    return PaperclipMast.list_collections(folder)


def row(table, folder, name):
    (found,) = table[table["collection"] == str(folder / name)]
    return found


class TestListing:
    def test_all_collections_of_a_folder_are_listed(self, table, folder):
        names = ["cut", "damaged", "first", "newer", "planned", "second"]
        assert table["collection"].tolist() == [str(folder / name) for name in names]

    def test_what_can_be_searched(self, table, folder):
        first = row(table, folder, "first")
        assert first["title"] == "The first"
        assert (first["points"], first["encoder"], first["state"]) == (3, "encoder", "complete")
        assert first["trained"]
        assert first["modified"] == Collection.open(folder / "first").modified
        second = row(table, folder, "second")
        assert (second["points"], second["trained"]) == (1, False)
        planned = row(table, folder, "planned")
        assert (planned["points"], planned["state"]) == (0, "not indexed")
        assert np.ma.is_masked(planned["trained"])

    @pytest.mark.parametrize("name", ["damaged", "newer", "cut"])
    def test_what_cannot_be_read_says_why(self, table, folder, name):
        found = row(table, folder, name)
        with pytest.raises(CollectionError) as error:
            index_facts(folder / name)
        assert found["state"] == f"unreadable: {error.value}"
        assert str(folder / name) in found["state"]
        assert all(np.ma.is_masked(found[other]) for other in ("points", "encoder", "modified"))

    def test_a_collection_that_is_being_written_is_not_waited_for(self, folder):
        with open_store(folder / "first", mode="w") as store:
            store.upsert([point_id("a")], np.ones((1, DIMENSION)), [{"image": "a"}])
            found = row(PaperclipMast.list_collections(folder), folder, "first")
            assert found["state"] == "writing"

    def test_where_collections_are_looked_for(self, folder, tmp_path):
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        shutil.copytree(folder / "second", elsewhere / "copy")
        own = PaperclipMast(collection=folder / "first")
        assert len(own.list_collections()) == 6
        with conf.set_temp("collection", str(elsewhere / "copy")):
            assert len(own.list_collections()) == 6
            assert PaperclipMast.list_collections()["collection"].tolist() == [
                str(elsewhere / "copy")
            ]
            with conf.set_temp("collections_dir", str(folder)):
                assert len(PaperclipMast.list_collections()) == 6

    def test_an_empty_folder_is_an_empty_table(self, tmp_path, table):
        empty = PaperclipMast.list_collections(tmp_path)
        assert len(empty) == 0
        assert empty.colnames == table.colnames

    def test_nowhere_to_look(self, tmp_path):
        with pytest.raises(InvalidQueryError, match=r"conf\.collections_dir"):
            PaperclipMast.list_collections()
        with pytest.raises(InvalidQueryError, match=r"no folder .*absent"):
            PaperclipMast.list_collections(tmp_path / "absent")
        for wrong in ("", 5, b"folder"):
            with pytest.raises(InvalidQueryError, match="location must be"):
                PaperclipMast.list_collections(wrong)


class TestMetadata:
    def test_headings_are_those_of_astroquery(self, monkeypatch):
        """MAST's answer is the smallest from which astroquery makes all its columns."""
        field = {"text": "Label", "type": "string", "vot.unit": "m", "vot.description": "What"}
        answer = type("Answer", (), {"json": lambda self: {"name": field | {"example": "1"}}})
        portal = Observations._portal_api_connection
        monkeypatch.setattr(portal, "_request", lambda *args, **kwargs: [answer()])
        theirs = Observations.get_metadata("observations").colnames
        ours = PaperclipMast.get_metadata("observations").colnames
        assert set(theirs) | {"UCD"} == set(ours)

    def test_observations(self):
        table = PaperclipMast.get_metadata("Observations")
        assert table["Column Name"].tolist() == list(COLUMNS)
        by_name = {row["Column Name"]: row for row in table}
        assert by_name["t_exptime"]["Units"] == "s"
        assert by_name["s_ra"]["UCD"] == "pos.eq.ra;meta.main"
        assert by_name["rank"]["Data Type"] == "integer"
        assert by_name["mtFlag"]["Data Type"] == "boolean"
        assert by_name["score_percentile"]["Units"] == "%"
        assert all(table["Description"])
        assert all(table["Column Label"])

    def test_products(self):
        table = PaperclipMast.get_metadata("products")
        assert {"dataURI", "productFilename", "size"} < set(table["Column Name"])

    def test_labels_and_examples_are_of_columns(self):
        from astro_paperclip.core import metadata

        known = {
            name
            for kind in ("observations", "products")
            for name in PaperclipMast.get_metadata(kind)["Column Name"]
        }
        assert metadata._LABELS.keys() | metadata._EXAMPLES.keys() <= known

    def test_columns_of_the_collection(self, folder):
        with PaperclipMast(collection=folder / "first") as paperclip:
            table = paperclip.get_metadata("observations")
            products = paperclip.get_metadata("products")
        others = table[len(COLUMNS) :]
        types = dict(zip(others["Column Name"], others["Data Type"], strict=True))
        assert types == {
            "our_number": "integer",
            "our_share": "float",
            "our_note": "string",
            "ok": "boolean",
        }
        assert "our_note" not in products["Column Name"]
        with PaperclipMast() as paperclip:
            given = paperclip.get_metadata("observations", collection=folder / "first")
        assert given["Column Name"].tolist() == table["Column Name"].tolist()

    @pytest.mark.parametrize("wrong", ["spectra", "", None, 5, ["products"]])
    def test_other_kinds_are_refused(self, wrong):
        with pytest.raises(InvalidQueryError, match="'observations' or 'products', not"):
            PaperclipMast.get_metadata(wrong)
