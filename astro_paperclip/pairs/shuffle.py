"""Wrong captions on purpose: the control that shows what a score is worth."""

import numpy as np
from astropy.table import Table

from astro_paperclip.exceptions import PairsError

__all__ = ["CAPTION_COLUMNS", "shuffle_captions"]

CAPTION_COLUMNS = ("text", "title", "summary", "category")
"""What is said of a picture; all of it moves together."""

#: Rounds of random exchanges. After the first each caption may be anywhere; the others undo what
#: exchanges in couples leave of the order of the groups.
_ROUNDS = 8


def shuffle_captions(table: Table, seed: int = 0) -> Table:
    """Give each picture the captions of a picture of another group.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Pairs with a column ``group_id``.
    seed : int
        Other seeds shuffle otherwise.

    Returns
    -------
    shuffled : `~astropy.table.Table`
        A copy in which the columns of ``CAPTION_COLUMNS`` that are there are exchanged between
        rows, each row's together; all others stay. No row keeps the captions of its own group,
        unless a group holds more than half of the rows: then as few rows do as can be.

    Raises
    ------
    PairsError
        If there are fewer than two groups.

    Notes
    -----
    This is the control of figure 2 of the paper (arXiv 2403.08851). There too captions go with
    other pictures, each by itself, not group by group. The paper's code exchanges the pictures
    of each training batch anew, so that now and then one keeps its caption; here pictures are
    given wrong captions once, which a model may learn by heart, but which tell it nothing of
    pictures that it has not seen. In the paper the control is validated with true captions (its
    curve begins at the accuracy of the base model and falls to chance), so shuffle the training
    part of a split only.
    """
    groups = np.asarray(table["group_id"]).tolist()
    numbers: dict[object, int] = {}
    group = np.array([numbers.setdefault(name, len(numbers)) for name in groups], dtype=np.int64)
    if len(numbers) < 2:
        raise PairsError(
            f"The captions of {len(table)} pairs cannot be shuffled: they belong to "
            f"{len(numbers)} group, and two are needed."
        )
    source = _sources(group, np.random.default_rng(seed))
    shuffled = table.copy()
    for name in CAPTION_COLUMNS:
        if name in shuffled.colnames:
            shuffled[name] = shuffled[name][source]
    return shuffled


def _sources(group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return for each row the row whose captions it gets."""
    # Of rows in the order of their groups, each gets those of the row as many places on as the
    # largest group has rows: of another group, unless more than half of the rows are in one.
    order = rng.permutation(len(group))
    order = order[np.argsort(group[order], kind="stable")]
    source = np.empty_like(order)
    source[order] = np.roll(order, -np.bincount(group).max())
    for _ in range(_ROUNDS):
        couples = rng.permutation(len(group))[: len(group) // 2 * 2].reshape(2, -1)
        first, second = couples[:, rng.random(couples.shape[1]) < 0.5]
        fits = (group[source[second]] != group[first]) & (group[source[first]] != group[second])
        first, second = first[fits], second[fits]
        source[first], source[second] = source[second], source[first]
    return source
