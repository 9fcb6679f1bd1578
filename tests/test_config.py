"""Which of several values of a configuration item holds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from astro_paperclip import PaperclipMast, conf
from astro_paperclip.exceptions import ConfigurationError, InvalidQueryError

ITEMS = [*conf]


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    """Begin without variables, and end without assignments."""
    for name in [name for name in os.environ if name.startswith("ASTRO_PAPERCLIP_")]:
        monkeypatch.delenv(name)
    yield
    monkeypatch.undo()
    conf.reload()


def test_items_of_the_ecosystem_are_there():
    expected = {"collection", "qdrant_url", "encoder", "device", "row_limit", "timeout"}
    assert expected | {"max_conn", "cache_dir"} <= set(ITEMS)


def test_the_environment_counts_more_than_the_default(monkeypatch):
    assert conf.row_limit == 50
    monkeypatch.setenv("ASTRO_PAPERCLIP_ROW_LIMIT", "7")
    assert conf.row_limit == 7
    monkeypatch.delenv("ASTRO_PAPERCLIP_ROW_LIMIT")
    assert conf.row_limit == 50


def test_what_is_assigned_counts_more_than_the_environment(monkeypatch):
    monkeypatch.setenv("ASTRO_PAPERCLIP_ROW_LIMIT", "7")
    with conf.set_temp("row_limit", 9):
        assert conf.row_limit == 9
        with conf.set_temp("row_limit", 10):
            assert conf.row_limit == 10
        assert conf.row_limit == 9
    assert conf.row_limit == 7
    monkeypatch.setenv("ASTRO_PAPERCLIP_ROW_LIMIT", "8")
    assert conf.row_limit == 8
    conf.row_limit = 50
    assert conf.row_limit == 50
    with conf.set_temp("row_limit", 9):
        assert conf.row_limit == 9
    assert conf.row_limit == 50
    conf.reload()
    assert conf.row_limit == 8


def test_a_block_that_fails_leaves_nothing(monkeypatch):
    monkeypatch.setenv("ASTRO_PAPERCLIP_DEVICE", "cpu")
    with pytest.raises(KeyError), conf.set_temp("device", "cuda"):
        raise KeyError
    assert conf.device == "cpu"
    with pytest.raises(TypeError), conf.set_temp("device", "gpu"):
        pass
    assert conf.device == "cpu"
    monkeypatch.delenv("ASTRO_PAPERCLIP_DEVICE")
    assert conf.device == "auto"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("collection", "/data/hubble", "/data/hubble"),
        ("qdrant_url", "https://host:6333/sky", "https://host:6333/sky"),
        ("encoder", "ViT-B-16/openai", "ViT-B-16/openai"),
        ("device", "cuda", "cuda"),
        ("cache_dir", "/scratch/cache", "/scratch/cache"),
        ("max_conn", "2", 2),
        ("timeout", "1.5", 1.5),
        ("timeout", "3", 3.0),
        ("qdrant_grpc", "true", True),
        ("qdrant_grpc", "0", False),
        ("collections_dir", "", ""),
        ("device", "", "auto"),
    ],
)
def test_values_have_the_type_of_their_item(monkeypatch, name, text, value):
    monkeypatch.setenv(f"ASTRO_PAPERCLIP_{name.upper()}", text)
    found = getattr(conf, name)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("row_limit", "many", "a whole number from 1"),
        ("row_limit", "1.5", "a whole number from 1"),
        ("row_limit", "-1", "a whole number from 1"),
        ("batch_size", "0", "a whole number from 1"),
        ("retries", "-1", "a whole number from 0"),
        ("timeout", "long", "a number"),
        ("qdrant_grpc", "perhaps", "True or False"),
        ("device", "gpu", "one of auto, cpu, cuda, mps"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable(monkeypatch, name, text, kind):
    variable = f"ASTRO_PAPERCLIP_{name.upper()}"
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigurationError, match=f"{variable} must be {kind}, not {text!r}"):
        getattr(conf, name)
    monkeypatch.delenv(variable)
    getattr(conf, name)


@pytest.mark.parametrize("name", ["row_limit", "batch_size", "max_conn", "max_file_size"])
def test_a_number_that_nothing_could_be_done_with_is_refused(name):
    before = getattr(conf, name)
    for wrong in (0, -1):
        with pytest.raises(TypeError, match=f"{name}.*too small"):
            setattr(conf, name, wrong)
    assert getattr(conf, name) == before


def test_the_query_class_heeds_the_environment(monkeypatch):
    monkeypatch.setenv("ASTRO_PAPERCLIP_COLLECTION", "/from/environment")
    monkeypatch.setenv("ASTRO_PAPERCLIP_ROW_LIMIT", "7")

    def asked(instance, **options):
        payload = instance.query_text("a comet", get_query_payload=True, **options)
        return payload["collection"], payload["limit"]

    assert asked(PaperclipMast) == ("/from/environment", 7)
    with conf.set_temp("collection", "/from/conf"):
        assert asked(PaperclipMast) == ("/from/conf", 7)
        own = PaperclipMast(collection="/of/instance")
        assert asked(own) == ("/of/instance", 7)
        assert asked(own, collection="/of/query", limit=3) == ("/of/query", 3)
    monkeypatch.setenv("ASTRO_PAPERCLIP_ROW_LIMIT", "few")
    with pytest.raises(InvalidQueryError, match="ASTRO_PAPERCLIP_ROW_LIMIT"):
        PaperclipMast.query_text("a comet")


def test_the_environment_counts_more_than_the_file(tmp_path):
    code = """
from pathlib import Path
from astropy.config import get_config_dir
Path(get_config_dir("astro_paperclip"), "astro_paperclip.cfg").write_text(
    "[config]\\nrow_limit = 11\\ntimeout = 12.0\\n"
)
from astro_paperclip import conf
print(conf.row_limit, conf.timeout)
"""
    # astropy before 8 uses such a folder only where it holds one named astropy.
    (tmp_path / "astropy").mkdir()
    environment = os.environ | {
        "XDG_CONFIG_HOME": str(tmp_path),
        "ASTROPY_CONFIG_DIR": str(tmp_path / "astropy"),
        "ASTRO_PAPERCLIP_TIMEOUT": "13",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["11", "13.0"]


def test_every_item_is_in_the_user_guide_with_its_default():
    page = Path(__file__).parents[1] / "docs" / "user_guide" / "configuration.rst"
    rows = page.read_text().partition("All items")[2].split("   * - ")[2:]
    listed = dict(row.splitlines()[:2] for row in rows)
    listed = {name.strip("`"): value.strip(" -`") for name, value in listed.items()}
    assert set(listed) == set(ITEMS)
    for name, shown in listed.items():
        value = vars(type(conf))[name].defaultvalue
        written = f"{value:,}" if isinstance(value, int) and value is not False else str(value)
        assert shown in (written or "empty", "MAST's")
