"""A collection that is searched from here: its index, its encoder, what was asked before."""

import difflib
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from astroquery.exceptions import InputWarning

from astro_paperclip.collection import Collection
from astro_paperclip.columns import COLUMNS
from astro_paperclip.criteria import And, Filter, Match, Not, fields_of
from astro_paperclip.exceptions import (
    CollectionError,
    IndexMismatchError,
    InvalidQueryError,
)
from astro_paperclip.expressions import Content, Like, Observations
from astro_paperclip.index import Hit, is_address, open_store
from astro_paperclip.searching.directions import Encodings, direction
from astro_paperclip.searching.interface import Found
from astro_paperclip.searching.listing import listed

__all__ = ["IndexedCollection"]


class IndexedCollection:
    """A `~astro_paperclip.searching.SearchedCollection` with an index and an encoder.

    Parameters
    ----------
    location : str
        The collection's directory, or its address on a server.
    load_encoder : callable
        Takes the `~astro_paperclip.collection.Collection` and returns its encoder; called when
        the first vector is needed.

    Attributes
    ----------
    record : `~astro_paperclip.collection.Collection`
        What is recorded of the collection.
    store : `~astro_paperclip.index.Store`
        Its index.

    Raises
    ------
    CollectionError
        If there is no collection, or it cannot be searched.
    """

    def __init__(self, location: str, load_encoder: Callable[[Collection], Any]):
        self._load_encoder = load_encoder
        self._known_count = None
        if is_address(location):
            self.store = open_store(location)
            self.record = _record_on_server(location, self.store.info()["collection"])
        else:
            self.record = Collection.open(location)
            self.store = open_store(location, encoder=self.record.encoder_fingerprint)
        # Pictures are compared in the views that the collection was indexed with.
        self._encodings = Encodings(lambda: self.encoder, self.record.views or "whole")

    @cached_property
    def encoder(self) -> Any:
        """The encoder that made the vectors of the collection."""
        record = self.record
        encoder = self._load_encoder(record)
        if encoder.fingerprint != record.encoder_fingerprint:
            raise IndexMismatchError(
                f"{record.path} was indexed with the encoder {record.encoder_name!r} "
                f"({record.encoder_fingerprint[:12]}), not with {encoder.name!r} "
                f"({encoder.fingerprint[:12]}): vectors of two encoders cannot be compared. "
                "Search with the first, or index another directory with the second."
            )
        return encoder

    def search(
        self,
        likes: Sequence[Like],
        where: Filter | None = None,
        *,
        limit: int,
        offset: int = 0,
        max_per_proposal: int | None = None,
    ) -> list[Found]:
        """Rank observations, as `~astro_paperclip.searching.SearchedCollection` says."""
        self._check_columns(where)
        encodings = self._encodings.encode(likes)
        asked = []
        for like in likes:
            vectors, notes = {}, {}
            for content in dict.fromkeys(term.content for term in like.terms):
                if isinstance(content, Observations):
                    vectors[content], remarks = self._mean_direction(content)
                else:
                    vectors[content] = encodings[content].vector
                    remarks = encodings[content].notes
                # What holds for all texts is said once.
                notes.update({(type(note), str(note)): note for note in remarks})
            asked.append((_direction_of(like, vectors), tuple(notes.values())))
        found = []
        for like, (vector, notes) in zip(likes, asked, strict=True):
            hits = self.store.search(
                vector,
                _without_named(where, like),
                limit=limit,
                offset=offset,
                max_per_group=max_per_proposal,
            )
            found.append(Found(self._with_paths(hits), notes))
        return found

    def get(
        self,
        where: Filter | None = None,
        *,
        limit: int,
        offset: int = 0,
        max_per_proposal: int | None = None,
        nearest_to: tuple[float, float] | None = None,
    ) -> list[Hit]:
        """List observations, as `~astro_paperclip.searching.SearchedCollection` says."""
        self._check_columns(where)
        hits = listed(self.store, where, nearest_to, limit, offset, max_per_proposal)
        return self._with_paths(hits)

    def count(self, where: Filter | None = None) -> int:
        """Return how many observations fit."""
        self._check_columns(where)
        return self.store.count(where)

    def info(self) -> dict[str, Any]:
        """Return what is searched: the collection, its encoder, and the number of observations."""
        # Without a text or a picture no encoder is loaded.
        known = vars(self).get("encoder")
        return {
            "collection": str(self.record.path),
            "encoder": known.name if known else self.record.encoder_name,
            "fingerprint": self.record.encoder_fingerprint,
            "count": self._count(),
        }

    def close(self) -> None:
        """Let go of the index; doing so again does nothing."""
        self.store.close()

    def _count(self) -> int:
        # Nobody changes a directory's index while it is open here; one on a server may grow.
        if self._known_count is None or self.record.is_on_server:
            self._known_count = self.store.count()
        return self._known_count

    def _with_paths(self, hits: list[Hit]) -> list[Hit]:
        """Write where pictures lie; they are stored relative to a folder that can be moved."""
        if not self.record.is_on_server:
            for hit in hits:
                if "image" in hit.payload:
                    hit.payload["image"] = str(self.record.path / hit.payload["image"])
        return hits

    def _mean_direction(self, content: Observations) -> tuple[np.ndarray, list[Warning]]:
        """Return the mean direction of observations, and what to say of those that lack."""
        path, obsids = self.record.path, content.obsids
        records = list(self.store.scroll(Match("obsid", obsids), with_vectors=True))
        if not records:
            raise InvalidQueryError(
                f"The observation {obsids[0]} is not in {path}: only what is in the collection can "
                "be compared there. Search with its picture: query_image."
                if len(obsids) == 1
                else f"None of the {len(obsids)} observations is in {path}."
            )
        found = {record.payload["obsid"] for record in records}
        lacking = [obsid for obsid in obsids if obsid not in found]
        notes = [
            InputWarning(
                f"{len(lacking)} of {len(obsids)} observations are not in {path}, such as "
                f"{obsid}: the others are searched with."
            )
            for obsid in lacking[:1]
        ]
        return direction([record.vector for record in records]), notes

    def _check_columns(self, where: Filter | None) -> None:
        """Raise an error that names a column which no row of the collection has."""
        names = set() if where is None else fields_of(where)
        lacking = {name for name in names if name not in COLUMNS}
        present = set()
        for record in self.store.scroll() if lacking else ():
            present |= record.payload.keys()
            if lacking <= present:
                return
        for name in sorted(lacking - present):
            near = difflib.get_close_matches(name, [*present, *COLUMNS], n=1)
            advice = f" Did you mean {near[0]!r}?" if near else ""
            raise InvalidQueryError(f"There is no column {name!r} in {self.record.path}.{advice}")


def _direction_of(like: Like, vectors: dict[Content, np.ndarray]) -> np.ndarray:
    """Return the direction that an expression asks for."""
    return direction(
        [vectors[term.content] for term in like.terms], [term.weight for term in like.terms]
    )


def _without_named(where: Filter | None, like: Like) -> Filter | None:
    """Return a filter that leaves out the observations which an expression names."""
    contents = [term.content for term in like.terms if isinstance(term.content, Observations)]
    if not contents:
        return where
    obsids = dict.fromkeys(obsid for content in contents for obsid in content.obsids)
    others = Not(Match("obsid", tuple(obsids)))
    return others if where is None else And((where, others))


def _record_on_server(location: str, content: dict) -> Collection:
    if not content:
        raise CollectionError(
            f"{location} does not say which encoder made its vectors, so that nothing can be asked "
            f"in words. Copy the collection there: astro-paperclip index copy DIRECTORY {location}"
        )
    return Collection.from_content(location, content)
