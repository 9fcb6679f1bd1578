"""Fixtures of the tests of images."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def picture(tmp_path):
    """Return a function that writes a picture of smooth noise."""

    def write(name="a.jpg", size=(900, 500), mode="L", **options):
        noise = np.random.default_rng(1).integers(0, 255, (size[1] // 10, size[0] // 10, 3))
        image = Image.fromarray(noise.astype(np.uint8)).resize(size).convert(mode)
        image.save(tmp_path / name, quality=85, **options)
        return tmp_path / name

    return write
