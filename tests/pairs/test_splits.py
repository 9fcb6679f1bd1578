"""Splits by group."""

import numpy as np
import pytest
from astropy.table import Table

from astro_paperclip.exceptions import PairsError
from astro_paperclip.pairs import Split, read_pairs, split_by_group


def table_of(sizes):
    return Table({"group_id": [f"g{n}" for n, size in enumerate(sizes) for _ in range(size)]})


@pytest.mark.parametrize("seed", range(20))
def test_random_tables_do_not_leak(seed):
    rng = np.random.default_rng(seed)
    table = table_of(rng.integers(1, 8, rng.integers(5, 60)))
    fraction = rng.uniform(0.05, 0.5)
    split = split_by_group(table, validation_fraction=fraction, seed=seed)
    groups = np.array(table["group_id"])
    train, validation = set(groups[split.train]), set(groups[split.validation])
    assert not train & validation
    assert train
    assert validation
    assert sorted([*split.train, *split.validation]) == list(range(len(table)))
    assert abs(len(validation) - fraction * len(train | validation)) <= 1


def test_large_group_stays_in_training():
    table = table_of([50] + [1] * 50)
    for seed in range(30):
        split = split_by_group(table, validation_fraction=0.2, seed=seed)
        assert len(split.validation) == 10
        assert split.validation.min() >= 50


def test_few_equal_groups_can_be_split():
    assert len(split_by_group(table_of([4, 4, 4]), validation_fraction=0.1).validation) == 4


def test_training_is_never_empty():
    split = split_by_group(table_of([2, 2]), validation_fraction=0.99)
    assert len(split.train) == len(split.validation) == 2


def test_seed_decides_and_row_order_does_not():
    table = table_of([3, 1, 2, 2, 4] * 6)
    first = split_by_group(table, validation_fraction=0.3, seed=1)
    again = split_by_group(table, validation_fraction=0.3, seed=1)
    other = split_by_group(table, validation_fraction=0.3, seed=2)
    np.testing.assert_array_equal(first.validation, again.validation)
    assert set(first.validation) != set(other.validation)
    turned = split_by_group(table[::-1], validation_fraction=0.3, seed=1)
    np.testing.assert_array_equal(len(table) - 1 - turned.validation[::-1], first.validation)


def test_long_group_names_stay_objects():
    table = table_of([3, 1, 2, 2, 4] * 6)
    split = split_by_group(table, validation_fraction=0.3, seed=1)
    table["group_id"] = table["group_id"].astype(object)
    again = split_by_group(table, validation_fraction=0.3, seed=1)
    np.testing.assert_array_equal(again.validation, split.validation)
    assert again.groups.dtype == object
    assert again.groups.tolist() == split.groups.tolist()


@pytest.mark.parametrize("sizes", [[], [10], [10, 1]])
def test_too_few_groups(sizes):
    table = table_of(sizes) if sizes else Table({"group_id": np.array([], dtype=str)})
    with pytest.raises(PairsError, match="Cannot split"):
        split_by_group(table)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 2])
def test_fraction_out_of_range(fraction):
    with pytest.raises(PairsError, match="validation_fraction"):
        split_by_group(table_of([1, 1, 1]), validation_fraction=fraction)


@pytest.mark.parametrize(
    ("train", "validation", "message"),
    [
        ([0, 1], [2], "exactly once"),
        ([0, 1, 2], [2, 3], "exactly once"),
        ([0, 2], [1, 3], "both parts.*: a, b"),
    ],
)
def test_leaking_splits_cannot_be_made(train, validation, message):
    groups = np.array(["a", "a", "b", "b"])
    with pytest.raises(PairsError, match=message):
        Split(np.array(train), np.array(validation), groups)


def test_real_pairs(shared):
    table = read_pairs(shared / "data/jwst_proposals/pairs.csv")
    for seed in range(5):
        split = split_by_group(table, seed=seed)
        assert len(np.unique(table["group_id"][split.validation])) == 8
        assert len(split.validation) < 0.5 * len(table)
