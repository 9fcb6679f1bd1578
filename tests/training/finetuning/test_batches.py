"""Which pairs each batch holds."""

from collections import Counter

import numpy as np
import pytest

from astro_paperclip.exceptions import TrainingError
from astro_paperclip.training.finetuning.batches import BatchPlan, GroupBatchPlan, make_plan

GROUPS = np.array(["a"] * 7 + ["b"] + ["c"] * 2 + ["d"] * 3 + ["e"])


def test_every_row_comes_once_before_any_comes_again():
    plan = BatchPlan(12, 4, seed=1)
    for first in (0, 3, 30):
        rows = np.concatenate([plan.rows(first + step) for step in range(3)])
        assert sorted(rows) == list(range(12))


def test_rows_are_in_another_order_each_round_and_with_each_seed():
    plan = BatchPlan(50, 50, seed=1)
    assert not np.array_equal(plan.rows(0), plan.rows(1))
    assert not np.array_equal(plan.rows(0), BatchPlan(50, 50, seed=2).rows(0))


@pytest.mark.parametrize("one_per_group", [True, False])
def test_a_batch_depends_on_its_step_alone(one_per_group):
    plan = make_plan(GROUPS, 4, 5, one_per_group=one_per_group)
    in_order = [plan.rows(step) for step in range(20)]
    anew = make_plan(GROUPS, 4, 5, one_per_group=one_per_group)
    for step in (13, 2, 19, 2, 0):
        assert np.array_equal(anew.rows(step), in_order[step])


def test_no_two_rows_of_a_batch_share_a_group():
    plan = GroupBatchPlan(GROUPS, 3, seed=0)
    for step in range(100):
        assert len(set(GROUPS[plan.rows(step)])) == 3


def test_groups_come_equally_often_and_their_rows_take_turns():
    plan = GroupBatchPlan(GROUPS, 5, seed=0)
    rows = np.concatenate([plan.rows(step) for step in range(42)])
    assert set(Counter(GROUPS[rows]).values()) == {42}
    counts = Counter(rows.tolist())
    assert len(counts) == len(GROUPS)
    for name, size in Counter(GROUPS).items():
        assert {counts[row] for row in np.flatnonzero(name == GROUPS)} == {42 // size}


def test_what_does_not_fill_a_batch_is_left_out_of_a_round_only():
    plan = GroupBatchPlan(GROUPS, 2, seed=0)
    rows = np.concatenate([plan.rows(step) for step in range(2000)])
    shares = np.array(list(Counter(GROUPS[rows]).values())) / len(rows)
    # Each of 5 groups is drawn with probability 4/5 a round: binomial, 1000 rounds.
    assert np.allclose(shares, 0.2, atol=5 * np.sqrt(1000 * 0.8 * 0.2) / 4000)


def test_batches_that_cannot_be_filled_are_refused():
    with pytest.raises(TrainingError, match="larger than the number of training groups, 5"):
        GroupBatchPlan(GROUPS, 6, 0)
    with pytest.raises(TrainingError, match="larger than the number of training pairs, 14"):
        BatchPlan(14, 15, 0)
