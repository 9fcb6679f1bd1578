"""Tables of the archive in Parquet files."""

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.table import Column, MaskedColumn, Table
from pyarrow import parquet

from astro_paperclip import columns
from astro_paperclip.archive.storage import read_table, write_table
from astro_paperclip.exceptions import CollectionError


@pytest.fixture
def table():
    """Return a table with a column of each kind, with and without missing values."""
    table = Table()
    table["text"] = Column(["α", "longer"], description="A text", meta={"ucd": "meta.note"})
    table["number"] = Column([1, 2])
    table["ra"] = MaskedColumn([1.5, np.nan], mask=[True, False], unit="deg")
    table["url"] = MaskedColumn(["", "mast:x"], mask=[True, False], description="Where")
    table["level"] = MaskedColumn([1, 2], mask=[False, True])
    table["flag"] = MaskedColumn([True, False], mask=[False, True])
    table["nothing"] = MaskedColumn(["", ""], mask=True)
    table.meta = {"age": 3.5 * u.day, "faults": [(3, "bad")], "counts": {"kept": 2}}
    return table


def test_what_was_written_is_read(table, tmp_path):
    write_table(table, tmp_path / "a.parquet")
    again = read_table(tmp_path / "a.parquet")
    assert again.colnames == table.colnames
    for name in table.colnames:
        assert again[name].tolist() == pytest.approx(table[name].tolist(), nan_ok=True), name
        assert again[name].dtype.kind == table[name].dtype.kind
        assert again[name].unit == table[name].unit
        assert again[name].description == table[name].description
    assert again["text"].meta == {"ucd": "meta.note"}
    assert again.meta == table.meta


def test_an_empty_table(table, tmp_path):
    write_table(table[:0], tmp_path / "a.parquet")
    again = read_table(tmp_path / "a.parquet")
    assert len(again) == 0
    assert again.colnames == table.colnames
    assert again["ra"].unit == u.deg


def test_others_see_nulls(table, tmp_path):
    write_table(table, tmp_path / "a.parquet")
    seen = parquet.read_table(tmp_path / "a.parquet")
    assert seen.column_names == table.colnames
    assert seen["url"].to_pylist() == [None, "mast:x"]
    assert seen["level"].to_pylist() == [1, None]


def test_files_of_others(tmp_path):
    path = tmp_path / "year=2024" / "b.parquet"
    path.parent.mkdir()
    columns = {"a": pa.array(["x", None], pa.large_string()), "b": [None, None], "c": [1.0, 2.0]}
    parquet.write_table(pa.table(columns), path)
    table = read_table(path)
    assert table.colnames == ["a", "b", "c"]
    assert table["a"].tolist() == ["x", None]
    assert table["b"].tolist() == [None, None]


def test_long_texts_are_not_padded(tmp_path, monkeypatch):
    table = Table({"text": ["a" * 100, "b"]})
    monkeypatch.setattr(columns, "_PADDING_LIMIT", 100)
    write_table(table, tmp_path / "a.parquet")
    again = read_table(tmp_path / "a.parquet")
    assert again["text"].dtype == object
    write_table(again, tmp_path / "b.parquet")
    assert read_table(tmp_path / "b.parquet")["text"].tolist() == table["text"].tolist()


def test_what_is_no_table(tmp_path):
    (tmp_path / "a.parquet").write_text("no table")
    for name in ("a.parquet", "b.parquet"):
        with pytest.raises(CollectionError, match=name):
            read_table(tmp_path / name)
