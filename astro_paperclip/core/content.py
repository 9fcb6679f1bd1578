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

# They need a collection: docs/test_docstrings.py has one, and runs them.
__doctest_skip__ = ["*"]


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
        >>> paperclip = PaperclipMast(collection="hubble")
        >>> result = paperclip.query_text("a protostellar outflow", limit=5)
        >>> result["rank"].tolist()
        [1, 2, 3, 4, 5]
        >>> wanted = Like("a spiral galaxy") - 0.5 * Like("a dust lane")
        >>> result = paperclip.query_text(wanted, limit=5, max_per_proposal=1)
        >>> len(set(result["proposal_id"]))
        5
        >>> comets, spirals = paperclip.query_text(["a comet", "a spiral galaxy"], limit=2)
        >>> paperclip.close()
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
        What is in the collection looks like nothing more than itself:

        >>> from astro_paperclip import PaperclipMast
        >>> paperclip = PaperclipMast(collection="hubble")
        >>> (spiral,) = paperclip.query_text("a barred spiral galaxy", limit=1)
        >>> result = paperclip.query_image(spiral["image"], limit=3)
        >>> result["obsid"][0] == spiral["obsid"], round(float(result["score"][0]), 2)
        (True, 1.0)
        >>> paperclip.close()
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
        >>> paperclip = PaperclipMast(collection="hubble")
        >>> comets = paperclip.query_text("a comet with a tail", limit=2)
        >>> more = paperclip.query_similar(comets, limit=3)
        >>> set(more["obsid"]) & set(comets["obsid"])
        set()
        >>> paperclip.close()
        """
        options = checked_options(
            limit, offset, score_threshold, max_per_proposal, select_cols, verbose
        )
        request = {"kind": "similar", "collection": self._location(collection), **options}
        like = read_similar(observations)
        return self._ranked([like], request, None, get_query_payload, verbose=verbose)[0]
