"""Queries by place and by criteria, alone or with what observations show."""

import os
import warnings
from typing import Any

from astropy import units as u

from astro_paperclip.core.content import ContentQueries, unit_sum
from astro_paperclip.core.listing import listed
from astro_paperclip.core.places import shape_of
from astro_paperclip.core.requests import (
    checked_options,
    checked_text,
    identified_image,
    obsids_of,
    plain_criteria,
    text_request,
)
from astro_paperclip.core.telling import checked_verbose, told
from astro_paperclip.criteria import And, Filter, Overlaps, parse
from astro_paperclip.exceptions import InvalidQueryError, MaxResultsWarning
from astro_paperclip.results import PaperclipResult

__all__ = ["SelectionQueries"]


class SelectionQueries(ContentQueries):
    """Restricts queries to a region of the sky and to values of columns."""

    def query_region(
        self,
        coordinates: Any = None,
        *,
        radius: Any = None,
        region: Any = None,
        **options: Any,
    ) -> PaperclipResult | dict:
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
        >>> result = PaperclipMast.query_region(
        ...     "10.68 41.27", radius="3 arcmin", text="star cluster", collection="~/hubble"
        ... )  # doctest: +SKIP
        """
        if (coordinates is None) == (region is None):
            raise InvalidQueryError("Give either coordinates or a region.")
        places = {"coordinates": coordinates, "radius": radius, "region": region}
        return self.query_criteria(**places, **options)

    def query_object(
        self, object_name: str, *, radius: Any = None, **options: Any
    ) -> PaperclipResult | dict:
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

    def query_criteria(
        self,
        *,
        text: str | None = None,
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
        collection: str | os.PathLike | None = None,
        get_query_payload: bool = False,
        verbose: bool = False,
        **criteria: Any,
    ) -> PaperclipResult | dict:
        """List observations that meet criteria, or rank them by what they show.

        Parameters
        ----------
        text : str, optional
            What the observations should show, as for `query_text`.
        image : object, optional
            What they should look like, as for `query_image`.
        similar_to : object, optional
            Observations that they should look like, as for `query_similar`. Of text, image and
            these, those that are given count the same: the mean of their directions is searched.
        coordinates, radius, region
            A region that their footprints overlap, as for `query_region`.
        object_name : str, optional
            Centre of the region, as for `query_object`.
        limit : int, optional
            Largest number of rows. Default: ``conf.row_limit``.
        offset : int, optional
            Number of rows to pass over; ranks go on from there.
        select_cols : str or list of str, optional
            Columns to return, besides those that MAST's functions ask for. Default: all.
        score_threshold : float, str or `~astropy.units.Quantity`, optional
            What a match must reach: a number is a cosine similarity between -1 and 1; ``"99%"`` or
            ``99 * u.percent`` is a percentile, as in the column ``score_percentile``. Default: no
            limit.
        max_per_proposal : int, optional
            Largest number of rows of one proposal. Default: no limit.
        collection : str or `os.PathLike`, optional
            Another collection than the one of this instance.
        get_query_payload : bool, optional
            Return what would be searched, as a `dict`, and search nothing.
        verbose : bool, optional
            Log what is searched, how, and how long it takes.
        **criteria
            Values of columns in MAST's grammar, such as ``instrument_name="WFC3*"``,
            ``t_exptime=[1000, None]`` or ``filters=["F814W", "F606W"]``; see
            `astro_paperclip.criteria.parse`.

        Returns
        -------
        PaperclipResult or dict
            One row an observation; empty, with a `~astroquery.exceptions.NoResultsWarning`, if
            nothing matches. Where nothing is said of what they show, scores are masked; the
            nearest to ``coordinates`` or an object come first, and have a ``distance``.

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
        >>> result = PaperclipMast.query_criteria(
        ...     text="edge-on galaxy", instrument_name="WFC3/IR", collection="~/hubble"
        ... )  # doctest: +SKIP
        """
        options = checked_options(
            limit, offset, score_threshold, max_per_proposal, select_cols, verbose
        )
        location = self._location(collection)
        content, picture, obsids = {}, None, []
        if text is not None:
            text = checked_text(text)
            content["text"] = text_request(text)
        if similar_to is not None:
            obsids = obsids_of(similar_to)
            content["similar_to"] = obsids
        if not content and image is None and score_threshold is not None:
            raise InvalidQueryError(
                f"score_threshold={score_threshold} needs something to compare with: give text, "
                "image or similar_to."
            )
        where, shape = _where(coordinates, object_name, radius, region, criteria)
        if image is not None:
            picture, content["image"] = identified_image(image)
        request = {
            "kind": "criteria",
            **content,
            "region": None if shape is None else str(shape),
            "criteria": plain_criteria(criteria),
            "collection": location,
            **options,
        }
        if get_query_payload:
            return request

        searched = self._open(location)
        searched.check_columns(criteria)
        vectors, terms = [], []
        if text is not None:
            terms.append((1.0, "text"))
            vectors.append(self._text_vector(searched, text, content["text"]["sha256"], 2))
        if image is not None:
            terms.append((1.0, "image"))
            vectors.append(self._image_vector(searched, picture, content["image"]["sha256"]))
        if similar_to is not None:
            vector, others = self._similar_vector(searched, obsids, stacklevel=2)
            terms.append((1.0, "image"))
            vectors.append(vector)
            where = _both(where, others)
        if vectors:
            return self._ranked(searched, unit_sum(vectors), terms, request, where, verbose=verbose)
        has_centre = shape is not None and region is None
        centre = (shape.ra, shape.dec) if has_centre else None
        most = options["max_per_proposal"]
        with told(verbose, request, lambda: "listed, without a ranking"):
            hits = listed(searched.store, where, centre, request["limit"] + 1, offset, most)
        if len(hits) > request["limit"]:
            warnings.warn(
                f"More than {request['limit']} observations meet the criteria: as many are "
                "returned. Give a larger limit, or go on with offset.",
                MaxResultsWarning,
                stacklevel=2,
            )
        return self._result(searched, hits[: request["limit"]], request, stacklevel=2)

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
        coordinates, object_name, radius, region, collection
            As for `query_criteria`.
        verbose : bool, optional
            Log what is counted, and how long it takes.
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
        >>> PaperclipMast.query_criteria_count(
        ...     instrument_name="WFC3*", collection="~/hubble"
        ... )  # doctest: +SKIP
        """
        checked_verbose(verbose)
        location = self._location(collection)
        where, shape = _where(coordinates, object_name, radius, region, criteria)
        request = {"collection": location, "criteria": plain_criteria(criteria)}
        request["region"] = None if shape is None else str(shape)
        searched = self._open(location)
        searched.check_columns(criteria)
        with told(verbose, request, lambda: "counted"):
            return searched.store.count(where)


def _where(
    coordinates: Any, object_name: str | None, radius: Any, region: Any, criteria: dict
) -> tuple[Filter | None, Any]:
    """Return what all observations must fit, and the region that is a part of it."""
    where = parse(**criteria)
    shape = shape_of(coordinates, object_name, radius, region)
    return (where if shape is None else _both(where, Overlaps(shape))), shape


def _both(where: Filter | None, other: Filter) -> Filter:
    return other if where is None else And((where, other))
