import json
import tomllib

import pytest
import tomli_w

from astro_paperclip.building import RECIPES, BuildRecipe, StageReport
from astro_paperclip.building.ledger import Ledger, fingerprint
from astro_paperclip.exceptions import CollectionError, InvalidQueryError


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_survives_toml(name):
    recipe = BuildRecipe().changed(**RECIPES[name])
    recipe = recipe.changed(cycle=29, criteria={"filters": ["F606W", "F814W"]})
    text = tomli_w.dumps(recipe.as_dict())
    again = BuildRecipe.from_dict(tomllib.loads(text))
    assert again.as_dict() == recipe.as_dict()
    assert again.criteria["filters"] == ["F606W", "F814W"]


def test_changes():
    recipe = BuildRecipe().changed(proposal_id=[15354, "16000 "], cycle="29", radius=None)
    assert recipe.proposal_id == ("15354", "16000")
    assert recipe.cycle == ("29",)
    assert recipe.radius == BuildRecipe().radius


def test_criteria_are_added_and_lifted():
    recipe = BuildRecipe().changed(criteria={"instrument_name": "WFC3/IR", "calib_level": None})
    assert recipe.criteria["instrument_name"] == "WFC3/IR"
    assert recipe.criteria["dataproduct_type"] == "image"
    again = BuildRecipe.from_dict(recipe.as_dict())
    assert "calib_level" not in again.criteria


def test_the_paper_is_a_recipe():
    paper = BuildRecipe().changed(**RECIPES["paper"])
    assert (paper.previews, paper.per_proposal, paper.caption) == ("paper", 20, "paper")


def test_the_default_recipe_is_the_default():
    paper = BuildRecipe().changed(**RECIPES["paper"])
    assert paper.changed(**RECIPES["default"]) == BuildRecipe()


def test_a_rule_of_ones_own_is_recorded_by_name():
    recipe = BuildRecipe(previews=test_the_paper_is_a_recipe)
    assert recipe.as_dict()["previews"].endswith("test_the_paper_is_a_recipe")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cycles": 29}, "no setting 'cycles'.*cycle"),
        ({"train": "maybe"}, "'maybe'.*auto, yes, no"),
        ({"caption": "haiku"}, "'haiku'.*abstract"),
        ({"previews": "best"}, "'best'.*jpegURL"),
        ({"max_side": 5}, "max_side=5"),
        ({"per_proposal": 0}, "per_proposal=0"),
        ({"radius": 0.0}, r"radius=0\.0"),
        ({"sky_radius": -1.0}, r"sky_radius=-1\.0"),
    ],
)
def test_settings_that_make_no_sense(changes, message):
    with pytest.raises(InvalidQueryError, match=message):
        BuildRecipe().changed(**changes)


def test_a_recipe_needs_an_end():
    assert not BuildRecipe().is_bounded
    for bounds in ({"cycle": 29}, {"proposal_id": 1}, {"coordinates": "1 2"}, {"region": "x"}):
        assert BuildRecipe().changed(**bounds).is_bounded


def test_numbers_add_up():
    report = StageReport("pairs", "pairs", 10, 7, {"without an abstract": 3})
    assert report.summary() == ("pairs:        7 of 10 pairs. Left out: 3 without an abstract")
    with pytest.raises(ValueError, match="10 found, but 7 kept"):
        StageReport("pairs", "pairs", 10, 7, {"without an abstract": 2})


def test_ledger_is_kept(tmp_path):
    ledger = Ledger(tmp_path)
    assert ledger.entry("pairs") == {}
    ledger.write("pairs", key="a", report={"found": 1})
    ledger.write("index", key="b")
    assert Ledger(tmp_path).entry("pairs") == {"key": "a", "report": {"found": 1}}
    assert Ledger(tmp_path).entry("index") == {"key": "b"}
    assert json.loads((tmp_path / "stages.json").read_text())["index"] == {"key": "b"}


def test_damaged_ledger(tmp_path):
    (tmp_path / "stages.json").write_text('{"pairs": ')
    with pytest.raises(CollectionError, match=r"stages\.json is damaged.*Remove it"):
        Ledger(tmp_path)


def test_fingerprint_follows_settings_and_contents(tmp_path):
    file = tmp_path / "proposals.parquet"
    file.write_bytes(b"one")
    first = fingerprint({"a": 1, "b": 2}, [file])
    assert fingerprint({"b": 2, "a": 1}, [file]) == first
    assert fingerprint({"a": 1, "b": 3}, [file]) != first
    file.write_bytes(b"two")
    assert fingerprint({"a": 1, "b": 2}, [file]) != first
    file.unlink()
    assert fingerprint({"a": 1, "b": 2}, [file]) != first
