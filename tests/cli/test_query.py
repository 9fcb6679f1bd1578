import inspect
from types import SimpleNamespace
from unittest.mock import MagicMock, create_autospec

import pytest
from astropy.table import Table
from pyarrow import parquet

from astro_paperclip import PaperclipResult, core
from astro_paperclip.cli.main import main

TITLE = "A survey of the nuclei of nearby spiral galaxies: Ångström-scale claims, " * 3 + "end"


@pytest.fixture
def result():
    payload = {"obsid": "17", "target_name": "NGC-1300", "s_ra": 49.9, "title": TITLE}
    hits = [
        SimpleNamespace(id="a", score=0.4321, payload=payload),
        SimpleNamespace(id="b", score=0.3, payload={"target_name": "NGC-1365"}),
    ]
    return PaperclipResult.from_hits(hits, query={"kind": "text", "text": "barred spiral"})


@pytest.fixture
def paperclip(monkeypatch, result):
    """Put a stand-in for an instance in place; it gives the result, whatever the question."""
    instance = create_autospec(core.PaperclipMastClass, instance=True)
    instance.__enter__.return_value = instance
    instance.query_text.return_value = instance.query_image.return_value = result
    made = MagicMock(return_value=instance)
    monkeypatch.setattr(core, "PaperclipMast", made)
    yield instance
    inspect.signature(core.PaperclipMastClass).bind(*made.call_args.args, **made.call_args.kwargs)
    assert made.call_args.kwargs["collection"] == "here"
    instance.__exit__.assert_called_once()


def test_text(paperclip, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "90")
    assert main(["query", "here", "barred spiral", "--limit", "5", "--offset", "2"]) == 0
    paperclip.query_text.assert_called_once_with(
        "barred spiral",
        limit=5,
        offset=2,
        score_threshold=None,
        max_per_proposal=None,
        rerank=None,
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["rank", "score", "obsid", "target_name", "title"]
    assert lines[2].split()[:4] == ["1", "0.432", "17", "NGC-1300"]
    assert lines[2].endswith("…")
    assert max(map(len, lines)) <= 90
    assert len(lines) == 4


def test_image(paperclip):
    assert main(["query", "here", "--image", "a.jpg", "--max-per-proposal", "3"]) == 0
    paperclip.query_image.assert_called_once_with(
        "a.jpg", limit=10, offset=0, score_threshold=None, max_per_proposal=3
    )


@pytest.mark.parametrize(("given", "asked"), [("0.25", 0.25), ("-0.1", -0.1), ("99%", "99%")])
def test_score_threshold(paperclip, given, asked):
    assert main(["query", "here", "barred spiral", f"--score-threshold={given}"]) == 0
    assert paperclip.query_text.call_args.kwargs["score_threshold"] == asked


def test_a_language_model_is_told_of(paperclip, capsys):
    assert main(["query", "here", "barred spiral", "--rerank", "http://localhost:1/v1"]) == 0
    assert paperclip.query_text.call_args.kwargs["rerank"] == "http://localhost:1/v1"


def test_a_language_model_needs_words(monkeypatch, capsys):
    monkeypatch.setattr(core, "PaperclipMast", None)
    with pytest.raises(SystemExit) as stop:
        main(["query", "here", "--image", "a.jpg", "--rerank", "some/model"])
    assert stop.value.code == 2
    assert "--rerank needs TEXT" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["ecsv", "vot", "fits"])
def test_output_has_everything_and_the_question(paperclip, result, tmp_path, suffix):
    path = tmp_path / "new" / f"found.{suffix}"
    assert main(["query", "here", "barred spiral", "--output", str(path)]) == 0
    written = PaperclipResult.read(path)
    assert written.colnames == result.colnames
    # FITS holds ASCII only, which a warning says.
    assert written["title"][0] == (
        TITLE.replace("Å", "A").replace("ö", "o") if suffix == "fits" else TITLE
    )
    assert written.query["text"] == "barred spiral"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("suffix", "name"),
    [
        (".csv", "ascii.csv"),
        (".ECSV", "ascii.ecsv"),
        (".vot", "votable"),
        (".xml", "votable"),
    ],
)
def test_formats_by_suffix(paperclip, result, tmp_path, suffix, name):
    path = tmp_path / f"found{suffix}"
    assert main(["query", "here", "barred spiral", "--output", str(path)]) == 0
    written = Table.read(path, format=name)
    assert written.colnames == result.colnames
    assert str(written["title"][0]) == TITLE
    assert list(written["score"]) == list(result["score"])


def test_parquet_has_plain_columns_with_nulls(paperclip, result, tmp_path):
    path = tmp_path / "found.parquet"
    assert main(["query", "here", "barred spiral", "--output", str(path)]) == 0
    written = parquet.read_table(path).to_pydict()
    assert list(written) == result.colnames
    assert written["title"] == [TITLE, None]
    assert written["s_ra"] == [49.9, None]
    assert written["obsid"] == ["17", ""]


def test_gallery(paperclip, result, replace, tmp_path):
    save_gallery = replace("notebook.gallery.save_gallery")
    path = tmp_path / "found.png"
    assert main(["query", "here", "barred spiral", "--gallery", str(path)]) == 0
    assert save_gallery.call_args.args[0] is result
    assert str(save_gallery.call_args.args[1]) == str(path)


@pytest.mark.parametrize("option", ["--output", "--gallery"])
def test_a_file_is_replaced_only_when_told_to(option, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(core, "PaperclipMast", None)
    path = tmp_path / "found.ecsv"
    path.write_text("precious")
    assert main(["query", "here", "galaxy", option, str(path)]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert path.read_text() == "precious"


def test_overwrite(paperclip, tmp_path):
    path = tmp_path / "found.ecsv"
    path.write_text("old")
    assert main(["query", "here", "galaxy", "--output", str(path), "--overwrite"]) == 0
    assert len(PaperclipResult.read(path)) == 2


def test_what_cannot_be_written_leaves_the_old_file(paperclip, monkeypatch, tmp_path, capsys):
    path = tmp_path / "found.ecsv"
    path.write_text("old")

    def half_written(self, draft, **kwargs):
        draft.write_text("half")
        raise OSError(28, "No space left on device", str(draft))

    monkeypatch.setattr(PaperclipResult, "write", half_written)
    assert main(["query", "here", "galaxy", "--output", str(path), "--overwrite"]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
