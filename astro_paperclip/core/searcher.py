"""What every query needs: an open collection, its encoder, and a table of results."""

import difflib
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Self

from astroquery.query import BaseQuery

from astro_paperclip.collection import OWN_ENCODER, Collection
from astro_paperclip.columns import COLUMNS, CONTRACT_COLUMNS
from astro_paperclip.config import conf
from astro_paperclip.core.notices import warn_user
from astro_paperclip.core.requests import check_that_it_says_something, in_words
from astro_paperclip.core.telling import told
from astro_paperclip.criteria import Filter
from astro_paperclip.exceptions import EncoderError, InvalidQueryError, NoResultsWarning
from astro_paperclip.expressions import Like
from astro_paperclip.index import Hit, ServerAddress, is_address
from astro_paperclip.results import PaperclipResult
from astro_paperclip.results.cells import unknown_column
from astro_paperclip.searching import IndexedCollection, SearchedCollection

__all__ = ["Searcher"]

# They need a collection: docs/test_docstrings.py has one, and runs them.
__doctest_skip__ = ["*"]

_OPENING = threading.RLock()
"""Of threads that ask for the same thing, one opens it. An instance's own could not be pickled."""


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
        self._language_models = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def close(self) -> None:
        """Close all collections and let go of models; the next query opens them again.

        While the directory of a collection is open here, nobody can write to its index.

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> paperclip = PaperclipMast(collection="hubble")
        >>> first = paperclip.query_text("a comet", limit=3)
        >>> paperclip.close()

        At the end of a ``with`` block this is done by itself:

        >>> with paperclip:
        ...     again = paperclip.query_text("a comet", limit=3)
        >>> again["obsid"].tolist() == first["obsid"].tolist()
        True
        """
        searched = list(self._searched.values())
        self._searched.clear()
        self._encoders.clear()
        self._language_models.clear()
        with ExitStack() as closing:
            for collection in searched:
                closing.callback(collection.close)

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
        return _made_once(self._searched, location, lambda: self._opened(location))

    def _opened(self, location: str) -> SearchedCollection:
        """Open what stands behind a location: the one place that knows of several kinds."""
        is_chosen = self._encoder is not None or bool(conf.encoder)
        return IndexedCollection(location, self._load_encoder, encoder_is_chosen=is_chosen)

    def _load_encoder(self, record: Collection) -> Any:
        """Return the encoder of this instance, the configured one, or that of a collection."""
        if self._encoder is not None and not isinstance(self._encoder, str | os.PathLike):
            return self._encoder
        chosen = os.fspath(self._encoder or conf.encoder)
        name = os.fspath(record.joined_encoder(chosen) or chosen or _encoder_name(record))

        def loaded() -> Any:
            # Loading torch takes seconds, which an import of this module must not.
            from astro_paperclip.encoders import load

            return load(name, device=self._device)

        return _made_once(self._encoders, name, loaded)

    def _ranked(
        self,
        likes: Sequence[Like],
        request: dict[str, Any],
        rerank: Any,
        get_query_payload: bool,
        where: Filter | None = None,
        *,
        verbose: bool = False,
    ) -> list[PaperclipResult] | list[dict]:
        """Return the best matches of each expression, or what would be searched."""
        for like in likes:
            check_that_it_says_something(like, rerank)
        if rerank is not None:
            from astro_paperclip.language import model_label

            request = request | {"rerank": model_label(rerank)}
        requests = [{**request, "text": like.text, "terms": like.record()} for like in likes]
        if get_query_payload:
            return requests
        raters = self._raters(likes, rerank)
        searched = self._open(request["collection"])
        options = ("limit", "offset", "score_threshold", "max_per_proposal")
        with told(verbose, request, lambda: searched.plan(where), likes):
            found = searched.search(likes, where, **{name: request[name] for name in options})
        results = []
        for answer, one, rate in zip(found, requests, raters, strict=True):
            for note in answer.notes:
                warn_user(note)
            results.append(self._result(searched, answer.hits, one, rate))
        return results

    def _result(
        self,
        searched: SearchedCollection,
        hits: Sequence[Hit],
        request: dict,
        rate: Callable[[PaperclipResult], PaperclipResult] | None = None,
    ) -> PaperclipResult:
        """Return what was found as a table, in the order of a language model if there is one."""
        if not hits:
            warn_user(NoResultsWarning(f"The query matched nothing in {request['collection']}."))
        result = PaperclipResult.from_hits(hits, query=request, index_info=searched.info())
        names = request["select_cols"]
        _check_selected(result, names)
        if rate is not None and hits:
            result = rate(result)
            names = names and ["rating", *names]
        return _with_columns(result, names)

    def _raters(self, likes: Sequence[Like], model: Any) -> list[Callable | None]:
        """Return what puts the results of each expression into the order of a language model."""
        if model is None:
            return [None] * len(likes)
        from astro_paperclip.language import load_model, rerank

        key = model if isinstance(model, str) else id(model)
        # The name as well: what it was made of must live as long as its identity counts.
        _, loaded = _made_once(self._language_models, key, lambda: (model, load_model(model)))
        return [partial(rerank, query=in_words(like), model=loaded) for like in likes]


def _made_once(kept: dict, key: Any, make: Callable[[], Any]) -> Any:
    """Return what is kept under a key, or make it and keep it: once, whoever else asks."""
    if (found := kept.get(key)) is not None:
        return found
    with _OPENING:
        if (found := kept.get(key)) is None:
            found = kept[key] = make()
        return found


def _check_selected(result: PaperclipResult, names: list[str] | None) -> None:
    """Raise if there is no such column."""
    known = dict.fromkeys([*result.colnames, *COLUMNS])
    for name in names or ():
        # Of an empty result nothing is known but MAST's columns.
        if name not in known and len(result):
            near = difflib.get_close_matches(name, known, n=1)
            advice = f" Did you mean {near[0]!r}?" if near else ""
            raise InvalidQueryError(f"There is no column {name!r} to select.{advice}")


def _with_columns(result: PaperclipResult, names: list[str] | None) -> PaperclipResult:
    """Return a result with some of its columns, and those that MAST's functions ask for."""
    if names is None:
        return result
    for name in names:
        if name in COLUMNS and name not in result.colnames:
            result[name] = unknown_column(name, len(result))
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
