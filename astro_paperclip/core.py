"""The query class: words or a picture in, a ranked table of observations out."""

import hashlib
import math
import numbers
import os
import warnings
from pathlib import Path
from typing import Any, Self

import numpy as np
from astroquery.exceptions import InputWarning
from astroquery.query import BaseQuery

from astro_paperclip import archive
from astro_paperclip.collection import OWN_ENCODER, Collection
from astro_paperclip.config import conf
from astro_paperclip.exceptions import (
    EncoderError,
    ImageError,
    InvalidQueryError,
    MaxResultsWarning,
    NoResultsWarning,
    UntrainedEncoderWarning,
)
from astro_paperclip.images import read_image
from astro_paperclip.index import ServerAddress, is_address
from astro_paperclip.results import PaperclipResult
from astro_paperclip.searching import SearchedCollection

__all__ = ["PaperclipMast", "PaperclipMastClass"]


class PaperclipMastClass(BaseQuery):
    """Search observations by what they show.

    `PaperclipMast` is an instance; calling it, ``PaperclipMast(collection=...)``, gives a fresh
    one, as with all of astroquery's classes. Nothing is read before the first query; from then
    on the encoder and the index stay open until ``close()``, or the end of a ``with`` block.

    Parameters
    ----------
    collection : str or `os.PathLike`, optional
        The collection that is searched: a directory, or the address of one on a Qdrant server,
        ``https://HOST:6333/NAME``. Default: ``conf.collection``, else ``conf.qdrant_url``.
    encoder : str or object, optional
        Name of an encoder, or what `astro_paperclip.encoders.load` gave. It must be the one
        that the collection was indexed with. Default: the one that the collection names.
    device : str, optional
        Where the encoder runs: ``"cpu"``, ``"cuda"``, ``"mps"`` or ``"auto"``. Default:
        ``conf.device``.

    Notes
    -----
    Every observation has its place in a ranking, so that a result of ``limit`` rows is the rule
    and no warning is issued. With ``score_threshold`` a set of matches is asked for, and
    `~astroquery.exceptions.MaxResultsWarning` says when ``limit`` cuts that set short.

    Examples
    --------
    >>> from astro_paperclip import PaperclipMast
    >>> with PaperclipMast(collection="~/hubble") as paperclip:  # doctest: +SKIP
    ...     result = paperclip.query_text("edge-on galaxy with a dust lane", limit=5)
    """

    get_product_list = staticmethod(archive.get_product_list)
    filter_products = staticmethod(archive.filter_products)
    download_products = staticmethod(archive.download_products)
    get_urls = staticmethod(archive.get_urls)
    get_previews = staticmethod(archive.get_previews)

    def __init__(
        self,
        collection: str | os.PathLike | None = None,
        *,
        encoder: Any = None,
        device: str | None = None,
    ):
        super().__init__()
        self._collection = collection
        self._encoder = encoder
        self._device = device
        self._searched = {}
        self._encoders = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def close(self) -> None:
        """Close all collections and let go of the encoder; the next query opens them again."""
        searched = list(self._searched.values())
        self._searched.clear()
        self._encoders.clear()
        for collection in searched:
            collection.close()

    def query_text(
        self,
        text: str,
        *,
        limit: int | None = None,
        offset: int = 0,
        score_threshold: float | None = None,
        max_per_proposal: int | None = None,
        collection: str | os.PathLike | None = None,
        get_query_payload: bool = False,
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
        score_threshold : float, optional
            Smallest cosine similarity of a match, between -1 and 1. Default: no limit.
        max_per_proposal : int, optional
            Largest number of rows of one proposal, of which the best are kept; ``limit`` and
            ``offset`` count what is left. Default: no limit.
        collection : str or `os.PathLike`, optional
            Another collection than the one of this instance.
        get_query_payload : bool, optional
            Return what would be searched, as a `dict`, and search nothing.

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
        if not isinstance(text, str) or not text.strip():
            raise InvalidQueryError(f"text must say what to look for, not {text!r}.")
        text = text.strip()
        request = {
            "kind": "text",
            "text": text,
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            **self._checked(limit, offset, score_threshold, max_per_proposal, collection),
        }
        if get_query_payload:
            return request

        searched = self._open(request["collection"])
        encoder = searched.encoder
        if (count := encoder.count_tokens(text)) > encoder.context_length:
            warnings.warn(
                f"The text has {count} tokens, but the encoder {encoder.name} reads only "
                f"{encoder.context_length}: sentences at its end were left out. Ask in parts.",
                InputWarning,
                stacklevel=2,
            )
        if not encoder.trained:
            warnings.warn(
                f"The towers of the encoder {encoder.name} were never trained together: texts find "
                "pictures by chance. 'astro-paperclip train' makes an encoder that knows both.",
                UntrainedEncoderWarning,
                stacklevel=2,
            )
        vector = searched.vector(request["sha256"], lambda: encoder.encode_texts([text])[0])
        return self._ranked(searched, vector, request)

    def query_image(
        self,
        image: Any,
        *,
        limit: int | None = None,
        offset: int = 0,
        score_threshold: float | None = None,
        max_per_proposal: int | None = None,
        collection: str | os.PathLike | None = None,
        get_query_payload: bool = False,
    ) -> PaperclipResult | dict:
        """Rank observations by how much they look like an image.

        Parameters
        ----------
        image : str, `os.PathLike`, `PIL.Image.Image`, array_like, `~astropy.nddata.NDData` or HDU
            A picture: anything that `astro_paperclip.images.read_image` reads.
        limit : int, optional
            Largest number of rows. Default: ``conf.row_limit``.
        offset : int, optional
            Number of best matches to pass over; ranks go on from there.
        score_threshold : float, optional
            Smallest cosine similarity of a match, between -1 and 1. Default: no limit.
        max_per_proposal : int, optional
            Largest number of rows of one proposal, of which the best are kept; ``limit`` and
            ``offset`` count what is left. Default: no limit.
        collection : str or `os.PathLike`, optional
            Another collection than the one of this instance.
        get_query_payload : bool, optional
            Return what would be searched, as a `dict`, and search nothing.

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
        checked = self._checked(limit, offset, score_threshold, max_per_proposal, collection)
        picture, name, digest = _identified(image)
        request = {"kind": "image", "image": name, "sha256": digest, **checked}
        if get_query_payload:
            return request

        searched = self._open(request["collection"])
        encoder = searched.encoder
        # Pictures are compared in the views that the collection was indexed with.
        views = searched.record.views or "whole"
        vector = searched.vector(digest, lambda: encoder.encode_images([picture], views)[0])
        return self._ranked(searched, vector, request)

    def _checked(self, limit, offset, score_threshold, max_per_proposal, collection) -> dict:
        """Check the arguments that all queries share, and put defaults in their place."""
        limit = conf.row_limit if limit is None else limit
        if not _is_whole(limit) or limit < 1:
            raise InvalidQueryError(f"limit must be a positive whole number, not {limit!r}.")
        if not _is_whole(offset) or offset < 0:
            raise InvalidQueryError(f"offset must be a whole number from 0, not {offset!r}.")
        if score_threshold is not None and not _is_finite(score_threshold):
            raise InvalidQueryError(
                f"score_threshold must be a number between -1 and 1, not {score_threshold!r}."
            )
        if max_per_proposal is not None and not (
            _is_whole(max_per_proposal) and max_per_proposal >= 1
        ):
            raise InvalidQueryError(
                f"max_per_proposal must be a positive whole number, not {max_per_proposal!r}."
            )
        return {
            "collection": self._location(collection),
            "limit": int(limit),
            "offset": int(offset),
            "score_threshold": None if score_threshold is None else float(score_threshold),
            "max_per_proposal": None if max_per_proposal is None else int(max_per_proposal),
        }

    def _location(self, collection) -> str:
        """Return what to search: the query's collection, the instance's, or the configured one."""
        configured = conf.collection or conf.qdrant_url or None
        for candidate in (collection, self._collection, configured):
            if candidate is None:
                continue
            if not isinstance(candidate, str | os.PathLike) or not os.fspath(candidate):
                raise InvalidQueryError(
                    f"collection must be a directory or an address, not {candidate!r}."
                )
            if is_address(candidate):
                return str(ServerAddress.parse(candidate))
            return str(Path(candidate).expanduser().absolute())
        raise InvalidQueryError(
            "There is no collection to search: give collection='DIRECTORY', or set "
            "astro_paperclip.conf.collection. 'astro-paperclip index' makes a collection of "
            "your images, 'astro-paperclip demo' one to try."
        )

    def _open(self, location: str) -> SearchedCollection:
        if location not in self._searched:
            self._searched[location] = SearchedCollection(location, self._load_encoder)
        return self._searched[location]

    def _load_encoder(self, record: Collection) -> Any:
        """Return the encoder given to this instance, or the one that a collection names."""
        if self._encoder is not None and not isinstance(self._encoder, str | os.PathLike):
            return self._encoder
        name = os.fspath(self._encoder or _encoder_name(record))
        if name not in self._encoders:
            # Loading torch takes seconds, which an import of this module must not.
            from astro_paperclip.encoders import load

            self._encoders[name] = load(name, device=self._device)
        return self._encoders[name]

    def _ranked(self, searched, vector, request) -> PaperclipResult:
        limit, threshold = request["limit"], request["score_threshold"]
        # One more than asked for tells whether the limit cuts a set of matches short.
        wanted = limit if threshold is None else limit + 1
        hits = searched.store.search(
            vector,
            limit=wanted,
            offset=request["offset"],
            max_per_group=request["max_per_proposal"],
        )
        if threshold is not None:
            hits = [hit for hit in hits if hit.score >= threshold]
        if len(hits) > limit:
            warnings.warn(
                f"More than {limit} observations score {threshold} or more: the best {limit} of "
                "them are returned. Give a larger limit, or go on with offset.",
                MaxResultsWarning,
                stacklevel=3,
            )
        if not hits:
            warnings.warn(
                f"The query matched nothing in {request['collection']}.",
                NoResultsWarning,
                stacklevel=3,
            )
        result = PaperclipResult.from_hits(
            hits[:limit], query=request, index_info=searched.description
        )
        home = searched.folder
        if home is not None and "image" in result.colnames:
            # Images inside the collection are stored relative to it, so that it can be moved.
            result.replace_column("image", [str(home / image) for image in result["image"]])
        return result


def _encoder_name(record: Collection) -> str | Path:
    """Return what to load to search a collection: its own encoder, or one by its name."""
    if record.is_on_server:
        if record.encoder_name == OWN_ENCODER:
            raise EncoderError(
                f"{record.path} was made with an encoder of its own "
                f"({record.encoder_fingerprint[:12]}), which a server cannot hold: give "
                "encoder='FOLDER', the folder 'encoder' of the collection that was copied there."
            )
        return record.encoder_name
    return record.encoder_path if record.encoder_path.is_dir() else record.encoder_name


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool | np.bool_)


def _is_finite(value: Any) -> bool:
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)
    return is_number and math.isfinite(value)


def _identified(image: Any) -> tuple[Any, str | None, str]:
    """Return an image as an encoder takes it, its file name if it has one, and its SHA-256.

    The hash is that of the file, or that of the pixels of an image in memory.
    """
    if isinstance(image, str | os.PathLike):
        path = Path(image).expanduser()
        try:
            with path.open("rb") as file:
                return path, str(path), hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            reason = "there is no such file" if not path.exists() else error.strerror
            raise ImageError(f"Cannot read image {str(path)!r}: {reason}.") from error
    picture = read_image(image)
    digest = hashlib.sha256(f"{picture.size}".encode() + picture.tobytes()).hexdigest()
    return picture, None, digest


PaperclipMast = PaperclipMastClass()
