"""Which pairs each batch holds: a function of the seed and the step, with no state."""

import numpy as np

from astro_paperclip.exceptions import TrainingError

__all__ = ["BatchPlan", "GroupBatchPlan", "make_plan"]


class BatchPlan:
    """Batches of rows in random order, every row once before any comes again.

    A run that is resumed needs no more than the number of the next step, and any number of
    processes agree on the batches without a word.

    Parameters
    ----------
    n_rows : int
        Number of pairs.
    batch_size : int
        Rows in a batch.
    seed : int
        Same seed, same batches.
    """

    def __init__(self, n_rows: int, batch_size: int, seed: int) -> None:
        if batch_size > n_rows:
            raise TrainingError(
                f"batch_size {batch_size} is larger than the number of training pairs, {n_rows}: "
                f"use batch_size={n_rows} or less."
            )
        self.batch_size = batch_size
        self._seed = seed
        self._n_rows = n_rows
        self._per_round = n_rows // batch_size
        self._round = -1
        self._order = np.empty(0, np.int64)

    def rows(self, step: int) -> np.ndarray:
        """Return the rows of a step.

        Parameters
        ----------
        step : int
            Counted from 0.

        Returns
        -------
        rows : `~numpy.ndarray`
            Shape (batch_size,), int64. What does not fill a batch at the end of a round is left
            out of that round.
        """
        number, place = divmod(step, self._per_round)
        order = self._order_of(number)
        return order[place * self.batch_size : (place + 1) * self.batch_size]

    def _order_of(self, number: int) -> np.ndarray:
        if number != self._round:
            self._order = self._drawn(np.random.default_rng([self._seed, number]), number)
            self._round = number
        return self._order

    def _drawn(self, rng: np.random.Generator, _number: int) -> np.ndarray:
        return rng.permutation(self._n_rows)


class GroupBatchPlan(BatchPlan):
    """Batches with at most one row of each group.

    Two pictures of one proposal share their caption: side by side in a batch, each would be
    taught that the other's caption is wrong. Every group comes once before any comes again; its
    rows take turns.

    Parameters
    ----------
    groups : sequence of str
        The group of every row.
    batch_size : int
        Rows in a batch.
    seed : int
        Same seed, same batches.

    Raises
    ------
    TrainingError
        If a batch is larger than the number of groups.
    """

    def __init__(self, groups: np.ndarray, batch_size: int, seed: int) -> None:
        names, members = np.unique(np.asarray(groups), return_inverse=True)
        if batch_size > len(names):
            raise TrainingError(
                f"batch_size {batch_size} is larger than the number of training groups, "
                f"{len(names)}, of which a batch takes one pair each: use "
                f"batch_size={len(names)} or less, or one_per_group=false."
            )
        super().__init__(len(names), batch_size, seed)
        # Rows are shuffled once, so that those of a group take turns in no special order.
        shuffled = np.random.default_rng([seed, len(members)]).permutation(len(members))
        self._rows = shuffled[np.argsort(members[shuffled], kind="stable")]
        self._sizes = np.bincount(members, minlength=len(names))
        self._starts = np.cumsum(self._sizes) - self._sizes

    def _drawn(self, rng: np.random.Generator, number: int) -> np.ndarray:
        groups = rng.permutation(self._n_rows)
        return self._rows[self._starts[groups] + number % self._sizes[groups]]


def make_plan(groups: np.ndarray, batch_size: int, seed: int, *, one_per_group: bool) -> BatchPlan:
    """Return the plan that a recipe asks for.

    Parameters
    ----------
    groups : `~numpy.ndarray`
        The group of every training pair.
    batch_size, seed
        As for `BatchPlan`.
    one_per_group : bool
        Whether no two pairs of a batch belong to one group.

    Returns
    -------
    plan : BatchPlan
    """
    if one_per_group:
        return GroupBatchPlan(groups, batch_size, seed)
    return BatchPlan(len(groups), batch_size, seed)
