"""The archive on disk."""

import csv
import hashlib
import json
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image
from regions import PixCoord, PolygonSkyRegion

from astro_paperclip.exceptions import CollectionError
from astro_paperclip.simulation import KINDS, archive, write_archive
from astro_paperclip.simulation.observations import OBSERVATION_COLUMNS

SMALL = {"proposals": 6, "images_per_proposal": (2, 3), "size": 64, "progress": False}


@pytest.fixture(scope="module")
def pairs_file(tmp_path_factory):
    return write_archive(tmp_path_factory.mktemp("archive"), **SMALL)


@pytest.fixture(scope="module")
def pairs(pairs_file):
    with pairs_file.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(folder):
    """Hash of every file in a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_what_is_written(pairs_file, pairs):
    assert pairs_file.name == "pairs.csv"
    assert {path.name for path in pairs_file.parent.iterdir()} == {
        "README.txt", "observations.parquet", "pairs.csv", "previews", "proposals.parquet",
        "simulation.json",
    }  # fmt: skip
    previews = {
        path.relative_to(pairs_file.parent).as_posix() for path in pairs_file.parent.rglob("*.jpg")
    }
    assert {row["image"] for row in pairs} == previews
    assert len(pairs) == len(previews)


def test_tables_agree(pairs_file, pairs):
    proposals = pq.read_table(pairs_file.parent / "proposals.parquet").to_pylist()
    observations = pq.read_table(pairs_file.parent / "observations.parquet").to_pylist()
    assert len(proposals) == SMALL["proposals"]
    assert list(observations[0]) == list(OBSERVATION_COLUMNS)
    by_id = {proposal["proposal_id"]: proposal for proposal in proposals}
    for row, observation in zip(pairs, observations, strict=True):
        proposal = by_id[row["group_id"]]
        assert row["text"] == proposal["abstract"]
        assert row["title"] == proposal["title"]
        assert row["category"] == proposal["category"]
        assert row["kind"] in KINDS
        assert row["image"].startswith(f"previews/{row['group_id']}/")
        assert {name: str(value) for name, value in observation.items()} == {
            name: row[name] for name in OBSERVATION_COLUMNS
        }
    assert isinstance(observations[0]["obsid"], str)
    assert isinstance(observations[0]["mtFlag"], bool)
    counts = Counter(row["group_id"] for row in pairs)
    assert set(counts.values()) <= {2, 3}


def test_it_says_that_it_is_simulated(pairs_file):
    text = (pairs_file.parent / "README.txt").read_text()
    assert text.startswith("SIMULATED")
    assert "Nothing in this directory was observed" in text
    assert json.loads((pairs_file.parent / "simulation.json").read_text())["simulated"] is True


def test_previews_carry_their_world_coordinates(pairs_file, pairs):
    for row in pairs:
        with Image.open(pairs_file.parent / row["image"]) as image:
            assert image.size == (64, 64)
            cards = image.info["comment"].decode("ascii")
            grey = np.asarray(image.convert("L"))
        assert "Simulated" in cards
        wcs = WCS(fits.Header([fits.Card.fromstring(card) for card in cards.splitlines()]))
        numbers = np.array(row["s_region"].split()[2:-2], dtype=float).reshape(-1, 2)
        polygon = PolygonSkyRegion(SkyCoord(numbers, unit=u.deg)).to_pixel(wcs)
        # The first row of the picture is the last one of a FITS image.
        columns, rows = np.meshgrid(np.arange(64), np.arange(64)[::-1])
        inside = polygon.contains(PixCoord(columns, rows))
        assert np.mean(inside == (grey < 235)) > 0.9
        assert grey[~inside].mean() > 240


def test_the_same_seed_writes_the_same_archive(pairs_file, tmp_path):
    again = write_archive(tmp_path / "again", **SMALL)
    assert contents(again.parent) == contents(pairs_file.parent)
    other = write_archive(tmp_path / "other", **SMALL, seed=1)
    assert not set(contents(other.parent).values()) & set(contents(pairs_file.parent).values())


def test_a_simulated_archive_is_replaced_and_an_index_kept(pairs_file, tmp_path):
    write_archive(tmp_path, **SMALL, seed=5)
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "vectors").write_text("kept")
    write_archive(tmp_path, **SMALL)
    found = contents(tmp_path)
    assert found.pop("index/vectors")
    assert found == contents(pairs_file.parent)


def test_other_directories_are_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(CollectionError, match=r"not empty and holds no simulated archive"):
        write_archive(tmp_path, **SMALL)
    assert contents(tmp_path).keys() == {"thesis.tex"}
    with pytest.raises(CollectionError, match=r"thesis\.tex is a file"):
        write_archive(tmp_path / "thesis.tex", **SMALL)


class Interruption:
    """Draw a number of previews, then be interrupted."""

    def __init__(self, after):
        self.left = after
        self.draw = archive.picture

    def __call__(self, *args):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return self.draw(*args)


@pytest.mark.parametrize("there", [False, True])
def test_an_interrupted_call_leaves_what_was_there(tmp_path, monkeypatch, there):
    if there:
        write_archive(tmp_path, **SMALL, seed=5)
    before = contents(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(archive, "picture", Interruption(after=4))
        with pytest.raises(KeyboardInterrupt):
            write_archive(tmp_path, **SMALL)
    assert contents(tmp_path) == before
    write_archive(tmp_path, **SMALL)
    assert (tmp_path / "pairs.csv").exists()


def test_the_rest_of_a_killed_call_is_cleared(tmp_path, pairs_file):
    (tmp_path / archive.WORKSHOP / "previews").mkdir(parents=True)
    (tmp_path / archive.WORKSHOP / "previews" / "half.jpg").write_bytes(b"\xff\xd8")
    write_archive(tmp_path, **SMALL)
    assert contents(tmp_path) == contents(pairs_file.parent)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"proposals": 0}, "proposals=0 must be between"),
        ({"seed": -1}, "seed=-1 must not be negative"),
        ({"images_per_proposal": (3, 2)}, r"images_per_proposal=\(3, 2\)"),
        ({"images_per_proposal": (0, 2)}, r"images_per_proposal=\(0, 2\)"),
        ({"size": 16}, "size=16 is too small"),
    ],
)
def test_wrong_arguments(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        write_archive(tmp_path, **SMALL | wrong)
    assert not any(tmp_path.iterdir())


def test_progress(tmp_path, capsys):
    write_archive(tmp_path / "quiet", **SMALL)
    assert capsys.readouterr().err == ""
    write_archive(tmp_path / "loud", **SMALL | {"progress": True})
    assert "simulating" in capsys.readouterr().err
