"""Footprints of observations as archives list them: some are missing, or cannot be read."""

from typing import Any

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.sky.overlap import overlaps
from astro_paperclip.sky.shapes import Shape
from astro_paperclip.sky.stcs import parse_footprint

__all__ = ["known_footprint", "observation_overlaps"]


def known_footprint(text: Any) -> Shape | None:
    """Return a footprint, or `None` for what is no text in STC-S that can be read."""
    try:
        return parse_footprint(text)
    except InvalidQueryError:
        return None


def observation_overlaps(region: Shape, text: Any, ra: float | None, dec: float | None) -> bool:
    """Say whether an observation shares a point with a region.

    Parameters
    ----------
    region : `~astro_paperclip.sky.Shape`
        The region.
    text : str or None
        The footprint in STC-S, ``s_region``.
    ra, dec : float or None
        The position (ICRS, deg), which counts where there is no footprint that can be read.

    Returns
    -------
    bool
    """
    footprint = known_footprint(text)
    if footprint is not None:
        return overlaps(region, footprint)
    return ra is not None and dec is not None and bool(region.contains(ra, dec))
