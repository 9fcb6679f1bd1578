"""From the sky to a preview: diffraction, noise, cosmic rays, footprint and stretch."""

from functools import lru_cache

import numpy as np
from astropy.visualization import AsinhStretch, ManualInterval
from scipy import fft, ndimage

from astro_paperclip.simulation.scene import BAND_WAVELENGTHS

__all__ = ["OUTSIDE", "SKY", "band_weights", "develop", "diffraction_pattern", "expose", "observe"]

# Grey level outside of the footprint in MAST's previews of Hubble images.
OUTSIDE = 255

# Brightness of the night sky (zodiacal light), in units of a scene's brightness.
SKY = 0.02

# Of Hubble's pupil, in units of the primary's radius: the secondary's shadow, and half of the
# width of a vane (Krist, Hook & Stoehr 2011, Proc. SPIE 8127, 81270J). The vanes are three
# times as wide here, as a preview's pixel is far wider than a detector's.
OBSTRUCTION = 0.33
VANE = 0.04

# Share of the continuum that passes a narrow filter while it takes in all of an emission line.
NARROW_CONTINUUM = 0.35


def band_weights(instrument, filters):
    """
    How much a filter takes of a scene's red, green and blue planes.

    Parameters
    ----------
    instrument : `~astro_paperclip.simulation.instrument.Instrument`
        Whose filters are meant.
    filters : sequence of str
        One or several, then averaged.

    Returns
    -------
    `numpy.ndarray`, shape (3,)
        Adds up to 1.
    """
    nodes = BAND_WAVELENGTHS[::-1]
    total = np.zeros(3)
    for name in filters:
        shortest, longest = instrument.filters[name]
        pivot = (shortest + longest) / 2
        # The lines of H-alpha and [N II], [S II] lie in the red plane, [O III] in the blue one.
        if name.endswith("N"):
            pivot = 800.0 if pivot > 600 else 450.0
        total += [np.interp(pivot, nodes, row) for row in np.eye(3)[::-1]]
    return total / total.sum()


@lru_cache(maxsize=4)
def _broadband_pattern(side, sampling):
    """Pattern with spikes along the axes, centred, with two samples a pixel in each direction."""
    fine = 2 * side
    axis = np.arange(fine, dtype=np.float32) - fine // 2
    total = np.zeros((fine, fine), dtype=np.float32)
    # Wavelengths over the width of a filter wash out the rings.
    for stretch in np.linspace(0.85, 1.15, 7):
        edge = np.float32(fine / (4 * sampling * stretch))
        x, y = np.meshgrid(np.abs(axis) / edge, np.abs(axis) / edge)
        radius = np.hypot(x, y)

        def inside(distance, edge=edge):
            return np.clip(distance * edge + np.float32(0.5), 0, 1)

        pupil = inside(1 - radius) * inside(radius - OBSTRUCTION) * inside(x - VANE)
        pattern = np.abs(fft.fft2(pupil * inside(y - VANE))) ** 2
        total += pattern / pattern.sum()
    total = fft.fftshift(total)
    # The mean over a pixel, that is over two samples and so two halves beside a whole one.
    for direction in (0, 1):
        total = ndimage.convolve1d(total, [0.25, 0.5, 0.25], axis=direction, mode="wrap")
    return total


def diffraction_pattern(side, angle, sampling=1.2):
    """
    Hubble's point-spread function as the Fourier transform of its pupil.

    The primary with its central obstruction and the four vanes that hold the secondary, which
    make the four spikes.

    Parameters
    ----------
    side : int
        Size of the array [pixel].
    angle : float
        Of one of the spikes against the x axis, rows counted downwards [rad].
    sampling : float
        Pixels per lambda/D, not less than 1.

    Returns
    -------
    `numpy.ndarray`, shape (side, side), float32
        Adds up to 1, peak at [0, 0] (wrapped around, ready for a Fourier transform).
    """
    cos, sin = 2 * np.cos(angle), 2 * np.sin(angle)
    matrix = np.array([[cos, sin], [-sin, cos]])
    offset = side - matrix @ [side // 2, side // 2]
    fine = _broadband_pattern(side, sampling)
    pattern = ndimage.affine_transform(fine, matrix, offset, output_shape=(side, side), order=1)
    return fft.ifftshift(pattern / pattern.sum())


def observe(scene, exposure, rng):
    """
    Take what the telescope makes of a scene.

    Parameters
    ----------
    scene : `~astro_paperclip.simulation.scene.Scene`
        The sky.
    exposure : `~astro_paperclip.simulation.instrument.Exposure`
        Camera, filters, orientation and depth.
    rng : `numpy.random.Generator`
        Source of the noise.

    Returns
    -------
    images : `numpy.ndarray`, shape (bands, size, size), float32
        Sky-subtracted brightness in a scene's units; one band, or three (red, green, blue)
        for a colour composite.
    noise : float
        Standard deviation of the empty sky, in the same units.
    outside : `numpy.ndarray` of bool, shape (size, size)
        Where there are no data.
    """
    on_chip, in_outline = exposure.chip_masks(scene)
    outside = ~(in_outline if exposure.dithered else on_chip)
    depth = np.where(on_chip, np.float32(exposure.depth), np.float32(exposure.depth / 2))
    # Combining dithered exposures rejects most of the cosmic rays.
    tracks = 3.0 if exposure.dithered or exposure.colour else 12.0
    images = [
        expose(band, depth, exposure.instrument.read_noise, rng, tracks)
        for band in _blurred_bands(scene, exposure)
    ]
    noise = float(np.hypot(np.sqrt(SKY * exposure.depth), exposure.instrument.read_noise))
    return np.stack(images), noise / exposure.depth, outside


def _blurred_bands(scene, exposure):
    """Yield the bands of an exposure after diffraction."""
    size = scene.size
    pad = size // 6
    side = fft.next_fast_len(size + 2 * pad, real=True)
    stars = scene.star_planes(pad)
    diffuse = np.pad(scene.diffuse, ((0, 0), (pad, pad), (pad, pad)), mode="edge")
    # A star's light falls on fewer pixels, measured by the scene, in a frame of coarser pixels.
    stars *= np.float32((size / 256) ** 2)
    if all(name.endswith("N") for name in exposure.filters):
        stars *= np.float32(NARROW_CONTINUUM)
    if exposure.colour:
        bands = diffuse + stars
    else:
        weights = band_weights(exposure.instrument, exposure.filters).astype(np.float32)
        bands = np.tensordot(weights, diffuse + stars, axes=1)[None]
    angle = exposure.roll + np.radians(exposure.instrument.spikes)
    # The pattern grows with the frame, but stays sampled.
    pattern = diffraction_pattern(side, angle, 1.2 * max(size / 256, 1.0))
    transfer = fft.rfft2(pattern)
    for band in bands:
        blurred = fft.irfft2(fft.rfft2(band, s=(side, side)) * transfer, s=(side, side))
        yield np.maximum(blurred[pad : pad + size, pad : pad + size], 0)


def expose(brightness, depth, read_noise, rng, cosmic_rays=12.0):
    """
    Record brightness with a CCD: photon noise, read noise and what is left of cosmic rays.

    Parameters
    ----------
    brightness : `numpy.ndarray`, shape (ny, nx)
        Without the sky, which is added here and subtracted again.
    depth : float or `numpy.ndarray`
        Electrons per unit of brightness.
    read_noise : float
        Standard deviation [electron].
    rng : `numpy.random.Generator`
        Source of randomness.
    cosmic_rays : float
        Mean number of tracks that were not rejected.

    Returns
    -------
    `numpy.ndarray`, shape (ny, nx), float32
        Sky-subtracted, in units of ``brightness``.
    """
    expected = (brightness + np.float32(SKY)) * depth
    electrons = expected + np.sqrt(expected) * rng.standard_normal(expected.shape, np.float32)
    # The normal approximation fails where few electrons are expected.
    faint = expected < 30
    if faint.any():
        electrons[faint] = rng.poisson(expected[faint])
    electrons += np.float32(read_noise) * rng.standard_normal(expected.shape, np.float32)
    if cosmic_rays:
        _add_cosmic_rays(electrons, rng, cosmic_rays)
    return (electrons / depth - np.float32(SKY)).astype(np.float32)


def _add_cosmic_rays(electrons, rng, mean_number):
    """Add straight tracks, sharp as only a particle's can be."""
    rows, columns = electrons.shape
    for _ in range(rng.poisson(mean_number)):
        length = min(1 + rng.exponential(3.0), 0.2 * columns)
        angle = rng.uniform(0, np.pi)
        steps = np.arange(0, length, 0.5)
        row = (rng.uniform(0, rows) + steps * np.sin(angle)).astype(int)
        column = (rng.uniform(0, columns) + steps * np.cos(angle)).astype(int)
        kept = (row < rows) & (column < columns)
        electrons[row[kept], column[kept]] += rng.lognormal(5.5, 0.8)


def develop(images, noise, outside, softening=None):
    """
    Stretch an exposure to a preview.

    Parameters
    ----------
    images : `numpy.ndarray`, shape (1 or 3, size, size)
        Sky-subtracted brightness; three bands are red, green and blue.
    noise : float
        Standard deviation of the empty sky.
    outside : `numpy.ndarray` of bool, shape (size, size)
        Painted white.
    softening : float, optional
        Brightness, relative to white, where the asinh stretch turns from linear to
        logarithmic; chosen from the noise without it.

    Returns
    -------
    `numpy.ndarray`, shape (size, size) or (size, size, 3), uint8
    """
    black = -1.5 * noise
    inside = ~outside
    white = max(float(np.percentile(images[:, inside], 99.7)), 30 * noise, 0.25)
    if softening is None:
        softening = float(np.clip(8 * noise / white, 0.01, 0.15))
    stretch = AsinhStretch(softening) + ManualInterval(black, white)
    preview = np.round(stretch(images, clip=True) * 255).astype(np.uint8)
    preview = preview[0] if len(images) == 1 else np.stack(list(preview), axis=-1)
    preview[outside] = OUTSIDE
    return preview
