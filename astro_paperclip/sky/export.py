"""Shapes as other libraries and programs know them: regions, MOCs, STC-S, DS9 files.

The order of a polygon's vertices means nothing to `Polygon`, but it does to others.
`~regions.PolygonSphericalSkyRegion` takes the region that its vertices go around clockwise, as
seen from within the celestial sphere with north up and east to the left; the Virtual
Observatory has them counter-clockwise [1]_. Each gets its own order.

References
----------
.. [1] Data Access Layer Interface, version 1.1, section 3.3.7,
   https://www.ivoa.net/documents/DALI/
"""

import math
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.files import check_free, written_whole
from astro_paperclip.sky.healpix import MAX_ORDER
from astro_paperclip.sky.polygon import Polygon
from astro_paperclip.sky.shapes import Box, Circle, Shape, Union
from astro_paperclip.sky.spherical import unit_vectors

if TYPE_CHECKING:
    from mocpy import MOC
    from regions import CircleSkyRegion, PolygonSkyRegion, Regions

__all__ = ["moc_of", "regions_of", "stcs_of", "write_ds9"]

_STEP = 1.0
"""Largest step [deg] along a parallel that an edge of a polygon stands for: 4 arcsec apart."""

_NOT_IN_LABELS = re.compile(r"[\s{};#|]+")
"""What ends a label, or the region that it belongs to, in a DS9 file."""


def regions_of(shape: Shape, label: str = "") -> "Regions":
    """Return a shape as regions to plot and to write.

    Parameters
    ----------
    shape : Shape
        A circle, box or polygon, or a union of them.
    label : str
        Text to be shown with it; its place is ``meta["text"]``.

    Returns
    -------
    regions : `~regions.Regions`
        One `~regions.CircleSkyRegion` or `~regions.PolygonSkyRegion` (ICRS) for each part of
        the shape. Vertices go clockwise, see the notes of this module.

    Raises
    ------
    InvalidQueryError
        If the shape has no outline, as a MOC or a range around a pole.

    Examples
    --------
    >>> from astro_paperclip.sky import parse_footprint, regions_of
    >>> shape = parse_footprint("POLYGON J2000 10 0 10 1 11 1 11 0 10 0")
    >>> (region,) = regions_of(shape)
    >>> region.vertices.ra.deg.tolist()
    [11.0, 11.0, 10.0, 10.0]
    """
    from regions import Regions

    return Regions([_region(part, {"text": label} if label else {}) for part in _parts(shape)])


def stcs_of(shape: Shape) -> str:
    """Write a shape in STC-S, in ICRS.

    Parameters
    ----------
    shape : Shape
        A circle, box or polygon, or a union of them.

    Returns
    -------
    text : str
        ``CIRCLE ICRS ...`` or ``POLYGON ICRS ...`` with numbers in degrees, or a ``UNION`` of
        them. Vertices go counter-clockwise, and the first is not repeated.

    Raises
    ------
    InvalidQueryError
        If the shape has no outline, as a MOC or a range around a pole.

    Examples
    --------
    >>> from astro_paperclip.sky import parse_footprint, stcs_of
    >>> stcs_of(parse_footprint("polygon gsc1 10 0 11 0 11 1 10 0"))
    'POLYGON ICRS 11.0 1.0 11.0 0.0 10.0 0.0'
    """
    parts = [_stcs_words(part) for part in _parts(shape)]
    if len(parts) == 1:
        kind, numbers = parts[0]
        return f"{kind} ICRS {numbers}"
    return f"UNION ICRS ({' '.join(f'{kind} {numbers}' for kind, numbers in parts)})"


def moc_of(shapes: Iterable[Shape], max_depth: int = 14) -> "MOC":
    """Return the part of the sky that shapes cover, as a map of HEALPix cells.

    Parameters
    ----------
    shapes : iterable of Shape
        Circles, boxes and polygons, and unions of them.
    max_depth : int
        Order of the smallest cells, from 0 to 29. Their sides are 58.6 deg / 2^max_depth: 13
        arcsec by default. All cells that a shape touches belong to the map.

    Returns
    -------
    moc : `mocpy.MOC`
        Empty if there are no shapes.

    Raises
    ------
    InvalidQueryError
        If there is no such order, or a shape has no outline.
    ImportError
        If mocpy is not installed.
    """
    is_whole = isinstance(max_depth, int | np.integer) and not isinstance(max_depth, bool)
    if not is_whole or not 0 <= max_depth <= MAX_ORDER:
        raise InvalidQueryError(
            f"max_depth must be a whole number from 0 to {MAX_ORDER}, not {max_depth!r}."
        )
    try:
        from mocpy import MOC
    except ImportError as error:
        raise ImportError(
            "A MOC needs the package mocpy: pip install 'astro_paperclip[vo]', or pip install mocpy"
        ) from error

    max_depth, circles, outlines = int(max_depth), set(), {}
    for part in (part for shape in shapes for part in _parts(shape)):
        if isinstance(part, Circle):
            circles.add(part)
        else:
            outlines[part.vertices] = SkyCoord(*np.array(part.vertices).T, unit="deg")
    mocs = MOC.from_polygons(list(outlines.values()), max_depth=max_depth) if outlines else []
    for circle in circles:
        center, radius = (circle.ra * u.deg, circle.dec * u.deg), circle.radius * u.deg
        mocs.append(MOC.from_cone(*center, radius=radius, max_depth=max_depth))
    return MOC.new_empty(max_depth).union(*mocs) if mocs else MOC.new_empty(max_depth)


def write_ds9(
    path: str | os.PathLike,
    shapes: Iterable[Shape | None],
    positions: SkyCoord,
    labels: Iterable[str],
    *,
    overwrite: bool = False,
) -> None:
    """Write shapes as a region file of DS9, whole or not at all.

    Parameters
    ----------
    path : str or path-like
        The file, ``.reg`` by custom.
    shapes : iterable of (Shape or None)
        What to draw; `None` where only a position is known, which is drawn as a point.
    positions : `~astropy.coordinates.SkyCoord`
        One for each shape; NaN where nothing is known, which is left out.
    labels : iterable of str
        One for each shape. Braces, quotes and what else DS9 cannot have in a label become
        blanks.
    overwrite : bool
        Whether to replace a file that is there.

    Raises
    ------
    InvalidQueryError
        If there is nothing to draw.
    OSError
        If the file is there and shall not be replaced.
    """
    from regions import PointSkyRegion, Regions

    path = Path(path)
    check_free(path, overwrite)
    drawn = []
    for shape, position, label in zip(shapes, positions.icrs, labels, strict=True):
        text = _NOT_IN_LABELS.sub(" ", label).strip()
        if shape is not None:
            drawn.extend(regions_of(shape, text))
        elif np.isfinite(position.ra.deg) and np.isfinite(position.dec.deg):
            drawn.append(PointSkyRegion(position, meta={"text": text} if text else {}))
    if not drawn:
        raise InvalidQueryError(
            "There is nothing to draw: no row has a footprint (s_region) or a position (s_ra, "
            "s_dec)."
        )
    with written_whole(path) as temporary:
        temporary.write_text(Regions(drawn).serialize(format="ds9"), encoding="utf-8")


def _parts(shape: Shape) -> Iterator[Circle | Polygon]:
    """Yield the circles and polygons that a shape is made of."""
    if isinstance(shape, Union):
        for part in shape.shapes:
            yield from _parts(part)
    elif isinstance(shape, Circle | Polygon):
        yield shape
    elif isinstance(shape, Box) and shape.width < 180 and max(map(abs, shape.corners[:, 1])) < 90:
        yield Polygon(_outline(shape))
    else:
        raise InvalidQueryError(f"{shape!r:.200} has no outline of circles and great circles.")


def _outline(box: Box) -> tuple[tuple[float, float], ...]:
    """Return vertices of a box, close enough that great circles stand for its parallels."""
    number = max(2, math.ceil(box.width / _STEP) + 1)
    across = np.linspace(box.ra_min, box.ra_min + box.width, number)
    there = [(ra, box.dec_min) for ra in across.tolist()]
    back = [(ra, box.dec_max) for ra in across[::-1].tolist()]
    return (*there, *back)


def _region(part: Circle | Polygon, meta: dict) -> "CircleSkyRegion | PolygonSkyRegion":
    from regions import CircleSkyRegion, PolygonSkyRegion

    if isinstance(part, Circle):
        center = SkyCoord(part.ra, part.dec, unit="deg")
        return CircleSkyRegion(center, part.radius * u.deg, meta=meta)
    return PolygonSkyRegion(SkyCoord(*np.array(_clockwise(part)).T, unit="deg"), meta=meta)


def _stcs_words(part: Circle | Polygon) -> tuple[str, str]:
    """Return the name of a circle or polygon in STC-S, and its numbers."""
    if isinstance(part, Circle):
        return "CIRCLE", f"{part.ra} {part.dec} {part.radius}"
    return "POLYGON", " ".join(f"{ra} {dec}" for ra, dec in _clockwise(part)[::-1])


def _clockwise(polygon: Polygon) -> tuple[tuple[float, float], ...]:
    """Return vertices in the order that is clockwise where north is up and east to the left."""
    middle = polygon.bounding_circle()
    start, end = polygon.edges
    # The vector of the area within a closed line, times two, points outwards for this order.
    area = np.cross(start, end).sum(axis=0) @ unit_vectors(middle.ra, middle.dec)
    return polygon.vertices if area >= 0 else polygon.vertices[::-1]
