"""Queries by place and by criteria, alone or with what observations show."""

import os
from typing import Any

from astropy import units as u

from astro_paperclip.core.content import ContentQueries
from astro_paperclip.core.docstrings import with_shared_parameters
from astro_paperclip.core.notices import warn_user
from astro_paperclip.core.places import shape_of
from astro_paperclip.core.requests import (
    checked_options,
    plain_criteria,
    read_image,
    read_similar,
    read_texts,
)
from astro_paperclip.core.telling import checked_verbose, told
from astro_paperclip.criteria import And, Filter, Overlaps, parse
from astro_paperclip.exceptions import InvalidQueryError, MaxResultsWarning
from astro_paperclip.expressions import Like
from astro_paperclip.results import PaperclipResult

__all__ = ["SelectionQueries"]

# They need a collection: docs/test_docstrings.py has one, and runs them.
__doctest_skip__ = ["*"]


class SelectionQueries(ContentQueries):
    """Restricts queries to a region of the sky and to values of columns."""

    def query_region(
        self,
        coordinates: Any = None,
        *,
        radius: Any = None,
        region: Any = None,
        **options: Any,
    ) -> PaperclipResult | dict | list[PaperclipResult] | list[dict]:
        """List observations whose footprints overlap a region, or rank them.

        Parameters
        ----------
        coordinates : `~astropy.coordinates.SkyCoord` or str, optional
            Centre of a circle: one position. A text that is no position is taken for the name of
            an object and resolved over the network.
        radius : `~astropy.units.Quantity`, `~astropy.coordinates.Angle`, str or float, optional
            Radius of the circle; numbers are in degrees. Default: 0.2 deg.
        region : object, optional
            In place of a circle: anything that `astro_paperclip.sky.as_shape` takes, such as a
            region of the package ``regions``, a ``mocpy.MOC``, STC-S or a DS9 file.
        **options
            What `query_criteria` takes besides: what observations show, criteria, ``limit`` ...

        Returns
        -------
        PaperclipResult or dict
            As of `query_criteria`.

        Raises
        ------
        InvalidQueryError
            If there is no such region, or another argument makes no sense.

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> paperclip = PaperclipMast(collection="hubble")
        >>> (place,) = paperclip.query_text("a star cluster", limit=1).coords
        >>> near = paperclip.query_region(place, radius="3 arcmin")
        >>> float(near["distance"][0]) < 180
        True
        >>> paperclip.close()
        """
        if (coordinates is None) == (region is None):
            raise InvalidQueryError("Give either coordinates or a region.")
        places = {"coordinates": coordinates, "radius": radius, "region": region}
        return self.query_criteria(**places, **options)

    def query_object(
        self, object_name: str, *, radius: Any = None, **options: Any
    ) -> PaperclipResult | dict | list[PaperclipResult] | list[dict]:
        """List observations whose footprints overlap a circle round an object, or rank them.

        Parameters
        ----------
        object_name : str
            Name of the object, which CDS's name resolver is asked for over the network.
        radius : `~astropy.units.Quantity`, `~astropy.coordinates.Angle`, str or float, optional
            Radius of the circle; numbers are in degrees. Default: 0.2 deg.
        **options
            What `query_criteria` takes besides.

        Returns
        -------
        PaperclipResult or dict
            As of `query_criteria`.

        Raises
        ------
        ~astroquery.exceptions.ResolverError
            If no object of this name is known, or the resolver cannot be reached.
        InvalidQueryError
            If another argument makes no sense.

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> result = PaperclipMast.query_object("M 51", collection="~/hubble")  # doctest: +SKIP
        """
        return self.query_criteria(object_name=object_name, radius=radius, **options)

    @with_shared_parameters
    def query_criteria(
        self,
        *,
        text: str | Like | list[str | Like] | None = None,
        image: Any = None,
        similar_to: Any = None,
        coordinates: Any = None,
        object_name: str | None = None,
        radius: Any = None,
        region: Any = None,
        limit: int | None = None,
        offset: int = 0,
        select_cols: str | list[str] | None = None,
        score_threshold: float | str | u.Quantity | None = None,
        max_per_proposal: int | None = None,
        rerank: Any = None,
        collection: str | os.PathLike | None = None,
        get_query_payload: bool = False,
        verbose: bool = False,
        **criteria: Any,
    ) -> PaperclipResult | dict | list[PaperclipResult] | list[dict]:
        """List observations that meet criteria, or rank them by what they show.

        Parameters
        ----------
        text : str, Like, or list of them, optional
            What the observations should show, as for `query_text`.
        image : object, optional
            What they should look like, as for `query_image`.
        similar_to : object, optional
            Observations that they should look like, as for `query_similar`. Image and
            observations are added to the text with the weight 1; for other weights give an
            expression as text, which can have pictures and observations in it.
        coordinates, radius, region
            A region that their footprints overlap, as for `query_region`.
        object_name : str, optional
            Centre of the region, as for `query_object`.
        **criteria
            Values of columns in MAST's grammar, such as ``instrument_name="WFC3*"``,
            ``t_exptime=[1000, None]`` or ``filters=["F814W", "F606W"]``; see
            `astro_paperclip.criteria.parse`.

        Returns
        -------
        PaperclipResult or dict
            One row an observation; empty, with a `~astroquery.exceptions.NoResultsWarning`, if
            nothing matches. Where nothing is said of what they show, scores are masked; the
            nearest to ``coordinates`` or an object come first, and have a ``distance``. For a
            list of texts a list of what each of them gives.

        Raises
        ------
        InvalidQueryError
            If an argument makes no sense, or there is no such column.
        ~astroquery.exceptions.ResolverError
            If an object is not known, or the resolver cannot be reached.
        CollectionError
            If there is no collection in the directory, or it cannot be searched.

        Warns
        -----
        ~astroquery.exceptions.MaxResultsWarning
            If ``limit`` cuts short what meets the criteria, or what scores enough.

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> paperclip = PaperclipMast(collection="hubble")
        >>> result = paperclip.query_criteria(
        ...     text="an edge-on galaxy", instrument_name="WFC3/IR", limit=5
        ... )
        >>> set(result["instrument_name"].tolist())
        {'WFC3/IR'}
        >>> paperclip.close()
        """
        options = checked_options(
            limit, offset, score_threshold, max_per_proposal, select_cols, verbose
        )
        request = {"kind": "criteria", "collection": self._location(collection), **options}
        likes, is_batch = ([], False) if text is None else read_texts(text)
        others = [] if similar_to is None else [read_similar(similar_to)]
        if not (likes or others) and image is None:
            _check_needs_no_content(score_threshold=score_threshold, rerank=rerank)
        where, shape = _where(coordinates, object_name, radius, region, criteria)
        request["region"] = None if shape is None else str(shape)
        request["criteria"] = plain_criteria(criteria)
        # Pictures come last: no other mistake shall cost reading them.
        others += [] if image is None else [read_image(image)]
        if likes or others:
            wanted = [sum([like, *others]) for like in likes] or [sum(others)]
            answers = self._ranked(
                wanted, request, rerank, get_query_payload, where, verbose=verbose
            )
            return answers if is_batch else answers[0]
        if get_query_payload:
            return request
        has_centre = shape is not None and region is None
        centre = (shape.ra, shape.dec) if has_centre else None
        return self._listed(request, where, centre, verbose=verbose)

    def _listed(
        self,
        request: dict,
        where: Filter | None,
        centre: tuple[float, float] | None,
        *,
        verbose: bool,
    ) -> PaperclipResult:
        """Return what fits, without a ranking."""
        searched, limit = self._open(request["collection"]), request["limit"]
        with told(verbose, request, lambda: "listed, without a ranking"):
            hits = searched.get(
                where,
                limit=limit + 1,
                offset=request["offset"],
                max_per_proposal=request["max_per_proposal"],
                nearest_to=centre,
            )
        if len(hits) > limit:
            warn_user(
                MaxResultsWarning(
                    f"More than {limit} observations meet the criteria: as many are returned. Give "
                    "a larger limit, or go on with offset."
                )
            )
        return self._result(searched, hits[:limit], request)

    @with_shared_parameters
    def query_criteria_count(
        self,
        *,
        coordinates: Any = None,
        object_name: str | None = None,
        radius: Any = None,
        region: Any = None,
        collection: str | os.PathLike | None = None,
        verbose: bool = False,
        **criteria: Any,
    ) -> int:
        """Return how many observations meet criteria.

        Parameters
        ----------
        coordinates, object_name, radius, region
            As for `query_criteria`.
        **criteria
            Values of columns in MAST's grammar.

        Returns
        -------
        int
            All of them, whatever ``conf.row_limit`` is.

        Raises
        ------
        InvalidQueryError
            If an argument makes no sense, or there is no such column.

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> paperclip = PaperclipMast(collection="hubble")
        >>> paperclip.query_criteria_count(instrument_name="WFC3*") > 10
        True
        >>> paperclip.close()
        """
        checked_verbose(verbose)
        request = {"collection": self._location(collection), "criteria": plain_criteria(criteria)}
        where, shape = _where(coordinates, object_name, radius, region, criteria)
        request["region"] = None if shape is None else str(shape)
        searched = self._open(request["collection"])
        with told(verbose, request, lambda: "counted"):
            return searched.count(where)


def _check_needs_no_content(**options: Any) -> None:
    """Raise if there is an option that makes no sense for a list without a ranking."""
    for name, value in options.items():
        if value is not None:
            raise InvalidQueryError(
                f"{name}={value!r} needs something to compare with: give text, image or similar_to."
            )


def _where(
    coordinates: Any, object_name: str | None, radius: Any, region: Any, criteria: dict
) -> tuple[Filter | None, Any]:
    """Return what all observations must fit, and the region that is a part of it."""
    where = parse(**criteria)
    shape = shape_of(coordinates, object_name, radius, region)
    if shape is None:
        return where, None
    overlap = Overlaps(shape)
    return (overlap if where is None else And((where, overlap))), shape
