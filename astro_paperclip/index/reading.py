"""Searching what an engine holds: the half of a store that changes nothing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from astro_paperclip.criteria import Filter
from astro_paperclip.exceptions import CollectionError, InvalidQueryError
from astro_paperclip.index.engine import VECTOR, Engine
from astro_paperclip.index.filters import expanded, json_path, translated
from astro_paperclip.index.manifest import Manifest
from astro_paperclip.index.planning import SearchPlan, searches_graph
from astro_paperclip.index.ranking import ExactRanking, GraphRanking, Page
from astro_paperclip.index.regions import located
from astro_paperclip.index.sampling import VectorSample
from astro_paperclip.index.schema import INDEXED_FIELDS, SCHEMA_VERSION
from astro_paperclip.index.store import Hit, Record
from astro_paperclip.index.validation import checked_id, checked_vectors
from astro_paperclip.index.words import query_words

__all__ = ["StoreReader"]

_IDS_PER_FILTER = 1000


class StoreReader:
    """Searches what a subclass opens.

    Attributes that the subclass sets: ``_location``, named in messages, ``_is_open``, and, as soon
    as there is an index, ``_dimension``, ``_manifest`` and ``_engine``. Without an index there are
    no points.
    """

    _location: Any
    _is_open: bool = True
    _dimension: int | None = None
    _engine: Engine | None = None
    _manifest: Manifest | None = None
    _known_regions: dict[Any, Filter] | None = None

    @cached_property
    def _samples(self) -> dict[str, VectorSample]:
        return {}

    @property
    def schema_version(self) -> int:
        """Version of the form of the stored rows."""
        return self._manifest.schema_version if self._manifest else SCHEMA_VERSION

    def vector_of(self, encoder: str) -> str | None:
        """Return the name of the vector that an encoder made.

        Parameters
        ----------
        encoder : str
            Fingerprint of the encoder.

        Returns
        -------
        str or None
            The main vector, ``"image"``, before those that joined it, these in the order in which
            they did; `None` where the encoder made none.
        """
        if self._manifest is None:
            return None
        if self._manifest.encoder == encoder:
            return VECTOR
        joined = self._manifest.vectors.items()
        return next((name for name, facts in joined if facts["encoder"] == encoder), None)

    def search(
        self,
        vector: np.ndarray,
        where: Filter | None = None,
        limit: int = 10,
        offset: int = 0,
        exact: bool | None = None,
        using: str | None = None,
        *,
        max_per_group: int | None = None,
        group_by: str = "proposal_id",
    ) -> list[Hit]:
        """Return the points most similar to a vector.

        Parameters
        ----------
        vector : array_like
            Shape ``(dimension,)``.
        where : Filter, optional
            Only points that fit.
        limit, offset : int
            How many points to return, after how many better ones.
        exact : bool, optional
            Whether every vector that fits must be compared. By default the store decides; ``False``
            asks for the graph wherever there is one.
        using : str, optional
            Name of the vector that is searched. By default the main one.
        max_per_group : int, optional
            How many points with the same value of ``group_by`` there may be; the best are kept.
            Points without a value are not limited. By default all are returned.
        group_by : str
            The column.

        Returns
        -------
        list of Hit
            By falling score, equal scores by id. Points without the vector are not among them.

        Raises
        ------
        InvalidQueryError
            If the vector is none, or another argument makes no sense.
        IndexMismatchError
            If the vector has another length than those of the index.

        Notes
        -----
        Where there is a graph and more than 150,000 points fit, the graph is searched, which finds
        nearly all of the nearest; where, without a filter, one of 5,000 others is nearer than what
        it found, it went astray, and all are compared. It gives the first 128 points of the
        ranking, however many are asked for; then come all others that fit, compared one by one. So
        pages never overlap, and together they hold every point that fits. Every other search, and
        one for more than 128 points, compares each vector that fits. Copies of a collection on
        several servers have graphs of their own, in which pages can differ.
        """
        vector = np.asarray(vector)
        if vector.ndim != 1:
            raise InvalidQueryError(f"A search takes one vector, not an array of {vector.shape}.")
        name, dimension = self._vector_named(using)
        vector = checked_vectors(vector[np.newaxis], dimension)[0]
        page = Page(limit, offset, max_per_group, group_by)
        self._check_open()
        if self._engine is None:
            return []
        where = self._translated(where)
        is_exact = not searches_graph(self._engine, where, exact)
        payload = page.fields or (is_exact and offset == 0)
        find = partial(self._engine.nearest, vector, where, using=name, payload=payload)
        ranking = ExactRanking(partial(find, exact=True))
        if not is_exact:
            # Whoever asks for the graph gets what it finds; a filter lets few of a sample through.
            is_checked = exact is None and where is None
            is_wrong = partial(self._sample(name).beats, vector=vector) if is_checked else None
            ranking = GraphRanking(partial(find, exact=False), ranking, is_wrong)
        return self._with_payloads(page.of(ranking), payload)

    def _sample(self, name: str) -> VectorSample:
        if name not in self._samples:
            self._samples[name] = VectorSample(self._engine, name)
        return self._samples[name]

    def plan(self, where: Filter | None = None, exact: bool | None = None) -> SearchPlan:
        """Return how `search` would go about it.

        Parameters
        ----------
        where, exact
            As for `search`.

        Returns
        -------
        SearchPlan
        """
        self._check_open()
        if self._engine is None:
            return SearchPlan(searches_graph=False, estimate=0)
        where = self._translated(where)
        is_graph = searches_graph(self._engine, where, exact)
        return SearchPlan(is_graph, self._engine.estimate(where))

    def search_words(
        self,
        text: str,
        where: Filter | None = None,
        limit: int = 10,
        offset: int = 0,
        *,
        max_per_group: int | None = None,
        group_by: str = "proposal_id",
    ) -> list[Hit]:
        """Return the points whose texts have the words of a text, by BM25.

        Parameters
        ----------
        text : str
            Words to look for, in English.
        where : Filter, optional
            Only points that fit.
        limit, offset : int
            How many points to return, after how many better ones.
        max_per_group, group_by
            As in `search`.

        Returns
        -------
        list of Hit
            By falling score, equal scores by id; only points that have one of the words.
        """
        words, page = query_words(text), Page(limit, offset, max_per_group, group_by)
        self._check_open()
        if self._engine is None:
            return []
        payload = page.fields or offset == 0
        find = partial(self._engine.nearest_words, words, self._translated(where), payload=payload)
        return self._with_payloads(page.of(ExactRanking(find)), payload)

    def _with_payloads(self, hits: list[Hit], fetched: bool | list[str]) -> list[Hit]:
        """Return hits with their whole payloads, of which this much has been fetched."""
        if fetched is True:
            return hits
        found = self._retrieved([hit.id for hit in hits], with_payload=True, vector=None)
        return [replace(hit, payload=found[hit.id].payload) for hit in hits if hit.id in found]

    def retrieve(
        self, ids: Sequence[str], with_vectors: bool | str = False, *, with_payload: bool = True
    ) -> list[Record]:
        """Return the points with these ids, in this order, without those that are not there.

        Parameters
        ----------
        ids : sequence of str
            UUIDs.
        with_vectors : bool or str, optional
            Whether with the main vector; or the name of another one, which is `None` for points
            without it.
        with_payload : bool, optional
            Whether with the columns of the row.

        Returns
        -------
        list of Record
        """
        vector = self._asked_vector(with_vectors)
        found = self._retrieved(ids, with_payload=with_payload, vector=vector)
        return [found[point] for point in map(checked_id, ids) if point in found]

    def missing(self, ids: Sequence[str], using: str | None = None) -> list[str]:
        """Return those of the ids that no point has, in this order.

        Parameters
        ----------
        ids : sequence of str
            UUIDs.
        using : str, optional
            Name of a vector: points without it do not count.

        Returns
        -------
        list of str
        """
        if using is None:
            found = self._retrieved(ids, with_payload=False, vector=None)
        else:
            found = self._having(ids, self._vector_named(using)[0])
        return [point for point in ids if checked_id(point) not in found]

    def _retrieved(
        self, ids: Sequence[str], *, with_payload: bool, vector: str | None
    ) -> dict[str, Record]:
        self._check_open()
        ids = [checked_id(text) for text in ids]
        if self._engine is None:
            return {}
        return {record.id: record for record in self._engine.retrieve(ids, with_payload, vector)}

    def _having(self, ids: Sequence[str], name: str) -> set[str]:
        """Return those of the ids whose points have a vector."""
        self._check_open()
        ids = [checked_id(text) for text in ids]
        if self._engine is None:
            return set()
        dialect, found = self._engine.dialect, set()
        for start in range(0, len(ids), _IDS_PER_FILTER):
            page = ids[start : start + _IDS_PER_FILTER]
            where = dialect.all_of([dialect.has_id(page), dialect.has_vector(name)])
            found.update(record.id for record in self._engine.scroll(where, False, None))
        return found

    def scroll(
        self,
        where: Filter | None = None,
        with_vectors: bool | str = False,
        *,
        with_payload: bool = True,
    ) -> Iterator[Record]:
        """Iterate over all points that fit, ordered by id.

        Parameters
        ----------
        where : Filter, optional
            Only points that fit.
        with_vectors : bool or str, optional
            Whether with the main vector; or the name of another one, which is `None` for points
            without it.
        with_payload : bool, optional
            Whether with the columns of the row.

        Yields
        ------
        Record
        """
        self._check_open()
        vector = self._asked_vector(with_vectors)
        where = self._translated(where)
        if self._engine is not None:
            for record in self._engine.scroll(where, with_payload, vector):
                self._check_open()
                yield record

    def _asked_vector(self, with_vectors: bool | str) -> str | None:
        """Return the name of the vector that records are to have."""
        if isinstance(with_vectors, str):
            return self._vector_named(with_vectors)[0]
        return VECTOR if with_vectors else None

    def _vector_named(self, name: str | None) -> tuple[str, int | None]:
        """Return the name and the length of a vector of the index, by default the main one."""
        if name in (None, VECTOR):
            return VECTOR, self._dimension
        dimensions = self._manifest.dimensions if self._manifest else {}
        if name not in dimensions:
            raise InvalidQueryError(
                f"The index of {self._location} has no vector {name!r}: it has "
                f"{', '.join(dimensions) or 'none yet'}. add_vector makes room for another."
            )
        return name, dimensions[name]

    def _vector_facts(self) -> dict[str, dict[str, Any]]:
        """Return length, encoder and number of all vectors by name, the main one first."""
        self._check_open()
        if self._manifest is None:
            return {}
        main = {"dimension": self._dimension, "encoder": self._manifest.encoder}
        return {VECTOR: main | {"count": self.count()}} | self._joined_facts()

    def _joined_facts(self) -> dict[str, dict[str, Any]]:
        """Return what the manifest says of the vectors that joined, with their present number."""
        return {
            name: facts | {"count": self._count_having(name)}
            for name, facts in self._manifest.vectors.items()
        }

    def _count_having(self, name: str) -> int:
        dialect = self._engine.dialect
        return self._engine.count(dialect.all_of([dialect.has_vector(name)]))

    def count(self, where: Filter | None = None) -> int:
        """Return the number of points that fit."""
        self._check_open()
        if self._engine is None:
            return 0
        return self._engine.count(self._translated(where))

    def facet(self, field: str) -> dict[Any, int]:
        """Return how many points have each value of a column, most frequent first."""
        self._check_open()
        if self._engine is None:
            return {}
        if INDEXED_FIELDS.get(field) == "keyword":
            counts = self._faceted(field)
        else:
            counts = self._counted(field)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], str(item[0]))))

    def _faceted(self, field: str) -> dict[str, int]:
        """Let the engine count the values of a field, however many there are."""
        # More than points, where these have lists of them.
        limit = self.count() + 1
        while len(counts := self._engine.facet(field, limit)) == limit:
            limit *= 2
        # Engines remember values that no point has any more.
        return {value: count for value, count in counts.items() if count}

    def _counted(self, field: str) -> Counter:
        """Count the values of a field that has no index, or one that the engine cannot count."""
        counts = Counter()
        for record in self._engine.scroll(None, [json_path(field)], None):
            values = record.payload.get(field, [])
            values = values if isinstance(values, list) else [values]
            counts.update({value for value in values if not isinstance(value, list | dict)})
        return counts

    def _translated(self, where: Filter | None) -> Any:
        if where is None or self._engine is None:
            return None
        where = located(expanded(where, self.facet), self._engine, self._known_regions)
        return translated(where, self._engine.dialect)

    def _check_open(self) -> None:
        if not self._is_open:
            raise CollectionError(f"The index of {self._location} was closed: open it again.")
