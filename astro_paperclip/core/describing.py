"""What a picture shows, in words of a vocabulary."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from astropy.table import Table

from astro_paperclip.core.notices import warn_user
from astro_paperclip.core.searcher import Searcher
from astro_paperclip.expressions import Picture

if TYPE_CHECKING:
    from astro_paperclip.vocabulary import Vocabulary

__all__ = ["DescribingQueries"]

# They need a collection: docs/test_docstrings.py has one, and runs them.
__doctest_skip__ = ["*"]


class DescribingQueries(Searcher):
    """Describes pictures by the encoder of a collection."""

    def describe(
        self,
        image: Any,
        vocabulary: "Vocabulary | str | os.PathLike | Iterable[str] | None" = None,
        *,
        n: int = 5,
        collection: str | os.PathLike | None = None,
    ) -> Table:
        """Find the labels of a vocabulary that suit a picture best.

        This is the description retrieval of arXiv:2403.08851, by the encoder of a collection;
        its observations have no part in it. Labels are encoded when they are first asked for.

        Parameters
        ----------
        image : str, `os.PathLike`, `PIL.Image.Image`, array_like, `~astropy.nddata.NDData` or HDU
            A picture: anything that `astro_paperclip.images.read_image` reads.
        vocabulary : `~astro_paperclip.vocabulary.Vocabulary`, path or iterable of str, optional
            Whose labels are compared, or a file or list of labels. Default: this package's own.
            Concepts of the kind ``topic``, which no picture shows, are passed over.
        n : int, optional
            Number of labels; all, where the vocabulary has fewer.
        collection : str or `os.PathLike`, optional
            Another collection than the one of this instance.

        Returns
        -------
        `~astropy.table.Table`
            A row a label, the best first: ``image`` (its path, if it has one), ``rank`` (from 1),
            ``label``, ``score`` (cosine similarity) and ``broader`` (the broader labels, joined by
            "; "). ``meta`` names encoder, vocabulary and collection.

        Raises
        ------
        InvalidQueryError
            If n is no number from 1.
        ImageError
            If the image cannot be read.
        VocabularyError
            If the vocabulary cannot be used.
        CollectionError
            If there is no collection in the directory, or it cannot be searched.

        Warns
        -----
        UntrainedEncoderWarning
            If the two towers of the encoder were never trained together: labels are random then.

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> paperclip = PaperclipMast(collection="hubble")
        >>> (comet,) = paperclip.query_text("a comet with a tail", limit=1)
        >>> table = paperclip.describe(comet["image"], ["a galaxy", "a nebula", "a comet"], n=2)
        >>> table["label"].tolist()[0]
        'a comet'
        >>> paperclip.close()
        """
        from astro_paperclip.evaluation.descriptions import as_vocabulary, checked_number

        n = checked_number(n)
        vocabulary = as_vocabulary(vocabulary)
        location = self._location(collection)
        picture = Picture.read(image)
        found = self._open(location).describe(picture, vocabulary, n)
        for note in found.notes:
            warn_user(note)
        found.table.meta["collection"] = location
        return found.table
