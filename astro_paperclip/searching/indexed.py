"""A collection that is searched from here: its index, its encoder, what was asked before."""

import difflib
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from astroquery.exceptions import InputWarning

from astro_paperclip.calibration import (
    Bank,
    Matches,
    best_matches,
    image_bank,
    score_percentiles,
    text_bank,
)
from astro_paperclip.collection import Collection
from astro_paperclip.columns import COLUMNS
from astro_paperclip.criteria import And, Filter, Match, Not, fields_of
from astro_paperclip.exceptions import (
    CollectionError,
    IndexMismatchError,
    InvalidQueryError,
    MaxResultsWarning,
    UntrainedEncoderWarning,
)
from astro_paperclip.expressions import Content, Like, Observations, Picture, Words
from astro_paperclip.index import Hit, SearchPlan, is_address, open_store
from astro_paperclip.searching.directions import Encodings, direction, notes_on_encoder
from astro_paperclip.searching.interface import Described, Found
from astro_paperclip.searching.listing import listed

if TYPE_CHECKING:
    from astro_paperclip.vocabulary import Vocabulary

__all__ = ["IndexedCollection"]

_REMEMBERED_VOCABULARIES = 4
"""Number of vocabularies whose labels are not encoded again."""


class IndexedCollection:
    """A `~astro_paperclip.searching.SearchedCollection` with an index and an encoder.

    Parameters
    ----------
    location : str
        The collection's directory, or its address on a server.
    load_encoder : callable
        Takes the `~astro_paperclip.collection.Collection` and returns its encoder; called when
        the first vector is needed.
    encoder_is_chosen : bool, optional
        Whether it returns one that was chosen by the user, which may be one that joined.

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

    def __init__(
        self,
        location: str,
        load_encoder: Callable[[Collection], Any],
        *,
        encoder_is_chosen: bool = False,
    ):
        self._load_encoder = load_encoder
        self._encoder_is_chosen = encoder_is_chosen
        self._banks = {}
        self._describers = OrderedDict()
        self._known_count = None
        if is_address(location):
            with ExitStack() as at_failure:
                self.store = open_store(location)
                at_failure.callback(self.store.close)
                self.record = _record_on_server(location, self.store.info()["collection"])
                at_failure.pop_all()
        else:
            self.record = Collection.open(location)
            self.store = open_store(location, encoder=self.record.encoder_fingerprint)

    @cached_property
    def encoder(self) -> Any:
        """The encoder that made the vectors which are searched."""
        record = self.record
        encoder = self._load_encoder(record)
        is_own = encoder.fingerprint == record.encoder_fingerprint
        if not is_own and self.store.vector_of(encoder.fingerprint) is None:
            raise IndexMismatchError(
                f"{record.path} was indexed with the encoder {record.encoder_name!r} "
                f"({record.encoder_fingerprint[:12]}), not with {encoder.name!r} "
                f"({encoder.fingerprint[:12]}): vectors of two encoders cannot be compared. "
                "Search with the first, or let the second join: astro-paperclip index join."
            )
        return encoder

    @cached_property
    def _using(self) -> str | None:
        """The name of the vectors that are searched, where they are not the main ones."""
        # Without a choice they are the main ones, and no encoder has to be loaded to know.
        chosen = self.encoder.fingerprint if self._encoder_is_chosen else None
        is_joined = chosen not in (None, self.record.encoder_fingerprint)
        return self.store.vector_of(chosen) if is_joined else None

    @cached_property
    def _encodings(self) -> Encodings:
        # Pictures are compared in the views that the collection was indexed with.
        joined = self.record.joined.get(self._using or "", {})
        return Encodings(lambda: self.encoder, joined.get("views") or self.record.views or "whole")

    def search(
        self,
        likes: Sequence[Like],
        where: Filter | None = None,
        *,
        limit: int,
        offset: int = 0,
        score_threshold: float | str | None = None,
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
            allowed = _without_named(where, like)
            matches = best_matches(
                partial(self.store.search, vector, allowed, using=self._using),
                partial(self._calibrated, like=like),
                limit=limit,
                offset=offset,
                threshold=score_threshold,
                max_per_proposal=max_per_proposal,
            )
            notes += _notes_on_others(matches, limit, score_threshold)
            found.append(Found(self._with_paths(matches.hits), notes))
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

    def plan(self, where: Filter | None = None) -> SearchPlan:
        """Return how a search goes about it: `str` gives it in words."""
        return self.store.plan(where)

    def describe(self, picture: Picture, vocabulary: "Vocabulary", n: int) -> Described:
        """Return the labels of a vocabulary that suit a picture best."""
        from astro_paperclip.evaluation.descriptions import Describer

        # By content: a file of labels may have been changed.
        key = tuple(vocabulary)
        notes = notes_on_encoder(self.encoder)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UntrainedEncoderWarning)
            describer = self._describers.pop(key, None) or Describer(self.encoder, vocabulary)
        self._describers[key] = describer
        if len(self._describers) > _REMEMBERED_VOCABULARIES:
            self._describers.popitem(last=False)
        return Described(describer.describe([picture.path or picture.source], n=n), notes)

    def info(self) -> dict[str, Any]:
        """Return what is searched: the collection, its encoder, and the number of observations."""
        # Without a text or a picture no encoder is loaded.
        known = vars(self).get("encoder")
        return {
            "collection": str(self.record.path),
            "encoder": known.name if known else self.record.encoder_name,
            "fingerprint": known.fingerprint if known else self.record.encoder_fingerprint,
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

    def _calibrated(self, hits: Sequence[Hit], like: Like) -> list[Hit]:
        """Return hits with their percentiles; those of points that are gone have none."""
        if not hits:
            return []
        wanted = self._using or True
        found = self.store.retrieve([h.id for h in hits], with_vectors=wanted, with_payload=False)
        found = [record for record in found if record.vector is not None]
        if not found:
            return list(hits)
        # Other observations are pictures, too.
        terms = [
            (term.weight, "text" if isinstance(term.content, Words) else "image")
            for term in like.terms
        ]
        banks = {name: self._bank(name) for _, name in terms}
        scores = {hit.id: hit.score for hit in hits}
        ids = [record.id for record in found]
        vectors = np.array([record.vector for record in found])
        percentiles = score_percentiles([scores[i] for i in ids], vectors, terms, banks, ids)
        known = dict(zip(ids, percentiles.tolist(), strict=True))
        return [Hit(h.id, h.score, h.payload, known.get(h.id, float("nan"))) for h in hits]

    def _bank(self, name: str) -> Bank:
        if name not in self._banks:
            folder = None if self.record.is_on_server else self.record.path
            self._banks[name] = (
                text_bank(self.encoder, folder)
                if name == "text"
                else image_bank(self.store, self._using)
            )
        return self._banks[name]

    def _with_paths(self, hits: list[Hit]) -> list[Hit]:
        """Write where pictures lie; they are stored relative to a folder that can be moved."""
        if not self.record.is_on_server:
            for hit in hits:
                if hit.payload.get("image"):
                    hit.payload["image"] = str(self.record.path / hit.payload["image"])
        return hits

    def _mean_direction(self, content: Observations) -> tuple[np.ndarray, list[Warning]]:
        """Return the mean direction of observations, and what to say of those that lack."""
        path, obsids = self.record.path, content.obsids
        these = self.store.scroll(Match("obsid", obsids), with_vectors=self._using or True)
        records = [record for record in these if record.vector is not None]
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


def _notes_on_others(
    matches: Matches, limit: int, threshold: float | str | None
) -> tuple[Warning, ...]:
    """Say where not all that reaches the threshold is returned."""
    if matches.is_cut:
        return (
            MaxResultsWarning(
                f"More than {limit} observations score {threshold} or more: the best {limit} of "
                "them are returned. Give a larger limit, or go on with offset."
            ),
        )
    if matches.depth is not None:
        return (
            MaxResultsWarning(
                f"Only the first {matches.depth} observations of the ranking were compared with "
                f"{threshold}: others may reach it, too. Ask for a lower one, or for a cosine "
                "similarity, which is compared to the end."
            ),
        )
    return ()


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
