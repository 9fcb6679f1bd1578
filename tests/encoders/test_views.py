import numpy as np
import pytest

from astro_paperclip.encoders import VIEWS
from astro_paperclip.encoders.views import make_views
from astro_paperclip.exceptions import EncoderError

SQUARE = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)


def test_whole_is_the_picture_itself():
    np.testing.assert_array_equal(make_views(SQUARE), SQUARE[None])


@pytest.mark.parametrize("views", VIEWS)
def test_views_are_all_different_and_keep_the_pixels(views):
    made = make_views(SQUARE, views)
    assert made.shape == (VIEWS[views], 4, 4, 3)
    assert made.dtype == np.uint8
    assert len({view.tobytes() for view in made}) == VIEWS[views]
    for view in made:
        np.testing.assert_array_equal(np.sort(view.reshape(-1, 3), 0), SQUARE.reshape(-1, 3))


@pytest.mark.parametrize("views", ["rotations", "dihedral"])
def test_turning_the_picture_gives_the_same_views(views):
    expected = {view.tobytes() for view in make_views(SQUARE, views)}
    turned = SQUARE.transpose(1, 0, 2)[::-1]
    assert {view.tobytes() for view in make_views(turned, views)} == expected


def test_mirroring_the_picture_gives_the_same_eight_views():
    expected = {view.tobytes() for view in make_views(SQUARE, "dihedral")}
    assert {view.tobytes() for view in make_views(SQUARE[::-1], "dihedral")} == expected


def test_unknown_views():
    with pytest.raises(EncoderError, match=r"'corners'.* whole, rotations, dihedral"):
        make_views(SQUARE, "corners")
