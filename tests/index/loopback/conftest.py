"""Servers for the tests of the server itself."""

import pytest

from . import LoopbackServer
from .samples import make_collection


@pytest.fixture(scope="module")
def shared_loopback(openapi_document):
    """A server for the tests of a module that leave it as it was."""
    with LoopbackServer(openapi_document) as server:
        yield server
        assert server.violations == []
        assert server.own_faults == []


@pytest.fixture
def client(loopback):
    """A client of a server with an empty collection."""
    client = loopback.client()
    make_collection(client)
    return client
