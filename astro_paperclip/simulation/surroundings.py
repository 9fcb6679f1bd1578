"""What else is in the field: foreground stars, background galaxies and clouds."""

import numpy as np

from astro_paperclip.simulation.scene import blackbody_colours, power_noise, ridges, smoothstep

__all__ = ["background_galaxies", "field_stars", "star_fluxes", "turbulent_cloud", "warped_noise"]


def star_fluxes(rng, number, faintest, brightest, slope=1.0):
    """
    Fluxes from a power-law luminosity function.

    Parameters
    ----------
    rng : `numpy.random.Generator`
        Source of randomness.
    number : int
        How many.
    faintest, brightest : float
        Range of the fluxes.
    slope : float
        The number of stars brighter than F falls as F to the power ``-slope``.

    Returns
    -------
    `numpy.ndarray`, shape (number,)
    """
    low, high = faintest**-slope, brightest**-slope
    return rng.uniform(high, low, number) ** (-1 / slope)


def field_stars(scene, number, faintest=0.1, brightest=150.0, slope=0.75):
    """Scatter foreground stars over the field, most of them cool dwarfs."""
    rng = scene.rng
    number = int(rng.poisson(number))
    x, y = rng.uniform(-1.1, 1.1, (2, number))
    flux = star_fluxes(rng, number, faintest, brightest, slope)
    colours = blackbody_colours(rng.lognormal(np.log(5000), 0.3, number))
    scene.add_stars(x, y, flux, colours)


def background_galaxies(scene, number, largest=0.03):
    """Scatter distant galaxies: discs and spheroids, smaller and redder the fainter they are."""
    rng = scene.rng
    for _ in range(rng.poisson(number)):
        radius = largest * rng.power(0.6) * 0.8 + 0.0025
        disc = rng.random() < 0.7
        warm = rng.normal(0.15 if disc else 0.5, 0.2)
        scene.add_sersic(
            *rng.uniform(-1, 1, 2),
            amplitude=rng.lognormal(np.log(0.05), 0.6),
            radius=radius,
            index=1.0 if disc else rng.uniform(2.5, 4),
            ellipticity=rng.uniform(0, 0.75 if disc else 0.4),
            angle=rng.uniform(0, np.pi),
            colour=(1 + warm, 1.0, 1 - 0.8 * warm),
        )


def warped_noise(scene, slope=3.0, longest=0.4, strength=0.06):
    """
    Turbulent random field whose features are drawn out by a smoother one.

    Shifting the places where a field is read by another random field gives the curls of
    advected gas, which no Gaussian field has.

    Returns
    -------
    `numpy.ndarray`, shape (size, size), float32
        Zero mean, about unit standard deviation.
    """
    size = scene.size
    field = power_noise(scene.rng, size, slope, longest)
    shift = power_noise(scene.rng, size, 4.0, longest, shortest=0.08) * (strength * size)
    rows, columns = np.ogrid[:size, :size]
    rows = (rows + shift).astype(np.intp) % size
    columns = (columns + np.roll(shift, size // 3, axis=0)).astype(np.intp) % size
    return field[rows, columns]


def turbulent_cloud(scene, longest=0.5, wisps=0.5):
    """
    Column density of a turbulent cloud, lognormal, with thin wisps.

    Parameters
    ----------
    scene : `~astro_paperclip.simulation.scene.Scene`
        Its grid and its source of randomness.
    longest : float
        Size of the largest clumps, as a fraction of the frame.
    wisps : float
        Strength of the thin, bright folds.

    Returns
    -------
    `numpy.ndarray`, shape (size, size), float32
        Positive, median about 1.
    """
    density = np.exp(0.55 * warped_noise(scene, 3.4, longest))
    folds = ridges(warped_noise(scene, 3.0, longest), 0.12)
    return density * (1 + wisps * folds * smoothstep(density, 0.6, 1.6))
