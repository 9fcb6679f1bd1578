"""A collection as a query needs it: its index, its encoder, and the vectors of recent queries."""

import difflib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from astro_paperclip.calibration import Bank, image_bank, score_percentiles, text_bank
from astro_paperclip.calibration.percentiles import Term
from astro_paperclip.collection import Collection
from astro_paperclip.columns import COLUMNS
from astro_paperclip.exceptions import (
    CollectionError,
    IndexMismatchError,
    InvalidQueryError,
)
from astro_paperclip.index import Hit, is_address, open_store

__all__ = ["SearchedCollection"]

_REMEMBERED_VECTORS = 128
"""Number of query vectors that are kept for a collection."""


class SearchedCollection:
    """A collection that is open for queries.

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
        self._vectors = OrderedDict()
        self._banks = {}
        self._known_count = None
        if is_address(location):
            self.store = open_store(location)
            self.record = _record_on_server(location, self.store.info()["collection"])
        else:
            self.record = Collection.open(location)
            self.store = open_store(location, encoder=self.record.encoder_fingerprint)

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

    @property
    def description(self) -> dict:
        """What was searched, for the provenance of a result."""
        # Without a text or a picture no encoder is loaded.
        known = vars(self).get("encoder")
        return {
            "collection": str(self.record.path),
            "encoder": known.name if known else self.record.encoder_name,
            "fingerprint": self.record.encoder_fingerprint,
            "count": self._count(),
        }

    def _count(self) -> int:
        # Nobody changes a directory's index while it is open here; one on a server may grow.
        if self._known_count is None or self.record.is_on_server:
            self._known_count = self.store.count()
        return self._known_count

    @property
    def folder(self) -> Path | None:
        """Where the collection's pictures lie; `None` for one on a server."""
        return None if self.record.is_on_server else self.record.path

    def check_columns(self, names: Iterable[str]) -> None:
        """Raise an error that names a column which no row of the collection has.

        Raises
        ------
        InvalidQueryError
            If one of the names is neither a column of MAST's nor one of the collection's own.
        """
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

    def vector(self, digest: str, encode: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the vector of a query, encoded only if it is not remembered."""
        if digest not in self._vectors:
            self._vectors[digest] = encode()
            if len(self._vectors) > _REMEMBERED_VECTORS:
                self._vectors.popitem(last=False)
        self._vectors.move_to_end(digest)
        return self._vectors[digest]

    def calibrated(self, hits: Sequence[Hit], terms: Sequence[Term]) -> list[Hit]:
        """Return hits with their percentiles.

        Parameters
        ----------
        hits : sequence of Hit
            What a query found.
        terms : sequence of (float, str)
            What it is the sum of: the weight of each term, and ``"text"`` or ``"image"``; other
            observations are pictures, too.

        Returns
        -------
        list of Hit
            In the same order; without percentiles where the points are gone.
        """
        if not hits:
            return []
        found = self.store.retrieve([h.id for h in hits], with_vectors=True, with_payload=False)
        banks = {name: self._bank(name) for _, name in terms}
        scores = {hit.id: hit.score for hit in hits}
        ids = [record.id for record in found]
        vectors = np.array([record.vector for record in found])
        percentiles = score_percentiles([scores[i] for i in ids], vectors, terms, banks, ids)
        known = dict(zip(ids, percentiles.tolist(), strict=True))
        return [Hit(h.id, h.score, h.payload, known.get(h.id, float("nan"))) for h in hits]

    def _bank(self, name: str) -> Bank:
        if name not in self._banks:
            self._banks[name] = (
                text_bank(self.encoder, self.folder) if name == "text" else image_bank(self.store)
            )
        return self._banks[name]

    def close(self) -> None:
        """Let go of the index; doing so again does nothing."""
        self.store.close()


def _record_on_server(location: str, content: dict) -> Collection:
    if not content:
        raise CollectionError(
            f"{location} does not say which encoder made its vectors, so that nothing can be asked "
            f"in words. Copy the collection there: astro-paperclip index copy DIRECTORY {location}"
        )
    return Collection.from_content(location, content)
