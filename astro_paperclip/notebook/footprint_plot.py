"""Footprints of observations on a chart of the sky."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.notebook.gallery import require_matplotlib
from astro_paperclip.notebook.places import centre_of, enclosing_circle
from astro_paperclip.sky import Circle, Shape, regions_of
from astro_paperclip.sky.spherical import separations, unit_vectors

if TYPE_CHECKING:
    from astropy.visualization.wcsaxes import WCSAxes

__all__ = ["draw_footprints"]

_LARGEST_FIELD = 20.0
"""Up to this radius [deg] a chart is a plane; beyond, it is of all the sky."""

_SMALLEST_FIELD = 0.01
_SKY = 4 * np.degrees(np.sqrt(2))
"""Width [deg] of all the sky in the projection of Hammer and Aitoff."""

_APART = 0.05
"""Labels that are nearer to each other, in radii of the field, are put together."""

_MARGIN = 1.1
_PIXELS = 1000
_SIZE = 5.5  # inch
_BOX, _WIDE_BOX = (0.18, 0.12, 0.78, 0.84), (0.06, 0.05, 0.88, 0.9)
"""Axes within the figure: left, bottom, width and height, as parts of it."""

_COLOR = "#0072b2"


def draw_footprints(
    shapes: Sequence[Shape | None],
    positions: SkyCoord,
    labels: Sequence[str],
    ax: "WCSAxes | None" = None,
) -> "WCSAxes":
    """Draw footprints, and points where only a position is known.

    Parameters
    ----------
    shapes : sequence of (Shape or None)
        Footprint of each observation.
    positions : `~astropy.coordinates.SkyCoord`
        Position of each; NaN where it is not known.
    labels : sequence of str
        Text at the centre of each.
    ax : `~astropy.visualization.wcsaxes.WCSAxes`, optional
        Where to draw; its limits stay. Default: axes of a new figure that hold everything, in a
        tangential projection; or where it is more than 20 deg away from the middle, all the sky
        in the projection of Hammer and Aitoff.

    Returns
    -------
    ax : `~astropy.visualization.wcsaxes.WCSAxes`

    Raises
    ------
    InvalidQueryError
        If no observation has a footprint or a position, or ``ax`` does not know the sky.
    """
    require_matplotlib()
    from astropy.visualization.wcsaxes import SphericalCircle, WCSAxes
    from matplotlib.patches import Polygon

    circle = enclosing_circle(shapes, positions)
    if ax is None:
        ax = _new_axes(circle)
    elif not isinstance(ax, WCSAxes):
        raise InvalidQueryError(
            f"ax must be axes with a projection of the sky (WCSAxes), not {type(ax).__name__}: "
            "make them with plt.subplot(projection=wcs)."
        )
    sky = ax.get_transform("icrs")
    style = {"facecolor": "none", "edgecolor": _COLOR, "linewidth": 1.0, "transform": sky}
    degrees = zip(positions.icrs.ra.deg, positions.icrs.dec.deg, strict=True)
    is_wide = circle.radius > _LARGEST_FIELD
    named = []
    for shape, place, label in zip(shapes, degrees, labels, strict=True):
        for region in [] if shape is None else regions_of(shape):
            if hasattr(region, "vertices"):
                corners = region.vertices
                ax.add_patch(Polygon(np.transpose([corners.ra.deg, corners.dec.deg]), **style))
            else:
                ax.add_patch(SphericalCircle(region.center, region.radius, **style))
        centre = centre_of(shape, *place)
        if np.isfinite(centre).all():
            if shape is None or is_wide:
                ax.plot(*centre, marker=".", color=_COLOR, linestyle="none", transform=sky)
            named.append((centre, label))
    for centre, texts in _together(named, _APART * circle.radius):
        _write(ax, centre, ", ".join(filter(None, texts)), beside=is_wide)
    return ax


def _new_axes(circle: Circle) -> "WCSAxes":
    from astropy.visualization.wcsaxes.frame import EllipticalFrame, RectangularFrame

    from astro_paperclip.notebook.shown_figure import ShownFigure

    radius = _MARGIN * max(circle.radius, _SMALLEST_FIELD)
    is_plane = circle.radius <= _LARGEST_FIELD
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ("RA---TAN", "DEC--TAN") if is_plane else ("RA---AIT", "DEC--AIT")
    wcs.wcs.crval = (circle.ra, circle.dec) if is_plane else (180.0, 0.0)
    step = 2 * np.degrees(np.tan(np.radians(radius))) / _PIXELS if is_plane else _SKY / _PIXELS
    wcs.wcs.cdelt = -step, step
    height = _PIXELS if is_plane else _PIXELS // 2
    wcs.wcs.crpix = _PIXELS / 2 + 0.5, height / 2 + 0.5
    figure = ShownFigure(figsize=(_SIZE, _SIZE * height / _PIXELS))
    frame = RectangularFrame if is_plane else EllipticalFrame
    box = _BOX if is_plane else _WIDE_BOX
    ax = figure.add_axes(box, projection=wcs, aspect="equal", frame_class=frame)
    ax.set_xlim(-0.5, _PIXELS - 0.5)
    ax.set_ylim(-0.5, height - 0.5)
    ax.coords.grid(color="0.5", alpha=0.3)
    if is_plane:
        ax.set_xlabel("Right ascension (ICRS)")
        ax.set_ylabel("Declination (ICRS)")
    else:
        ax.coords[0].set_ticklabel(color="0.5", fontsize=7, exclude_overlapping=True)
        ax.coords[1].set_ticklabel(fontsize=8)
    return ax


def _together(
    named: Sequence[tuple[tuple[float, float], str]], apart: float
) -> list[tuple[tuple[float, float], list[str]]]:
    """Return places and their labels; those so near that two texts would overlap are one."""
    vectors = unit_vectors(*np.array([centre for centre, _ in named]).T)
    first, marks = [], []
    for row, (centre, label) in enumerate(named):
        away = np.degrees(separations(vectors[first], vectors[row]))
        (near,) = np.nonzero(away < apart)
        if len(near):
            marks[near[0]][1].append(label)
        else:
            first.append(row)
            marks.append((centre, [label]))
    return marks


def _write(ax: "WCSAxes", centre: tuple[float, float], label: str, *, beside: bool) -> None:
    ax.text(
        *centre,
        f" {label}" if beside else label,
        transform=ax.get_transform("icrs"),
        color=_COLOR,
        fontsize=8,
        ha="left" if beside else "center",
        va="bottom" if beside else "center",
        clip_on=True,
        parse_math=False,
    )
