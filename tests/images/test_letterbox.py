"""Fitting pictures into squares."""

import numpy as np
import pytest
from PIL import Image

from astro_paperclip.images import BACKGROUND, letterbox


@pytest.mark.parametrize("size", [(100, 50), (50, 100), (30, 30), (1000, 9), (333, 100)])
@pytest.mark.parametrize("side", [64, 65])
def test_nothing_is_cropped(size, side):
    square = np.asarray(letterbox(Image.new("RGB", size, (200, 100, 50)), side))
    assert square.shape == (side, side, 3)
    shown = (square == (200, 100, 50)).all(axis=2)
    assert (square[~shown] == BACKGROUND).all()
    rows, columns = shown.any(axis=1), shown.any(axis=0)
    assert shown.sum() == rows.sum() * columns.sum()
    assert max(rows.sum(), columns.sum()) == side
    assert rows.sum() == pytest.approx(side * size[1] / max(size), abs=1)
    assert columns.sum() == pytest.approx(side * size[0] / max(size), abs=1)
    for line in (rows, columns):
        assert abs(int(line[::-1].argmax()) - int(line.argmax())) <= 1


def test_square_of_right_size_is_unchanged():
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(letterbox(Image.fromarray(pixels), 32)), pixels)


def test_grey_becomes_rgb():
    assert letterbox(Image.new("L", (10, 20), 9), 40).mode == "RGB"
