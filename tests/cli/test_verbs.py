import inspect
from pathlib import Path
from types import SimpleNamespace

import pytest

from astro_paperclip.cli.index import VIEWS
from astro_paperclip.cli.main import main

REPORT = SimpleNamespace(summary=lambda: "all went well")


def given(stand_in):
    """Return the arguments of the only call, by name, defaults included."""
    stand_in.assert_called_once()
    bound = inspect.signature(stand_in).bind(*stand_in.call_args.args, **stand_in.call_args.kwargs)
    bound.apply_defaults()
    return bound.arguments


def test_train(replace, capsys):
    train = replace("training.train", return_value=REPORT)
    options = "--images-seen 500 --seed 3 --validation-fraction 0.2 --device cpu --quiet"
    arguments = "train --pairs a.csv b.ecsv --encoder compact --method head --output here"
    assert main([*arguments.split(), *options.split()]) == 0
    assert capsys.readouterr().out == "all went well\n"
    assert list(given(train).values())[:3] == [["a.csv", "b.ecsv"], "compact", "here"]
    assert (
        given(train).items()
        >= {
            "method": "head",
            "device": "cpu",
            "progress": False,
        }.items()
    )
    recipe = given(train)["recipe"]
    assert (recipe.images_seen, recipe.seed, recipe.validation_fraction) == (500, 3, 0.2)


def test_train_leaves_defaults_to_the_method(replace):
    train = replace("training.train", return_value=REPORT)
    assert main(["train", "--pairs", "a", "--encoder", "c", "--output", "o"]) == 0
    assert given(train).items() >= {"method": "head", "device": None, "progress": True}.items()
    assert given(train)["recipe"] == type(given(train)["recipe"])()


def test_index(replace, capsys):
    index_pairs = replace("building.index_pairs", return_value=REPORT)
    arguments = "index there --pairs a.csv --encoder folder --views rotations --batch-size 8"
    assert main([*arguments.split(), "--device", "cpu", "--quiet"]) == 0
    assert capsys.readouterr().out == "all went well\n"
    assert list(given(index_pairs).values())[:3] == ["there", ["a.csv"], "folder"]
    assert (
        given(index_pairs).items()
        >= {
            "device": "cpu",
            "views": "rotations",
            "batch_size": 8,
            "progress": False,
        }.items()
    )


def test_views_are_those_of_the_encoders():
    pytest.importorskip("torch")
    from astro_paperclip.encoders import views

    assert set(VIEWS) == set(views.VIEWS)


def test_evaluate(replace, capsys):
    load = replace("encoders.load", return_value="the encoder")
    evaluate = replace("evaluation.evaluate", return_value={"n_images": 3})
    format_report = replace("evaluation.format_report", return_value="a table")
    arguments = "evaluate --pairs a.csv b.csv --encoder compact --output there --device cpu"
    assert main(arguments.split()) == 0
    assert given(load) == {"name": "compact", "device": "cpu"}
    assert list(given(evaluate).values())[:3] == [["a.csv", "b.csv"], "the encoder", "there"]
    format_report.assert_called_once_with({"n_images": 3})
    assert capsys.readouterr().out == "a table\n"


def test_info(replace, capsys):
    facts = {"points": 12, "encoder": "compact", "state": "complete"}
    describe = replace("building.describe_collection", return_value=facts)
    assert main(["info", "there"]) == 0
    describe.assert_called_once_with("there")
    assert capsys.readouterr().out.splitlines() == [
        "12 points",
        "encoder: compact",
        "state:   complete",
    ]


def test_demo(replace):
    run_demo = replace("demo.run_demo")
    assert main(["demo", "--output", "there", "--quiet"]) == 0
    assert next(iter(given(run_demo).values())) == "there"
    assert given(run_demo)["progress"] is False


def test_simulate(replace, capsys):
    write_archive = replace("simulation.write_archive", return_value=Path("there/pairs.csv"))
    assert main(["simulate", "there", "--proposals", "5", "--seed", "9"]) == 0
    assert next(iter(given(write_archive).values())) == "there"
    assert given(write_archive).items() >= {"proposals": 5, "seed": 9, "progress": True}.items()
    assert Path(capsys.readouterr().out.strip()) == Path("there/pairs.csv")
