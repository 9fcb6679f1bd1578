"""Reading metrics, logs of runs and curves of the paper."""

import json

import numpy as np
import pytest

from astro_paperclip.evaluation import read_metrics, read_paper_curves, read_run
from astro_paperclip.exceptions import InvalidQueryError


def test_metrics_of_a_file_or_its_folder(metrics, tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(metrics), encoding="utf-8")
    assert read_metrics(path) == read_metrics(tmp_path) == metrics


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "no JSON"),
        ("[]", "protocols"),
        ('{"protocols": {}, "in_batch": {}}', "cosine.*older version"),
    ],
)
def test_metrics_that_are_none(tmp_path, content, message):
    (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(InvalidQueryError, match=rf"metrics\.json: .*{message}"):
        read_metrics(tmp_path)


def test_no_metrics(tmp_path):
    with pytest.raises(InvalidQueryError, match=r"metrics\.json: .*No such file"):
        read_metrics(tmp_path)


def test_run(run_folder):
    logs = read_run(run_folder)
    assert logs.training["step"].tolist() == list(range(1, 301))
    assert logs.validation["images_seen"].tolist() == [3200, 6400, 9600]
    assert logs.validation["top_10_percent"].tolist() == [0.2, 0.35, 0.4]
    again = read_run(run_folder / "run")
    np.testing.assert_array_equal(again.training["loss"], logs.training["loss"])


def test_run_that_goes_on(run_folder):
    """The last line may be half written, and nothing may have been validated yet."""
    with (run_folder / "run/log.csv").open("a") as stream:
        stream.write("301,96")
    (run_folder / "run/validation_log.csv").unlink()
    logs = read_run(run_folder)
    assert len(logs.training["loss"]) == 300
    assert logs.validation == {}


@pytest.mark.parametrize("content", ["", "step,images_seen,loss\n"])
def test_run_that_has_just_begun(run_folder, content):
    (run_folder / "run/log.csv").write_text(content)
    assert sum(map(len, read_run(run_folder).training.values())) == 0


def test_no_run(tmp_path):
    with pytest.raises(InvalidQueryError, match="no log of a training run"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [("a,b\n1,2\n", "column missing: step, images_seen"), ("step\nmany\n", "no table of numbers")],
)
def test_other_files_than_logs(run_folder, content, message):
    (run_folder / "run/log.csv").write_text(content)
    with pytest.raises(InvalidQueryError, match=rf"log\.csv: {message}"):
        read_run(run_folder)


def test_curves_of_the_paper(shared):
    """Values are those of the tables in the issue's specification."""
    curves = read_paper_curves(shared / "data/paper")
    assert list(curves.retrieval) == ["summary_ft", "abstract_ft", "scratch", "base"]
    fraction, accuracy = curves.retrieval["summary_ft"]
    assert np.interp(0.1, fraction, accuracy) == pytest.approx(0.689, abs=0.001)
    assert set(curves.training) == {"abstract_ft", "summary_ft", "head", "scratch", "shuffled"}
    images, accuracy = curves.training["abstract_ft"]
    assert (images[-1], accuracy.max()) == (640_000, pytest.approx(0.727, abs=0.001))


def test_one_file_of_curves_is_enough(tmp_path):
    (tmp_path / "val_top10_curves.csv").write_text(
        "step,t:one,t:two,u:one\n0,.1,.2,.9\n50,.3,.4,1\n"
    )
    curves = read_paper_curves(tmp_path)
    assert curves.retrieval == {}
    assert {name: (x.tolist(), y.tolist()) for name, (x, y) in curves.training.items()} == {
        "one": ([0, 1600], [0.1, 0.3]),
        "two": ([0, 1600], [0.2, 0.4]),
    }


def test_no_curves(tmp_path):
    with pytest.raises(InvalidQueryError, match="no curves of the paper"):
        read_paper_curves(tmp_path)
    (tmp_path / "retrieval_curves.csv").write_text("k,a:b\n1,2\n")
    with pytest.raises(InvalidQueryError, match="column true_fraction_of_3000"):
        read_paper_curves(tmp_path)
