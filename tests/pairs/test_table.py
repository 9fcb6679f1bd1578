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
from astro_paperclip.pairs import formats, read_pairs, write_pairs

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


def test_known_contentshave_their_types(folder):
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


@pytest.mark.parametrize("encoded", [False, True], ids=["plain", "dictionary"])
def test_parquet_is_read_in_parts(folder, monkeypatch, encoded):
    monkeypatch.setattr(formats, "_ROWS_AT_ONCE", 2)
    texts = pa.array(["a", "b", "a", "c", "b"])
    titles = pa.array([None, "t", None, None, "u"])
    values = {
        "image": [f"images/{n}.jpg" for n in range(5)],
        "text": texts.dictionary_encode() if encoded else texts,
        "group_id": ["1", "1", "2", "2", "3"],
        "title": titles.dictionary_encode() if encoded else titles,
        "nothing": pa.array([None] * 5, pa.string()),
        "ra": pa.array([1.5, None, float("nan"), float("inf"), -2], pa.float32()),
        "s_dec": ["1", "", None, "-4.5", "5e1"],
        "calib_level": pa.array([1, 2, None, 4, 5], pa.int8()),
        "number": pa.array([2**63 - 1, None, 0, -1, 1]),
        "large": pa.array([2**63 - 1, None, 0, 1, 1], pa.uint64()),
        "mtFlag": [True, None, False, None, True],
        "day": pa.array([19000, None, 0, 1, 2], pa.date32()),
    }
    parquet.write_table(pa.table(values), folder / "pairs.parquet", row_group_size=3)
    table = read_pairs(folder / "pairs.parquet")
    assert [Path(image).stem for image in table["image"]] == ["0", "1", "2", "3", "4"]
    expected = {
        "text": ["a", "b", "a", "c", "b"],
        "title": ["", "t", "", "", "u"],
        "nothing": [""] * 5,
        "ra": [1.5, None, None, None, -2],
        "s_dec": [1, None, None, -4.5, 50],
        "calib_level": [1, 2, None, 4, 5],
        "number": [2**63 - 1, None, 0, -1, 1],
        "large": [2**63 - 1, None, 0, 1, 1],
        "mtFlag": [True, None, False, None, True],
        "day": ["2022-01-08", "", "1970-01-01", "1970-01-02", "1970-01-03"],
    }
    for name, column in expected.items():
        assert table[name].tolist() == column
    assert table["ra"].dtype == table["s_dec"].dtype == float
    assert table["calib_level"].dtype == table["number"].dtype == np.int64
    assert table["ra"].unit == u.deg


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_captions_of_many_rows_are_kept_once(folder, monkeypatch, suffix):
    monkeypatch.setattr(formats, "_ROWS_AT_ONCE", 2)
    monkeypatch.setattr(columns, "_PADDING_LIMIT", 100)
    captions = ["first " * 30, "second " * 30]
    rows = [(f"images/{n}.jpg", captions[n % 2], "g") for n in range(5)]
    path = write_csv(folder / "pairs.csv", rows)
    if suffix == "parquet":
        path = folder / "pairs.parquet"
        contents = dict(zip(("image", "text", "group_id"), zip(*rows, strict=True), strict=True))
        parquet.write_table(pa.table(contents), path)
    texts = read_pairs(path)["text"].tolist()
    assert texts == [row[1] for row in rows]
    assert len({id(text) for text in texts}) == 2


def test_parquet_without_rows_or_columns(folder):
    kinds = {"image": pa.string(), "text": pa.string(), "group_id": pa.int64()}
    parquet.write_table(
        pa.table({name: pa.array([], kind) for name, kind in kinds.items()}), folder / "a.parquet"
    )
    with pytest.raises(PairsError, match="no rows"):
        read_pairs(folder / "a.parquet")
    parquet.write_table(pa.table({}), folder / "b.parquet")
    with pytest.raises(PairsError, match="column missing: image, text, group_id"):
        read_pairs(folder / "b.parquet")


def test_images_of_earlier_files_are_remembered(folder):
    paths = [write_csv(folder / f"{name}.csv", rows_of(5)[:2]) for name in "abc"]
    with pytest.raises(PairsError) as caught:
        read_pairs(paths)
    message = str(caught.value)
    assert message.startswith("4 faults")
    for name in "bc":
        for row in (1, 2):
            image = folder / f"images/{row - 1}.jpg"
            assert (
                f"{name}.csv, row {row}: {image} is listed twice, first in {paths[0]}, row {row}"
                in message
            )


def test_long_contentsare_not_padded(folder, monkeypatch):
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
    fourth = write_csv(
        folder / "fourth.csv",
        [("images/4.jpg", "x", "g", "1e30")],
        ("image", "text", "group_id", "calib_level"),
    )
    with pytest.raises(PairsError) as caught:
        read_pairs([first, second, folder / "absent.csv", folder / "pairs.xlsx", third, fourth])
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
        "fourth.csv, row 1: calib_level is no int64: '1e30'",
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


def test_writing_needs_contentsand_a_known_suffix(folder):
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
