"""How a search is made: by comparing every vector that fits, or in a graph of neighbours.

A graph leads to the neighbours of a vector through few comparisons. With a filter it can lead
astray without a word: few of the vectors on the way fit, and the search ends where it finds no
more of them. With 200,000 vectors of Qdrant Edge 0.9 and a filter that 5 % of them met, a plain
search of the graph found none of the 20 nearest, where comparing all that fit found them in 8 ms.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from astro_paperclip.index.engine import Engine

__all__ = [
    "GRAPH_DEPTH",
    "MOST_COMPARED",
    "OVERSAMPLING",
    "SearchPlan",
    "graph_effort",
    "searches_graph",
]

MOST_COMPARED = 150_000
"""Up to how many vectors are all compared.

That takes 12 ms for vectors of 512 components on one core, about what a filtered search of a
graph takes that misses nothing, so that little is to be gained below.
"""

GRAPH_DEPTH = 128
"""How many points are asked of a graph, always, so that its answers agree with each other."""

_EFFORT = 640
"""Candidates that a search of a graph keeps (Qdrant's ``hnsw_ef``).

With a million clustered vectors of 512 components, 96 % of the 20 nearest were found with 256, and
98 to 99 % with 640 and a sample that tells where the graph went astray
(``benchmarks/index_search.py``).
"""

_EFFORT_WITH_FILTER = 1024
"""The same with a filter, which may fit vectors far from the searched one.

With 40,000 clustered vectors of 64 components and filters that fit whole clusters, ACORN found
89 to 97 % of the 20 nearest with 256 candidates, and nothing at all for some vectors; with 1024 it
found 99.7 % or more, and never less than 19 of 20.
"""

OVERSAMPLING = 2.0
"""How many times as many quantized vectors are looked at before they are compared in full.

Where nothing is quantized this changes nothing.
"""


@dataclass(frozen=True)
class SearchPlan:
    """How a search would be made.

    Attributes
    ----------
    searches_graph : bool
        Whether through the graph of neighbours; else every vector that fits is compared.
    estimate : int
        About how many points fit, which can be wrong by much.
    """

    searches_graph: bool
    estimate: int

    def __str__(self) -> str:
        how = "through the graph" if self.searches_graph else "exactly"
        return f"{how}, about {self.estimate} points fit"


def graph_effort(where: Any) -> int:
    """Return how many candidates a search of the graph keeps.

    Parameters
    ----------
    where : object or None
        The filter, in the engine's form.
    """
    return _EFFORT if where is None else _EFFORT_WITH_FILTER


def searches_graph(engine: "Engine", where: Any, exact: bool | None) -> bool:
    """Return whether a search goes through the graph.

    Nothing depends on the engine's numbers but time: without a graph, the engine itself compares
    all vectors.

    Parameters
    ----------
    engine : Engine
        What is searched.
    where : object or None
        The filter, in the engine's form.
    exact : bool or None
        What the user asked for: every vector compared, or the graph. `None` leaves it to the
        number of points that fit.
    """
    if exact or not (size := engine.graph_size()):
        return False
    total = engine.estimate(None)
    if 2 * size < total:
        return False
    if exact is not None:
        return True
    return (total if where is None else engine.estimate(where)) > MOST_COMPARED
