"""Fixtures of the tests of queries."""

import numpy as np
import pytest
from PIL import Image

from astro_paperclip import PaperclipMast


@pytest.fixture(autouse=True)
def _with_own_cache(own_cache):
    """Every query keeps a bank of queries for its encoder."""


@pytest.fixture
def refusing(tmp_path):
    """A query class without a collection: whoever opens it fails in another way."""
    return PaperclipMast(collection=tmp_path / "absent")


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    pixels = np.random.default_rng(2).integers(0, 200, (32, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path
