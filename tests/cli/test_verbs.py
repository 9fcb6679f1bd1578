import inspect
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from astro_paperclip.cli.main import main
from astro_paperclip.cli.options import VIEWS
from astro_paperclip.simulation import write_archive

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


def test_index_create_for_an_encoder(replace, capsys):
    load = replace("encoders.load", return_value=SimpleNamespace(dim=512, fingerprint="abc"))
    made = SimpleNamespace(name="cluster")
    create = replace("index.create_index", return_value=made)
    arguments = "index create http://a/b --profile cluster --encoder my-encoder --device cpu"
    assert main(arguments.split()) == 0
    assert given(load).items() >= {"name": "my-encoder", "device": "cpu"}.items()
    assert given(create) == {
        "location": "http://a/b",
        "dimension": 512,
        "encoder": "abc",
        "profile": "cluster",
    }
    assert "profile cluster, for vectors of length 512" in capsys.readouterr().out


def test_index_create_for_a_length(replace):
    create = replace("index.create_index", return_value=SimpleNamespace(name="laptop"))
    assert main(["index", "create", "http://a/b", "--dimension", "8"]) == 0
    assert given(create).items() >= {"dimension": 8, "encoder": None, "profile": "laptop"}.items()


def test_index_finish(replace, capsys):
    finish = replace("index.finish_index", return_value=True)
    assert main(["index", "finish", "http://a/b", "--quiet"]) == 0
    assert given(finish) == {"location": "http://a/b", "progress": False, "force": False}
    assert capsys.readouterr().out == "http://a/b has its graph.\n"


def test_index_finish_by_force(replace):
    finish = replace("index.finish_index", return_value=True)
    assert main(["index", "finish", "hubble", "--force"]) == 0
    assert given(finish) == {"location": "hubble", "progress": True, "force": True}


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
    assert given(load).items() >= {"name": "compact", "device": "cpu"}.items()
    assert list(given(evaluate).values())[:3] == [["a.csv", "b.csv"], "the encoder", "there"]
    format_report.assert_called_once_with({"n_images": 3})
    assert capsys.readouterr().out == "a table\n"


def test_build(replace, capsys):
    build = replace("building.build", return_value=REPORT)
    what = "build there --cycle 28 29 --mission JWST --criteria calib_level=2,3 --criteria filters="
    how = "--recipe paper --per-proposal 5 --caption title --sky-radius 2 --encoder e --train no"
    where = "--mast-server http://x --proposals a.cat --route tap --stage pairs index --quiet"
    assert main(f"{what} {how} {where} --radius 0.1 --seed 4 --offline".split()) == 0
    assert capsys.readouterr().out == "all went well\n"
    assert given(build)["collection"] == "there"
    expected = {"recipe": "paper", "mast": "http://x", "route": "tap", "stages": ["pairs", "index"]}
    expected |= {"offline": True, "cloud": False, "device": None, "progress": False}
    assert given(build).items() >= expected.items()
    changes = {name: value for name, value in given(build)["changes"].items() if value is not None}
    assert changes == {
        "cycle": ["28", "29"],
        "mission": "JWST",
        "criteria": {"calib_level": [2, 3], "filters": None},
        "per_proposal": 5,
        "caption": "title",
        "sky_radius": 2.0,
        "encoder": "e",
        "train": "no",
        "radius": 0.1,
        "seed": 4,
        "proposals": "a.cat",
    }


def test_build_goes_on_with_what_was_asked(replace):
    build = replace("building.build", return_value=REPORT)
    assert main(["build", "there"]) == 0
    assert set(given(build)["changes"].values()) == {None}
    assert given(build)["recipe"] is given(build)["mast"] is given(build)["stages"] is None


def test_build_reads_criteria(replace, capsys):
    replace("building.build", return_value=REPORT)
    assert main(["build", "there", "--criteria", "instrument_name"]) == 1
    assert "'instrument_name': write COLUMN=VALUE" in capsys.readouterr().err


def test_build_knows_stages_and_recipes():
    pytest.importorskip("torch")
    from astro_paperclip import building
    from astro_paperclip.cli import build

    assert tuple(stage.name for stage in building.STAGES) == build.STAGES
    assert tuple(building.RECIPES) == build.RECIPES


def test_an_archive_that_fails_is_one_line(replace, capsys):
    from astro_paperclip.exceptions import ArchiveError

    replace("building.build", side_effect=ArchiveError("MAST failed 9 times"))
    assert main(["build", "there", "--cycle", "29"]) == 1
    assert capsys.readouterr().err == "astro-paperclip: error: MAST failed 9 times\n"


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_simulate_serves_until_a_signal(tmp_path, number):
    """The archive is written where there is none, and taken as it is where there is one."""
    archive = tmp_path / "sky"
    if number == signal.SIGTERM:
        write_archive(archive, proposals=2, size=32, progress=False)
    command = [sys.executable, "-m", "astro_paperclip.cli.main", "simulate", str(archive)]
    options = "--serve --proposals 3 --quiet --latency 1 --fault-rate 0"
    with subprocess.Popen(
        [*command, *options.split()], stdout=subprocess.PIPE, text=True
    ) as process:
        url = process.stdout.readline().strip()
        catalogue = requests.get(f"{url}/simulated/abstracts.cat", timeout=60).text
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
        assert f"--mast-server {url}" in process.stdout.read()
    assert catalogue.count("\nTitle: ") == (3 if number == signal.SIGINT else 2)


def test_simulate_passes_on_what_goes_wrong(replace, tmp_path, monkeypatch):
    write_archive(tmp_path, proposals=1, size=32, progress=False)
    server = SimpleNamespace(url="http://127.0.0.1:5")
    serve = replace("simulation.serve", return_value=nullcontext(server))
    monkeypatch.setattr("threading.Event.wait", lambda *_: True)
    options = "--serve --port 5 --latency 50 --fault-rate 0.25 --seed 3"
    assert main(["simulate", str(tmp_path), *options.split()]) == 0
    assert (
        given(serve).items() >= {"port": 5, "latency": 0.05, "fault_rate": 0.25, "seed": 3}.items()
    )
