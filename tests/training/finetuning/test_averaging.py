"""Means of weights."""

import copy

import pytest
import torch

from astro_paperclip.training.finetuning.averaging import interpolate_weights, running_mean


@torch.no_grad()
def one_more(model):
    """Return a copy of a model whose parameters are all larger by 1."""
    model = copy.deepcopy(model)
    for parameter in model.parameters():
        parameter.add_(1.0)
    return model


def test_the_running_mean_is_exponential():
    model = torch.nn.Linear(2, 1)
    mean = running_mean(model, 0.25, 20)  # looks back on 5 steps: decay 4/5
    expected = None
    for step in range(8):
        torch.nn.init.constant_(model.weight, float(step))
        mean.update_parameters(model)
        expected = float(step) if expected is None else 0.8 * expected + 0.2 * step
    assert mean.module.weight.flatten().tolist() == pytest.approx([expected] * 2)
    assert model.weight[0, 0] == 7


def test_no_mean_is_kept_unless_asked_for():
    assert running_mean(torch.nn.Linear(1, 1), 0.0, 10) is None


def test_interpolation_lies_on_the_line(tiny_clip):
    base = tiny_clip.model.state_dict()
    model = one_more(tiny_clip.model)
    interpolate_weights(model, base, 0.25, heads=True)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter, base[name] + 0.25)


def test_projections_that_were_random_stay(tiny_clip):
    base = tiny_clip.model.state_dict()
    model = one_more(tiny_clip.model)
    interpolate_weights(model, base, 0.5, heads=False)
    torch.testing.assert_close(model.text_projection, base["text_projection"] + 1)
    torch.testing.assert_close(model.ln_final.bias, base["ln_final.bias"] + 0.5)
