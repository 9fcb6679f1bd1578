import numpy as np
import pytest
from astropy.table import Table
from PIL import Image

from astro_paperclip.cli.main import main
from astro_paperclip.vocabulary import Vocabulary


@pytest.fixture
def table():
    rows = [
        ("a.jpg", 1, "comets", 0.51234, "small bodies"),
        ("a.jpg", 2, "cometary tails", 0.4, "comets"),
        ("b.jpg", 1, "reionization", -0.25, "early Universe; intergalactic medium"),
    ]
    names = ("image", "rank", "label", "score", "broader")
    return Table(rows=rows, names=names, meta={"vocabulary": {"name": "mine"}})


@pytest.fixture
def load(replace):
    """Put a stand-in for the encoder in place."""
    return replace("encoders.load", return_value="the encoder")


@pytest.fixture
def describe(load, replace, table):
    """Put a stand-in for the description in place."""
    return replace("evaluation.describe", return_value=table)


def test_labels_below_each_picture(describe, capsys):
    assert main(["describe", "a.jpg", "b.jpg", "--encoder", "c", "-n", "2", "--quiet"]) == 0
    describe.assert_called_once_with(
        "the encoder", ["a.jpg", "b.jpg"], Vocabulary.default(), n=2, progress=False
    )
    assert capsys.readouterr().out.splitlines() == [
        "a.jpg",
        "  1  0.512 comets         small bodies",
        "  2  0.400 cometary tails comets",
        "b.jpg",
        "  1 -0.250 reionization   early Universe; intergalactic medium",
    ]


def test_defaults(describe, load):
    assert main(["describe", "a.jpg", "--encoder", "c", "--device", "cpu"]) == 0
    load.assert_called_once_with("c", device="cpu")
    assert describe.call_args.kwargs == {"n": 5, "progress": True}


def test_vocabulary_of_a_file(describe, tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("comets\n")
    assert main(["describe", "a.jpg", "--encoder", "c", "--vocabulary", str(path)]) == 0
    assert describe.call_args.args[2].labels == ("comets",)


def test_output(describe, table, tmp_path):
    path = tmp_path / "new" / "words.ecsv"
    assert main(["describe", "a.jpg", "--encoder", "c", "--output", str(path)]) == 0
    written = Table.read(path)
    assert written.colnames == table.colnames
    assert list(written["score"]) == list(table["score"])
    assert written.meta == table.meta
    assert list(path.parent.iterdir()) == [path]


def test_a_file_is_replaced_only_when_told_to(describe, tmp_path, capsys):
    path = tmp_path / "words.ecsv"
    path.write_text("precious")
    arguments = ["describe", "a.jpg", "--encoder", "c", "--output", str(path)]
    assert main(arguments) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert path.read_text() == "precious"
    describe.assert_not_called()
    assert main([*arguments, "--overwrite"]) == 0
    assert len(Table.read(path)) == 3


def test_a_faulty_vocabulary_is_found_before_the_encoder_is_loaded(load, tmp_path, capsys):
    arguments = ["describe", "a.jpg", "--encoder", "c", "--vocabulary", str(tmp_path / "nix")]
    assert main(arguments) == 1
    assert "nix: No such file or directory" in capsys.readouterr().err
    load.assert_not_called()


def test_from_picture_to_words(tmp_path, capsys):
    pytest.importorskip("torch")
    pixels = np.random.default_rng(5).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (tmp_path / "words.txt").write_text("comets\nnebulae\nnoise\n")
    arguments = ["--encoder", "compact", "--device", "cpu", "--quiet", "--number", "2"]
    vocabulary = ["--vocabulary", str(tmp_path / "words.txt")]
    assert main(["describe", str(tmp_path / "a.png"), *arguments, *vocabulary]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[0] == str(tmp_path / "a.png")
    assert len(shown.out.splitlines()) == 3
    assert "never trained together" in shown.err
    assert main(["describe", str(tmp_path / "b.png"), *arguments, *vocabulary]) == 1
    assert "b.png" in capsys.readouterr().err
