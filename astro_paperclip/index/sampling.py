"""A random part of the vectors, by which the answers of a graph are checked."""

from collections.abc import Sequence
from itertools import islice

import numpy as np

from astro_paperclip.index.engine import Engine
from astro_paperclip.index.store import Hit

__all__ = ["VectorSample"]

_SIZE = 5000
"""Vectors in a sample: comparing all of them takes about a millisecond."""

_NEAREST = 20
"""So many of the best points that a graph found must not be beaten.

Always as many, so that all pages of a ranking are taken from the same one.
"""

_CLEARLY = 1e-3
"""By how much a score must be higher: more than half precision confuses."""


class VectorSample:
    """Vectors of some points, which say where a graph went astray.

    A graph of vectors that lie in clusters can lead a search into the wrong one, from which there
    is no way out: then all that it finds is far from the nearest, without a word. Where some
    hundred points are nearer, one of a random sample is likely to be among them.

    Parameters
    ----------
    engine : Engine
        What has the points. The first ones by id are taken: ids are hashes.
    name : str
        Name of the vector.
    """

    def __init__(self, engine: Engine, name: str):
        records = islice(engine.scroll(None, False, name), _SIZE)
        sample = [record for record in records if record.vector is not None]
        self._ids = np.array([record.id for record in sample])
        self._vectors = np.array([record.vector for record in sample], dtype=np.float32)

    def beats(self, hits: Sequence[Hit], vector: np.ndarray) -> bool:
        """Return whether a point of the sample should be among the best ones, but is not.

        Parameters
        ----------
        hits : sequence of Hit
            What the graph found, by falling score.
        vector : `~numpy.ndarray`
            What was searched, shape ``(d,)``.
        """
        best = hits[:_NEAREST]
        if not best or not len(self._ids):
            return False
        # Not a matrix product: BLAS would keep its threads busy waiting into the engine's search.
        scores = np.einsum("ij,j->i", self._vectors, vector / np.linalg.norm(vector))
        better = self._ids[scores > best[-1].score + _CLEARLY]
        return not {*better.tolist()} <= {hit.id for hit in hits}
