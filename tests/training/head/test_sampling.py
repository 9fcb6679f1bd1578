from itertools import islice

import numpy as np
import pytest

from astro_paperclip.training.head.sampling import GroupSampler


def batches(groups, batch_size, seed=0, count=60):
    return list(islice(GroupSampler(groups, batch_size, seed), count))


GROUPS = np.repeat([f"g{i}" for i in range(11)], [1, 2, 3, 1, 7, 1, 2, 40, 1, 5, 4])


@pytest.mark.parametrize("batch_size", [2, 3, 4, 10, 11])
def test_no_group_is_twice_in_a_batch(batch_size):
    for rows in batches(GROUPS, batch_size):
        assert len(rows) == batch_size
        assert len(set(GROUPS[rows])) == batch_size


@pytest.mark.parametrize("batch_size", [2, 4, 7, 11])
def test_every_group_comes_once_before_any_comes_again(batch_size):
    drawn = GROUPS[np.concatenate(batches(GROUPS, batch_size, count=11 * 12))]
    for start in range(0, len(drawn) - 10, 11):
        assert len(set(drawn[start : start + 11])) == 11


def test_a_large_group_does_not_outweigh_and_all_its_rows_are_reached():
    rows = np.concatenate(batches(GROUPS, 11, count=600))
    names, counts = np.unique(GROUPS[rows], return_counts=True)
    assert dict(zip(names, counts, strict=True)) == dict.fromkeys(np.unique(GROUPS), 600)
    assert set(rows) == set(range(len(GROUPS)))


def test_batches_are_composed_anew_in_each_round():
    together = {frozenset(GROUPS[rows]) for rows in batches(GROUPS, 4)}
    assert len(together) > 40


def test_same_seed_same_batches():
    first, again, other = (batches(GROUPS, 4, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_batch_has_no_more_rows_than_there_are_groups():
    sampler = GroupSampler(GROUPS, 64, 0)
    assert sampler.batch_size == 11
    for rows in islice(sampler, 5):
        assert sorted(GROUPS[rows]) == sorted(np.unique(GROUPS))


def test_groups_may_be_numbers():
    groups = [5, 5, 9, 10]
    for rows in batches(groups, 3, count=20):
        assert sorted(groups[row] for row in rows) == [5, 9, 10]
