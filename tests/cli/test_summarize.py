import pytest
from astropy.table import Table

from astro_paperclip.archive import read_table, write_table
from astro_paperclip.cli.main import main
from astro_paperclip.collection import Collection

pytest.importorskip("torch")


@pytest.fixture
def collection(tmp_path):
    home = Collection.create(tmp_path / "hubble", recipe={"mission": "HST"})
    table = Table({"proposal_id": ["7", "8"], "abstract": ["Two comets.", "TBD"]})
    write_table(table, home.proposals_path)
    return home


def test_by_rules(collection, capsys):
    assert main(["summarize", str(collection.path), "--quiet"]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("1 of 2 proposals have a summary (rules with astro_paperclip,")
    assert "no concept of the vocabulary is named: 8." in shown.out
    assert shown.err == ""
    summary = read_table(collection.proposals_path)["summary"][0]
    assert summary == "comets; ices that are as old as the solar system"


def test_vocabulary_of_a_file(collection, tmp_path):
    (tmp_path / "mine.toml").write_text('["two comets"]\nkind = "object"\nuse = "counting"\n')
    vocabulary = ["--vocabulary", str(tmp_path / "mine.toml")]
    assert main(["summarize", str(collection.path), "--quiet", *vocabulary]) == 0
    assert read_table(collection.proposals_path)["summary"][0] == "two comets; counting"


def test_no_collection(tmp_path, capsys):
    assert main(["summarize", str(tmp_path / "none")]) == 1
    assert "does not exist" in capsys.readouterr().err
