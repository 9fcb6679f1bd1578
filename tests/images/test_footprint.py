"""Painting the outside of footprints."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

pytest.importorskip("scipy")

from astro_paperclip.images import outside_mask, paint_outside, read_image
from astro_paperclip.images.arrays import picture_from_array
from astro_paperclip.images.footprint import connected_to_border, grow

PREVIEW = "data/hst_preview/hst_15354_01_acs_wfc_total_jdi601_drc.jpg"


def rotated_footprint(size=256, angle=20.0, seed=0):
    """Return a preview with noisy sky in a rotated square on white, and where the sky is."""
    scale = 4
    half = 0.36 * size * scale
    turn = np.deg2rad(angle)
    corners = [
        (
            size * scale / 2 + half * (x * np.cos(turn) - y * np.sin(turn)),
            size * scale / 2 + half * (x * np.sin(turn) + y * np.cos(turn)),
        )
        for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    canvas = Image.new("L", (size * scale,) * 2)
    ImageDraw.Draw(canvas).polygon(corners, fill=255)
    share = np.asarray(canvas.reduce(scale)) / 255
    sky = np.random.default_rng(seed).normal(40, 6, (size, size))
    pixels = np.clip(sky * share + 255 * (1 - share), 0, 255).astype(np.uint8)
    return pixels, share


def add_star(pixels, x, y, sigma):
    """Add a saturated star to a grey picture."""
    rows, columns = np.indices(pixels.shape)
    glow = 600 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    return np.clip(pixels + glow, 0, 255).astype(np.uint8)


def as_jpeg(pixels, quality=85):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    stream.seek(0)
    return Image.open(stream)


@pytest.mark.parametrize("angle", [0, 3, 20, 45, 70])
@pytest.mark.parametrize("quality", [60, 95])
def test_white_outside_becomes_black(angle, quality):
    pixels, share = rotated_footprint(angle=angle)
    read = np.asarray(read_image(as_jpeg(pixels, quality)))[..., 0]
    assert read[share == 0].max() < 60
    assert np.mean(read[share == 0] == 0) > 0.995
    inner = share == 1
    for _ in range(5):
        inner &= ~grow(~inner)
    assert inner.sum() > 5000
    np.testing.assert_array_equal(read[inner], np.asarray(as_jpeg(pixels, quality))[inner])


def test_saturated_star_inside_stays():
    pixels, _ = rotated_footprint()
    pixels = add_star(pixels, 128, 128, 8)
    read = np.asarray(read_image(Image.fromarray(pixels)))[..., 0]
    assert (read[124:133, 124:133] == 255).all()
    assert read[0, 0] == 0


@pytest.mark.parametrize("place", [(0, 128), (255, 40), (128, 255), (3, 3)])
@pytest.mark.parametrize("sigma", [2, 5, 15, 30])
def test_saturated_star_at_the_border_stays(place, sigma):
    sky = np.random.default_rng(0).normal(40, 6, (256, 256))
    picture = as_jpeg(add_star(sky, *place, sigma))
    np.testing.assert_array_equal(np.asarray(read_image(picture))[..., 0], np.asarray(picture))


def test_nebula_core_at_a_corner_stays():
    rows, columns = np.indices((256, 256))
    glow = 900 * np.exp(-np.hypot(rows, columns) / 60) + 30
    picture = as_jpeg(np.clip(glow, 0, 255).astype(np.uint8))
    assert (np.asarray(picture)[:60, 0] > 250).all()
    np.testing.assert_array_equal(np.asarray(read_image(picture))[..., 0], np.asarray(picture))


def test_star_at_the_border_stays_beside_an_outside():
    pixels, _ = rotated_footprint(angle=45)
    pixels[:, :128] = np.random.default_rng(0).normal(40, 6, (256, 128))
    pixels = add_star(pixels, 20, 0, 4)
    mask = outside_mask(pixels)
    assert mask[2, 250]
    assert not mask[:, :100].any()


def test_frame_without_corner_of_the_picture():
    pixels = np.full((200, 200), 40, dtype=np.uint8)
    pixels[:30, 50:150] = 255
    assert outside_mask(pixels)[:30, 50:150].all()
    assert not outside_mask(pixels)[35:].any()


def test_colour_counts_only_where_all_bands_are_white():
    pixels = np.full((100, 100, 3), 40, dtype=np.uint8)
    pixels[:30] = (255, 255, 0)
    assert not outside_mask(pixels).any()
    pixels[:30] = 255
    assert outside_mask(pixels)[:30].all()


def test_dark_picture_is_the_same_object():
    picture = Image.fromarray(np.full((50, 50, 3), 20, dtype=np.uint8))
    assert paint_outside(picture) is picture


def test_all_white_is_all_outside():
    assert not np.asarray(read_image(Image.new("L", (50, 50), 255))).any()


def test_connected_to_border():
    mask = np.zeros((20, 20), dtype=bool)
    mask[:3, 5] = mask[3, 5:9] = True
    mask[10:12, 10:12] = True
    expected = mask.copy()
    expected[10:12, 10:12] = False
    np.testing.assert_array_equal(connected_to_border(mask), expected)


def test_zeros_around_drizzled_values_are_black():
    values = np.random.default_rng(0).normal(0, 1, (60, 60))
    values[:20] = 0
    values[40, 40] = 0
    picture = np.asarray(picture_from_array(values))
    assert not picture[:20].any()
    assert picture[40, 40] > 20
    zero_elsewhere = np.where(np.arange(60)[:, None] < 20, np.nan, values)
    np.testing.assert_array_equal(picture, np.asarray(picture_from_array(zero_elsewhere)))


@pytest.mark.parametrize("at_least", [128, 256, 512])
def test_hubble_preview(shared, at_least):
    path = shared / PREVIEW
    read = np.asarray(read_image(path, at_least=at_least))[..., 0]
    with Image.open(path) as preview:
        original = np.asarray(preview.resize(read.shape[::-1], Image.Resampling.BOX), dtype=int)
    height, width = read.shape
    assert at_least <= max(read.shape) < 2 * at_least
    assert not read[: height // 30].any()
    assert not read[:, 0][int(0.1 * height) :].any()
    assert not read[-1].any()
    edge = 3 * 2 * (height + width)  # three pixels all around
    assert 0 <= np.sum(read == 0) - np.sum(original > 253) < edge
    inside = (
        slice(int(0.1 * height), int(0.9 * height)),
        slice(int(0.1 * width), int(0.85 * width)),
    )
    assert np.abs(read[inside].astype(int) - original[inside]).mean() < 3
    assert read[inside].max() > 240
