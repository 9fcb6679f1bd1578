"""From the options of ``train`` to the recipe that is meant."""

import pytest

from astro_paperclip.cli.main import build_parser, main
from astro_paperclip.cli.options import setting
from astro_paperclip.cli.train import _recipe

pytest.importorskip("torch")

NEEDED = ["train", "--pairs", "p.csv", "--encoder", "compact", "--output", "out"]


def recipe_of(*options):
    return _recipe(build_parser().parse_args([*NEEDED, *options]))


def test_the_method_sets_the_recipe():
    from astro_paperclip.training import FineTuneRecipe, HeadRecipe

    assert recipe_of() == HeadRecipe()
    assert recipe_of("--method", "full") == FineTuneRecipe.preset("improved")
    assert recipe_of("--method", "scratch", "--preset", "paper") == FineTuneRecipe.preset("paper")


def test_options_and_settings_change_it():
    recipe = recipe_of(
        *["--method", "full", "--preset", "paper", "--images-seen", "640", "--seed", "3"],
        *["--validation-fraction", "0.2", "--set", "schedule=cosine", "--set", "clip_norm=1"],
        *["--set", "captions={title = 0.5, chunk = 0.5}", "--set", "positives=['group_id']"],
    )
    assert (recipe.images_seen, recipe.seed, recipe.validation_fraction) == (640, 3, 0.2)
    assert (recipe.schedule, recipe.clip_norm) == ("cosine", 1.0)
    assert recipe.captions == {"title": 0.5, "chunk": 0.5}
    assert recipe.positives == ("group_id",)
    assert recipe.learning_rate == 1e-5
    assert recipe_of("--set", "temperature=0.1").temperature == 0.1


def test_a_recipe_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("batch_size = 8\nlearning_rate = 1e-3\n")
    recipe = recipe_of("--method", "full", "--recipe", str(path), "--set", "batch_size=16")
    assert (recipe.batch_size, recipe.learning_rate) == (16, 1e-3)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=1", 1),
        ("a=0.5", 0.5),
        ("a=true", True),
        ("a=cosine", "cosine"),
        ("a='x y'", "x y"),
        ("a = {b = 2}", {"b": 2}),
        ("a=[1, 2]", [1, 2]),
    ],
)
def test_values_are_those_of_toml(text, value):
    assert setting(text) == ("a", value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "batch_size"], "'batch_size' is not NAME=VALUE"),
        (["--set", "batch_size=1 2"], "no value as TOML"),
        (["--preset", "paper"], "are for --method full and scratch"),
        (["--set", "layer_decay=1"], "method head has no setting 'layer_decay'"),
        (["--method", "full", "--preset", "paper", "--recipe", "x"], "not allowed with"),
        (["--method", "frozen"], "invalid choice"),
    ],
)
def test_wrong_usage(options, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*NEEDED, *options])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_an_unknown_setting_of_a_recipe(capsys):
    assert main([*NEEDED, "--method", "full", "--set", "speed=1"]) == 1
    assert "Unknown setting 'speed'" in capsys.readouterr().err


def test_a_gpu_that_is_not_there(capsys, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    command = [*NEEDED[:-1], str(tmp_path / "out"), "--method", "full", "--device", "cuda"]
    assert main(command) == 1
    assert "Device 'cuda' was asked for" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
