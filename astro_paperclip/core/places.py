"""Where to look: coordinates, the name of an object, or a region, as a shape on the sky."""

import math
from typing import TYPE_CHECKING, Any

from astropy import units as u
from astropy.coordinates import Angle, SkyCoord
from astropy.coordinates.name_resolve import NameResolveError
from astroquery.exceptions import ResolverError

from astro_paperclip.exceptions import InvalidQueryError

if TYPE_CHECKING:
    from astro_paperclip.sky import Circle, Shape

__all__ = ["shape_of"]

_DEFAULT_RADIUS = 0.2 * u.deg
"""Radius round coordinates and objects where none is given: that of `astroquery.mast`."""


def shape_of(coordinates: Any, object_name: str | None, radius: Any, region: Any) -> "Shape | None":
    """Return the region that a query is about.

    Parameters
    ----------
    coordinates, object_name, radius, region
        As in `~astro_paperclip.PaperclipMastClass.query_criteria`; only one of the three places
        may be given.

    Returns
    -------
    Shape or None
        `None` where no place is given.

    Raises
    ------
    InvalidQueryError
        If a value is no place, there are several, or there is a radius without a centre.
    ~astroquery.exceptions.ResolverError
        If no object of this name is known, or nobody could be asked.
    """
    places = {"coordinates": coordinates, "object_name": object_name, "region": region}
    given = [name for name, place in places.items() if place is not None]
    if len(given) > 1:
        raise InvalidQueryError(f"Give one place only, not {' and '.join(given)}.")
    if radius is not None and given in ([], ["region"]):
        raise InvalidQueryError(
            f"radius={radius!r} has no centre: give coordinates or object_name with it."
        )
    if region is not None:
        from astro_paperclip.sky import as_shape

        return as_shape(region)
    if not given:
        return None
    radius = _checked_radius(radius)
    centre = _resolved(object_name) if coordinates is None else coordinates
    return _circle_round(centre, radius)


def _resolved(object_name: str) -> SkyCoord:
    """Return where an object is (ICRS), by CDS's name resolver, which is asked over the network.

    Raises
    ------
    ~astroquery.exceptions.ResolverError
        If it is not known there, or cannot be asked.
    """
    if not isinstance(object_name, str) or not object_name.strip():
        raise InvalidQueryError(f"object_name must be a name, not {object_name!r}.")
    try:
        return SkyCoord.from_name(object_name.strip())
    except NameResolveError as error:
        raise ResolverError(
            f"The object {object_name!r} was not found: {error} Give its coordinates."
        ) from error


def _circle_round(coordinates: Any, radius: Angle) -> "Circle":
    """Return the circle round one position.

    Raises
    ------
    InvalidQueryError
        If the coordinates are none, several, or not finite.
    """
    from astroquery.utils.commons import parse_coordinates

    from astro_paperclip.sky import Circle

    try:
        centre = parse_coordinates(coordinates).icrs
    except Exception as error:
        raise InvalidQueryError(
            f"{coordinates!r} are no coordinates ({error}): give a SkyCoord, or a text such as "
            "'10.68 41.27' (ICRS, deg)."
        ) from error
    if not centre.isscalar:
        raise InvalidQueryError(
            f"{len(centre)} positions were given where one is expected: ask for one after another."
        )
    ra, dec = centre.ra.deg, centre.dec.deg
    if not (math.isfinite(ra) and math.isfinite(dec)):
        raise InvalidQueryError(f"The coordinates {coordinates!r} are not finite.")
    return Circle(float(ra), float(dec), float(radius.deg))


def _checked_radius(radius: Any) -> Angle:
    radius = _DEFAULT_RADIUS if radius is None else radius
    try:
        # Numbers are degrees, as everywhere in astroquery.
        angle = Angle(radius, u.deg)
        is_right = angle.isscalar and 0 < angle.deg <= 180
    except (TypeError, ValueError, u.UnitsError) as error:
        raise InvalidQueryError(
            f"{radius!r} is no radius ({error}): give an angle such as 3 * u.arcmin or '0.05 deg'."
        ) from error
    if not is_right:
        raise InvalidQueryError(f"radius must be above 0 and at most 180 deg, not {radius!r}.")
    return angle
