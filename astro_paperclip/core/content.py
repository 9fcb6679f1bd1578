"""Queries by what observations show: words, a picture, or other observations."""

import os
import warnings
from typing import Any

import numpy as np
from astropy import units as u
from astroquery.exceptions import InputWarning

from astro_paperclip.core.requests import (
    checked_options,
    checked_text,
    identified_image,
    obsids_of,
    text_request,
)
from astro_paperclip.core.searcher import Searcher
from astro_paperclip.criteria import Filter, Match, Not
from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.results import PaperclipResult
from astro_paperclip.searching import SearchedCollection

__all__ = ["ContentQueries", "unit_sum"]


class ContentQueries(Searcher):
    """Ranks observations by the similarity of vectors."""

    def query_text(
        self,
        text: str,
        *,
        limit: int | None = None,
        offset: int = 0,
        select_cols: str | list[str] | None = None,
        score_threshold: float | str | u.Quantity | None = None,
        max_per_proposal: int | None = None,
        collection: str | os.PathLike | None = None,
        get_query_payload: bool = False,
        verbose: bool = False,
    ) -> PaperclipResult | dict:
        """Rank observations by how well they show what a text says.

        Parameters
        ----------
        text : str
            What to look for, in plain English: a few words or a paragraph.
        limit : int, optional
            Largest number of rows. Default: ``conf.row_limit``.
        offset : int, optional
            Number of best matches to pass over; ranks go on from there.
        select_cols : str or list of str, optional
            Columns to return, besides those that MAST's functions ask for. Default: all.
        score_threshold : float, str or `~astropy.units.Quantity`, optional
            What a match must reach: a number is a cosine similarity between -1 and 1; ``"99%"`` or
            ``99 * u.percent`` is a percentile, as in the column ``score_percentile``. Default: no
            limit.
        max_per_proposal : int, optional
            Largest number of rows of one proposal, of which the best are kept; ``limit`` and
            ``offset`` count what is left. Default: no limit.
        collection : str or `os.PathLike`, optional
            Another collection than the one of this instance.
        get_query_payload : bool, optional
            Return what would be searched, as a `dict`, and search nothing.
        verbose : bool, optional
            Log what is searched, how, and how long it takes.

        Returns
        -------
        PaperclipResult or dict
            One row an observation, best match first; empty, with a
            `~astroquery.exceptions.NoResultsWarning`, if nothing matches.

        Raises
        ------
        InvalidQueryError
            If an argument makes no sense; no file has been opened then.
        CollectionError
            If there is no collection in the directory, or it cannot be searched.

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> result = PaperclipMast.query_text(
        ...     "protostellar outflow", collection="~/hubble", limit=5
        ... )  # doctest: +SKIP
        """
        text = checked_text(text)
        options = checked_options(
            limit, offset, score_threshold, max_per_proposal, select_cols, verbose
        )
        request = {
            "kind": "text",
            **text_request(text),
            "collection": self._location(collection),
            **options,
        }
        if get_query_payload:
            return request
        searched = self._open(request["collection"])
        vector = self._text_vector(searched, text, request["sha256"], stacklevel=2)
        return self._ranked(searched, vector, [(1.0, "text")], request, verbose=verbose)

    def query_image(
        self,
        image: Any,
        *,
        limit: int | None = None,
        offset: int = 0,
        select_cols: str | list[str] | None = None,
        score_threshold: float | str | u.Quantity | None = None,
        max_per_proposal: int | None = None,
        collection: str | os.PathLike | None = None,
        get_query_payload: bool = False,
        verbose: bool = False,
    ) -> PaperclipResult | dict:
        """Rank observations by how much they look like an image.

        Parameters
        ----------
        image : str, `os.PathLike`, `PIL.Image.Image`, array_like, `~astropy.nddata.NDData` or HDU
            A picture: anything that `astro_paperclip.images.read_image` reads.
        limit, offset, select_cols, score_threshold, max_per_proposal, collection
            As for `query_text`.
        get_query_payload : bool, optional
            Return what would be searched, as a `dict`, and search nothing.
        verbose : bool, optional
            Log what is searched, how, and how long it takes.

        Returns
        -------
        PaperclipResult or dict
            One row an observation, best match first; empty, with a
            `~astroquery.exceptions.NoResultsWarning`, if nothing matches.

        Raises
        ------
        ImageError
            If the image cannot be read.
        InvalidQueryError
            If another argument makes no sense; no file has been opened then.
        CollectionError
            If there is no collection in the directory, or it cannot be searched.

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> result = PaperclipMast.query_image(
        ...     "spiral.jpg", collection="~/hubble"
        ... )  # doctest: +SKIP
        """
        options = checked_options(
            limit, offset, score_threshold, max_per_proposal, select_cols, verbose
        )
        location = self._location(collection)
        picture, identity = identified_image(image)
        request = {"kind": "image", **identity, "collection": location, **options}
        if get_query_payload:
            return request
        searched = self._open(location)
        vector = self._image_vector(searched, picture, request["sha256"])
        return self._ranked(searched, vector, [(1.0, "image")], request, verbose=verbose)

    def query_similar(
        self,
        observations: Any,
        *,
        limit: int | None = None,
        offset: int = 0,
        select_cols: str | list[str] | None = None,
        score_threshold: float | str | u.Quantity | None = None,
        max_per_proposal: int | None = None,
        collection: str | os.PathLike | None = None,
        get_query_payload: bool = False,
        verbose: bool = False,
    ) -> PaperclipResult | dict:
        """Rank observations by how much they look like other observations of the collection.

        No encoder is needed: the vectors of the observations are in the collection.

        Parameters
        ----------
        observations : `~astropy.table.Table`, `~astropy.table.Row`, iterable, str or int
            Results of another query, some of their rows, or obsids. Of several observations
            the mean direction is searched. They are not among the results themselves.
        limit, offset, select_cols, score_threshold, max_per_proposal, collection
            As for `query_text`.
        get_query_payload : bool, optional
            Return what would be searched, as a `dict`, and search nothing.
        verbose : bool, optional
            Log what is searched, how, and how long it takes.

        Returns
        -------
        PaperclipResult or dict
            One row an observation, best match first; empty, with a
            `~astroquery.exceptions.NoResultsWarning`, if nothing matches.

        Raises
        ------
        InvalidQueryError
            If something is no obsid, or none of them is in the collection.
        CollectionError
            If there is no collection in the directory, or it cannot be searched.

        Warns
        -----
        ~astroquery.exceptions.InputWarning
            If some of the observations are not in the collection.

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> result = PaperclipMast.query_similar(
        ...     "24101632", collection="~/hubble"
        ... )  # doctest: +SKIP
        """
        options = checked_options(
            limit, offset, score_threshold, max_per_proposal, select_cols, verbose
        )
        obsids = obsids_of(observations)
        request = {
            "kind": "similar",
            "similar_to": obsids,
            "collection": self._location(collection),
            **options,
        }
        if get_query_payload:
            return request
        searched = self._open(request["collection"])
        vector, others = self._similar_vector(searched, obsids, stacklevel=2)
        return self._ranked(searched, vector, [(1.0, "image")], request, others, verbose=verbose)

    def _similar_vector(
        self, searched: SearchedCollection, obsids: list[str], stacklevel: int
    ) -> tuple[np.ndarray, Filter]:
        """Return the mean direction of observations, and the filter of all others."""
        these = Match("obsid", tuple(obsids))
        records = list(searched.store.scroll(these, with_vectors=True))
        found = {record.payload["obsid"] for record in records}
        lacking = [obsid for obsid in obsids if obsid not in found]
        if not records:
            raise InvalidQueryError(
                f"The observation {obsids[0]} is not in {searched.record.path}: only what is in "
                "the collection can be compared there. Search with its picture: query_image."
                if len(obsids) == 1
                else f"None of the {len(obsids)} observations is in {searched.record.path}."
            )
        if lacking:
            warnings.warn(
                f"{len(lacking)} of {len(obsids)} observations are not in {searched.record.path}, "
                f"such as {lacking[0]}: the others are searched with.",
                InputWarning,
                stacklevel=stacklevel + 1,
            )
        return unit_sum([record.vector for record in records]), Not(these)


def unit_sum(vectors: list[np.ndarray]) -> np.ndarray:
    """Return the direction of the sum of unit vectors: the similarity to each counts the same.

    Parameters
    ----------
    vectors : list of `~numpy.ndarray`
        Each of shape ``(d,)``.

    Returns
    -------
    vector : `~numpy.ndarray`
        Shape ``(d,)``, float32, of unit length.

    Raises
    ------
    InvalidQueryError
        If they cancel each other.
    """
    total = np.sum(vectors, axis=0, dtype=np.float64)
    length = np.linalg.norm(total)
    if length < 1e-6 * len(vectors):
        raise InvalidQueryError("What is searched for has opposite directions, which cancel out.")
    return (total / length).astype(np.float32)
