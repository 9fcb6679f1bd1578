"""A second encoder joins a collection, with encoders whose vectors can be worked out by hand."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from astro_paperclip import encoders
from astro_paperclip.building import describe_collection, index_pairs, join_encoder
from astro_paperclip.cli.main import main
from astro_paperclip.collection import Collection
from astro_paperclip.exceptions import (
    CollectionError,
    IndexMismatchError,
    InvalidQueryError,
    SkippedImageWarning,
)
from astro_paperclip.images import letterbox
from astro_paperclip.index import open_store, point_id

from .stand_ins import Averages

N_PICTURES = 7


@pytest.fixture
def first():
    return Averages("first", 1)


@pytest.fixture
def second():
    return Averages("second/2.0", 2)


@pytest.fixture
def pairs(tmp_path):
    """Pictures and their pairs file, in the folder of the collection."""
    home = tmp_path / "home"
    (home / "pictures").mkdir(parents=True)
    rng = np.random.default_rng(0)
    lines = ["image,text,group_id"]
    for n in range(N_PICTURES):
        blocks = rng.integers(20, 200, (4, 4, 3), np.uint8)
        Image.fromarray(blocks.repeat(10, 0).repeat(10, 1)).save(home / "pictures" / f"{n}.png")
        lines.append(f"pictures/{n}.png,Picture number {n}.,g{n}")
    (home / "pairs.csv").write_text("\n".join(lines) + "\n")
    return home / "pairs.csv"


@pytest.fixture
def home(pairs, first):
    index_pairs(pairs.parent, pairs, first, progress=False)
    return pairs.parent


def join(home, encoder, **options):
    report = join_encoder(home, encoder, progress=False, batch_size=2, **options)
    return report.n_added, report.n_present, len(report.skipped)


def stored(home, name):
    with open_store(home) as store:
        records = store.scroll(with_vectors=name)
        return {Path(record.payload["image"]).name: record.vector for record in records}


def assert_are_vectors_of(encoder, home, name):
    vectors = stored(home, name)
    assert len(vectors) == N_PICTURES
    for image, vector in vectors.items():
        square = letterbox(Image.open(home / "pictures" / image), 16)
        (expected,) = encoder.encode_squares(np.asarray(square)[np.newaxis])
        np.testing.assert_allclose(vector, expected, atol=0.01)


def test_vectors_join_those_that_are_there(home, first, second):
    before = stored(home, "image")
    assert join(home, second) == (N_PICTURES, 0, 0)
    assert_are_vectors_of(second, home, "second-2-0")
    after = stored(home, "image")
    assert all((before[image] == after[image]).all() for image in before)
    record = Collection.open(home)
    assert describe_collection(home)["joined"] == f"second-2-0 (second/2.0), {N_PICTURES} points"
    assert record.encoder_fingerprint == first.fingerprint
    assert record.joined == {
        "second-2-0": {"encoder": "second/2.0", "fingerprint": second.fingerprint, "views": "whole"}
    }


def test_doing_so_again_encodes_nothing(home, second):
    join(home, second)
    second.n_encoded = 0
    assert join(home, second) == (0, N_PICTURES, 0)
    assert second.n_encoded == 0


def test_goes_on_after_an_interruption(home, second):
    second.fails_after = 4
    with pytest.raises(KeyboardInterrupt):
        join(home, second)
    second.fails_after, second.n_encoded = None, 0
    n_added, n_present, _ = join(home, second)
    assert n_added + n_present == N_PICTURES
    assert n_present > 0
    assert second.n_encoded == n_added
    assert_are_vectors_of(second, home, "second-2-0")


def test_points_that_came_later(home, pairs, first, second, caplog):
    join(home, second)
    index_pairs(home, pairs, first, progress=False)
    assert "have no vector" not in caplog.text
    lines = pairs.read_text() + "pictures/late.png,Picture that came later.,late\n"
    pairs.write_text(lines)
    Image.new("RGB", (40, 40), "red").save(home / "pictures" / "late.png")
    index_pairs(home, pairs, first, progress=False)
    assert f"1 of {N_PICTURES + 1} points have no vector 'second-2-0'" in caplog.text
    assert join(home, second) == (1, N_PICTURES, 0)


def test_a_picture_that_is_gone(home, second):
    (home / "pictures" / "3.png").unlink()
    with pytest.warns(SkippedImageWarning, match=r"1 of 7.*3\.png"):
        assert join(home, second) == (N_PICTURES - 1, 0, 1)


def test_errors(home, first, second, tmp_path):
    with pytest.raises(CollectionError, match="absent"):
        join(tmp_path / "absent", second)
    with pytest.raises(IndexMismatchError, match="another one can join"):
        join(home, first)
    with pytest.raises(InvalidQueryError, match="my vector"):
        join(home, second, name="my vector")
    assert Collection.open(home).joined == {}
    join(home, second, name="mine")
    with pytest.raises(IndexMismatchError, match=r"'mine' of another encoder.*another name"):
        join(home, Averages("third", 4), name="mine")
    with pytest.raises(IndexMismatchError, match="with the views 'whole', not 'dihedral'"):
        join(home, second, views="dihedral")
    with pytest.raises(IndexMismatchError, match="name 'mine', not 'yours': leave the name out"):
        join(home, second, name="yours")


def test_a_row_without_an_image(home, second):
    with open_store(home, mode="w") as store:
        store.upsert([point_id("nothing")], np.ones((1, 3)), [{"text": "No picture at all."}])
    with pytest.warns(SkippedImageWarning, match="1 of 8 .* names no image"):
        assert join(home, second) == (N_PICTURES, 0, 1)


def test_another_one_joins_while_this_one_is_loaded(home, second, monkeypatch):
    third = Averages("third", 4)

    def load(name, device):
        join(home, third)
        return second

    monkeypatch.setattr(encoders, "load", load)
    join(home, "second")
    assert set(Collection.open(home).joined) == {"third", "second-2-0"}


def test_another_one_joins_while_pictures_wait_to_be_indexed(home, pairs, first, second):
    """Until the index is free, the record that was read may be changed."""
    lines = pairs.read_text() + "pictures/late.png,Picture that came later.,late\n"
    pairs.write_text(lines)
    Image.new("RGB", (40, 40), "red").save(home / "pictures" / "late.png")
    join(home, second)
    joined = Collection.open(home)
    replace(joined, joined={}).save()

    class Slow(Averages):
        def encode_squares(self, *args):
            joined.save()
            return super().encode_squares(*args)

    index_pairs(home, pairs, Slow("first", 1), progress=False)
    assert set(Collection.open(home).joined) == {"second-2-0"}


def test_a_folder_is_kept_with_the_collection(home, second, monkeypatch, tmp_path):
    monkeypatch.setattr(
        encoders, "write", lambda encoder, folder: (folder / "w").write_text(encoder.fingerprint)
    )
    second.folder = tmp_path / "trained"
    join(home, second)
    kept = home / "encoders" / "trained"
    assert (kept / "w").read_text() == second.fingerprint
    assert Collection.open(home).joined_encoder("trained") == kept
    # One whose index was removed leaves its folder behind.
    shutil.rmtree(home / "index")
    replace(Collection.open(home), joined={}).save()
    index_pairs(home, home / "pairs.csv", Averages("first", 1), progress=False)
    third = Averages("third", 4)
    third.folder = tmp_path / "elsewhere" / "trained"
    join(home, third)
    assert (kept / "w").read_text() == third.fingerprint


def test_command(home, second, monkeypatch, capsys):
    monkeypatch.setattr(encoders, "load", lambda name, device=None: second)
    assert main(["index", "join", str(home), "--encoder", "x", "--name", "new", "--quiet"]) == 0
    assert f"{N_PICTURES} vectors 'new' added, 0 already there" in capsys.readouterr().out
