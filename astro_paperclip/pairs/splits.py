"""Split pairs into training and validation so that no group is in both."""

from dataclasses import dataclass

import numpy as np
from astropy.table import Table

from astro_paperclip.exceptions import PairsError

__all__ = ["Split", "split_by_group"]


@dataclass(frozen=True)
class Split:
    """Rows for training and for validation, proved to share no group.

    Parameters
    ----------
    train, validation : `numpy.ndarray`
        Row numbers, ascending, dtype int64.
    groups : `numpy.ndarray`
        The group of every row of the table that was split.

    Raises
    ------
    PairsError
        If a row is in no part or in two, or a group is in both parts.
    """

    train: np.ndarray
    validation: np.ndarray
    groups: np.ndarray

    def __post_init__(self):
        rows = np.sort(np.concatenate([self.train, self.validation]))
        if not np.array_equal(rows, np.arange(len(self.groups))):
            raise PairsError("A split must hold every row of its table exactly once.")
        shared = np.intersect1d(self.groups[self.train], self.groups[self.validation])
        if shared.size:
            raise PairsError(f"Groups in both parts of a split: {', '.join(map(str, shared))}.")


def split_by_group(table: Table, *, validation_fraction: float = 0.1, seed: int = 0) -> Split:
    """Split a pairs table into training and validation by whole groups.

    The parts depend on the groups and the seed alone, not on the order of the rows.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With a column ``group_id``.
    validation_fraction : float, optional
        Fraction of the groups that become validation, at least one group. A group that
        alone holds more than this fraction of the rows (or more than the mean group does,
        where that is more) stays in training, as it would be most of the validation.
    seed : int, optional
        Other seeds draw other groups.

    Returns
    -------
    Split
        Row numbers of both parts.

    Raises
    ------
    PairsError
        If the fraction is not between 0 and 1, or fewer than two groups may be drawn.
    """
    if not 0 < validation_fraction < 1:
        raise PairsError(f"validation_fraction must be between 0 and 1, not {validation_fraction}.")
    groups = np.asarray(table["group_id"])
    if groups.dtype.kind != "O":  # long texts are objects, which would become mostly padding
        groups = groups.astype(str)
    names, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    limit = max(validation_fraction * len(groups), len(groups) / max(1, len(names)))
    usable = np.flatnonzero(sizes <= limit)
    if len(usable) < 2:
        raise PairsError(
            f"Cannot split {len(groups)} rows: of {len(names)} groups only {len(usable)} hold no "
            f"more than {limit:.4g} rows each. Give pairs of more groups, or a larger "
            f"validation_fraction than {validation_fraction}."
        )
    wanted = min(max(1, round(validation_fraction * len(names))), len(usable), len(names) - 1)
    drawn = np.random.default_rng(seed).permutation(usable)[:wanted]
    is_validation = np.isin(numbers, drawn)
    return Split(np.flatnonzero(~is_validation), np.flatnonzero(is_validation), groups)
