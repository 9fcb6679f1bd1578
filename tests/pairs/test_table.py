"""Reading and writing pairs files."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, Table
from pyarrow import parquet

from astro_paperclip import columns
from astro_paperclip.exceptions import PairsError
from astro_paperclip.pairs import read_pairs, write_pairs

SUFFIXES = ["csv", "ecsv", "parquet"]


@pytest.fixture
def folder(tmp_path):
    """Return a folder with five (empty) image files."""
    (tmp_path / "images").mkdir()
    for number in range(5):
        (tmp_path / f"images/{number}.jpg").touch()
    return tmp_path


def write_csv(path, rows, header=("image", "text", "group_id")):
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


def rows_of(count, start=0):
    return [(f"images/{n}.jpg", f"caption {n}", f"group {n // 2}") for n in range(start, count)]


def test_csv(folder):
    path = write_csv(folder / "pairs.csv", rows_of(5))
    table = read_pairs(path)
    assert table.colnames == ["image", "text", "group_id"]
    assert table["image"].tolist() == [str(folder / f"images/{n}.jpg") for n in range(5)]
    assert table["text"][3] == "caption 3"
    assert {column.dtype.kind for column in table.columns.values()} == {"U"}


def test_relative_pairs_file_gives_absolute_images(folder, monkeypatch):
    write_csv(folder / "pairs.csv", rows_of(1))
    monkeypatch.chdir(folder / "images")
    assert read_pairs("../pairs.csv")["image"][0] == str(folder / "images/0.jpg")


def test_absolute_image_paths_stay(folder):
    path = write_csv(folder / "pairs.csv", [(folder / "images/0.jpg", "a caption", "g")])
    assert read_pairs(path)["image"][0] == str(folder / "images/0.jpg")


def test_known_columns_have_their_types(folder):
    header = ["group_id", "text", "image", "proposal_id", "s_ra", "calib_level", "dec", "extra"]
    rows = [
        ["007", 'one,\n\n"two"\nlines', "images/0.jpg", "00012", "10.5", "3", "-4", "01"],
        ["8", "three", "images/1.jpg", "", "", "", "nan", ""],
    ]
    table = read_pairs(write_csv(folder / "pairs.csv", rows, header))
    assert table.colnames[:3] == ["image", "text", "group_id"]
    assert table["group_id"].tolist() == ["007", "8"]
    assert table["text"][0] == 'one,\n\n"two"\nlines'
    assert table["proposal_id"].tolist() == ["00012", ""]
    assert table["extra"].tolist() == ["01", ""]
    assert table["s_ra"].dtype == float
    assert table["s_ra"].unit == table["dec"].unit == u.deg
    assert table["calib_level"].dtype == int
    for name in ("s_ra", "calib_level", "dec"):
        assert table[name].mask.tolist() == [False, True]
    assert (table["s_ra"][0], table["calib_level"][0], table["dec"][0]) == (10.5, 3, -4)


def test_byte_order_mark_and_blank_lines(folder):
    path = folder / "pairs.csv"
    content = "image,text,group_id\r\n\r\nimages/0.jpg,a,g\r\n\r\n"
    path.write_text(content, encoding="utf-8-sig", newline="")
    assert len(read_pairs(path)) == 1


def test_files_are_stacked(folder):
    first = write_csv(
        folder / "a.csv",
        [("images/0.jpg", "a", "g", "1", "x")],
        ("image", "text", "group_id", "ra", "only"),
    )
    second = folder / "images/b.parquet"
    parquet.write_table(
        pa.table(
            {"image": ["1.jpg", "2.jpg"], "text": ["b", "c"], "group_id": [1, 2], "n": [5, 6]}
        ),
        second,
    )
    third = write_csv(
        folder / "c.csv", [("images/3.jpg", "d", "g", "seven")], ("image", "text", "group_id", "n")
    )
    table = read_pairs([first, str(second), third])
    assert [Path(image).stem for image in table["image"]] == ["0", "1", "2", "3"]
    assert table["group_id"].tolist() == ["g", "1", "2", "g"]
    assert table["n"].tolist() == ["", "5", "6", "seven"]
    assert table["only"].tolist() == ["x", "", "", ""]
    assert table["ra"].mask.tolist() == [False, True, True, True]


def test_parquet_from_other_tools(folder):
    columns = {
        "image": pa.array(["images/0.jpg", "images/1.jpg"]).dictionary_encode(),
        "text": pa.array(["a", "b"], pa.large_string()),
        "group_id": [15354.0, 12.0],
        "proposal_id": [15354.0, float("nan")],
        "calib_level": [3.0, float("nan")],
        "flag": [True, None],
        "number": [1, None],
    }
    parquet.write_table(pa.table(columns), folder / "pairs.parquet")
    table = read_pairs(folder / "pairs.parquet")
    assert table["group_id"].tolist() == ["15354", "12"]
    assert table["proposal_id"].tolist() == ["15354", ""]
    assert table["calib_level"].tolist() == [3, None]
    assert table["flag"].tolist() == [True, None]
    assert table["number"].dtype == int


def test_long_columns_are_not_padded(folder, monkeypatch):
    monkeypatch.setattr(columns, "_PADDING_LIMIT", 100)
    rows = rows_of(4)
    rows[0] = (rows[0][0], "long " * 30 + "caption", rows[0][2])
    plain = read_pairs(write_csv(folder / "a.csv", rows))
    assert plain["text"].dtype == object
    monkeypatch.undo()
    (folder / "images/9.jpg").touch()
    other = write_csv(folder / "b.csv", [("images/9.jpg", "short", "g")])
    both = read_pairs([folder / "a.csv", other])
    assert both["text"].tolist() == [*plain["text"], "short"]
    for suffix in SUFFIXES:
        write_pairs(plain, folder / f"again.{suffix}")
        assert read_pairs(folder / f"again.{suffix}")["text"].tolist() == plain["text"].tolist()


def test_all_faults_at_once(folder):
    first = write_csv(
        folder / "first.csv",
        [
            ("images/0.jpg", "fine", "g"),
            ("images/1.jpg", " \n", "g"),
            ("images/none.jpg", "text", "g"),
            ("images/2.jpg", "text", ""),
            ("", "text", "g"),
            ("images/../images/0.jpg", "again", "g"),
            ("images/3.jpg",),
        ],
    )
    second = write_csv(folder / "second.csv", [("images/0.jpg", "x")], ("image", "text"))
    third = write_csv(
        folder / "third.csv",
        [("images/0.jpg", "x", "g", "north")],
        ("image", "text", "group_id", "s_dec"),
    )
    with pytest.raises(PairsError) as caught:
        read_pairs([first, second, folder / "absent.csv", folder / "pairs.xlsx", third])
    message = str(caught.value)
    for part in (
        "first.csv, row 2: the caption is empty",
        "first.csv, row 3: no such image file",
        "none.jpg",
        "first.csv, row 4: the group_id is empty",
        "first.csv, row 5: the image path is empty",
        f"first.csv, row 6: {folder / 'images/0.jpg'} is listed twice",
        "first.csv, row 7: 1 values for 3 columns",
        "second.csv: column missing: group_id",
        "absent.csv: there is no such pairs file",
        "pairs.xlsx: unknown suffix",
        "third.csv, row 1: s_dec is no float64: 'north'",
        "third.csv, row 1: ",
    ):
        assert part in message
    assert "first.csv, row 1:" not in message


def test_long_lists_of_faults_are_shortened(folder):
    rows = [(f"images/x{n}.jpg", "text", "g") for n in range(100)]
    with pytest.raises(PairsError) as caught:
        read_pairs(write_csv(folder / "pairs.csv", rows))
    message = str(caught.value)
    assert message.startswith("100 faults")
    assert "and 80 more" in message
    assert len(message.splitlines()) == 22


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damaged_file(folder, suffix):
    path = folder / f"pairs.{suffix}"
    path.write_bytes(b'image,text,group_id\n"\xff\xfe never closed')
    with pytest.raises(PairsError, match=rf"pairs\.{suffix}: cannot be read"):
        read_pairs(path)


def test_nothing_to_read(folder):
    with pytest.raises(PairsError, match="no rows"):
        read_pairs(write_csv(folder / "pairs.csv", []))
    with pytest.raises(PairsError, match="no rows"):
        read_pairs([])
    (folder / "empty.csv").touch()
    with pytest.raises(PairsError, match="column missing: image, text, group_id"):
        read_pairs(folder / "empty.csv")


def test_images_are_not_checked_on_request(folder):
    path = write_csv(folder / "pairs.csv", [("elsewhere/0.jpg", "text", "g")])
    assert len(read_pairs(path, check_images=False)) == 1


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_written_pairs_are_read_again(folder, suffix):
    table = Table(
        {
            "image": [str(folder / f"images/{n}.jpg") for n in range(3)],
            "text": ["plain", 'with "quotes", commas\nand lines', "Größe λ ≈ 2 µm"],
            "group_id": ["001", "2", "x y"],
            "obs_id": ["a", "", "c"],
            "s_ra": MaskedColumn([1 / 3, 0, 3.5], mask=[False, True, False], unit="deg"),
            "calib_level": MaskedColumn([3, 0, 1], mask=[False, True, False]),
        }
    )
    path = folder / f"deep/er/pairs.{suffix}"
    write_pairs(table, path)
    again = read_pairs(path)
    assert again.colnames == table.colnames
    for name in table.colnames:
        assert again[name].tolist() == table[name].tolist()
        assert again[name].unit == table[name].unit
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert table["image"][0] == str(folder / "images/0.jpg")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_written_folder_can_be_moved(folder, suffix):
    old, new = folder / "old", folder / "new"
    old.mkdir()
    (folder / "images").rename(old / "images")
    table = Table({"image": [str(old / "images/0.jpg")], "text": ["a"], "group_id": ["g"]})
    write_pairs(table, old / f"pairs.{suffix}")
    old.rename(new)
    assert read_pairs(new / f"pairs.{suffix}")["image"][0] == str(new / "images/0.jpg")


def test_failed_writing_keeps_the_old_file(folder, monkeypatch):
    path = write_csv(folder / "pairs.csv", rows_of(2))
    before = path.read_bytes()
    table = read_pairs(path)

    def fail(*args, **options):
        raise OSError("No space left on device")

    monkeypatch.setattr(csv, "writer", fail)
    with pytest.raises(OSError, match="No space"):
        write_pairs(table, path)
    assert path.read_bytes() == before
    assert sorted(entry.name for entry in folder.iterdir()) == ["images", "pairs.csv"]


def test_writing_needs_columns_and_a_known_suffix(folder):
    table = Table({"image": ["a.jpg"], "text": ["a"]})
    with pytest.raises(PairsError, match="group_id"):
        write_pairs(table, folder / "pairs.csv")
    table["group_id"] = ["g"]
    with pytest.raises(PairsError, match=r"pairs\.txt"):
        write_pairs(table, folder / "pairs.txt")


@pytest.mark.parametrize(
    ("name", "rows", "groups"), [("jwst_proposals", 656, 76), ("space_captions", 274, 195)]
)
def test_real_pairs(shared, tmp_path, name, rows, groups):
    path = shared / "data" / name / "pairs.csv"
    table = read_pairs(path)
    assert len(table) == rows
    assert len(np.unique(table["group_id"])) == groups
    assert all(dec is None or abs(dec) <= 90 for dec in table["dec"].tolist())
    with path.open(encoding="utf-8", newline="") as stream:
        truth = list(csv.DictReader(stream))
    assert table["text"].tolist() == [row["text"] for row in truth]
    assert [float(ra) if ra is not None else None for ra in table["ra"].tolist()] == [
        float(row["ra"]) if row["ra"] else None for row in truth
    ]
    write_pairs(table, tmp_path / "copy.parquet")
    copy = read_pairs(tmp_path / "copy.parquet")
    assert all(copy[column].tolist() == table[column].tolist() for column in table.colnames)
