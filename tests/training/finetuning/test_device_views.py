"""Views made by torch, beside those made by Pillow and NumPy."""

import numpy as np
import pytest
import torch
from PIL import Image

from astro_paperclip.training.finetuning.device_views import apply_views_on_device
from astro_paperclip.training.finetuning.views import ViewSettings, apply_views, draw_views

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)


def smooth_squares(count, side):
    """Return pictures without structure finer than a few pixels."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, 8, 8, 3), np.uint8)
    bigger = [Image.fromarray(c).resize((side, side), Image.Resampling.BICUBIC) for c in coarse]
    return np.stack([np.asarray(image) for image in bigger])


def both(squares, settings, seed=0):
    boxes = np.tile([0, 0, *squares.shape[1:3]], (len(squares), 1))
    parameters = draw_views(len(squares), settings, np.random.default_rng(seed))
    options = boxes, parameters, settings.size, MEAN, STD
    return (
        apply_views(squares, *options),
        apply_views_on_device(torch.from_numpy(squares), *options),
    )


@pytest.mark.parametrize("flips", [False, True])
@pytest.mark.parametrize("quarter_turns", [False, True])
def test_crops_at_their_own_scale_keep_their_pixels(quarter_turns, flips):
    squares = np.random.default_rng(1).integers(0, 256, (24, 20, 20, 3), np.uint8)
    share = (14 / 20) ** 2
    settings = ViewSettings(
        size=14,
        crop_area=(share, share),
        quarter_turns=quarter_turns,
        flips=flips,
        gamma=1.5,
        grey=0.3,
        permute=0.4,
    )
    by_threads, on_device = both(squares, settings)
    torch.testing.assert_close(on_device, by_threads, rtol=0, atol=2e-4)


@pytest.mark.parametrize("crop_area", [(0.2, 0.5), (0.9, 1.0)])
def test_resized_crops_are_close(crop_area):
    settings = ViewSettings(
        size=32, crop_area=crop_area, quarter_turns=True, flips=True, aspect=1.3
    )
    by_threads, on_device = both(smooth_squares(16, 80), settings)
    # A few grey levels of 255; STD is about 0.3.
    assert (on_device - by_threads).abs().mean() < 4 / 255 / 0.3
    assert on_device.shape == (16, 3, 32, 32)


def test_fine_patterns_are_averaged_where_pictures_shrink():
    squares = np.zeros((1, 64, 64, 3), np.uint8)
    squares[:, ::2] = 255
    _, pixels = both(squares, ViewSettings(size=16))
    mean = (0.5 - torch.tensor(MEAN)) / torch.tensor(STD)
    torch.testing.assert_close(pixels.mean((0, 2, 3)), mean, rtol=0, atol=0.02)
    assert pixels.std((0, 2, 3)).max() < 0.1


@pytest.mark.gpu
def test_on_a_gpu():
    squares = smooth_squares(4, 40)
    settings = ViewSettings(size=24, crop_area=(0.3, 1.0), quarter_turns=True, gamma=1.4, grey=0.5)
    boxes = np.tile([0, 0, 40, 40], (4, 1))
    options = boxes, draw_views(4, settings, np.random.default_rng(0)), 24, MEAN, STD
    here = apply_views_on_device(torch.from_numpy(squares), *options)
    there = apply_views_on_device(torch.from_numpy(squares).cuda(), *options)
    torch.testing.assert_close(there.cpu(), here, rtol=0, atol=1e-3)
