"""Accuracies and their curve against counting."""

import numpy as np
import pytest

from astro_paperclip.evaluation.accuracy import CURVE_POINTS, accuracy_curve, found_within


@pytest.mark.parametrize("candidates", [1, 3, 15, 99, 100, 101, 1234])
@pytest.mark.parametrize("percent", [1, 10, 50])
def test_chance_is_the_share_of_the_list(candidates, percent):
    """Ranks that are equally likely give p per cent, or one answer where that is more."""
    chance = found_within(np.arange(1, candidates + 1), percent, candidates).mean()
    assert chance == pytest.approx(max(percent / 100, 1 / candidates))


def test_ten_of_a_hundred():
    found = found_within(np.array([1, 10, 11, 100]), 10, 100)
    assert found.tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize("candidates", [1, 2, 7, 199, 200, 201, 3000])
def test_curve(candidates):
    ranks = np.random.default_rng(0).integers(1, candidates + 1, 500)
    curve = accuracy_curve(ranks, candidates)
    k = np.rint(np.array(curve["fraction"]) * candidates)
    assert k[0] == 1
    assert k[-1] == candidates
    assert np.all(np.diff(k) > 0)
    assert min(candidates, CURVE_POINTS // 2) <= len(k) <= min(candidates, CURVE_POINTS)
    assert curve["accuracy"] == pytest.approx([np.mean(ranks <= one) for one in k])
    if candidates <= CURVE_POINTS:
        assert len(k) == candidates


def test_curve_has_a_tenth_of_the_points_in_the_first_percent():
    curve = accuracy_curve(np.arange(1, 30001), 30000)
    assert np.sum(np.array(curve["fraction"]) <= 0.01) >= 20
    assert np.max(np.diff(curve["fraction"])) < 0.011
