"""Which parameter learns how fast."""

import copy

import pytest
import torch

from astro_paperclip.encoders.towers import ProjectedModel
from astro_paperclip.training import FineTuneRecipe
from astro_paperclip.training.finetuning.optimizer import (
    is_head,
    layer_depths,
    make_optimizer,
    parameter_groups,
)
from astro_paperclip.training.schedule import rate_schedule


def by_name(model, recipe, key):
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        names[id(parameter)]: group[key]
        for group in parameter_groups(model, recipe)
        for parameter in group["params"]
    }


def test_depths_of_a_clip(tiny_clip):
    depths = layer_depths(tiny_clip.model)
    # Two layers a tower: the last one is 1 from the end.
    assert depths["visual.transformer.resblocks.1.mlp.c_fc.weight"] == 1
    assert depths["visual.transformer.resblocks.0.mlp.c_fc.weight"] == 2
    assert depths["transformer.resblocks.0.ln_1.bias"] == 2
    assert depths["visual.conv1.weight"] == depths["token_embedding.weight"] == 3
    assert depths["positional_embedding"] == depths["visual.class_embedding"] == 3
    assert depths["visual.ln_pre.weight"] == 3
    assert depths["ln_final.weight"] == depths["visual.ln_post.weight"] == 0
    assert depths["text_projection"] == depths["visual.proj"] == depths["logit_scale"] == 0


def test_depths_of_compact(compact):
    depths = layer_depths(compact.model)
    assert depths["visual.trunk.conv_stem.weight"] == depths["visual.trunk.bn1.weight"] == 8
    assert depths["visual.trunk.blocks.0.0.conv_dw.weight"] == 7
    assert depths["visual.trunk.blocks.6.0.conv_pw.weight"] == 1
    assert depths["visual.trunk.conv_head.weight"] == 0
    assert depths["text.transformer.embeddings.word_embeddings.weight"] == 7
    assert depths["text.transformer.encoder.layer.5.output.dense.weight"] == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("visual.proj", True),
        ("text_projection", True),
        ("logit_scale", True),
        ("logit_bias", True),
        ("visual.head.mlp.fc1.weight", True),
        ("text.proj.0.weight", True),
        ("image_head.layers.0.weight", True),
        ("base.visual.proj", True),
        ("visual.transformer.resblocks.0.attn.out_proj.weight", False),
        ("base.visual.conv1.weight", False),
        ("text.transformer.embeddings.word_embeddings.weight", False),
        ("visual.trunk.conv_head.weight", False),
    ],
)
def test_projections_are_told_from_towers(name, expected):
    assert is_head(name) == expected


def test_rates(tiny_clip):
    recipe = FineTuneRecipe(learning_rate=1e-3, layer_decay=0.5, head_rate=4.0)
    rates = by_name(copy.deepcopy(tiny_clip.model).requires_grad_(True), recipe, "lr")
    assert rates["visual.transformer.resblocks.1.mlp.c_fc.weight"] == 0.5e-3
    assert rates["visual.transformer.resblocks.0.mlp.c_fc.weight"] == 0.25e-3
    assert rates["visual.conv1.weight"] == 0.125e-3
    assert rates["ln_final.weight"] == 1e-3
    assert rates["visual.proj"] == 4e-3


def test_decay(tiny_clip):
    model = copy.deepcopy(tiny_clip.model).requires_grad_(True)
    some = by_name(model, FineTuneRecipe(weight_decay=0.1, decay_all=False), "weight_decay")
    undecayed = {name for name, decay in some.items() if decay == 0}
    assert {"ln_final.bias", "logit_scale", "token_embedding.weight"} <= undecayed
    assert some["visual.transformer.resblocks.0.mlp.c_fc.weight"] == some["visual.proj"] == 0.1
    everything = by_name(model, FineTuneRecipe(weight_decay=0.1, decay_all=True), "weight_decay")
    assert set(everything.values()) == {0.1}
    assert some.keys() == everything.keys() == dict(model.named_parameters()).keys()


def test_what_is_frozen_is_left_out(tiny_clip):
    model = copy.deepcopy(tiny_clip.model).requires_grad_(True)
    model.logit_scale.requires_grad_(False)
    assert "logit_scale" not in by_name(model, FineTuneRecipe(), "lr")


def test_projections_that_were_added_are_heads(tiny_clip):
    model = ProjectedModel(copy.deepcopy(tiny_clip.model), tiny_clip.dim).requires_grad_(True)
    rates = by_name(model, FineTuneRecipe(learning_rate=1.0, head_rate=3.0, layer_decay=0.5), "lr")
    assert rates["image_head.layers.0.weight"] == rates["base.visual.proj"] == 3
    assert rates["base.visual.transformer.resblocks.1.ln_1.weight"] == 0.5


@pytest.mark.parametrize("kind", ["cosine", "constant"])
def test_schedules(kind):
    rate = rate_schedule(100, 0.1, kind)
    rates = [rate(step) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    if kind == "constant":
        assert set(rates[10:]) == {1.0}
    else:
        reference = torch.optim.lr_scheduler.CosineAnnealingLR(
            torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0), 90
        )
        for value in rates[10:]:
            assert value == pytest.approx(reference.get_last_lr()[0])
            reference.optimizer.step()
            reference.step()


def test_the_optimiser_follows_the_schedule(tiny_clip):
    model = copy.deepcopy(tiny_clip.model).requires_grad_(True)
    recipe = FineTuneRecipe(images_seen=320, batch_size=32, warm_up=0.5, learning_rate=1.0)
    optimizer, scheduler = make_optimizer(model, recipe)
    rates = []
    for _ in range(recipe.steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1, 1, 1])
