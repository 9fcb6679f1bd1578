"""Building blocks of a scene, against the laws that they state."""

import numpy as np
import pytest
from astropy import constants
from astropy import units as u
from astropy.modeling.models import KingProjectedAnalytic1D, Sersic2D
from numpy.testing import assert_allclose
from scipy import integrate, stats

from astro_paperclip.simulation.clusters import _source_plane, king_radii
from astro_paperclip.simulation.galaxies import _passage
from astro_paperclip.simulation.scene import (
    BAND_WAVELENGTHS,
    Scene,
    blackbody_colours,
    power_noise,
    smoothstep,
)
from astro_paperclip.simulation.surroundings import star_fluxes


@pytest.fixture
def scene():
    return Scene(128, np.random.default_rng(0), centre=(0.1, -0.2))


def test_axes_point_right_and_up(scene):
    assert np.all(np.diff(scene.x, axis=1) > 0)
    assert np.all(np.diff(scene.y, axis=0) < 0)
    dx, dy = scene.offsets()
    row, column = np.unravel_index(np.argmin(np.hypot(dx, dy)), dx.shape)
    assert_allclose([scene.x[row, column], scene.y[row, column]], [0.1, -0.2], atol=1 / 64)


def test_stars_keep_their_flux_and_place(scene):
    scene.add_stars([0.25, -0.5], [0.125, 0.5], [3.0, 5.0], [[1, 2], [1, 1], [1, 0.5]])
    planes = scene.star_planes(pad=10)[:, 10:-10, 10:-10]
    assert_allclose(planes.sum(axis=(1, 2)), [13, 8, 5.5], rtol=1e-5)
    right = scene.x > 0
    assert_allclose((planes[1] * scene.x)[right].sum() / 3, 0.25, atol=1e-4)
    assert_allclose((planes[1] * scene.y)[right].sum() / 3, 0.125, atol=1e-4)


def test_sersic_stamp_is_astropys_profile(scene):
    scene.add_sersic(0.1, 0.2, 0.5, 0.1, 1.5, 0.3, 0.7, (1.0, 0.5, 0.0))
    whole = Sersic2D(0.5, 0.1, 1.5, 0.1, 0.2, 0.3, 0.7)(scene.x, scene.y)
    filled = scene.diffuse[0] > 0
    assert_allclose(scene.diffuse[0][filled], whole[filled], rtol=1e-4)
    assert whole[~filled].max() < 0.01 * whole.max()
    assert_allclose(scene.diffuse[1], 0.5 * scene.diffuse[0], rtol=1e-5)
    assert not scene.diffuse[2].any()


def test_a_galaxy_outside_of_the_frame_adds_nothing(scene):
    scene.add_sersic(3.0, 0.0, 0.5, 0.05, 1.0, 0.0, 0.0, (1, 1, 1))
    assert not scene.diffuse.any()


def test_dust_reddens(scene):
    scene.add(np.ones((128, 128), dtype=np.float32))
    scene.absorb(np.full((128, 128), 1.0, dtype=np.float32))
    red, green, blue = scene.diffuse[:, 0, 0]
    assert red > green > blue
    assert_allclose(green, np.exp(-1), rtol=1e-5)


def test_colours_are_plancks():
    def photons(wavelength, temperature):
        exponent = constants.h * constants.c / (wavelength * u.nm * constants.k_B * temperature)
        # Photons per frequency interval.
        return 1 / wavelength**2 / np.expm1(exponent.to_value(u.K**-1 * u.K / u.one))

    red, green, blue = BAND_WAVELENGTHS
    for temperature in (3500, 12_000):
        colours = blackbody_colours(temperature)[:, 0]
        for index, wavelength in ((0, red), (2, blue)):
            ratio = photons(wavelength, temperature * u.K) / photons(green, temperature * u.K)
            white = photons(wavelength, 6300 * u.K) / photons(green, 6300 * u.K)
            assert_allclose(colours[index], ratio / white, rtol=0.01)
    assert_allclose(blackbody_colours(6300.0), 1, rtol=0.01)


@pytest.mark.parametrize("slope", [2.0, 3.0, 4.0])
def test_noise_has_the_spectrum_it_is_asked_for(slope):
    field = power_noise(np.random.default_rng(5), 256, slope, longest=0.5)
    assert_allclose([field.mean(), field.std()], [0, 1], atol=1e-3)
    power = np.abs(np.fft.fft2(field)) ** 2
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(256, 1 / 256), np.fft.fftfreq(256, 1 / 256)))
    used = (k > 10) & (k < 100)
    measured = np.polyfit(np.log(k[used]), np.log(power[used]), 1)[0]
    assert_allclose(measured, -slope, atol=0.15)


def test_smoothstep_is_flat_at_both_ends():
    assert_allclose(smoothstep(np.array([-1.0, 2.0, 3.0, 4.0, 9.0]), 2, 4), [0, 0, 0.5, 1, 1])


def test_star_fluxes_follow_a_power_law():
    flux = star_fluxes(np.random.default_rng(0), 20_000, 0.1, 100.0, slope=1.2)
    law = stats.truncpareto(1.2, 1000.0, scale=0.1)
    assert stats.kstest(flux, law.cdf).pvalue > 0.01


def test_king_radii_follow_astropys_profile():
    core, tidal = 0.1, 1.5
    radii = king_radii(np.random.default_rng(0), 5000, core, tidal)
    profile = KingProjectedAnalytic1D(1.0, core, tidal)
    grid = np.linspace(0, tidal, 3000)
    cumulative = integrate.cumulative_trapezoid(profile(grid) * grid, grid, initial=0)

    def distribution(radius):
        return np.interp(radius, grid, cumulative / cumulative[-1])

    assert stats.kstest(radii, distribution).pvalue > 0.01


def test_a_round_lens_makes_an_einstein_ring():
    scene = Scene(512, np.random.default_rng(0))
    einstein = 0.4
    x, y = _source_plane(scene, einstein, 0.0, 0.0, galaxies=[])
    radius, source = np.hypot(*scene.offsets()), np.hypot(x, y)
    # Softened by a core of 0.15: theta (1 - E / sqrt(theta^2 + core^2)) = 0.
    ring = einstein * np.sqrt(1 - 0.15**2)
    lit = (source < 0.004) & (radius > 0.1)
    assert_allclose([radius[lit].min(), radius[lit].max()], ring, rtol=0.03)
    # The ring is closed.
    angles = np.sort(np.arctan2(*scene.offsets()[::-1])[lit])
    assert np.diff(angles).max() < 0.1


def test_a_passage_draws_out_tails():
    positions, centres = _passage(np.random.default_rng(1), particles=1500, steps=70)
    assert np.isfinite(positions).all()
    distances = np.min([np.linalg.norm(positions - centre, axis=1) for centre in centres], axis=0)
    # No disk reached farther than 0.73 before; most particles are bound still.
    assert 0.05 < np.mean(distances > 0.8) < 0.6
    assert np.median(distances) < 0.73


def test_an_undisturbed_disc_would_stay(monkeypatch):
    """Without a companion of any mass there are no tails."""

    class Light:
        """Random numbers whose mass ratio, the first that is drawn, is nearly nothing."""

        def __init__(self):
            self.rng, self.first = np.random.default_rng(1), True

        def uniform(self, *args):
            if self.first:
                self.first = False
                return 1e-6
            return self.rng.uniform(*args)

        def power(self, *args):
            return self.rng.power(*args)

    positions, centres = _passage(Light(), particles=1500, steps=70)
    own = np.linalg.norm(positions[:1500] - centres[0], axis=1)
    assert own.max() < 0.85
