"""Hubble's cameras: their fields of view, filters and years, and where they point."""

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

import numpy as np
from astropy.wcs import WCS

__all__ = ["INSTRUMENTS", "Exposure", "Instrument", "load_instruments"]

# Share of the frame that the footprint's longer side takes up, as in real previews.
FILL = 0.985


@dataclass(frozen=True)
class Instrument:
    """
    A camera; lengths in arcsec along the detector's axes, from the target.

    ``chips`` are rectangles ``(x0, x1, y0, y1)``, ``outline`` the corners of the footprint,
    ``filters`` gives the wavelength range of each filter [nm].
    """

    name: str
    product: str
    letter: str
    suffix: str
    chips: tuple
    outline: tuple
    reach: float
    years: tuple
    spikes: float
    skew: float
    read_noise: float
    filters: dict
    closed: tuple = ()
    key: str = ""

    def to_sky(self, corners, roll):
        """
        Offsets on the sky of points on the detector.

        Parameters
        ----------
        corners : array_like, shape (n, 2)
            Along the detector's axes [arcsec].
        roll : float
            Position angle of the detector's y axis, north through east [rad].

        Returns
        -------
        `numpy.ndarray`, shape (n, 2)
            Towards west and north [arcsec].
        """
        x, y = np.asarray(corners, dtype=float).T
        x = x + self.skew * y
        return np.stack(
            [x * np.cos(roll) - y * np.sin(roll), x * np.sin(roll) + y * np.cos(roll)], axis=1
        )

    def to_detector(self, west, north, roll):
        """Invert `to_sky`; returns x and y [arcsec]."""
        x = west * np.cos(roll) + north * np.sin(roll)
        y = north * np.cos(roll) - west * np.sin(roll)
        return x - self.skew * y, y


@cache
def load_instruments() -> dict[str, Instrument]:
    """Read the package's table of cameras, by key."""
    text = files(__package__).joinpath("instruments.toml").read_text(encoding="utf-8")
    instruments = {}
    for entry in tomllib.loads(text)["instrument"]:
        instrument = Instrument(**entry)
        instruments[instrument.key or instrument.name] = instrument
    return instruments


INSTRUMENTS = load_instruments()


@dataclass(frozen=True)
class Exposure:
    """
    One observation as the telescope sees it.

    Parameters
    ----------
    instrument : `Instrument`
        The camera.
    filters : tuple of str
        Short wavelengths first; several make a ``total`` product.
    roll : float
        Position angle of the detector's y axis [rad].
    seconds : float
        Exposure time [s].
    depth : float
        Electrons collected for unit surface brightness.
    colour : bool
        Whether the preview is a colour composite of the filters.
    dithered : bool
        Whether the gap between the chips was filled by a second pointing.
    """

    instrument: Instrument
    filters: tuple[str, ...]
    roll: float = 0.0
    seconds: float = 1000.0
    depth: float = 3000.0
    colour: bool = False
    dithered: bool = True
    _sky_outline: np.ndarray = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        outline = self.instrument.to_sky(self.instrument.outline, self.roll)
        object.__setattr__(self, "_sky_outline", outline)

    @property
    def frame_centre(self) -> np.ndarray:
        """Middle of the frame, west and north of the target [arcsec]."""
        return (self._sky_outline.min(axis=0) + self._sky_outline.max(axis=0)) / 2

    @property
    def half_width(self) -> float:
        """Half of the frame's side [arcsec]."""
        extent = self._sky_outline.max(axis=0) - self._sky_outline.min(axis=0)
        return float(extent.max() / 2 / FILL)

    @property
    def target(self) -> tuple[float, float]:
        """Where the target lies in the frame, in units of half of its side."""
        west, north = -self.frame_centre / self.half_width
        return float(west), float(north)

    @property
    def reach(self) -> float:
        """Distance from the target to the edge of the field, in half sides of the frame."""
        return self.instrument.reach / self.half_width

    def chip_masks(self, scene):
        """
        Where the chips see the sky.

        Returns
        -------
        on_chip, in_outline : `numpy.ndarray` of bool, shape (size, size)
            The second includes the gaps between the chips.
        """
        west = scene.x * self.half_width + self.frame_centre[0]
        north = scene.y * self.half_width + self.frame_centre[1]
        x, y = self.instrument.to_detector(west, north, self.roll)
        on_chip = np.zeros(x.shape, dtype=bool)
        in_outline = np.zeros(x.shape, dtype=bool)
        gap = 1.3
        for x0, x1, y0, y1 in self.instrument.chips:
            on_chip |= (x > x0) & (x < x1) & (y > y0) & (y < y1)
            in_outline |= (x > x0 - gap) & (x < x1 + gap) & (y > y0 - gap) & (y < y1 + gap)
        left, bottom = np.min(self.instrument.outline, axis=0)
        right, top = np.max(self.instrument.outline, axis=0)
        in_outline &= (x > left) & (x < right) & (y > bottom) & (y < top)
        return on_chip, in_outline

    def wcs(self, ra, dec, size) -> WCS:
        """World coordinates of a preview of ``size`` pixels, its target at ra, dec [deg]."""
        pixels_per_arcsec = size / 2 / self.half_width
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.crval = [ra, dec]
        wcs.wcs.crpix = (size + 1) / 2 - self.frame_centre * pixels_per_arcsec
        wcs.wcs.cd = np.diag([-1, 1]) / pixels_per_arcsec / 3600
        wcs.wcs.set()
        return wcs

    def footprint(self, ra, dec) -> np.ndarray:
        """
        Corners of the footprint on the sky.

        Parameters
        ----------
        ra, dec : float
            The target [deg, ICRS].

        Returns
        -------
        `numpy.ndarray`, shape (n, 2)
            Right ascension and declination [deg].
        """
        wcs = self.wcs(ra, dec, size=1000)
        pixels = self._sky_outline * (500 / self.half_width) + np.asarray(wcs.wcs.crpix)
        return wcs.all_pix2world(pixels, 1)
