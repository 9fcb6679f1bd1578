"""The pairs of a run: those that are trained on, and those that are held out."""

from dataclasses import dataclass

import numpy as np
from astropy.table import Table, vstack

from astro_paperclip.exceptions import TrainingError
from astro_paperclip.pairs import shuffle_captions, split_by_group
from astro_paperclip.pairs.shuffle import CAPTION_COLUMNS

__all__ = ["TrainingData", "divide_pairs"]

_NAMED_GROUPS = 5


@dataclass(frozen=True)
class TrainingData:
    """Pairs, some of them trained on and others held out, of different groups.

    Parameters
    ----------
    pairs : `~astropy.table.Table`
        All pairs. Their order does not depend on the split.
    training, held_out : `~numpy.ndarray`
        Row numbers, int64; the second may be empty.
    """

    pairs: Table
    training: np.ndarray
    held_out: np.ndarray

    @property
    def groups(self) -> np.ndarray:
        """The group of every pair that is trained on."""
        return np.asarray(self.pairs["group_id"])[self.training].astype(str)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the numbers of pairs and of groups of each part."""
        groups = np.asarray(self.pairs["group_id"])
        parts = {"training": self.training, "validation": self.held_out}
        return {
            name: {"pairs": len(rows), "groups": len(np.unique(groups[rows]))}
            for name, rows in parts.items()
        }


def divide_pairs(
    pairs: Table,
    held_out: Table | None,
    *,
    validation_fraction: float,
    seed: int,
    shuffle: bool = False,
) -> TrainingData:
    """Divide pairs into those that are trained on and those that are held out.

    Parameters
    ----------
    pairs : `~astropy.table.Table`
        Pairs.
    held_out : `~astropy.table.Table` or None
        Pairs to hold out; then all others are trained on.
    validation_fraction : float
        Share of the groups to hold out where no pairs are given for it.
    seed : int
        Of the split, and of the shuffling.
    shuffle : bool
        Whether pictures get the captions of others in training (the control of the paper's
        figure 2); held-out pairs keep their own.

    Returns
    -------
    data : TrainingData

    Raises
    ------
    TrainingError
        If a group is in both parts, or there are fewer than two groups to train on.
    """
    if held_out is not None:
        _check_apart(pairs, held_out)
        n_training = len(pairs)
        common = [name for name in pairs.colnames if name in held_out.colnames]
        pairs = vstack([pairs[common], held_out[common]], metadata_conflicts="silent")
        training, rows = np.arange(n_training), np.arange(n_training, len(pairs))
    elif validation_fraction:
        split = split_by_group(pairs, validation_fraction=validation_fraction, seed=seed)
        training, rows = split.train, split.validation
    else:
        training, rows = np.arange(len(pairs)), np.arange(0)
    data = TrainingData(pairs, training, rows)
    if len(np.unique(data.groups)) < 2:
        raise TrainingError(
            f"The {len(training)} training pairs belong to one group: captions can only be "
            "told apart between groups."
        )
    return _shuffled(data, seed) if shuffle else data


def _shuffled(data: TrainingData, seed: int) -> TrainingData:
    """Return data whose pictures have the captions of others where they are trained on."""
    pairs = data.pairs.copy(copy_data=False)
    shuffled = shuffle_captions(data.pairs[data.training], seed)
    for name in set(CAPTION_COLUMNS) & set(pairs.colnames):
        column = data.pairs[name].copy()
        column[data.training] = shuffled[name]
        pairs.replace_column(name, column)
    return TrainingData(pairs, data.training, data.held_out)


def _check_apart(pairs: Table, held_out: Table) -> None:
    shared = np.intersect1d(
        np.asarray(pairs["group_id"]).astype(str), np.asarray(held_out["group_id"]).astype(str)
    )
    if shared.size:
        named = ", ".join(shared[:_NAMED_GROUPS])
        more = f" and {shared.size - _NAMED_GROUPS} more" if shared.size > _NAMED_GROUPS else ""
        raise TrainingError(
            f"Groups of the validation pairs are in the training pairs as well: {named}{more}. "
            "Leave them out of one of the files: what was trained on says nothing of the rest."
        )
