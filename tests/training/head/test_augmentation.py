"""Views are taken of a picture in which every pixel says where it was.

Red rises from left to right, green from top to bottom, and both lie below the constant blue,
so that the order of brightness tells the colours apart, whatever became of them.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from astro_paperclip.training.head.augmentation import random_view

RED, GREEN, BLUE = (20, 110), (120, 210), 240
SIZE = 48


def chart(width, height):
    """Return a picture whose colours are the coordinates."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(*RED, width).round()
    pixels[..., 1] = np.linspace(*GREEN, height).round()[:, None]
    pixels[..., 2] = BLUE
    return Image.fromarray(pixels)


@dataclass
class Reading:
    """What a view of the chart shows."""

    order: tuple
    gamma: float
    area: float
    red_axis: int
    red_rises: bool
    green_rises: bool


def read(view):
    """Work out how a view of the chart was made; nothing of a grey view."""
    if (view == view[..., :1]).all():
        return None
    rows, columns = np.nonzero(view.any(axis=2))
    inside = view[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].astype(float)
    # The brim may be mixed with the letterbox.
    inside = inside[1:-1, 1:-1]
    order = tuple(int(n) for n in np.argsort(inside.mean(axis=(0, 1))))
    red, green, blue = (inside[..., n] for n in order)
    gamma = np.log(np.median(blue) / 255) / np.log(BLUE / 255)
    red, green = (255 * (colour / 255) ** (1 / gamma) for colour in (red, green))
    area = np.ptp(red) / np.ptp(RED) * np.ptp(green) / np.ptp(GREEN)
    # What the brim would have added:
    area *= (red.shape[0] + 2) / red.shape[0] * (red.shape[1] + 2) / red.shape[1]
    axis = int(np.ptp(red.mean(axis=0)) > np.ptp(red.mean(axis=1)))
    red, green = red.mean(axis=1 - axis), green.mean(axis=axis)
    return Reading(order, gamma, area, axis, red[-1] > red[0], green[-1] > green[0])


def readings(picture, count, size=SIZE, whole=0.0):
    rng = np.random.default_rng(0)
    return [read(random_view(picture, size, rng, whole=whole)) for _ in range(count)]


@pytest.fixture(scope="module")
def of_square():
    """Readings of views of a square picture."""
    return readings(chart(192, 192), 1600)


@pytest.fixture(scope="module")
def coloured(of_square):
    """Those in which the colours can be told apart."""
    return [reading for reading in of_square if reading]


def expect_shares(counts, shares):
    """Check counts against shares, within five standard deviations."""
    total = sum(counts.values())
    assert set(counts) <= set(shares)
    for name, share in shares.items():
        assert abs(counts[name] / total - share) < 5 * np.sqrt(share * (1 - share) / total)


@pytest.mark.parametrize("size", [(64, 64), (200, 31), (5, 90), (16, 16)])
def test_shape_and_type(size):
    view = random_view(chart(*size), SIZE, np.random.default_rng(0))
    assert view.shape == (SIZE, SIZE, 3)
    assert view.dtype == np.uint8
    assert view.flags.c_contiguous


def test_same_seed_same_views():
    picture = chart(100, 80)
    first, again, other = (
        [random_view(picture, SIZE, rng) for _ in range(5)]
        for rng in map(np.random.default_rng, (1, 1, 2))
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len({view.tobytes() for view in first}) == 5


@pytest.mark.parametrize("size", [(192, 192), (1024, 128), (128, 512)])
def test_a_quarter_of_the_area_and_more_is_kept(size, of_square):
    # Views of a long picture are narrow, and need more pixels to be read.
    taken = of_square if size == (192, 192) else readings(chart(*size), 300, size=256)
    areas = np.array([reading.area for reading in taken if reading])
    assert 0.25 - 0.03 < areas.min() < 0.35
    assert 0.85 < areas.max() < 1 + 0.03


def test_all_turns_and_mirror_images_are_as_likely(coloured):
    counts = Counter((r.red_axis, r.red_rises, r.green_rises) for r in coloured)
    expect_shares(counts, {(a, r, g): 1 / 8 for a in (0, 1) for r in (0, 1) for g in (0, 1)})


def test_three_views_of_five_show_all_of_the_picture_as_it_stands():
    rng = np.random.default_rng(0)
    picture = chart(150, 90)
    taken = [read(random_view(picture, SIZE, rng)) for _ in range(600)]
    upright = [(r.red_axis, r.red_rises, r.green_rises) == (1, 1, 1) for r in taken if r]
    areas = np.array([reading.area for reading in taken if reading])
    expect_shares(Counter(upright), {True: 0.6 + 0.4 / 8, False: 0.4 * 7 / 8})
    is_whole = upright & (areas > 0.96)
    assert abs(is_whole.mean() - 0.6) < 0.08


def test_two_views_of_five_are_grey(of_square):
    counts = Counter(reading is None for reading in of_square)
    expect_shares(counts, {True: 0.4, False: 0.6})


def test_half_of_the_others_have_their_colours_exchanged(coloured):
    orders = [(a, b, 3 - a - b) for a in range(3) for b in range(3) if a != b]
    shares = dict.fromkeys(orders, 0.5 / 6)
    shares[0, 1, 2] += 0.5
    expect_shares(Counter(reading.order for reading in coloured), shares)


def test_brightness_is_bent_both_ways(coloured):
    gammas = np.array([reading.gamma for reading in coloured])
    # Blue is so bright that one step of it is a tenth in gamma.
    assert 1 / 1.6 - 0.1 < gammas.min() < 0.75
    assert 1.4 < gammas.max() < 1.6 + 0.1
    assert abs(np.median(np.log(gammas))) < 0.1


def test_the_surroundings_stay_neutral():
    """Neither gamma nor colours make anything of the background."""
    picture = Image.new("RGB", (120, 90))
    for seed in range(20):
        assert not random_view(picture, SIZE, np.random.default_rng(seed)).any()


def test_the_picture_is_left_alone():
    picture = chart(40, 30)
    before = picture.tobytes()
    random_view(picture, SIZE, np.random.default_rng(0))
    assert picture.tobytes() == before
