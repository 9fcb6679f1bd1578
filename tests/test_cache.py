import os
from pathlib import Path

import pytest

from astro_paperclip.cache import cache_directory
from astro_paperclip.config import conf


def test_below_the_configured_folder(tmp_path):
    with conf.set_temp("cache_dir", str(tmp_path)):
        assert cache_directory("features") == tmp_path / "features"
        assert cache_directory("weights") == tmp_path / "weights"
    # Asking makes nothing.
    assert list(tmp_path.iterdir()) == []


def test_the_home_folder_may_be_abbreviated(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with conf.set_temp("cache_dir", "~/cache"):
        assert cache_directory("features") == tmp_path / "cache" / "features"


@pytest.mark.parametrize("name", ["features", "weights"])
def test_in_astropys_cache_unless_configured(name):
    folder = cache_directory(name)
    assert folder.name == name
    assert "astro_paperclip" in folder.parts
    # Where the tests' settings have put the cache.
    assert folder.is_relative_to(Path(os.environ["XDG_CACHE_HOME"]))
