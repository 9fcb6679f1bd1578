from importlib import import_module
from unittest.mock import create_autospec

import pytest


@pytest.fixture
def replace(monkeypatch):
    """Return a function that puts a stand-in with the same signature in a function's place."""

    def replace(where, **answer):
        module, _, name = where.rpartition(".")
        try:
            room = import_module(f"astro_paperclip.{module}")
        except ModuleNotFoundError as error:
            if error.name.startswith("astro_paperclip"):
                raise
            pytest.skip(f"{error.name} is not installed")
        stand_in = create_autospec(getattr(room, name), **answer)
        monkeypatch.setattr(room, name, stand_in)
        return stand_in

    return replace
