"""Observations of proposals, of a place on the sky, or of any kind, from MAST."""

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle, SkyCoord
from astropy.table import Column, Table
from astropy.utils.exceptions import AstropyUserWarning
from astroquery.exceptions import InputWarning
from astroquery.utils import commons
from tqdm.auto import tqdm

from astro_paperclip import criteria as grammar
from astro_paperclip.archive.mast import Mast
from astro_paperclip.archive.observations.matching import fits
from astro_paperclip.archive.observations.portal import PortalRoute, portal_criteria
from astro_paperclip.archive.observations.sky import overlapping, separations, surrounding
from astro_paperclip.archive.observations.tables import observation_table
from astro_paperclip.archive.observations.tap import TapRoute
from astro_paperclip.columns import COLUMNS, OBSERVATION_COLUMNS
from astro_paperclip.criteria import And, Cone, Filter, Match
from astro_paperclip.exceptions import ArchiveError, InvalidQueryError, NoResultsWarning
from astro_paperclip.sky import Shape, as_shape

__all__ = ["query_observations"]

_ROUTES = ("auto", "portal", "tap")
_SEARCHABLE = {name.lower(): name for name in OBSERVATION_COLUMNS if name != "distance"}
_BATCH = {"portal": 50, "tap": 500}
"""Proposals in one request."""

_FEW = 20
"""More proposals than this are asked for by TAP, where the route is free."""

_JOB = 250
"""More proposals than this in a request take a job, since a gateway ends requests at 60 s."""

_REACH = {"HST": 0.5, "HLA": 0.5, "JWST": 0.5, "GALEX": 1.0}
_LONGEST_REACH = 17.0
"""How far footprints reach from their position [deg]; the longest are those of TESS."""


@dataclass(frozen=True)
class _Question:
    """What is asked, however it is asked."""

    proposals: tuple[str, ...] | None
    where: And
    shape: Shape | None
    position: SkyCoord | None

    @property
    def whole(self) -> Filter:
        return self.batch(self.proposals)

    def batch(self, proposals: tuple[str, ...] | None) -> Filter:
        """Return the filter tree for some of the proposals."""
        if proposals is None:
            return self.where
        return And((Match("proposal_id", proposals), *self.where.terms))

    def batches(self, size: int) -> list[Filter]:
        """Return filter trees for so many proposals each."""
        if self.proposals is None:
            return [self.where]
        starts = range(0, len(self.proposals), size)
        return [self.batch(self.proposals[start : start + size]) for start in starts]


def query_observations(
    *,
    mission: str | Iterable[str] | None = "HST",
    proposal_id: str | int | Iterable[str | int] | None = None,
    coordinates: str | SkyCoord | None = None,
    radius: str | float | u.Quantity | None = None,
    region: Any = None,
    route: str = "auto",
    mast: Mast | None = None,
    progress: bool = True,
    **criteria: Any,
) -> Table:
    """Ask MAST for observations.

    Parameters
    ----------
    mission : str or iterable of str, optional
        Collections of MAST, ``obs_collection``. `None`: all of them.
    proposal_id : str, int or iterable of those, optional
        Proposals, as many as there are.
    coordinates : str or `~astropy.coordinates.SkyCoord`, optional
        Observations whose position is within ``radius`` of this one. A text is taken for
        ICRS coordinates or for the name of an object.
    radius : str, float or `~astropy.units.Quantity`, optional
        Only with ``coordinates``: a number is in degrees. Default 0.2 deg.
    region : optional
        Observations whose footprint shares a point with this: anything that
        `astro_paperclip.sky.as_shape` takes, such as a circle or a polygon of the package
        ``regions``, a ``mocpy.MOC``, or a text in STC-S.
    route : {"auto", "portal", "tap"}
        Whom to ask: MAST's portal as astroquery does; its TAP service; or, by default, the
        TAP service for more than 20 proposals and for what the portal cannot be asked, and the
        portal for everything else, or where the TAP service fails.
    mast : Mast, optional
        Where MAST is. By default as configured.
    progress : bool
        Whether to show a progress bar.
    **criteria
        Columns of MAST with the values that they have to have, in the grammar of
        `astro_paperclip.criteria.parse`; text as MAST writes it, in upper and lower case.

    Returns
    -------
    table : `~astropy.table.Table`
        The same rows and columns by either route: those of
        `~astro_paperclip.columns.OBSERVATION_COLUMNS` with their dtypes, units and UCDs, masked
        where MAST says nothing. One row an ``obsid``, in ascending order. ``distance`` [arcsec]
        comes last where ``coordinates`` were given. ``meta["left_out"]`` counts by reason the
        rows that could not be used.

    Raises
    ------
    InvalidQueryError
        If something cannot be asked; no request was sent.
    ArchiveError
        If MAST failed for good. Nothing is ever cut off without this error.
    """
    if route not in _ROUTES:
        raise InvalidQueryError(f"There is no route {route!r}: choose from {', '.join(_ROUTES)}.")
    question = _question(mission, proposal_id, coordinates, radius, region, criteria)
    if question.proposals == ():
        table = observation_table([])
    else:
        table = _asked(question, route, mast or Mast(), progress)
        wanted = fits(question.whole, table)
        if question.shape is not None:
            wanted &= overlapping(question.shape, table)
        if not wanted.all():
            # Which columns are masked, and how long texts are, must not depend on other rows.
            table = Table(observation_table(table[wanted]), meta=table.meta, copy=False)
    if question.position is not None:
        table["distance"] = _distances(table, question.position)
    if not table:
        warnings.warn("MAST has no such observations.", NoResultsWarning, stacklevel=2)
    return table


def _question(mission, proposal_id, coordinates, radius, region, criteria) -> _Question:
    """Check everything before a request is sent."""
    if radius is not None and coordinates is None:
        raise InvalidQueryError("A radius needs coordinates around which to search.")
    proposals = None if proposal_id is None else _texts(proposal_id)
    # MAST does not tell names in upper and lower case apart.
    restricted = {
        _SEARCHABLE.get(name.lower(), name): value
        for name, value in criteria.items()
        if value is not None
    }
    if mission is not None and "obs_collection" in restricted:
        raise InvalidQueryError("obs_collection is the mission: give mission=None with it.")
    if proposals is None and coordinates is None and region is None and not restricted:
        raise InvalidQueryError(
            "All observations of a mission are too many: give proposals, coordinates, a region "
            "or another criterion."
        )
    if mission is not None:
        restricted["obs_collection"] = mission
    if proposals:
        restricted["proposal_id"] = proposals
    where = grammar.parse(known=_SEARCHABLE.values(), **restricted)
    proposals, terms = ((), ()) if proposals == [] else _split(where)
    position = None if coordinates is None else _position(coordinates)
    if position is not None:
        terms = (*terms, _cone(position, 0.2 if radius is None else radius))
    shape = None if region is None else as_shape(region)
    if shape is not None:
        around = surrounding(shape)
        reach = _reach(mission)
        terms = (*terms, Cone(around.ra, around.dec, min(180.0, around.radius + reach)))
    return _Question(proposals, And(terms), shape, position)


def _split(where: Filter | None) -> tuple[tuple[str, ...] | None, tuple[Filter, ...]]:
    """Return the proposals of a filter tree, each once, and the terms for anything else."""
    terms = where.terms if isinstance(where, And) else () if where is None else (where,)
    for term in terms:
        if isinstance(term, Match) and term.field == "proposal_id":
            rest = tuple(other for other in terms if other is not term)
            return tuple(dict.fromkeys(term.values)), rest
    return None, terms


def _texts(values: Any) -> list[str]:
    """Return proposals as MAST writes them, from one of them or many."""
    texts = []
    for value in [values] if isinstance(values, str) or np.ndim(values) == 0 else values:
        is_known = value is not None and value is not np.ma.masked
        text = str(value).strip() if is_known else ""
        if not text:
            raise InvalidQueryError(f"{value!r} is no proposal: leave it out.")
        texts.append(text)
    return texts


def _position(coordinates: str | SkyCoord) -> SkyCoord:
    try:
        with warnings.catch_warnings():
            # It says that text is read as ICRS, which the documentation says too.
            warnings.simplefilter("ignore", InputWarning)
            position = commons.parse_coordinates(coordinates, return_frame="icrs")
    except (TypeError, ValueError) as error:
        raise InvalidQueryError(f"{coordinates!r} is no place on the sky: {error}") from error
    if not position.isscalar:
        raise InvalidQueryError(f"Give one place on the sky, not {position.size}.")
    return SkyCoord(position)


def _cone(position: SkyCoord, radius: str | float | u.Quantity) -> Cone:
    try:
        angle = Angle(radius, u.deg)
    except (TypeError, ValueError, u.UnitsError) as error:
        raise InvalidQueryError(f"{radius!r} is no radius: {error}") from error
    return Cone(float(position.ra.deg), float(position.dec.deg), float(angle.deg))


def _reach(mission: str | Iterable[str] | None) -> float:
    """Return how far the footprints of missions reach from their positions [deg]."""
    missions = [mission] if mission is None or isinstance(mission, str) else mission
    return max(_REACH.get(name, _LONGEST_REACH) for name in missions)


def _asked(question: _Question, route: str, mast: Mast, progress: bool) -> Table:
    """Ask by the route that is meant."""
    try:
        portal_criteria(question.whole)
    except InvalidQueryError:
        if route == "portal":
            raise
        can_use_portal = False
    else:
        can_use_portal = True
    are_few = len(question.proposals or ()) <= _FEW
    if route == "portal" or (route == "auto" and can_use_portal and are_few):
        return observation_table(_by_portal(question, mast, progress))
    try:
        return observation_table(_by_tap(question, mast, progress))
    except ArchiveError as error:
        if route == "tap" or not can_use_portal:
            raise
        warnings.warn(
            f"MAST's portal is asked instead of the TAP service: {error}",
            AstropyUserWarning,
            stacklevel=3,
        )
    return observation_table(_by_portal(question, mast, progress))


def _by_portal(question: _Question, mast: Mast, progress: bool) -> Iterator[Table]:
    portal = PortalRoute(mast)
    for where in _shown(question.batches(_BATCH["portal"]), progress):
        yield from portal.replies(where)


def _by_tap(question: _Question, mast: Mast, progress: bool) -> Iterator[Table]:
    service = TapRoute(mast)
    as_job = len(question.proposals or ()) > _JOB
    for where in _shown(question.batches(_BATCH["tap"]), progress):
        yield from service.replies(where, as_job=as_job)


def _shown(batches: list[Filter], progress: bool) -> Iterable[Filter]:
    return tqdm(batches, "Asking for observations", unit="request", disable=not progress)


def _distances(table: Table, position: SkyCoord) -> Column:
    info = COLUMNS["distance"]
    values = 3600 * separations(table, position.ra.deg, position.dec.deg)
    return Column(values, unit=info.unit, description=info.description, meta={"ucd": info.ucd})
