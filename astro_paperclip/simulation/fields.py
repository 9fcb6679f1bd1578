"""Fields without a single target: crowded with stars, or all but empty."""

import numpy as np

from astro_paperclip.simulation.scene import blackbody_colours, smoothstep
from astro_paperclip.simulation.surroundings import (
    background_galaxies,
    field_stars,
    star_fluxes,
    warped_noise,
)

__all__ = ["crowded_field", "deep_field"]


def crowded_field(scene):
    """Crowded field: tens of thousands of stars over all of the frame, dimmed by dust."""
    rng = scene.rng
    number = int(rng.uniform(9000, 26_000))
    x, y = rng.uniform(-1.1, 1.1, (2, number))
    flux = star_fluxes(rng, number, 0.06, 40.0, 1.0)
    dust = np.clip(warped_noise(scene, 3.4, 0.6), 0, None) * rng.uniform(0.0, 0.9)
    columns = np.clip(((x + 1) * scene.size / 2).astype(int), 0, scene.size - 1)
    rows = np.clip(((1 - y) * scene.size / 2).astype(int), 0, scene.size - 1)
    depth = dust[rows, columns]
    temperature = np.where(flux > 1.5, rng.normal(4200, 400, number), rng.normal(6000, 900, number))
    hot = rng.random(number) < 0.06
    temperature[hot] = rng.uniform(9000, 25_000, hot.sum())
    colours = blackbody_colours(temperature)
    colours = colours * np.exp(-depth * np.array([[0.58], [1.0], [1.3]]))
    scene.add_stars(x, y, flux, colours)
    field_stars(scene, 8, faintest=10, brightest=300)
    scene.add(0.03 * np.exp(-dust), (1.1, 1.0, 0.8))


def deep_field(scene):
    """Deep field: blank but for faint, small galaxies of many forms and hardly a star."""
    rng = scene.rng
    background_galaxies(scene, int(rng.uniform(130, 330)), largest=0.022)
    field_stars(scene, 5, faintest=0.3, brightest=40.0)
    for _ in range(rng.integers(2, 7)):
        _small_spiral(scene, *rng.uniform(-0.9, 0.9, 2), rng.uniform(0.012, 0.025))


def _small_spiral(scene, x, y, scale):
    """Add a distant spiral galaxy with two arms."""
    rng = scene.rng
    angle, inclination = rng.uniform(0, np.pi), np.arccos(rng.uniform(0.35, 1))
    half = int(5 * scale * scene.size / 2) + 2
    row, column = int((1 - y) * scene.size / 2), int((x + 1) * scene.size / 2)
    window = (
        slice(max(row - half, 0), row + half),
        slice(max(column - half, 0), column + half),
    )
    dx, dy = scene.x[window] - x, scene.y[window] - y
    major = dx * np.cos(angle) + dy * np.sin(angle)
    minor = (dy * np.cos(angle) - dx * np.sin(angle)) / np.cos(inclination)
    radius, azimuth = np.hypot(major, minor) / scale, np.arctan2(minor, major)
    arms = 0.5 + 0.8 * np.cos(2 * azimuth - rng.choice([-5, 5]) * np.log(radius + 0.3))
    light = 0.3 * np.exp(-radius) * (1 + np.clip(arms, 0, None) * smoothstep(radius, 0.3, 1))
    light += 0.6 * np.exp(-((radius / 0.3) ** 2))
    for plane, weight in zip(scene.diffuse, (1.0, 1.0, 0.95), strict=True):
        plane[window] += weight * light
