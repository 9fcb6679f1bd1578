"""Batches in which no two pairs belong to one group."""

from collections.abc import Iterator

import numpy as np

__all__ = ["GroupSampler"]


class GroupSampler:
    """Draw batches with at most one row of each group.

    Two pictures of one proposal share their caption: side by side in a batch, each would be
    taught that the other's caption is wrong. Drawing groups rather than rows also keeps a
    proposal with hundreds of pictures from outweighing the others.

    Parameters
    ----------
    groups : sequence of str
        The group of every row.
    batch_size : int
        Rows in a batch; fewer where there are fewer groups.
    seed : int
        Same seed, same batches.
    """

    def __init__(self, groups: np.ndarray, batch_size: int, seed: int) -> None:
        names, members = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
        order = np.argsort(members, kind="stable")
        counts = np.bincount(members, minlength=len(names))
        self._rows = np.split(order, np.cumsum(counts)[:-1])
        self.batch_size = min(batch_size, len(names))
        self._rng = np.random.default_rng(seed)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield row numbers, batch after batch, without end.

        Every group comes once before any comes again.
        """
        waiting = np.empty(0, int)
        while True:
            if len(waiting) < self.batch_size:
                # What is left of the last round goes first, without its groups coming twice.
                fresh = self._rng.permutation(len(self._rows))
                repeated = np.isin(fresh, waiting)
                waiting = np.concatenate([waiting, fresh[~repeated], fresh[repeated]])
            batch, waiting = np.split(waiting, [self.batch_size])
            yield np.array([self._rng.choice(self._rows[group]) for group in batch])
