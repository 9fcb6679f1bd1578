"""Pairs made of proposals, observations and previews."""

import csv
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Column, MaskedColumn, Table

from astro_paperclip import columns
from astro_paperclip.exceptions import PairsError
from astro_paperclip.pairs import make_pairs, read_pairs, write_pairs
from astro_paperclip.simulation import write_archive

FIRST = ["image", "text", "title", "category", "group_id", "cycle", "preview"]


@pytest.fixture
def proposals():
    rows = [
        ("10", "Title of 10", "Abstract of 10.", "AGN", "12"),
        ("11", "Title of 11", "Abstract of 11.", "", ""),
        ("12", "Title of 12", "", "STARS", "13"),
    ]
    return Table(rows=rows, names=["proposal_id", "title", "abstract", "category", "cycle"])


@pytest.fixture
def observations():
    table = Table({"obsid": ["1", "2", "3", "4"], "obs_id": ["a", "b", "c", "d"]})
    table["s_ra"] = MaskedColumn([0.0, 359.999, 80.0, 80.0], mask=[0, 0, 0, 1], unit="deg")
    table["s_dec"] = MaskedColumn([5.0, 5.0, 5.0, 5.0], unit="deg", description="Declination")
    table["jpegURL"] = MaskedColumn(["mast:1", "", "", ""], mask=[0, 1, 1, 1])
    return table


@pytest.fixture
def previews():
    rows = [
        ("1", "10", "complete"),
        ("2", "11", "complete"),
        ("3", "12", "complete"),
        ("4", "10", "complete"),
        ("1", "10", "failed"),
        ("2", "11", "refused"),
        ("9", "10", "complete"),
        ("3", "99", "complete"),
        ("1", "10", "complete"),
    ]
    table = Table(rows=rows, names=["obsid", "proposal_id", "status"])
    table["preview"] = [f"mast:HST/{number}.jpg" for number in range(9)]
    table["preview"][8] = table["preview"][0]
    table["image"] = [f"previews/10/{number}.jpg" for number in range(9)]
    return table


def test_the_columns_come_together(proposals, observations, previews, tmp_path):
    pairs = make_pairs(proposals, observations, previews, directory=tmp_path)
    assert pairs.colnames == [*FIRST, *observations.colnames]
    assert pairs["preview"].tolist() == [f"mast:HST/{number}.jpg" for number in (0, 1, 3)]
    assert [Path(image) for image in pairs["image"]] == [
        tmp_path / f"previews/10/{number}.jpg" for number in (0, 1, 3)
    ]
    assert pairs["text"].tolist() == ["Abstract of 10.", "Abstract of 11.", "Abstract of 10."]
    assert pairs["title"].tolist() == ["Title of 10", "Title of 11", "Title of 10"]
    assert pairs["category"].tolist() == ["AGN", "", "AGN"]
    assert pairs["group_id"].tolist() == ["10", "11", "10"]
    assert pairs["cycle"].tolist() == ["12", "", "12"]
    assert pairs["obs_id"].tolist() == ["a", "b", "d"]
    assert pairs["s_ra"].tolist() == [0.0, 359.999, None]
    assert pairs["jpegURL"].tolist() == ["mast:1", None, None]
    assert pairs["s_dec"].unit == u.deg
    assert pairs["s_dec"].description == "Declination"


def test_what_is_left_out_is_counted(proposals, observations, previews):
    pairs = make_pairs(proposals, observations, previews)
    assert pairs.meta["left_out"] == {
        "not complete": 2,
        "listed twice": 1,
        "observation unknown": 1,
        "proposal unknown": 1,
        "without caption": 1,
    }
    assert len(pairs) + sum(pairs.meta["left_out"].values()) == len(previews)


@pytest.mark.parametrize(
    ("caption", "texts"),
    [
        ("abstract", ["Abstract of 10.", "Abstract of 11.", "Abstract of 10."]),
        ("title", ["Title of 10", "Title of 11", "Title of 12", "Title of 10"]),
        ("paper", ["Category: AGN. Abstract of 10.", "Abstract of 11."]),
    ],
)
def test_captions(proposals, observations, previews, caption, texts):
    pairs = make_pairs(proposals, observations, previews, caption=caption)
    assert pairs["text"].tolist()[: len(texts)] == texts
    assert pairs.meta["caption"] == caption
    assert ("without caption" in pairs.meta["left_out"]) == (caption != "title")


def test_groups_by_position(proposals, observations, previews):
    def groups(radius):
        return make_pairs(proposals, observations, previews, sky_radius=radius)["group_id"].tolist()

    assert groups(5 * u.arcsec) == ["10", "10", "10"]
    assert groups(1 * u.arcsec) == ["10", "11", "10"]


def test_numbers_filled_up_with_zeros(proposals, observations, previews):
    previews["proposal_id"] = [f"{number:>05}" for number in previews["proposal_id"]]
    pairs = make_pairs(proposals, observations, previews)
    assert pairs["group_id"].tolist() == ["10", "11", "10"]


def test_long_abstracts_are_not_padded(proposals, observations, previews, monkeypatch):
    monkeypatch.setattr(columns, "_PADDING_LIMIT", 100)
    assert make_pairs(proposals, observations, previews)["text"].dtype == object


def test_nothing_complete(proposals, observations, previews, tmp_path):
    previews["status"] = "failed"
    pairs = make_pairs(proposals, observations, previews, sky_radius=1 * u.deg)
    assert len(pairs) == 0
    assert pairs.colnames == [*FIRST, *observations.colnames]
    assert pairs.meta["left_out"] == {"not complete": 9}


def test_senseless_arguments(proposals, observations, previews):
    with pytest.raises(PairsError, match="abstract, title, paper"):
        make_pairs(proposals, observations, previews, caption="poem")
    with pytest.raises(PairsError, match="previews have no column status"):
        make_pairs(proposals, observations, previews["obsid", "proposal_id", "preview", "image"])
    with pytest.raises(PairsError, match="radius"):
        make_pairs(proposals, observations, previews, sky_radius=3)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "ecsv"])
def test_the_simulated_archive(tmp_path, suffix):
    """What is made of the archive's parts is what the archive says of itself."""
    from pyarrow import parquet

    path = write_archive(tmp_path, proposals=6, size=32, progress=False)
    with path.open(encoding="utf-8", newline="") as file:
        expected = list(csv.DictReader(file))
    tables = [
        Table(parquet.read_table(tmp_path / f"{name}.parquet").to_pydict())
        for name in ("proposals", "observations")
    ]
    tables[0]["abstract"] = Column(tables[0]["abstract"].astype(object))
    previews = Table({name: [row[name] for row in expected] for name in ("obsid", "proposal_id")})
    previews["image"] = [row["image"] for row in expected]
    previews["preview"] = [row["dataURL"] or row["image"] for row in expected]
    previews["status"] = "complete"
    pairs = make_pairs(*tables, previews, directory=tmp_path)
    write_pairs(pairs, tmp_path / f"made.{suffix}")
    made, simulated = read_pairs(tmp_path / f"made.{suffix}"), read_pairs(path)
    assert set(made.colnames) == {*simulated.colnames, "preview"} - {"kind"}
    for name in set(made.colnames) - {"preview"}:
        assert made[name].tolist() == simulated[name].tolist(), name
        assert made[name].unit == simulated[name].unit


def test_unmasked_positions_work_too(proposals, observations, previews):
    observations["s_ra"] = Column(np.array([10.0, 20, 30, 40]), unit="deg")
    pairs = make_pairs(proposals, observations, previews, sky_radius=90 * u.deg)
    assert pairs["group_id"].tolist() == ["10", "10", "10"]
