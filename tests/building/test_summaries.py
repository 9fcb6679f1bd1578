"""Summaries of a collection: in its tables, without making anything out of date."""

import numpy as np
import pytest
from astropy.table import Table

from astro_paperclip import encoders
from astro_paperclip.archive import Mast, read_table, write_table
from astro_paperclip.building import build, summarize_collection
from astro_paperclip.collection import Collection
from astro_paperclip.exceptions import CollectionError, InvalidQueryError
from astro_paperclip.pairs import read_pairs, write_pairs
from astro_paperclip.pairs.summarize import RuleSummarizer
from astro_paperclip.simulation import serve, write_archive
from astro_paperclip.training.finetuning.texts import CaptionTexts


@pytest.fixture
def proposals():
    return Table(
        {
            "proposal_id": ["01234", "5678", "9"],
            "title": ["A", "B", "C"],
            "abstract": ["Comets and quasars.", "TBD", ""],
        }
    )


@pytest.fixture
def pairs(tmp_path):
    return Table(
        {
            "image": [str(tmp_path / f"{n}.jpg") for n in range(3)],
            "text": ["Comets and quasars.", "novae", "Comets and quasars."],
            "group_id": ["g", "g", "h"],
        }
    )


@pytest.fixture
def home(tmp_path):
    return Collection.create(tmp_path / "hubble", recipe={"mission": "HST"})


def test_proposals_and_pairs_get_the_column(home, proposals, pairs):
    pairs["proposal_id"] = ["1234", "5678", "1234"]
    write_table(proposals, home.proposals_path)
    write_pairs(pairs, home.pairs_path)
    report = summarize_collection(home.path, progress=False)
    caption = RuleSummarizer()(["Comets and quasars."])[0].as_caption()
    assert list(read_table(home.proposals_path)["summary"]) == [caption, "", ""]
    written = read_pairs(home.pairs_path, check_images=False)
    assert list(written["summary"]) == [caption, "", caption]
    assert list(written["image"]) == list(pairs["image"])
    assert list(report.summaries) == ["01234"]
    assert set(report.failures) == {"5678", "9"}


def test_pairs_alone_are_summarized_by_their_texts(home, pairs):
    write_pairs(pairs, home.pairs_path)
    report = summarize_collection(home.path, progress=False)
    assert list(report.summaries) == ["g", "g (2)", "h"]
    summaries = list(read_pairs(home.pairs_path, check_images=False)["summary"])
    assert summaries[0] == summaries[2]
    assert summaries[1].startswith("novae;")


def test_training_draws_them(home, pairs, tiny_clip):
    write_pairs(pairs, home.pairs_path)
    summarize_collection(home.path, progress=False)
    table = read_pairs(home.pairs_path, check_images=False)
    texts = CaptionTexts.from_table(table, {"summary": 1.0}, tiny_clip)
    drawn = texts.draw(np.arange(3), np.random.default_rng(0))
    assert drawn == list(table["summary"])


def test_summarizing_again_replaces_them(home, proposals):
    class Other(RuleSummarizer):
        def attempt(self, abstracts, seed=0):
            return super().attempt(["quasars" for _ in abstracts], seed)

    write_table(proposals, home.proposals_path)
    summarize_collection(home.path, progress=False)
    other = Other()
    other.name = "other"
    summarize_collection(home.path, other, progress=False)
    table = read_table(home.proposals_path)
    assert table["summary"][0].startswith("quasars;")
    assert table.meta["summarizer"].startswith("other, version ")


def test_a_collection_without_texts(home):
    with pytest.raises(CollectionError, match="holds no abstracts"):
        summarize_collection(home.path, progress=False)


def test_no_collection(tmp_path):
    with pytest.raises(CollectionError, match="does not exist"):
        summarize_collection(tmp_path / "none")
    with pytest.raises(InvalidQueryError, match="on a server"):
        summarize_collection("http://localhost:6333/hubble")


def test_a_built_collection_stays_current(tmp_path, tiny_clip):
    write_archive(tmp_path / "sky", proposals=3, size=48, progress=False)
    options = {
        "proposal_id": [90_001, 90_002, 90_003],
        "encoder": str(encoders.save(tiny_clip, tmp_path / "tiny")),
        "progress": False,
    }
    with serve(tmp_path / "sky", retry_after=0) as server:
        mast = Mast(server.url, timeout=5)
        try:
            build(tmp_path / "hubble", mast=mast, **options)
            report = summarize_collection(tmp_path / "hubble", progress=False)
            assert len(report.summaries) == 3
            again = build(tmp_path / "hubble", mast=mast, **options)
            assert [stage.name for stage in again.stages if stage.is_new] == []
            assert all(read_pairs(tmp_path / "hubble/pairs.parquet")["summary"])
            # Pairs that are made anew have the summaries of their proposals.
            build(tmp_path / "hubble", mast=mast, **options, caption="title")
            assert all(read_pairs(tmp_path / "hubble/pairs.parquet")["summary"])
        finally:
            mast.reply_session.close()
            mast.session.close()
