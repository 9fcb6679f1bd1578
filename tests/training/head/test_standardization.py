import copy

import numpy as np
import pytest
import torch
from torch import nn

from astro_paperclip.encoders.towers import ResidualProjection
from astro_paperclip.training.head.standardization import standardization_for

WIDTH = 12


def perceptron(bias):
    return nn.Sequential(nn.Linear(WIDTH, 20, bias=bias), nn.GELU(), nn.Linear(20, 6, bias=bias))


def residual():
    head = ResidualProjection(WIDTH, hidden=20)
    nn.init.normal_(head.layers[-1].weight)
    return head


HEADS = {
    "biased": lambda: perceptron(True),
    "unbiased": lambda: perceptron(False),
    "residual": residual,
    "one layer": lambda: nn.Sequential(nn.Linear(WIDTH, 6)),
}


@pytest.fixture(autouse=True)
def seeded_and_precise():
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
    torch.set_default_dtype(usual)


@pytest.fixture
def features():
    """Features of very different sizes, one of them constant."""
    scales = torch.logspace(-1, 1, WIDTH)
    features = torch.randn(200, WIDTH) * scales + 3 * scales.flip(0)
    features[:, 5] = 7
    return features


@pytest.mark.parametrize("kind", HEADS)
def test_a_head_takes_its_standardization_over(kind, features):
    head = HEADS[kind]()
    scaling = standardization_for(head, features)
    with torch.no_grad():
        before = head(scaling(features))
        scaling.fold_into(head)
        after = head(features)
    torch.testing.assert_close(after, before, rtol=1e-9, atol=1e-9)


def test_nothing_but_the_first_layer_changes(features):
    head = perceptron(True)
    before = copy.deepcopy(head.state_dict())
    standardization_for(head, features).fold_into(head)
    changed = {name for name, tensor in head.state_dict().items() if (tensor != before[name]).any()}
    assert changed == {"0.weight", "0.bias"}


def test_biased_layers_get_zero_mean_and_unit_variance(features):
    scaled = standardization_for(perceptron(True), features)(features)
    zero, one = np.zeros(WIDTH), np.ones(WIDTH)
    np.testing.assert_allclose(scaled.mean(0), zero, atol=1e-9)
    # The constant feature stays what it is: nothing.
    one[5] = 0
    np.testing.assert_allclose(scaled.std(0), one, atol=1e-9)


def test_unbiased_layers_get_one_common_scale(features):
    scaled = standardization_for(perceptron(False), features)(features)
    assert scaled.square().mean().item() == pytest.approx(1, rel=1e-5)
    torch.testing.assert_close(scaled / scaled[0, 0], features / features[0, 0])


def test_residual_projections_see_features_as_they_are(features):
    torch.testing.assert_close(standardization_for(residual(), features)(features), features)
