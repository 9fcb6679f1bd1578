"""Optics, noise, footprint and stretch of the simulated camera."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import ndimage

from astro_paperclip.simulation.camera import (
    OUTSIDE,
    SKY,
    band_weights,
    develop,
    diffraction_pattern,
    expose,
    observe,
)
from astro_paperclip.simulation.instrument import INSTRUMENTS, Exposure
from astro_paperclip.simulation.scene import Scene


def brightness_at(pattern, radius, angle):
    """Return a centred pattern's mean brightness along a ray, around a radius; y runs up."""
    centre = np.array(pattern.shape) // 2
    steps = np.linspace(0.8 * radius, 1.2 * radius, 41)
    rows = centre[0] - steps * np.sin(angle)
    columns = centre[1] + steps * np.cos(angle)
    return ndimage.map_coordinates(pattern, [rows, columns], order=1).mean()


@pytest.mark.parametrize("brightness", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("depth", [500.0, 8000.0])
def test_variance_is_that_of_photons_and_readout(brightness, depth):
    read_noise = 5.0
    flat = np.full((300, 300), brightness, dtype=np.float32)
    image = expose(flat, depth, read_noise, np.random.default_rng(1), cosmic_rays=0)
    expected = (brightness + SKY) * depth
    assert_allclose(image.mean() * depth, brightness * depth, atol=0.02 * (expected + 25) ** 0.5)
    assert_allclose(image.var() * depth**2, expected + read_noise**2, rtol=0.02)


def test_few_photons_are_whole_photons():
    flat = np.zeros((200, 200), dtype=np.float32)
    image = expose(flat, 2.0 / SKY, 0.0, np.random.default_rng(2), cosmic_rays=0)
    photons = (image + SKY) * 2.0 / SKY
    assert_allclose(photons, np.round(photons), atol=1e-4)
    # A Poisson distribution of mean 2 has a third central moment of 2; a Gaussian one has none.
    assert_allclose(np.mean((photons - photons.mean()) ** 3), 2.0, rtol=0.1)


def test_cosmic_rays_are_tracks_of_a_few_sharp_pixels():
    flat = np.zeros((256, 256), dtype=np.float32)
    clean = expose(flat, 1000.0, 3.0, np.random.default_rng(3), cosmic_rays=0)
    struck = expose(flat, 1000.0, 3.0, np.random.default_rng(3), cosmic_rays=30)
    _, tracks = ndimage.label(struck - clean > 0.01, structure=np.ones((3, 3)))
    assert 15 <= tracks <= 45


@pytest.mark.parametrize("angle", [0.0, 0.4, np.pi / 4])
def test_point_spread_function_has_four_spikes(angle):
    pattern = diffraction_pattern(300, angle)
    assert_allclose(pattern.sum(), 1, rtol=1e-4)
    assert np.unravel_index(pattern.argmax(), pattern.shape) == (0, 0)
    centred = np.fft.fftshift(pattern)
    spikes = [brightness_at(centred, 35, angle + k * np.pi / 2) for k in range(4)]
    between = [brightness_at(centred, 35, angle + (k + 0.5) * np.pi / 2) for k in range(4)]
    assert min(spikes) > 3 * max(between)


def test_core_of_the_point_spread_function_is_diffraction_limited():
    sampling = 4.0
    centred = np.fft.fftshift(diffraction_pattern(400, 0.0, sampling))
    profile = centred[200, 200:]
    assert_allclose(profile[:40], centred[200, 200:160:-1], rtol=0.02, atol=1e-6)
    half = np.interp(-0.5, -profile[:4] / profile[0], np.arange(4))
    # An obstructed Airy disk is slightly narrower than a clear one, of 1.03 lambda/D.
    assert 0.85 * sampling < 2 * half < 1.1 * sampling


def test_spikes_follow_the_roll_of_the_telescope():
    camera = INSTRUMENTS["WFC3/UVIS"]
    for roll in (0.0, 0.6):
        exposure = Exposure(camera, ("F606W",), roll=roll)
        scene = Scene(256, np.random.default_rng(0))
        scene.add_stars(0.0, 0.0, 3000.0)
        images, _, _ = observe(scene, exposure, np.random.default_rng(0))
        spike = roll + np.radians(camera.spikes)
        on = np.mean([brightness_at(images[0], 20, spike + k * np.pi / 2) for k in range(4)])
        off = np.mean(
            [brightness_at(images[0], 20, spike + (k + 0.5) * np.pi / 2) for k in range(4)]
        )
        assert on > 3 * abs(off)


def test_light_of_a_star_is_kept():
    scene = Scene(128, np.random.default_rng(0))
    scene.add_stars([0.1], [-0.2], [500.0])
    exposure = Exposure(INSTRUMENTS["WFC3/IR"], ("F160W",), depth=1e6)
    images, _, _ = observe(scene, exposure, np.random.default_rng(0))
    near = np.hypot(*scene.offsets((0.1, -0.2))) < 0.4
    # A frame of 128 pixels has a quarter of the pixels that fluxes are counted in.
    assert_allclose(images[0][near].sum(), 500 / 4, rtol=0.15)


@pytest.mark.parametrize("key", list(INSTRUMENTS))
def test_outside_is_white_and_as_large_as_the_frame_allows(key):
    camera = INSTRUMENTS[key]
    exposure = Exposure(camera, (next(iter(camera.filters)),), roll=0.35)
    scene = Scene(256, np.random.default_rng(0), exposure.target, exposure.reach)
    images, noise, outside = observe(scene, exposure, np.random.default_rng(0))
    preview = develop(images, noise, outside)
    assert np.array_equal(preview == OUTSIDE, outside)
    x, y = np.array(camera.outline).T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    assert_allclose(np.mean(~outside), area / (2 * exposure.half_width) ** 2, rtol=0.02)


def test_gap_between_the_chips_is_white_unless_dithered():
    exposures = [
        Exposure(INSTRUMENTS["ACS/WFC"], ("F814W",), roll=0.0, dithered=dithered)
        for dithered in (False, True)
    ]
    scene = Scene(256, np.random.default_rng(0), exposures[0].target)
    outside = [observe(scene, e, np.random.default_rng(0))[2] for e in exposures]
    column = [mask[:, 128] for mask in outside]
    assert ndimage.label(column[0])[1] == 3
    assert ndimage.label(column[1])[1] == 2
    # A gap of 2.4 arcsec.
    pixel = 2 * exposures[0].half_width / 256
    assert_allclose((column[0].sum() - column[1].sum()) * pixel, 2.4, atol=pixel)


def test_dithered_gap_is_noisier():
    exposure = Exposure(INSTRUMENTS["ACS/WFC"], ("F814W",), roll=0.0)
    scene = Scene(512, np.random.default_rng(0), exposure.target)
    on_chip, in_outline = exposure.chip_masks(scene)
    images, noise, _ = observe(scene, exposure, np.random.default_rng(0))
    # Deviations by percentiles, which cosmic rays do not disturb.
    low, high = np.percentile(images[0][on_chip], [16, 84])
    assert_allclose((high - low) / 2, noise, rtol=0.05)
    low, high = np.percentile(images[0][in_outline & ~on_chip], [16, 84])
    assert (high - low) / 2 > 1.3 * noise


@pytest.mark.parametrize(
    ("key", "name", "strongest"),
    [
        ("ACS/WFC", "F814W", 0),
        ("ACS/WFC", "F606W", 1),
        ("ACS/WFC", "F435W", 2),
        ("WFC3/IR", "F160W", 0),
        ("ACS/WFC", "F658N", 0),
        ("ACS/WFC", "F502N", 2),
    ],
)
def test_filters_take_their_part_of_the_spectrum(key, name, strongest):
    weights = band_weights(INSTRUMENTS[key], [name])
    assert_allclose(weights.sum(), 1)
    assert weights.argmax() == strongest


def test_stretch_keeps_the_order_of_brightness():
    ramp = np.linspace(-0.05, 3, 64 * 64, dtype=np.float32).reshape(1, 64, 64)
    preview = develop(ramp, 0.01, np.zeros((64, 64), dtype=bool))
    assert np.all(np.diff(preview.ravel().astype(int)) >= 0)
    assert preview.min() == 0
    assert preview.max() == 255
    # asinh: the faint part gets more than its share of grey levels
    assert preview.ravel()[64 * 64 // 8] > 80


def test_colour_composite_has_the_colours_of_the_scene():
    images = np.zeros((3, 32, 32), dtype=np.float32)
    images[0, :, :16], images[2, :, 16:] = 1.0, 1.0
    preview = develop(images, 0.01, np.zeros((32, 32), dtype=bool))
    assert preview.shape == (32, 32, 3)
    assert np.all(preview[:, :16, 0] > 200)
    assert np.all(preview[:, 16:, 2] > 200)
    assert np.all(preview[..., 1] < 50)
