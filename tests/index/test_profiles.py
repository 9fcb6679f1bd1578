"""Profiles: the package's own, files of one's own, and what is refused."""

import tomllib
from dataclasses import fields
from importlib.resources import files

import pytest
import tomli_w

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.index import PROFILES, Profile


def written(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", PROFILES)
class TestOwn:
    def test_every_setting_is_preceded_by_its_source(self, name):
        """A comment with an address, or one that says why none is needed, is above each block."""
        text = files("astro_paperclip.index.profiles").joinpath(f"{name}.toml").read_text()
        blocks = [block for block in text.split("\n\n") if " = " in block]
        assert blocks
        for block in blocks:
            assert block.startswith("#")
            assert "https://" in block or "No second copy" in block

    def test_is_read(self, name):
        profile = Profile.named(name)
        assert profile.name == name
        assert Profile.named(profile) is profile

    def test_survives_being_written(self, name, tmp_path):
        profile = Profile.named(name)
        content = profile.as_content()
        assert Profile.from_content(content) == profile
        copy = written(tmp_path / "copy.toml", tomli_w.dumps(content))
        assert Profile.named(copy) == profile


def test_laptop_is_what_a_file_without_a_key_gets(tmp_path):
    empty = Profile.named(written(tmp_path / "empty.toml", ""))
    laptop = Profile.named("laptop").as_content()
    assert empty.as_content() == laptop | {"name": str(tmp_path / "empty.toml")}


def test_cluster_has_the_settings_that_were_worked_out_for_it():
    cluster = Profile.named("cluster")
    assert (cluster.shard_number, cluster.replication_factor) == (12, 2)
    assert (cluster.datatype, cluster.vectors_on_disk) == ("float16", True)
    assert (cluster.quantization, cluster.quantile, cluster.always_ram) == ("int8", 0.99, True)
    assert (cluster.m, cluster.ef_construct, cluster.payload_m) == (16, 128, 16)
    assert cluster.max_segment_size == 5_000_000


def test_a_file_of_ones_own(tmp_path):
    path = written(tmp_path / "mine.toml", "shard_number = 6\nm = 8\nlinked_fields = ['filters']")
    profile = Profile.named(path)
    assert (profile.name, profile.shard_number, profile.m) == (str(path), 6, 8)
    assert profile.linked_fields == ("filters",)
    assert profile.datatype == "float32"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("shards = 6", r"unknown key 'shards'. Known are: name, shard_number"),
        ("shard_number = 0", "shard_number = 0; it must be 1 or more"),
        ("shard_number = 1.5", "shard_number = 1.5; it must be a whole number"),
        ("shard_number = true", "shard_number = True; it must be a whole number"),
        ("bulk_load = 1", "bulk_load = 1; it must be true or false"),
        ("datatype = 16", "datatype = 16; it must be text"),
        ("datatype = 'uint8'", "datatype = 'uint8': choose one of 'float32', 'float16'"),
        ("quantization = 'binary'", "quantization = 'binary': choose one of 'none', 'int8'"),
        ("quantile = 1.5", "quantile = 1.5; it must be 0.5 to 1"),
        ("quantile = 'most'", "quantile = 'most'; it must be a number"),
        ("ef_construct = 3", "ef_construct = 3; it must be 4 or more"),
        ("m = -1", "m = -1; it must be 0 or more"),
        ("linked_fields = 'filters'", "it must be a list of columns"),
        ("linked_fields = [1]", "it must be a list of columns"),
        ("m = 8\nlinked_fields = ['seeing']", "seeing among linked_fields, which have no index"),
        ("linked_fields = ['filters']", "m = 0, which means no graph, and payload_m or linked"),
        ("payload_m = 8", "m = 0, which means no graph, and payload_m or linked"),
        ("bulk_load = true", "bulk_load = true, which builds the graph after loading, and m = 0"),
        ("write_consistency_factor = 2", "wants 2 copies to be stored.*and has 1"),
        ("shard_number = ", "is no TOML file"),
    ],
)
def test_what_is_refused(tmp_path, line, message):
    path = written(tmp_path / "bad.toml", line)
    with pytest.raises(InvalidQueryError, match=message) as caught:
        Profile.named(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["clusters", "no/such/file.toml"])
def test_there_is_none(name):
    with pytest.raises(InvalidQueryError, match=r"choose one of laptop, workstation, cluster"):
        Profile.named(name)


def test_a_directory_is_no_profile(tmp_path):
    with pytest.raises(InvalidQueryError, match="no profile"):
        Profile.named(tmp_path)


def test_files_have_no_key_that_is_not_a_setting():
    names = {field.name for field in fields(Profile)}
    for name in PROFILES:
        text = files("astro_paperclip.index.profiles").joinpath(f"{name}.toml").read_text()
        assert tomllib.loads(text).keys() <= names - {"name"}
