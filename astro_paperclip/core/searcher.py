"""What every query needs: an open collection, its encoder, vectors, and a table of results."""

import difflib
import os
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from astroquery.exceptions import InputWarning
from astroquery.query import BaseQuery

from astro_paperclip.calibration import Matches, best_matches
from astro_paperclip.calibration.percentiles import Term
from astro_paperclip.collection import OWN_ENCODER, Collection
from astro_paperclip.columns import COLUMNS, CONTRACT_COLUMNS
from astro_paperclip.config import conf
from astro_paperclip.core.telling import told
from astro_paperclip.exceptions import (
    EncoderError,
    InvalidQueryError,
    MaxResultsWarning,
    NoResultsWarning,
    UntrainedEncoderWarning,
)
from astro_paperclip.index import Hit, ServerAddress, is_address
from astro_paperclip.results import PaperclipResult
from astro_paperclip.searching import SearchedCollection

__all__ = ["Searcher"]


class Searcher(BaseQuery):
    """Opens collections and encoders when they are first needed, and closes them.

    Parameters
    ----------
    collection, encoder, device
        As for `~astro_paperclip.PaperclipMastClass`.
    """

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
        self._describers = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def close(self) -> None:
        """Close all collections and let go of the encoder; the next query opens them again."""
        searched = list(self._searched.values())
        self._searched.clear()
        self._encoders.clear()
        self._describers.clear()
        for collection in searched:
            collection.close()

    def _location(self, collection: str | os.PathLike | None) -> str:
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
        """Return the encoder of this instance, the configured one, or that of a collection."""
        if self._encoder is not None and not isinstance(self._encoder, str | os.PathLike):
            return self._encoder
        name = os.fspath(self._encoder or conf.encoder or _encoder_name(record))
        if name not in self._encoders:
            # Loading torch takes seconds, which an import of this module must not.
            from astro_paperclip.encoders import load

            self._encoders[name] = load(name, device=self._device)
        return self._encoders[name]

    def _text_vector(
        self, searched: SearchedCollection, text: str, digest: str, stacklevel: int
    ) -> np.ndarray:
        """Return the vector of a text, and say where it will find little."""
        encoder = searched.encoder
        if (count := encoder.count_tokens(text)) > encoder.context_length:
            warnings.warn(
                f"The text has {count} tokens, but the encoder {encoder.name} reads only "
                f"{encoder.context_length}: sentences at its end were left out. Ask in parts.",
                InputWarning,
                stacklevel=stacklevel + 1,
            )
        if not encoder.trained:
            warnings.warn(
                f"The towers of the encoder {encoder.name} were never trained together: texts find "
                "pictures by chance. 'astro-paperclip train' makes an encoder that knows both.",
                UntrainedEncoderWarning,
                stacklevel=stacklevel + 1,
            )
        return searched.vector(digest, lambda: encoder.encode_texts([text])[0])

    def _image_vector(self, searched: SearchedCollection, picture: Any, digest: str) -> np.ndarray:
        # Pictures are compared in the views that the collection was indexed with.
        views = searched.record.views or "whole"
        return searched.vector(digest, lambda: searched.encoder.encode_images([picture], views)[0])

    def _ranked(
        self,
        searched: SearchedCollection,
        vector: np.ndarray,
        terms: Sequence[Term],
        request: dict,
        where: Any = None,
        stacklevel: int = 2,
        *,
        verbose: bool = False,
    ) -> PaperclipResult:
        """Return the best matches of a vector, the sum of some terms, by rank."""
        with told(verbose, request, lambda: searched.store.plan(where)):
            matches = best_matches(
                partial(searched.store.search, vector, where),
                partial(searched.calibrated, terms=terms),
                limit=request["limit"],
                offset=request["offset"],
                threshold=request["score_threshold"],
                max_per_proposal=request["max_per_proposal"],
            )
        _warn_of_others(matches, request, stacklevel + 1)
        return self._result(searched, matches.hits, request, stacklevel + 1)

    def _result(
        self, searched: SearchedCollection, hits: Sequence[Hit], request: dict, stacklevel: int
    ) -> PaperclipResult:
        """Return what was found as a table."""
        if not hits:
            warnings.warn(
                f"The query matched nothing in {request['collection']}.",
                NoResultsWarning,
                stacklevel=stacklevel + 1,
            )
        result = PaperclipResult.from_hits(hits, query=request, index_info=searched.description)
        home = searched.folder
        if home is not None and "image" in result.colnames:
            # Images inside the collection are stored relative to it, so that it can be moved.
            result.replace_column("image", [str(home / image) for image in result["image"]])
        return _with_columns(result, request["select_cols"])


def _warn_of_others(matches: Matches, request: dict, stacklevel: int) -> None:
    """Say where not all that reaches the threshold is returned."""
    limit, threshold = request["limit"], request["score_threshold"]
    if matches.is_cut:
        warnings.warn(
            f"More than {limit} observations score {threshold} or more: the best {limit} of "
            "them are returned. Give a larger limit, or go on with offset.",
            MaxResultsWarning,
            stacklevel=stacklevel + 1,
        )
    elif matches.depth is not None:
        warnings.warn(
            f"Only the first {matches.depth} observations of the ranking were compared with "
            f"{threshold}: others may reach it, too. Ask for a lower one, or for a cosine "
            "similarity, which is compared to the end.",
            MaxResultsWarning,
            stacklevel=stacklevel + 1,
        )


def _with_columns(result: PaperclipResult, names: list[str] | None) -> PaperclipResult:
    """Return a result with some of its columns, and those that MAST's functions ask for."""
    if names is None:
        return result
    known = dict.fromkeys([*result.colnames, *COLUMNS])
    for name in names:
        # Of an empty result nothing is known but MAST's columns.
        if name not in known and len(result):
            near = difflib.get_close_matches(name, known, n=1)
            advice = f" Did you mean {near[0]!r}?" if near else ""
            raise InvalidQueryError(f"There is no column {name!r} to select.{advice}")
    wanted = dict.fromkeys([*CONTRACT_COLUMNS, *names])
    return result[[name for name in wanted if name in result.colnames]]


def _encoder_name(record: Collection) -> str | Path:
    """Return what to load to search a collection: its own encoder, or one by its name."""
    if record.is_on_server:
        if record.encoder_name == OWN_ENCODER:
            raise EncoderError(
                f"{record.path} was made with an encoder of its own "
                f"({record.encoder_fingerprint[:12]}), which a server cannot hold: give "
                "encoder='FOLDER', the folder 'encoder' of the collection that was copied there, "
                "or set astro_paperclip.conf.encoder."
            )
        return record.encoder_name
    return record.encoder_path if record.encoder_path.is_dir() else record.encoder_name
