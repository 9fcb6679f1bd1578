"""Fixtures of the tests of queries."""

import pytest

from astro_paperclip import PaperclipMast


@pytest.fixture(autouse=True)
def _with_own_cache(own_cache):
    """Every query keeps a bank of queries for its encoder."""


@pytest.fixture
def refusing(tmp_path):
    """A query class without a collection: whoever opens it fails in another way."""
    return PaperclipMast(collection=tmp_path / "absent")
