"""Indexing, with an encoder whose vectors can be worked out by hand; once with a real one."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from astro_paperclip import PaperclipMastClass, encoders
from astro_paperclip.building import describe_collection, index_pairs
from astro_paperclip.calibration.bank import BANK_FILE, bank_texts
from astro_paperclip.collection import Collection
from astro_paperclip.exceptions import (
    CollectionError,
    CollectionInterruptedWarning,
    CollectionLockedError,
    DiskSpaceError,
    EncoderError,
    IndexMismatchError,
    PairsError,
    SkippedImageWarning,
    UntrainedEncoderWarning,
)
from astro_paperclip.index import open_store, point_id
from astro_paperclip.pairs import read_pairs

from .stand_ins import Averages

N_PICTURES = 10


@pytest.fixture
def encoder():
    """An encoder that tells what it was asked."""
    return Averages()


def write_pictures(folder, count=N_PICTURES, seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for n in range(count):
        blocks = rng.integers(20, 200, (4, 4, 3), np.uint8)
        Image.fromarray(blocks.repeat(10, 0).repeat(10, 1)).save(folder / f"{n}.jpg")


def write_csv(path, numbers, columns="", values=lambda n: ""):
    """Write a pairs file of some of the pictures beside it."""
    lines = [f"image,text,group_id{columns}"]
    lines += [f"pictures/{n}.jpg,Picture number {n}.,g{n // 2}{values(n)}" for n in numbers]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def folder(tmp_path):
    """Return a folder with pictures, and a pairs file of all of them."""
    write_pictures(tmp_path / "pictures")
    write_csv(tmp_path / "pairs.csv", range(N_PICTURES))
    return tmp_path


@pytest.fixture
def index(folder, encoder):
    """Return a function that indexes; it takes what differs from the usual."""

    def run(pairs="pairs.csv", collection="collection", encoder=encoder, **changes):
        names = [pairs] if isinstance(pairs, str) else pairs
        options = {"batch_size": 2, "progress": False} | changes
        paths = [folder / name for name in names]
        return index_pairs(folder / collection, paths, encoder, **options)

    return run


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Return a collection that holds its pictures; making one takes a second, copying does not."""
    home = tmp_path_factory.mktemp("template") / "collection"
    write_pictures(home / "pictures")
    write_csv(home / "pairs.csv", range(N_PICTURES))
    encoder = Averages()
    report = index_pairs(home, home / "pairs.csv", encoder, batch_size=2, progress=False)
    assert counts(report) == (10, 10, 0, 0, 10)
    assert encoder.n_encoded == 10
    return home


@pytest.fixture
def home(template, tmp_path):
    """Return an indexed collection, which the test may change."""
    return Path(shutil.copytree(template, tmp_path / "home"))


@pytest.fixture
def index_home(home, encoder):
    """Return a function that indexes into that collection."""

    def run(pairs="pairs.csv", encoder=encoder, **changes):
        return index_pairs(home, home / pairs, encoder, progress=False, **changes)

    return run


def points(collection):
    """Return the points of a collection: vectors and payloads by id."""
    with open_store(collection) as store:
        return {p.id: (p.vector, p.payload) for p in store.scroll(with_vectors=True)}


def assert_same_points(collection, other):
    """Check that two collections hold the same, whatever folder their pictures lie in."""
    first, second = (
        {payload["text"]: (vector, payload) for vector, payload in points(path).values()}
        for path in (collection, other)
    )
    assert set(first) == set(second)
    for text, (vector, payload) in first.items():
        np.testing.assert_array_equal(vector, second[text][0])
        assert payload | {"image": ""} == second[text][1] | {"image": ""}


def counts(report):
    return (report.n_pairs, report.n_added, report.n_present, len(report.skipped), report.n_points)


def truncate(path):
    path.write_bytes(path.read_bytes()[:400])


class TestRows:
    """What is encoded and stored."""

    def test_every_picture_with_its_own_vector(self, home, encoder):
        stored = points(home)
        assert len(stored) == 10
        for vector, payload in stored.values():
            square = encoder.prepare(home / payload["image"])
            np.testing.assert_allclose(vector, encoder.vectors(square[None])[0], atol=1e-6)

    def test_again_adds_nothing_and_encodes_nothing(self, home, index_home, encoder):
        before = points(home)
        assert counts(index_home()) == (10, 0, 10, 0, 10)
        assert encoder.n_encoded == 0
        assert set(points(home)) == set(before)

    def test_a_longer_file_adds_its_new_rows(self, home, index_home, encoder):
        before = points(home)
        write_pictures(home / "pictures", 13)
        write_csv(home / "pairs.csv", range(13))
        assert counts(index_home()) == (13, 3, 10, 0, 13)
        assert encoder.n_encoded == 3
        after = points(home)
        assert {name: after[name][1] for name in before} == {
            name: payload for name, (_, payload) in before.items()
        }

    def test_another_file(self, home, index_home, encoder):
        write_csv(home / "more.csv", [2, 3])
        assert counts(index_home("more.csv")) == (2, 0, 2, 0, 10)

    def test_two_files(self, index, folder, encoder):
        write_csv(folder / "a.csv", range(4))
        write_csv(folder / "b.csv", range(4, 10), ",filters", lambda _: ",F814W")
        assert counts(index(["a.csv", "b.csv"])) == (10, 10, 0, 0, 10)
        filters = {p["text"]: p.get("filters") for _, p in points(folder / "collection").values()}
        assert filters["Picture number 9."] == "F814W"
        assert not filters["Picture number 3."]

    def test_a_table(self, folder, encoder):
        table = read_pairs(folder / "pairs.csv")[2:5]
        report = index_pairs(folder / "collection", table, encoder, progress=False)
        assert counts(report) == (3, 3, 0, 0, 3)

    def test_views(self, index, folder, encoder):
        index(views="rotations")
        assert encoder.views == {"rotations"}
        assert describe_collection(folder / "collection")["views"] == "rotations"
        # A collection keeps to its views.
        write_pictures(folder / "pictures", 12)
        write_csv(folder / "more.csv", range(12))
        assert counts(index("more.csv")) == (12, 2, 10, 0, 12)
        assert encoder.views == {"rotations"}

    def test_the_bank_of_queries_is_put_beside_the_index(self, index, folder, encoder):
        index()
        path = folder / "collection" / BANK_FILE
        content = np.load(path)
        assert str(content["encoder"]) == encoder.fingerprint
        np.testing.assert_array_equal(content["vectors"], encoder.encode_texts(bank_texts()))
        written = path.stat().st_mtime_ns
        index()
        assert path.stat().st_mtime_ns == written


class TestPayload:
    """What is stored with a picture."""

    def test_every_column_in_its_type(self, index, folder):
        names = "obsid,s_ra,calib_level,mtFlag,proposal_id,our_note,our_number"
        rows = {
            0: ",2003585980,23.1,3,True,5371,a note,1.5",
            1: ",,,,,,,",
        }
        write_csv(folder / "some.csv", [0, 1], f",{names}", rows.get)
        index("some.csv")
        payloads = {p["group_id"] + p["text"]: p for _, p in points(folder / "collection").values()}
        full, empty = (payloads[f"g0Picture number {n}."] for n in (0, 1))
        assert {name: full[name] for name in names.split(",")} == {
            "obsid": "2003585980",
            "s_ra": 23.1,
            "calib_level": 3,
            "mtFlag": True,
            "proposal_id": "5371",
            "our_note": "a note",
            # Of a column that the package does not know, a CSV file has only text.
            "our_number": "1.5",
        }
        assert [type(full[name]) for name in ("s_ra", "calib_level", "mtFlag")] == [
            float,
            int,
            bool,
        ]
        assert {"s_ra", "calib_level", "mtFlag"}.isdisjoint(empty)
        assert empty["text"] == "Picture number 1."

    def test_numbers_of_a_parquet_file_stay_numbers(self, index, folder):
        from astro_paperclip.pairs import write_pairs

        table = read_pairs(folder / "pairs.csv")[:3]
        table["weight"] = [0.25, 0.5, 0.75]
        table["number"] = np.array([1, 2, 3], np.int16)
        write_pairs(table, folder / "some.parquet")
        index("some.parquet")
        found = {(p["weight"], p["number"]) for _, p in points(folder / "collection").values()}
        assert found == {(0.25, 1), (0.5, 2), (0.75, 3)}

    def test_the_id_is_that_of_the_preview_where_it_is_known(self, index, folder):
        uris = {0: "mast:HST/product/a.jpg", 1: "", 2: "mast:HST/product/c.jpg"}
        write_csv(folder / "some.csv", range(3), ",jpegURL", lambda n: f",{uris[n]}")
        index("some.csv")
        outside = str(folder / "pictures" / "1.jpg")
        expected = {point_id(text) for text in (uris[0], outside, uris[2])}
        assert set(points(folder / "collection")) == expected

    def test_a_picture_that_was_moved_is_known_by_its_preview(self, index, folder, encoder):
        columns = {"columns": ",preview", "values": lambda n: f",mast:HST/product/{n}.jpg"}
        write_csv(folder / "pairs.csv", range(N_PICTURES), **columns)
        index()
        (folder / "elsewhere").mkdir()
        (folder / "pictures").rename(folder / "elsewhere" / "pictures")
        write_csv(folder / "elsewhere" / "pairs.csv", range(N_PICTURES), **columns)
        assert counts(index("elsewhere/pairs.csv")) == (10, 0, 10, 0, 10)

    def test_two_rows_of_one_preview_are_refused(self, index, folder, encoder):
        write_csv(folder / "some.csv", range(4), ",preview", lambda n: f",mast:{n % 3}.jpg")
        with pytest.raises(PairsError, match=r"0\.jpg and .*3\.jpg have the same preview, mast:0"):
            index("some.csv")
        assert not (folder / "collection").exists()


class TestPlaces:
    """Where pictures lie, and what happens when they are moved."""

    def images(self, home):
        return {payload["image"] for _, payload in points(home).values()}

    def test_outside_of_the_collection_paths_are_absolute(self, index, folder):
        index()
        expected = {str(folder / "pictures" / f"{n}.jpg") for n in range(N_PICTURES)}
        assert self.images(folder / "collection") == expected

    def test_inside_of_the_collection_paths_are_relative(self, home):
        assert self.images(home) == {f"pictures/{n}.jpg" for n in range(N_PICTURES)}
        assert set(points(home)) == {point_id(f"pictures/{n}.jpg") for n in range(N_PICTURES)}

    def test_however_the_directory_is_spelt(self, home, encoder, monkeypatch):
        monkeypatch.chdir(home)
        for spelling in (".", "../home", "pictures/..", str(home)):
            report = index_pairs(spelling, "pairs.csv", encoder, progress=False)
            assert counts(report) == (10, 0, 10, 0, 10)

    def test_a_collection_can_be_moved(self, template, home, index_home, encoder):
        """What was copied finds the copy's pictures, not the original's."""
        query = np.asarray(Image.open(template / "pictures" / "4.jpg"))
        encoder.encode_images = lambda images, views: encoder.vectors(
            np.stack([encoder.prepare(image) for image in images])
        )
        with PaperclipMastClass(collection=home, encoder=encoder) as paperclip:
            result = paperclip.query_image(query, limit=10)
        assert result["image"][0] == str(home / "pictures" / "4.jpg")
        assert all(Path(image).is_file() for image in result["image"])
        assert counts(index_home()) == (10, 0, 10, 0, 10)


class TestBrokenPictures:
    """A picture that cannot be read."""

    def test_skipped_and_reported(self, index, folder, encoder):
        truncate(folder / "pictures" / "3.jpg")
        (folder / "pictures" / "8.jpg").write_bytes(b"no picture")
        with pytest.warns(SkippedImageWarning, match=r"2 of 10 images .*3\.jpg") as caught:
            report = index()
        assert caught[0].filename == __file__
        assert counts(report) == (10, 8, 0, 2, 8)
        assert [Path(image).name for image, _ in report.skipped] == ["3.jpg", "8.jpg"]
        summary = report.summary()
        assert "8 added" in summary
        assert "2 skipped" in summary
        assert str(folder / "pictures" / "8.jpg") in summary
        kept = {
            Path(payload["image"]).name for _, payload in points(folder / "collection").values()
        }
        assert kept == {f"{n}.jpg" for n in range(N_PICTURES)} - {"3.jpg", "8.jpg"}

    def test_added_once_it_is_mended(self, index, folder):
        """One picture of a batch, and all of another."""
        paths = [folder / "pictures" / f"{n}.jpg" for n in (1, 4, 5)]
        whole = [path.read_bytes() for path in paths]
        for path in paths:
            truncate(path)
        with pytest.warns(SkippedImageWarning):
            assert counts(index()) == (10, 7, 0, 3, 7)
        for path, content in zip(paths, whole, strict=True):
            path.write_bytes(content)
        assert counts(index()) == (10, 3, 7, 0, 10)

    def test_not_one_picture(self, index, folder):
        for path in (folder / "pictures").iterdir():
            truncate(path)
        with pytest.warns(SkippedImageWarning):
            assert counts(index()) == (10, 0, 0, 10, 0)


class TestRefusals:
    """What is refused changes nothing."""

    def test_pairs_with_faults(self, index, folder):
        write_csv(folder / "bad.csv", [1, 77])
        with pytest.raises(PairsError, match=r"77\.jpg"):
            index("bad.csv", encoder="never loaded")
        assert not (folder / "collection").exists()

    def test_unknown_views(self, index, folder, encoder):
        with pytest.raises(EncoderError, match="'sideways': use one of whole, rotations"):
            index("absent.csv", views="sideways")
        assert not (folder / "collection").exists()

    def test_unknown_encoder(self, index, folder):
        with pytest.raises(EncoderError, match="compcat"):
            index(encoder="compcat")
        assert not (folder / "collection").exists()

    @pytest.mark.parametrize("change", ["encoder", "views"])
    def test_another_encoder_or_other_views(self, home, index_home, change):
        write_pictures(home / "pictures", 12)
        write_csv(home / "pairs.csv", range(12))
        before = content_of(home)
        given = Averages("other") if change == "encoder" else "rotations"
        with pytest.raises(IndexMismatchError, match="another directory"):
            index_home(**{change: given})
        assert content_of(home) == before

    def test_a_second_writer(self, home, index_home):
        with open_store(home, mode="w"), pytest.raises(CollectionLockedError):
            index_home()
        assert counts(index_home()) == (10, 0, 10, 0, 10)

    def test_an_untrained_encoder_is_used_with_a_warning(self, home, encoder):
        encoder.trained = False
        with pytest.warns(UntrainedEncoderWarning, match="train --help") as caught:
            report = index_pairs(home, home / "pairs.csv", encoder, progress=False)
        assert caught[0].filename == __file__
        assert counts(report) == (10, 0, 10, 0, 10)


def content_of(folder):
    """Return every file below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestInterruption:
    """What was done is kept, and the rest is done by the next run."""

    def test_full_disk_at_the_start(self, index, folder, encoder, monkeypatch):
        usage = namedtuple("usage", "total used free")
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "disk_usage", lambda _: usage(2**40, 2**40, 2**20))
            with pytest.raises(DiskSpaceError, match="Make room"):
                index()
        assert encoder.n_encoded == 0
        assert counts(index()) == (10, 10, 0, 0, 10)

    def test_full_disk_on_the_way(self, index, folder, encoder, monkeypatch):
        usage = namedtuple("usage", "total used free")
        with monkeypatch.context() as patch:
            patch.setattr(
                shutil,
                "disk_usage",
                lambda _: usage(2**40, 0, 2**40 if encoder.n_encoded < 6 else 2**20),
            )
            with pytest.raises(DiskSpaceError, match="Nothing was written"):
                index()
        encoder.n_encoded = 0
        assert counts(index()) == (10, 6, 4, 0, 10)
        assert encoder.n_encoded == 6

    @pytest.mark.parametrize("after", [0, 4])
    def test_ctrl_c(self, index, folder, template, after):
        interrupted = Averages()
        interrupted.fails_after = after
        with pytest.raises(KeyboardInterrupt):
            index(encoder=interrupted)
        if after:
            with pytest.warns(CollectionInterruptedWarning):
                assert describe_collection(folder / "collection")["points"] == after
        resumed = Averages()
        assert counts(index(encoder=resumed)) == (10, 10 - after, after, 0, 10)
        assert resumed.n_encoded == 10 - after
        assert_same_points(folder / "collection", template)
        assert describe_collection(folder / "collection")["state"] == "complete"


class TestOwnEncoder:
    """A collection keeps a copy of an encoder that lies in a folder."""

    @pytest.fixture
    def trained(self, tiny_clip, tmp_path):
        """Return a folder with a small encoder."""
        return encoders.save(tiny_clip, tmp_path / "trained")

    def test_queries_work_when_the_original_is_gone(self, index, folder, trained):
        fingerprint = encoders.load(trained, device="cpu").fingerprint
        index(encoder=str(trained), device="cpu")
        shutil.rmtree(trained)
        moved = (folder / "collection").rename(folder / "moved")
        assert Collection.open(moved).encoder_fingerprint == fingerprint
        with PaperclipMastClass(collection=moved, device="cpu") as paperclip:
            own = paperclip.query_image(folder / "pictures" / "6.jpg", limit=3)
            assert len(paperclip.query_text("a galaxy", limit=3)) == 3
        assert Path(own["image"][0]).name == "6.jpg"
        assert own["score"][0] == pytest.approx(1, abs=1e-2)
        # And it can be added to.
        again = index(collection="moved", encoder=str(moved / "encoder"), device="cpu")
        assert counts(again) == (10, 0, 10, 0, 10)

    def test_an_encoder_that_lies_there_already(self, index, folder, trained):
        (folder / "collection").mkdir()
        own = trained.rename(folder / "collection" / "encoder")
        before = content_of(own)
        assert counts(index(encoder=str(own), device="cpu")) == (10, 10, 0, 0, 10)
        assert content_of(own) == before

    @pytest.mark.parametrize("kind", ["folder", "name"])
    def test_a_stranger_in_its_place_is_not_replaced(self, index, folder, trained, encoder, kind):
        own = folder / "collection" / "encoder"
        shutil.copytree(trained, own)
        before = content_of(own)
        with pytest.raises(CollectionError, match="encoder is where a collection keeps"):
            index(encoder=str(trained) if kind == "folder" else encoder, device="cpu")
        assert content_of(own) == before
        assert not Collection.exists(folder / "collection")


class TestDescription:
    """`describe_collection`."""

    def test_what_it_says(self, home, encoder):
        description = describe_collection(home)
        assert description.pop("created") <= description.pop("modified")
        assert description == {
            "collection": str(home),
            "points": 10,
            "state": "complete",
            "encoder": "fake",
            "fingerprint": encoder.fingerprint,
            "dimension": encoder.dim,
            "views": "whole",
        }

    def test_no_collection(self, folder):
        with pytest.raises(CollectionError, match="pictures is no collection"):
            describe_collection(folder / "pictures")
        with pytest.raises(CollectionError, match="absent does not exist"):
            describe_collection(folder / "absent")


_MEMORY = """
import resource, sys, time
from pathlib import Path
from types import SimpleNamespace
import numpy as np
from astro_paperclip.building import index_pairs
from astro_paperclip.encoders import Encoder

class Cheap(Encoder):
    name, dim, trained, folder, fingerprint = "cheap", 8, True, None, "c" * 64
    pixels = SimpleNamespace(size=224)
    device = SimpleNamespace(type="cuda")
    pause = 2
    def __init__(self):
        pass
    def encode_squares(self, squares, views="whole"):
        time.sleep(self.pause)  # Long enough for the readers to run far ahead, if they may.
        self.pause = 0
        return np.ones((len(squares), 8), np.float32)
    def encode_texts(self, texts):
        return np.ones((len(texts), 8), np.float32)

home = Path(sys.argv[1])
for name in ("few", "many"):
    index_pairs(home / f"of-{name}", home / f"{name}.csv", Cheap(), progress=False)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(
    importlib.util.find_spec("resource") is None, reason="this system does not tell peak memory"
)
def test_peak_memory_does_not_grow_with_the_number_of_pictures(tmp_path):
    """Six hundred pictures more, held as pixels, would be 90 MB more."""
    write_pictures(tmp_path / "pictures", 1)
    for n in range(1, 700):
        os.link(tmp_path / "pictures" / "0.jpg", tmp_path / "pictures" / f"{n}.jpg")
    write_csv(tmp_path / "few.csv", range(100))
    write_csv(tmp_path / "many.csv", range(700))
    run = [sys.executable, "-c", _MEMORY, str(tmp_path)]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    few, many = (int(line) for line in done.stdout.split())
    unit = 1 if sys.platform == "darwin" else 1024
    assert (many - few) * unit < 45e6
