import datetime
import tomllib

import pytest

from astro_paperclip import collection as collection_module
from astro_paperclip.collection import Collection
from astro_paperclip.exceptions import CollectionError


@pytest.fixture
def made(tmp_path):
    return Collection.create(
        tmp_path / "nebulae",
        encoder_name="compact",
        encoder_fingerprint="00ff",
        dimension=512,
        views="whole",
    )


def test_what_is_written_is_read(made):
    assert Collection.open(made.path) == made
    assert Collection.open(str(made.path)) == made


def test_record_is_plain_toml(made):
    content = tomllib.loads((made.path / "collection.toml").read_text(encoding="utf-8"))
    assert content["format_version"] == 1
    assert content["title"] == "nebulae"
    assert content["encoder"] == {
        "name": "compact",
        "fingerprint": "00ff",
        "dimension": 512,
        "views": "whole",
    }
    assert content["software"]["numpy"]
    created = datetime.datetime.fromisoformat(content["created"])
    assert created.utcoffset() == datetime.timedelta(0)
    assert abs(datetime.datetime.now(datetime.UTC) - created) < datetime.timedelta(minutes=5)


def test_parts(made):
    assert made.record_path.is_file()
    assert made.index_path == made.path / "index"
    assert made.encoder_path == made.path / "encoder"
    assert made.pairs_path == made.path / "pairs.parquet"


def test_save_changes_the_date_alone(made, monkeypatch):
    monkeypatch.setattr(collection_module, "_now", lambda: "2030-01-01T00:00:00+00:00")
    saved = made.save()
    assert saved.modified == "2030-01-01T00:00:00+00:00"
    assert saved.created == made.created != saved.modified
    assert Collection.open(made.path) == saved


def test_exists(made, tmp_path):
    assert Collection.exists(made.path)
    assert not Collection.exists(tmp_path)
    assert not Collection.exists(tmp_path / "absent")


def test_create_again(made):
    with pytest.raises(CollectionError, match="a collection already"):
        Collection.create(made.path, encoder_name="x", encoder_fingerprint="y", dimension=2)
    assert Collection.open(made.path) == made


def test_create_below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CollectionError, match="cannot be written"):
        Collection.create(
            tmp_path / "file" / "c", encoder_name="x", encoder_fingerprint="y", dimension=2
        )


def test_a_failing_save_keeps_the_record(made, monkeypatch):
    def fail(content):
        raise OSError("no room")

    monkeypatch.setattr(collection_module.tomli_w, "dumps", fail)
    with pytest.raises(CollectionError, match="no room"):
        made.save()
    assert Collection.open(made.path) == made
    assert [path.name for path in made.path.iterdir()] == ["collection.toml"]


def test_absent(tmp_path):
    with pytest.raises(CollectionError, match=r"absent does not exist.*astro-paperclip index"):
        Collection.open(tmp_path / "absent")


def test_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CollectionError, match="is a file, not a directory"):
        Collection.open(tmp_path / "file")


def test_an_ordinary_directory(tmp_path):
    with pytest.raises(CollectionError, match=r"no collection\.toml.*astro-paperclip index"):
        Collection.open(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format_version = 1", "format_version = 2", "format version 2"),
        ("format_version = 1", "", "format version None"),
        ("format_version = 1", "format_version = = 1", "damaged"),
        ("dimension = 512", 'dimension = "512"', "'dimension' is missing or of the wrong type"),
        ("dimension = 512", "", "'dimension' is missing"),
        ("[encoder]", "[decoder]", "'encoder' is missing"),
        ("format_version = 1", "format_version = 1\njoined = 3", "'joined' is missing or of the"),
        ("format_version = 1", "format_version = 1\njoined.a = 'b'", "'a' is missing or of the"),
        ("format_version = 1", "format_version = 1\njoined.a.views = 'b'", "'encoder' is missing"),
    ],
)
def test_damage(made, old, new, message):
    text = made.record_path.read_text(encoding="utf-8")
    assert old in text
    made.record_path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(CollectionError, match=message) as caught:
        Collection.open(made.path)
    assert str(made.record_path) in str(caught.value)


def test_damage_of_the_encoding(made):
    made.record_path.write_bytes(b"title = '\xff'")
    with pytest.raises(CollectionError, match="damaged"):
        Collection.open(made.path)
