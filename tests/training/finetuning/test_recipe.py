"""Recipes, their files, and what they refuse."""

import tomllib

import pytest

from astro_paperclip.exceptions import TrainingError
from astro_paperclip.training import PRESETS, FineTuneRecipe


def test_the_paper_is_followed():
    recipe = FineTuneRecipe.preset("paper")
    # arXiv:2403.08851: AdamW, rate 1e-5, decay 1e-3, 20,000 steps of 32, 2,000 of them to warm up.
    assert (recipe.learning_rate, recipe.weight_decay) == (1e-5, 1e-3)
    assert (recipe.steps, recipe.batch_size, recipe.warm_up * recipe.steps) == (20_000, 32, 2000)
    assert recipe.schedule == "constant"
    # 224 px crops out of squares of 512 px are about a fifth of the area.
    assert recipe.picture_size**2 * recipe.crop_area[0] == pytest.approx(224**2, rel=1e-3)
    assert recipe.crop_area[0] == recipe.crop_area[1]


def test_the_defaults_are_the_paper():
    assert FineTuneRecipe() == FineTuneRecipe.preset("paper")


@pytest.mark.parametrize("name", PRESETS)
def test_a_recipe_can_be_written_and_read_again(name, tmp_path):
    recipe = FineTuneRecipe.preset(name, seed=3, captions={"title": 1})
    path = tmp_path / "recipe.toml"
    path.write_text(recipe.as_toml())
    assert FineTuneRecipe.read(path) == recipe
    assert tomllib.loads(path.read_text())["seed"] == 3


def test_every_ingredient_can_be_put_into_the_paper_alone():
    improved = FineTuneRecipe.preset("improved").as_dict()
    paper = FineTuneRecipe.preset("paper").as_dict()
    departures = [name for name in improved if improved[name] != paper[name]]
    assert len(departures) > 8
    for name in departures:
        assert FineTuneRecipe.preset("paper", **{name: improved[name]}).as_dict() == paper | {
            name: improved[name]
        }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 1}, "batch_size 1 is less than 2"),
        ({"learning_rate": 0}, "learning_rate 0.0 is not positive"),
        ({"learning_rate": "fast"}, "learning_rate 'fast' is of the wrong type"),
        ({"one_per_group": 1}, "one_per_group 1 is of the wrong type"),
        ({"loss": "triplet"}, "loss 'triplet' is none of clip, siglip"),
        ({"captions": {"poem": 1}}, "holds 'poem', which is none of"),
        ({"captions": {"title": 0}}, "needs shares"),
        ({"captions": {}}, "needs shares"),
        ({"crop_area": [0.5, 0.2]}, "the smaller first"),
        ({"crop_area": [0.5]}, "the smaller first"),
        ({"interpolation": 0}, "is not in \\(0, 1\\]"),
        ({"images_seen": 10}, "images_seen 10 is less than one batch of 32"),
        ({"grey": 0.7, "permute": 0.7}, "more than all views"),
        ({"warm_up": 1}, "warm_up 1.0 is not in"),
        ({"weight_decay": float("nan")}, "weight_decay nan"),
        ({"speed": 1}, "Unknown setting 'speed' in the preset 'paper': use some of images_seen"),
    ],
)
def test_settings_without_sense_are_refused(changes, message):
    with pytest.raises(TrainingError, match=message):
        FineTuneRecipe.preset("paper", **changes)


def test_an_unknown_preset_is_refused():
    with pytest.raises(TrainingError, match="'best': use one of improved, paper"):
        FineTuneRecipe.preset("best")


@pytest.mark.parametrize("content", [b"batch_size = ", b"\xff\xfe"])
def test_a_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"Cannot read the recipe .*mine\.toml"):
        FineTuneRecipe.read(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="No such file"):
        FineTuneRecipe.read(tmp_path / "none.toml")
