"""Servers for the tests of the server itself."""

import pytest

from . import LoopbackServer


@pytest.fixture(scope="module")
def shared_loopback(openapi_document):
    """A server for the tests of a module that leave it as it was."""
    with LoopbackServer(openapi_document) as server:
        yield server
        assert server.violations == []
        assert server.own_faults == []
