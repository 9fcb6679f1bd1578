"""Wrong captions on purpose."""

from collections import Counter

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table

from astro_paperclip.exceptions import PairsError
from astro_paperclip.pairs import shuffle_captions


def pairs_of(sizes):
    """Return pairs whose captions tell the row and the group that they were made for."""
    group = [f"g{n}" for n, size in enumerate(sizes) for _ in range(size)]
    rows = range(len(group))
    return Table(
        {
            "image": [f"/images/{row}.jpg" for row in rows],
            "text": np.array(
                [f"{row} {name}" for row, name in zip(rows, group, strict=True)], object
            ),
            "group_id": group,
            "title": [f"title {row}" for row in rows],
            "category": MaskedColumn(
                [f"kind {row}" for row in rows], mask=np.arange(len(group)) % 2
            ),
            "ra": np.arange(len(group), dtype=float),
        }
    )


def kept(table):
    """Return how many rows have a caption of their own group."""
    made_for = [text.split()[1] for text in table["text"]]
    return int((np.array(made_for) == np.asarray(table["group_id"])).sum())


@pytest.mark.parametrize("seed", range(20))
def test_no_row_keeps_the_captions_of_its_group(seed):
    rng = np.random.default_rng(seed)
    table = pairs_of(rng.integers(1, 9, rng.integers(5, 40)))
    assert kept(shuffle_captions(table, seed)) == 0


@pytest.mark.parametrize("sizes", [[1, 1], [3, 3], [2, 1, 1], [4, 1, 2, 1], [5, 2], [10, 3, 4]])
def test_as_few_rows_as_can_be_keep_theirs(sizes):
    # Captions of a group fit the rows of all others only, which may be fewer.
    least = max(0, 2 * max(sizes) - sum(sizes))
    for seed in range(10):
        assert kept(shuffle_captions(pairs_of(sizes), seed)) == least


def test_everything_that_is_said_moves_together_and_nothing_else():
    table = pairs_of([3, 1, 4, 2])
    before = table.copy()
    shuffled = shuffle_captions(table, 1)
    source = [int(text.split()[0]) for text in shuffled["text"]]
    assert sorted(source) == list(range(10))
    assert shuffled["title"].tolist() == [f"title {row}" for row in source]
    assert shuffled["category"].tolist() == [None if row % 2 else f"kind {row}" for row in source]
    for name in ("image", "group_id", "ra"):
        assert shuffled[name].tolist() == before[name].tolist()
    assert shuffled.colnames == before.colnames
    assert all(table[name].tolist() == before[name].tolist() for name in table.colnames)


def test_every_caption_of_another_group_is_as_likely():
    table = pairs_of([2, 1, 3, 2])
    counts = Counter()
    draws = 1500
    for seed in range(draws):
        counts.update(enumerate(shuffle_captions(table, seed)["text"]))
    seen = np.array([[counts[row, text] for text in table["text"]] for row in range(8)]) / draws
    groups = np.asarray(table["group_id"])
    assert (seen[groups[:, None] == groups] == 0).all()
    # Rows of one group are alike, so are its captions.
    for first in np.unique(groups):
        for second in np.unique(groups):
            block = seen[np.ix_(groups == first, groups == second)]
            np.testing.assert_allclose(block, block.mean(), atol=0.06)
            assert (block.mean() > 0.05) == (first != second)


def test_groups_are_not_moved_as_wholes():
    table = pairs_of([20] * 10)
    shuffled = shuffle_captions(table, 0)
    of_first = {text.split()[1] for text in shuffled["text"][:20]}
    assert len(of_first) > 5


def test_the_seed_decides():
    table = pairs_of([2] * 20)
    first, again, other = (shuffle_captions(table, seed)["text"].tolist() for seed in (3, 3, 4))
    assert first == again != other


@pytest.mark.parametrize("sizes", [[], [4]])
def test_one_group_cannot_be_shuffled(sizes):
    table = pairs_of(sizes) if sizes else Table({"group_id": np.array([], str)})
    with pytest.raises(PairsError, match=f"they belong to {len(sizes)} group"):
        shuffle_captions(table)
