"""Queries by what observations show: words, a picture, or other observations."""

import os
from typing import Any

from astropy import units as u

from astro_paperclip.core.docstrings import with_shared_parameters
from astro_paperclip.core.requests import checked_options, read_images, read_similar, read_texts
from astro_paperclip.core.searcher import Searcher
from astro_paperclip.expressions import Like
from astro_paperclip.results import PaperclipResult

__all__ = ["ContentQueries"]


class ContentQueries(Searcher):
    """Ranks observations by the similarity to what is looked for."""

    @with_shared_parameters
    def query_text(
        self,
        text: str | Like | list[str | Like],
        *,
        limit: int | None = None,
        offset: int = 0,
        select_cols: str | list[str] | None = None,
        score_threshold: float | str | u.Quantity | None = None,
        max_per_proposal: int | None = None,
        rerank: Any = None,
        collection: str | os.PathLike | None = None,
        get_query_payload: bool = False,
        verbose: bool = False,
    ) -> PaperclipResult | dict | list[PaperclipResult] | list[dict]:
        """Rank observations by how well they show what a text says.

        Parameters
        ----------
        text : str, Like, or list of them
            What to look for, in plain English: a few words or a paragraph. Or an expression, also
            in its text form, ``'"spiral galaxy" - 0.5 "dust lane"'``; see
            `~astro_paperclip.Like`. Those of a list are encoded together.

        Returns
        -------
        PaperclipResult or dict
            One row an observation, best match first; empty, with a
            `~astroquery.exceptions.NoResultsWarning`, if nothing matches. For a list of texts a
            list of what each of them gives.

        Raises
        ------
        InvalidQueryError
            If an argument makes no sense; no file has been opened then.
        CollectionError
            If there is no collection in the directory, or it cannot be searched.
        LanguageModelError
            If there is no such language model.

        Examples
        --------
        >>> from astro_paperclip import Like, PaperclipMast
        >>> result = PaperclipMast.query_text(
        ...     "protostellar outflow", collection="~/hubble", limit=5
        ... )  # doctest: +SKIP
        >>> result = PaperclipMast.query_text(
        ...     Like("spiral galaxy") - 0.5 * Like("dust lane"), collection="~/hubble"
        ... )  # doctest: +SKIP
        """
        options = checked_options(
            limit, offset, score_threshold, max_per_proposal, select_cols, verbose
        )
        request = {"kind": "text", "collection": self._location(collection), **options}
        likes, is_batch = read_texts(text)
        answers = self._ranked(likes, request, rerank, get_query_payload, verbose=verbose)
        return answers if is_batch else answers[0]

    @with_shared_parameters
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
    ) -> PaperclipResult | dict | list[PaperclipResult] | list[dict]:
        """Rank observations by how much they look like an image.

        Parameters
        ----------
        image : str, `os.PathLike`, `PIL.Image.Image`, array_like, `~astropy.nddata.NDData` or HDU
            A picture: anything that `astro_paperclip.images.read_image` reads. Or a list of
            pictures, which are encoded together; a list of HDUs is one picture.

        Returns
        -------
        PaperclipResult or dict
            One row an observation, best match first; empty, with a
            `~astroquery.exceptions.NoResultsWarning`, if nothing matches. For a list of pictures
            a list of what each of them gives.

        Raises
        ------
        ImageError
            If an image cannot be read; no file of a collection has been opened then.
        InvalidQueryError
            If another argument makes no sense.
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
        request = {"kind": "image", "collection": self._location(collection), **options}
        likes, is_batch = read_images(image)
        answers = self._ranked(likes, request, None, get_query_payload, verbose=verbose)
        return answers if is_batch else answers[0]

    @with_shared_parameters
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
        request = {"kind": "similar", "collection": self._location(collection), **options}
        like = read_similar(observations)
        return self._ranked([like], request, None, get_query_payload, verbose=verbose)[0]
