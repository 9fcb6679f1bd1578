"""Any description of a region of the sky to a shape."""

import numbers
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.sky.moc import Moc
from astro_paperclip.sky.polygon import Polygon
from astro_paperclip.sky.shapes import Box, Circle, Shape, Union
from astro_paperclip.sky.stcs import parse_footprint
from astro_paperclip.sky.tangent import rectangle

__all__ = ["as_shape"]

_MOC_TEXT = re.compile(r"\s*s?\d+\s*/[\d\s,/-]*", re.ASCII)
_FITS = (".fits", ".fit", ".fits.gz")
_FORMS = (
    "give a shape of astro_paperclip.sky, a circle, polygon or rectangle of the package regions, "
    "a mocpy.MOC, text such as 'CIRCLE ICRS 10 20 0.5' or '5/12-14 6/101', the path of a DS9 "
    "file (.reg) or a MOC (.fits), or 3, 4, 6 or more numbers in degrees"
)


def as_shape(region: Any) -> Shape:
    """Make a shape of any description of a region.

    Parameters
    ----------
    region : object
        One of

        - a shape of `astro_paperclip.sky`, which is returned as it is;
        - a circle, polygon or rectangle of the package `regions
          <https://astropy-regions.readthedocs.io>`_, in any frame that can be converted to
          ICRS. Sides of polygons and rectangles are great circles;
        - a ``mocpy.MOC``;
        - text: STC-S (see `parse_footprint`), or a MOC in ASCII (see `Moc.from_text`);
        - the path of a DS9 region file (``.reg``) or of a MOC in FITS (``.fits``);
        - numbers in degrees, or angles, as in the parameter POS of SIA2: three are centre and
          radius of a circle, four the limits of a range, in which infinite ones are open, and six
          or more the vertices of a polygon;
        - a list of any of these, ``regions.Regions`` for instance, which are united.

    Returns
    -------
    shape : Shape

    Raises
    ------
    InvalidQueryError
        If it is none of these, or no such region exists.

    Examples
    --------
    >>> from astro_paperclip.sky import as_shape
    >>> as_shape((83.63, 22.01, 0.1))
    Circle(ra=83.63, dec=22.01, radius=0.1)
    >>> as_shape("RANGE 350 10 -5 5")
    Box(ra_min=350.0, ra_max=10.0, dec_min=-5.0, dec_max=5.0)
    """
    if isinstance(region, Shape):
        return region
    if isinstance(region, str):
        return _from_text(region)
    if isinstance(region, os.PathLike):
        return _from_file(Path(region))
    if hasattr(region, "to_depth29_ranges"):
        return Moc.from_mocpy(region)
    if hasattr(region, "meta") and hasattr(region, "visual"):
        return _from_region(region)
    members = _in_degrees(getattr(region, "regions", region))
    if isinstance(members, list | tuple) and members:
        if all(isinstance(member, numbers.Real) for member in members):
            return _from_numbers([float(member) for member in members])
        return Union(tuple(as_shape(member) for member in members))
    raise InvalidQueryError(f"{region!r:.200} is no region of the sky: {_FORMS}.")


def _in_degrees(members: Any) -> Any:
    """Return an array as a list, that of angles in degrees; all else as it is."""
    if isinstance(members, u.Quantity):
        try:
            return members.to_value(u.deg).tolist()
        except u.UnitConversionError as error:
            raise InvalidQueryError(f"{members!r:.200} is no region of the sky: {error}") from error
    return members.tolist() if isinstance(members, np.ndarray) else members


def _from_text(text: str) -> Shape:
    if _MOC_TEXT.fullmatch(text):
        return Moc.from_text(text)
    if text.lower().endswith((".reg", *_FITS)):
        return _from_file(Path(text))
    return parse_footprint(text)


def _from_file(path: Path) -> Shape:
    if not path.is_file():
        raise InvalidQueryError(f"There is no file {path} to read a region from.")
    if path.name.lower().endswith(_FITS):
        return Moc.from_fits(path)
    if path.suffix.lower() != ".reg":
        raise InvalidQueryError(
            f"{path} is neither a DS9 file (.reg) nor a MOC in FITS (.fits): a region is read "
            "from those."
        )
    from regions import Regions

    try:
        found = Regions.read(path, format="ds9")
    except Exception as error:  # the parser fails in as many ways as a file can be wrong
        raise InvalidQueryError(f"{path} cannot be read as a DS9 file: {error}") from error
    if not len(found):
        raise InvalidQueryError(f"There is no region in {path}.")
    return as_shape(found)


def _from_numbers(values: list[float]) -> Shape:
    if len(values) == 3:
        return Circle(*values)
    if len(values) == 4:
        return Box.from_limits(*values)
    if len(values) >= 6 and len(values) % 2 == 0:
        return Polygon(tuple(zip(values[::2], values[1::2], strict=True)))
    raise InvalidQueryError(
        f"{len(values)} numbers are no region: three are a circle, four a range of ra and dec, "
        "six or more, in pairs, a polygon."
    )


def _from_region(region: Any) -> Shape:
    """Return the shape of an object of the package regions."""
    name = type(region).__name__
    if region.meta.get("include", True) in (False, 0, "-"):
        raise InvalidQueryError(f"{region!r:.200} is to be left out, which no search can do.")
    center, vertices = getattr(region, "center", None), getattr(region, "vertices", None)
    if isinstance(vertices, SkyCoord):
        return Polygon(tuple(_pairs(vertices)))
    if isinstance(center, SkyCoord) and name.startswith("Circle") and hasattr(region, "radius"):
        return Circle(*_pairs(center.reshape(1))[0], region.radius.to_value("deg"))
    if isinstance(center, SkyCoord) and name.startswith("Rectangle") and hasattr(region, "angle"):
        return Polygon(tuple(_pairs(_rectangle(region))))
    raise InvalidQueryError(
        f"{name} is no region that can be searched: take a circle, polygon or rectangle on the "
        "sky around it. Regions in pixels have a method to_sky."
    )


def _rectangle(region: Any) -> SkyCoord:
    """Return the corners of a rectangle, which is turned in a frame of its own."""
    center = region.center
    size = region.width.to_value("deg"), region.height.to_value("deg")
    place = center.spherical.lon.to_value("deg"), center.spherical.lat.to_value("deg")
    corners = np.array(rectangle(*place, *size, region.angle.to_value("deg")))
    frame = center.frame.replicate_without_data()
    return SkyCoord(*corners.T, unit="deg", frame=frame)


def _pairs(coordinates: SkyCoord) -> list[tuple[float, float]]:
    icrs = coordinates.icrs
    return list(zip(icrs.ra.deg.tolist(), icrs.dec.deg.tolist(), strict=True))
