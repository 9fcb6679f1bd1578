"""The sky before any telescope: surface brightness and stars on a square frame."""

from functools import lru_cache

import numpy as np
from astropy.modeling.models import BlackBody, Sersic2D
from astropy.units import K, nm
from scipy import fft, ndimage

__all__ = [
    "BAND_WAVELENGTHS",
    "Scene",
    "blackbody_colours",
    "power_noise",
    "ridges",
    "smoothstep",
    "unit_peak",
]

# Effective wavelengths [nm] of the three planes of a scene: red, green, blue.
BAND_WAVELENGTHS = (800.0, 600.0, 450.0)

# Extinction relative to the green plane, A(lambda)/A(V), rounded from Cardelli, Clayton &
# Mathis (1989, ApJ 345, 245) for R(V) = 3.1.
EXTINCTION = np.array([0.58, 1.0, 1.3], dtype=np.float32)


class Scene:
    """
    Surface brightness and point sources on a square frame, north up and east left.

    Positions are in units of half of the frame's side, with (0, 0) at its centre, x to the
    right and y up. Brightness is per pixel of a frame of 256 pixels, in units of about the
    brightness at which a preview is displayed white; it does not change with ``size``.

    Parameters
    ----------
    size : int
        Side of the frame [pixel].
    rng : `numpy.random.Generator`
        The only source of randomness.
    centre : tuple of float
        Where the target is.
    reach : float
        Distance from the target to the edge of the field of view.
    """

    def __init__(self, size, rng, centre=(0.0, 0.0), reach=0.9):
        self.size = size
        self.rng = rng
        self.centre = centre
        self.reach = reach
        axis = (np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1
        self.x, y = np.meshgrid(axis, axis)
        self.y = -y
        self.diffuse = np.zeros((3, size, size), dtype=np.float32)
        self._stars = []

    def offsets(self, position=None, angle=0.0):
        """Coordinates of the pixels from ``position``, along axes turned by ``angle`` [rad]."""
        x0, y0 = self.centre if position is None else position
        dx, dy = self.x - np.float32(x0), self.y - np.float32(y0)
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        return dx * cos + dy * sin, dy * cos - dx * sin

    def add(self, surface, colour=(1.0, 1.0, 1.0)):
        """Add a map of surface brightness, weighted by ``colour`` in red, green and blue."""
        for plane, weight in zip(self.diffuse, colour, strict=True):
            if weight:
                plane += np.float32(weight) * surface

    def absorb(self, optical_depth):
        """Dim what was added so far by dust of this optical depth (in the green plane)."""
        for plane, factor in zip(self.diffuse, EXTINCTION, strict=True):
            plane *= np.exp(-factor * optical_depth)

    def add_stars(self, x, y, flux, colours=None):
        """
        Add point sources.

        Parameters
        ----------
        x, y : array_like, shape (n,)
            Positions in the frame.
        flux : array_like, shape (n,)
            Integrated over the point-spread function.
        colours : array_like, shape (3, n), optional
            Weight in red, green and blue; white without it.
        """
        x, y, flux = np.broadcast_arrays(*map(np.atleast_1d, (x, y, flux)))
        colours = np.ones((3, len(x))) if colours is None else np.asarray(colours)
        self._stars.append((x, y, np.broadcast_to(colours, (3, len(x))) * flux))

    def add_sersic(self, x, y, amplitude, radius, index, ellipticity, angle, colour):
        """Add one Sersic profile on a stamp just large enough for it."""
        half = int(np.ceil(6 * radius * self.size / 2)) + 3
        column = int(np.floor((x + 1) * self.size / 2))
        row = int(np.floor((1 - y) * self.size / 2))
        rows = slice(max(row - half, 0), min(row + half + 1, self.size))
        columns = slice(max(column - half, 0), min(column + half + 1, self.size))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return
        stamp = Sersic2D.evaluate(
            self.x[rows, columns], self.y[rows, columns],
            amplitude, radius, index, x, y, ellipticity, angle,
        )  # fmt: skip
        # The cusp of a high index is softened to what a pixel can hold.
        stamp = np.minimum(stamp, 60 * amplitude)
        for plane, weight in zip(self.diffuse, colour, strict=True):
            plane[rows, columns] += weight * stamp

    def star_planes(self, pad=0):
        """
        All point sources, each shared among its four nearest pixels.

        Parameters
        ----------
        pad : int
            Pixels added on every side, so that stars just outside still shine in.

        Returns
        -------
        `numpy.ndarray`, shape (3, size + 2 pad, size + 2 pad), float32
        """
        side = self.size + 2 * pad
        planes = np.zeros((3, side * side), dtype=np.float32)
        if not self._stars:
            return planes.reshape(3, side, side)
        x = np.concatenate([stars[0] for stars in self._stars])
        y = np.concatenate([stars[1] for stars in self._stars])
        flux = np.concatenate([stars[2] for stars in self._stars], axis=1)
        columns = (x + 1) * self.size / 2 - 0.5 + pad
        rows = (1 - y) * self.size / 2 - 0.5 + pad
        inside = (columns >= 0) & (columns < side - 1) & (rows >= 0) & (rows < side - 1)
        columns, rows, flux = columns[inside], rows[inside], flux[:, inside]
        left, top = np.floor(columns).astype(int), np.floor(rows).astype(int)
        right_share, bottom_share = columns - left, rows - top
        for down, row_share in ((0, 1 - bottom_share), (1, bottom_share)):
            for along, column_share in ((0, 1 - right_share), (1, right_share)):
                pixel = (top + down) * side + left + along
                share = row_share * column_share
                for plane, band in zip(planes, flux, strict=True):
                    plane += np.bincount(pixel, share * band, minlength=side * side)
        return planes.reshape(3, side, side)


@lru_cache
def _colour_table():
    """Red and blue over green intensity of black bodies between 2000 and 40 000 K."""
    temperatures = np.geomspace(2000, 40_000, 60)
    intensity = BlackBody(temperature=temperatures[None, :] * K)(
        np.array(BAND_WAVELENGTHS)[:, None] * nm
    ).value
    # Counts per frequency interval: photons, hence another factor 1/frequency.
    photons = intensity * np.array(BAND_WAVELENGTHS)[:, None]
    ratios = photons / photons[1]
    # White balance: a star a little hotter than the Sun is white.
    balance = [np.interp(6300, temperatures, band) for band in ratios]
    return np.log(temperatures), ratios / np.array(balance)[:, None]


def blackbody_colours(temperature):
    """
    Red, green and blue weights of stars, of unit weight in green; 6300 K is white.

    Parameters
    ----------
    temperature : array_like, shape (n,)
        Effective temperature [K], held between 2000 and 40 000.

    Returns
    -------
    `numpy.ndarray`, shape (3, n)
    """
    logarithms, ratios = _colour_table()
    wanted = np.log(np.atleast_1d(temperature))
    return np.stack([np.interp(wanted, logarithms, band) for band in ratios])


def power_noise(rng, size, slope=3.0, longest=0.5, shortest=0.0):
    """
    Gaussian random field with a power-law spectrum, zero mean and unit standard deviation.

    Parameters
    ----------
    rng : `numpy.random.Generator`
        Source of the phases.
    size : int
        Side [pixel]; the field is periodic.
    slope : float
        The power falls as wavenumber to the power ``-slope``; 11/3 is Kolmogorov's turbulence.
    longest : float
        Wavelength above which the spectrum is flat, as a fraction of the side.
    shortest : float
        Wavelength below which the power is cut off smoothly, as a fraction of the side.

    Returns
    -------
    `numpy.ndarray`, shape (size, size), float32
    """
    white = rng.standard_normal((size, size), dtype=np.float32)
    ky = np.abs(fft.fftfreq(size, 1 / size).astype(np.float32))[:, None]
    kx = fft.rfftfreq(size, 1 / size).astype(np.float32)[None, :]
    wavenumber2 = kx**2 + ky**2
    spectrum = (wavenumber2 + np.float32(1 / longest**2)) ** np.float32(-slope / 4)
    if shortest:
        spectrum *= np.exp(-wavenumber2 * np.float32(shortest**2 / 2))
    spectrum[0, 0] = 0
    field = fft.irfft2(fft.rfft2(white) * spectrum, s=(size, size))
    return field / field.std()


def ridges(field, width=0.15):
    """Bright lines where a random field changes sign: between 0 and 1, of relative ``width``."""
    return np.float32(width**2) / (field**2 + np.float32(width**2))


def smoothstep(values, low, high):
    """Rise smoothly from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def unit_peak(surface, percentile=99.5, sigma=0.0):
    """Scale a map so that its ``percentile`` is 1, after smoothing it by ``sigma`` [pixel]."""
    if sigma:
        surface = ndimage.gaussian_filter(surface, sigma)
    top = np.percentile(surface, percentile)
    return surface / (top if top > 0 else surface.max())
