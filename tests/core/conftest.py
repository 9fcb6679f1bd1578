"""Fixtures of the tests of queries."""

import pytest

from astro_paperclip import conf


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory):
    """Keep banks of queries apart: stand-ins for encoders of several modules share a name."""
    with conf.set_temp("cache_dir", str(tmp_path_factory.mktemp("cache"))):
        yield
