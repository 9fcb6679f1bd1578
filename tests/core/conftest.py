"""Fixtures of the tests of queries."""

import pytest


@pytest.fixture(autouse=True)
def _with_own_cache(own_cache):
    """Every query keeps a bank of queries for its encoder."""
