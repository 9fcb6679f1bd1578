"""Searches with and without a graph, on both engines: checked against brute force."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import qdrant_edge

from astro_paperclip.criteria import And, Match
from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.index import is_address, open_store, planning, point_id
from astro_paperclip.index.words import WORDS

from .conftest import DIMENSION, Points

COUNT = 3000
CLUSTERS = 50
SHARES = {1: CLUSTERS, 0.3: 15, 0.05: 3, 0.01: 1}
"""How many clusters hold a share of the points; a hundredth is half of one."""


def clustered(count=COUNT, seed=3):
    """Return points in clusters, whose payload says in which: filters follow the vectors."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(count) % CLUSTERS
    centres = rng.normal(size=(CLUSTERS, DIMENSION))
    vectors = (centres[labels] + 0.4 * rng.normal(size=(count, DIMENSION))).astype(np.float32)
    payloads = [
        {
            "instrument_name": f"cluster {label}",
            "filters": f"half {row % 2}",
            "title": f"spiral galaxy {label}" if row % 3 else "nebula",
            # A tenth of the points belongs to no proposal.
            **({"proposal_id": str(label % 7)} if row % 10 else {}),
        }
        for row, label in enumerate(labels)
    ]
    ids = [point_id(f"clustered-{row}.jpg") for row in range(count)]
    return Points(ids, vectors, payloads)


def grouped(ids, points, most):
    """Return the ids of a ranking of which at most so many belong to one proposal."""
    payloads = dict(zip(points.ids, points.payloads, strict=True))
    counts, kept = Counter(), []
    for id_ in ids:
        group = payloads[id_].get("proposal_id", id_)
        counts[group] += 1
        if counts[group] <= most:
            kept.append(id_)
    return kept


def build_graph_in_directory(location):
    """Have the engine build a graph of few vectors, which it does not do by itself."""
    with open_store(location, mode="w") as store:
        store._mark_writing()
        engine = store._engine
        engine.flush()
        engine._shard.close()
        vector = qdrant_edge.EdgeVectorParams(
            size=DIMENSION,
            distance=qdrant_edge.Distance.Cosine,
            datatype=qdrant_edge.VectorStorageDatatype.Float32,
        )
        words = qdrant_edge.EdgeSparseVectorParams(modifier=qdrant_edge.Modifier.Idf)
        config = qdrant_edge.EdgeConfig(
            vectors={"image": vector},
            sparse_vectors={WORDS: words},
            hnsw_config=qdrant_edge.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=1),
            optimizers=qdrant_edge.EdgeOptimizersConfig(
                indexing_threshold=1, default_segment_number=1
            ),
        )
        path = str(store._folder / "shard")
        engine._shard = qdrant_edge.EdgeShard.load(path, config)
        engine.call("optimize")


@pytest.fixture(scope="module")
def many():
    return clustered()


@pytest.fixture(scope="module", params=["embedded", "loopback"])
def with_graph(request, many, tmp_path_factory):
    """Where a collection is that has a graph."""
    if request.param == "embedded":
        location = str(tmp_path_factory.mktemp("graph") / "collection")
    else:
        server = request.getfixturevalue("session_loopback")
        location = f"{server.url}/with_graph"
    with open_store(location, mode="w") as store:
        store.upsert(many.ids, many.vectors, many.payloads)
    if is_address(location):
        server.build_graph("with_graph")
    else:
        build_graph_in_directory(location)
    return location


@pytest.fixture
def graph(with_graph):
    """The open store of a collection that has a graph."""
    with open_store(with_graph) as store:
        assert store._engine.graph_size() >= COUNT
        yield store


@pytest.fixture
def searches(graph, monkeypatch):
    """Whether each search of the engine was exact, with what it was asked for and gave."""
    made = []
    nearest = graph._engine.nearest

    def noted(*args, exact, payload, **options):
        made.append((exact, args[2], payload))
        return nearest(*args, exact=exact, payload=payload, **options)

    monkeypatch.setattr(graph._engine, "nearest", noted)
    return made


@pytest.fixture
def low_limit(monkeypatch):
    """Put the number of vectors that are all compared below that of a small collection."""
    monkeypatch.setattr(planning, "MOST_COMPARED", 400)


def ids_of(hits):
    return [hit.id for hit in hits]


def filter_of(share):
    """Return a filter that this share of the points fits, and what it does."""
    clusters = tuple(f"cluster {label}" for label in range(SHARES[share]))
    if share == 0.01:
        return (
            And((Match("instrument_name", clusters), Match("filters", ("half 0",)))),
            lambda payload: (
                payload["instrument_name"] in clusters and payload["filters"] == "half 0"
            ),
        )
    return Match("instrument_name", clusters), lambda row: row["instrument_name"] in clusters


def mean_recall(store, points, where, keep):
    """Return which part of the 20 nearest is found, on average."""
    rng = np.random.default_rng(8)
    recalls = []
    for row in rng.integers(0, COUNT, 50):
        vector = points.vectors[row] + 0.3 * rng.normal(size=DIMENSION)
        truth = points.ranking(vector, keep)[0][:20]
        found = ids_of(store.search(vector, where, limit=20))
        recalls.append(len(set(truth) & set(found)) / len(truth))
    return np.mean(recalls)


@pytest.mark.parametrize("share", SHARES)
def test_recall_with_a_filter_that_follows_the_vectors(graph, many, share, low_limit, searches):
    where, keep = filter_of(share)
    assert mean_recall(graph, many, where, keep) >= 0.99
    assert {exact for exact, _, _ in searches} == {share < 0.3}


@pytest.mark.parametrize("estimate", [0, COUNT])
@pytest.mark.parametrize("share", [0.3, 0.05, 0.01])
def test_recall_when_the_estimate_is_wrong(
    graph, many, share, estimate, low_limit, searches, monkeypatch
):
    where, keep = filter_of(share)
    right = graph._engine.estimate
    monkeypatch.setattr(
        graph._engine, "estimate", lambda where: right(where) if where is None else estimate
    )
    assert mean_recall(graph, many, where, keep) >= 0.99
    assert (True in {exact for exact, _, _ in searches}) == (estimate == 0 or share == 0.01)


@pytest.mark.parametrize(("exact", "is_right"), [(None, True), (False, False)])
def test_a_graph_that_leads_astray(graph, many, low_limit, monkeypatch, exact, is_right):
    """Into another cluster: unless it was asked for, the nearest are found all the same."""
    nearest = graph._engine.nearest

    def astray(vector, where, limit, *args, exact, **options):
        turned = vector if exact else -vector
        hits = nearest(turned, where, limit, *args, exact=True, **options)
        return hits if exact else [replace(hit, score=-hit.score) for hit in hits]

    monkeypatch.setattr(graph._engine, "nearest", astray)
    vector = many.vectors[7]
    truth = many.ranking(vector)[0]
    found = [hit.id for hit in graph.search(vector, limit=20, exact=exact)]
    assert (found == truth[:20]) == is_right
    pages = [graph.search(vector, limit=15, offset=start, exact=exact) for start in (0, 15, 30)]
    assert ([hit.id for page in pages for hit in page] == truth[:45]) == is_right


def test_few_points_are_all_compared(graph, many, searches):
    vector = many.vectors[5]
    assert ids_of(graph.search(vector)) == many.ranking(vector)[0][:10]
    assert searches == [(True, 11, True)]


def test_as_the_user_asks(graph, many, low_limit, searches):
    vector = many.vectors[6] + 0.1
    where, keep = filter_of(0.3)
    for exact in (True, False):
        hits = graph.search(vector, where, exact=exact)
        assert ids_of(hits) == many.ranking(vector, keep)[0][:10]
        assert hits[0].payload == many.payloads[many.ids.index(hits[0].id)]
    assert searches == [(True, 11, True), (False, planning.GRAPH_DEPTH, False)]


def test_without_a_graph_everything_is_exact(kept, store, points, monkeypatch):
    monkeypatch.setattr(planning, "MOST_COMPARED", 0)
    vector = points.vectors[0] + 0.2
    for exact in (None, True, False):
        assert ids_of(store.search(vector, limit=30, exact=exact)) == points.ranking(vector)[0][:30]
    assert store._engine.graph_size() == 0


def test_words_are_no_graph(place):
    ids = [point_id(f"{row}.jpg") for row in range(50)]
    rows = [{"title": f"galaxy {row}"} for row in range(50)]
    with open_store(place, mode="w") as store:
        store.upsert(ids, np.random.default_rng(0).normal(size=(50, 4)), rows)
        assert len(store.search_words("galaxy", limit=60)) == 50
        assert store._engine.graph_size() == 0


@pytest.fixture
def blind(graph, low_limit, monkeypatch):
    """A store whose graph misses every third neighbour: others when it is asked for more."""
    nearest = graph._engine.nearest

    def found(vector, where, limit, *, exact, payload, **options):
        hits = nearest(vector, where, 2 * limit, exact=True, payload=payload, **options)
        if exact:
            return hits[:limit]
        return [hit for place, hit in enumerate(hits) if (place + limit) % 3][:limit]

    monkeypatch.setattr(graph._engine, "nearest", found)
    return graph


class TestPages:
    @pytest.mark.parametrize("size", [30, 100, 400])
    def test_hold_every_point_once(self, blind, many, size):
        where, keep = filter_of(0.3)
        truth = many.ranking(many.vectors[1], keep)[0]
        pages = [
            blind.search(many.vectors[1], where, size, start)
            for start in range(0, len(truth) + size, size)
        ]
        found = [id_ for page in pages for id_ in ids_of(page)]
        assert sorted(found) == sorted(truth)
        for page in pages:
            scores = [hit.score for hit in page]
            assert scores == sorted(scores, reverse=True)

    def test_do_not_depend_on_their_size(self, blind, many):
        vector = many.vectors[2]
        whole = ids_of(blind.search(vector, limit=planning.GRAPH_DEPTH))
        for size in (4, 32):
            pages = [
                blind.search(vector, limit=size, offset=start) for start in range(0, 128, size)
            ]
            assert [id_ for page in pages for id_ in ids_of(page)] == whole

    def test_a_long_one_is_exact(self, blind, many):
        vector = many.vectors[3]
        hits = blind.search(vector, limit=300)
        assert ids_of(hits) == many.ranking(vector)[0][:300]
        assert hits[200].payload == many.payloads[many.ids.index(hits[200].id)]

    def test_a_graph_that_finds_too_little_is_not_believed(
        self, graph, many, low_limit, monkeypatch
    ):
        nearest = graph._engine.nearest
        monkeypatch.setattr(
            graph._engine,
            "nearest",
            lambda *args, exact, **options: nearest(*args, exact=exact, **options)[
                : None if exact else 5
            ],
        )
        vector = many.vectors[4]
        assert ids_of(graph.search(vector)) == many.ranking(vector)[0][:10]


class TestGroups:
    @pytest.mark.parametrize("most", [1, 3])
    def test_against_brute_force(self, graph, many, most):
        vector = many.vectors[9] + 0.2
        truth = grouped(many.ranking(vector)[0], many, most)
        hits = graph.search(vector, limit=12, max_per_group=most)
        assert ids_of(hits) == truth[:12]
        assert hits[0].payload == many.payloads[many.ids.index(hits[0].id)]
        assert ids_of(graph.search(vector, limit=COUNT, max_per_group=most)) == truth

    def test_pages_are_parts_of_the_long_list(self, blind, many):
        vector = many.vectors[10]
        whole = ids_of(blind.search(vector, limit=30, max_per_group=2))
        pages = [
            blind.search(vector, limit=10, offset=start, max_per_group=2) for start in (0, 10, 20)
        ]
        assert sorted(id_ for page in pages for id_ in ids_of(page)) == sorted(whole)

    def test_pages_against_brute_force(self, graph, many, low_limit):
        vector = many.vectors[11]
        truth = grouped(many.ranking(vector)[0], many, 2)
        pages = [
            graph.search(vector, limit=10, offset=start, max_per_group=2) for start in (0, 10, 20)
        ]
        assert [id_ for page in pages for id_ in ids_of(page)] == truth[:30]

    def test_another_column(self, graph, many):
        hits = graph.search(
            many.vectors[0], limit=COUNT, max_per_group=1, group_by="instrument_name"
        )
        assert len({hit.payload["instrument_name"] for hit in hits}) == len(hits) == CLUSTERS

    def test_words(self, graph, many):
        every = graph.search_words("galaxy", limit=COUNT)
        assert len(every) == sum("galaxy" in row["title"] for row in many.payloads)
        truth = grouped(ids_of(every), many, 2)
        assert ids_of(graph.search_words("galaxy", limit=COUNT, max_per_group=2)) == truth
        (second,) = graph.search_words("galaxy", limit=1, offset=1, max_per_group=2)
        assert second == every[ids_of(every).index(truth[1])]

    @pytest.mark.parametrize("most", [0, -1, 1.0, True, "2", np.nan])
    def test_impossible_numbers(self, store, most):
        for search in (
            lambda: store.search(np.ones(DIMENSION), max_per_group=most),
            lambda: store.search_words("galaxy", max_per_group=most),
        ):
            with pytest.raises(InvalidQueryError, match="max_per_group must be a whole number"):
                search()

    @pytest.mark.parametrize("column", ["", 'a"b', None, 3])
    def test_impossible_columns(self, store, column):
        with pytest.raises(InvalidQueryError, match="column"):
            store.search(np.ones(DIMENSION), max_per_group=1, group_by=column)
