import json

import pytest

from astro_paperclip.exceptions import TrainingError
from astro_paperclip.training import HeadRecipe


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 1},
        {"views": 0},
        {"images_seen": 63},
        {"images_seen": 0},
        {"learning_rate": 0},
        {"learning_rate": float("nan")},
        {"weight_decay": -0.1},
        {"text_rate": -1},
        {"temperature": 0},
        {"temperature": -0.2},
        {"image_dropout": 1},
        {"whole": 1.5},
        {"text_dropout": -0.1},
        {"validation_fraction": 1},
        {"validation_fraction": -0.1},
        {"seed": -1},
    ],
)
def test_a_wrong_setting_is_named_with_its_value(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(TrainingError, match=f"{name} {value}"):
        HeadRecipe(**wrong)


def test_settings_at_their_limits():
    HeadRecipe(
        images_seen=2,
        batch_size=2,
        views=1,
        weight_decay=0,
        text_rate=0,
        image_dropout=0,
        text_dropout=0,
        validation_fraction=0,
    )


def test_length_of_training():
    assert HeadRecipe(images_seen=640).steps(n_images=9, batch_size=64) == 10
    assert HeadRecipe(images_seen=640).steps(n_images=9, batch_size=9) == 71
    assert HeadRecipe().steps(n_images=100, batch_size=64) == 250
    assert HeadRecipe().steps(n_images=6400, batch_size=64) == 2000
    assert HeadRecipe(images_seen=64).steps(n_images=9, batch_size=1000) == 1


def test_the_record_makes_the_same_recipe():
    recipe = HeadRecipe(images_seen=128, seed=5)
    assert HeadRecipe(**json.loads(json.dumps(recipe.as_dict()))) == recipe
