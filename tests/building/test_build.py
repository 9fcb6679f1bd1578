"""Builds from the simulated archive, with an encoder that is small and random."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from astro_paperclip import PaperclipMastClass, encoders
from astro_paperclip.archive import Mast, read_previews, read_table
from astro_paperclip.building import build, describe_collection
from astro_paperclip.building import stages as stages_module
from astro_paperclip.collection import Collection
from astro_paperclip.exceptions import (
    ArchiveError,
    CollectionError,
    CollectionLockedError,
    InvalidQueryError,
    UntrainedEncoderWarning,
)
from astro_paperclip.index import open_store
from astro_paperclip.pairs import read_pairs
from astro_paperclip.simulation import serve, write_archive

N_PROPOSALS = 6
STAGES = ["proposals", "observations", "previews", "pairs", "encoder", "index"]


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    """Return the folder of a simulated archive."""
    folder = tmp_path_factory.mktemp("archive") / "sky"
    write_archive(folder, proposals=N_PROPOSALS, size=48, progress=False)
    return folder


@pytest.fixture(scope="module")
def truth(sky):
    """Return the pairs that the archive was written with, by preview."""
    table = read_pairs(sky / "pairs.csv")
    return {row["jpegURL"]: row for row in table}


@pytest.fixture
def server(sky):
    with serve(sky, retry_after=0) as server:
        yield server


@pytest.fixture(scope="module")
def encoder(tiny_clip, tmp_path_factory):
    """Return the folder of an encoder."""
    return str(encoders.save(tiny_clip, tmp_path_factory.mktemp("encoder") / "tiny"))


@pytest.fixture
def options(encoder):
    """Return what all builds here have in common."""
    wanted = [90_001 + number for number in range(N_PROPOSALS)]
    return {"proposal_id": wanted, "encoder": encoder, "progress": False}


def build_from(server, path, *, timeout=5, **options):
    mast = Mast(server.url, timeout=timeout)
    try:
        return build(path, mast=mast, **options)
    finally:
        mast.reply_session.close()
        mast.session.close()


def contents(collection):
    """Return hashes of the files of a collection, and its points without vectors."""
    paths = [*collection.glob("*.parquet"), *(collection / "previews").rglob("*.*")]
    held = {
        str(path.relative_to(collection)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }
    with open_store(collection) as store:
        held |= {record.id: record.payload for record in store.scroll()}
    return held


def test_a_collection_holds_what_the_archive_has(server, tmp_path, options, truth):
    report = build_from(server, tmp_path / "hubble", **options)
    assert [stage.name for stage in report.stages] == STAGES
    assert [stage.kept for stage in report.stages] == [N_PROPOSALS] + 5 * [len(truth)]
    assert all(stage.is_new and not stage.left_out for stage in report.stages)
    assert report.requests == server.requests.total()
    pairs = read_pairs(tmp_path / "hubble" / "pairs.parquet")
    assert set(pairs["preview"]) == set(truth)
    for row in pairs:
        expected = truth[row["preview"]]
        for name in ("text", "title", "category", "group_id", "obsid", "obs_id", "target_name"):
            assert str(row[name]) == str(expected[name]), name
        np.testing.assert_allclose(
            [row["s_ra"], row["s_dec"], row["t_exptime"]],
            [expected["s_ra"], expected["s_dec"], expected["t_exptime"]],
        )
        # Small previews are kept as they were served.
        assert Path(row["image"]).read_bytes() == Path(expected["image"]).read_bytes()


def test_what_was_built_can_be_searched(server, tmp_path, options, truth):
    build_from(server, tmp_path / "hubble", **options)
    with PaperclipMastClass(collection=tmp_path / "hubble") as paperclip:
        uri, row = next(iter(truth.items()))
        found = paperclip.query_image(row["image"], limit=3)
    assert found["preview"][0] == uri
    assert found["obsid"][0] == str(row["obsid"])
    assert found["score"][0] == pytest.approx(1, abs=1e-3)
    assert describe_collection(tmp_path / "hubble")["points"] == len(truth)


def test_tables_are_ordinary_parquet(server, tmp_path, options):
    build_from(server, tmp_path / "hubble", **options, stages=["proposals", "observations"])
    observations = read_table(tmp_path / "hubble" / "observations.parquet")
    assert observations["t_exptime"].unit == "s"
    assert observations["em_min"].unit == "nm"
    assert observations["obsid"].dtype.kind == "U"
    plain = parquet.read_table(tmp_path / "hubble" / "observations.parquet")
    assert plain.column("obsid").to_pylist() == list(observations["obsid"])


def test_nothing_is_done_twice(server, tmp_path, options):
    build_from(server, tmp_path / "hubble", **options)
    before = contents(tmp_path / "hubble")
    server.requests.clear()
    report = build_from(server, tmp_path / "hubble", progress=False)
    assert not any(stage.is_new for stage in report.stages)
    assert [stage.kept for stage in report.stages][1:] == 5 * [report.stages[-1].found]
    assert server.requests.total() == report.requests == 0
    assert contents(tmp_path / "hubble") == before


def test_a_name_of_a_recipe_changes_its_settings_only(server, tmp_path, options):
    build_from(server, tmp_path / "hubble", **options)
    report = build_from(server, tmp_path / "hubble", recipe="paper", progress=False)
    assert report.stages[0].kept == N_PROPOSALS
    assert not report.stages[0].is_new
    assert Collection.open(tmp_path / "hubble").recipe["encoder"] == options["encoder"]


def test_the_archive_that_was_asked_is_asked_again(server, tmp_path, options):
    build_from(server, tmp_path / "hubble", **options, stages=STAGES[:2])
    server.requests.clear()
    report = build(tmp_path / "hubble", stages=STAGES[:3], progress=False)
    assert report.stages[2].kept == report.requests == server.requests["file"]


def test_current_stages_need_no_network(server, tmp_path, options):
    build_from(server, tmp_path / "hubble", **options)
    nowhere = Mast("http://127.0.0.1:9", timeout=1)
    build(tmp_path / "hubble", mast=nowhere, offline=True, progress=False)
    (tmp_path / "hubble" / "observations.parquet").unlink()
    with pytest.raises(ArchiveError, match="offline"):
        build(tmp_path / "hubble", mast=nowhere, offline=True, progress=False)


def test_stages_alone(server, tmp_path, options):
    path = tmp_path / "hubble"
    with pytest.raises(CollectionError, match=r"'pairs' needs .*proposals\.parquet.*before it"):
        build_from(server, path, **options, stages="pairs")
    report = build_from(server, path, **options, stages=["observations", "proposals"])
    assert [stage.name for stage in report.stages] == ["proposals", "observations"]
    assert describe_collection(path)["state"] == "not indexed yet; done: proposals, observations"
    assert sorted(p.name for p in path.glob("*.parquet")) == [
        "observations.parquet",
        "proposals.parquet",
    ]


def test_a_search_before_there_is_an_index(server, tmp_path, options):
    build_from(server, tmp_path / "hubble", **options, stages="proposals")
    with (
        pytest.raises(CollectionError, match="astro-paperclip"),
        PaperclipMastClass(collection=tmp_path / "hubble") as paperclip,
    ):
        paperclip.query_text("a spiral galaxy")


def test_a_lost_preview_is_fetched_again(server, tmp_path, options):
    build_from(server, tmp_path / "hubble", **options)
    before = contents(tmp_path / "hubble")
    lost = next((tmp_path / "hubble" / "previews").rglob("*.jpg"))
    lost.unlink()
    server.requests.clear()
    build_from(server, tmp_path / "hubble", progress=False)
    assert server.requests == {"file": 1}
    assert contents(tmp_path / "hubble") == before


def test_another_caption_makes_other_pairs_and_payloads(server, tmp_path, options):
    build_from(server, tmp_path / "hubble", **options)
    report = build_from(server, tmp_path / "hubble", caption="paper", progress=False)
    assert [s.name for s in report.stages if s.is_new] == ["pairs", "index"]
    with open_store(tmp_path / "hubble") as store:
        texts = {record.payload["text"] for record in store.scroll()}
    assert texts == set(read_pairs(tmp_path / "hubble" / "pairs.parquet")["text"])
    assert all(text.startswith("Category: ") for text in texts)


def test_fewer_proposals_leave_fewer_points(server, tmp_path, options, truth):
    build_from(server, tmp_path / "hubble", **options)
    build_from(server, tmp_path / "hubble", proposal_id=90002, progress=False)
    expected = {uri for uri, row in truth.items() if str(row["proposal_id"]) == "90002"}
    with open_store(tmp_path / "hubble") as store:
        assert {record.payload["preview"] for record in store.scroll()} == expected


def test_another_encoder_takes_the_place_of_the_first(server, tmp_path, options):
    build_from(server, tmp_path / "hubble", **options)
    with pytest.warns(UntrainedEncoderWarning, match="too few to train"):
        build_from(server, tmp_path / "hubble", encoder="compact", progress=False)
    assert Collection.open(tmp_path / "hubble").encoder_name == "compact"
    assert describe_collection(tmp_path / "hubble")["dimension"] == 512


def test_cycles_are_found_in_the_catalogue(server, tmp_path, encoder, sky):
    table = read_table(sky / "proposals.parquet")
    cycle = str(table["cycle"][0])
    report = build_from(
        server,
        tmp_path / "hubble",
        cycle=cycle,
        encoder=encoder,
        stages=["proposals", "observations"],
        progress=False,
    )
    expected = {str(row["proposal_id"]) for row in table if str(row["cycle"]) == cycle}
    proposals = read_table(tmp_path / "hubble" / "proposals.parquet")
    assert set(proposals["proposal_id"]) == expected
    observations = read_table(tmp_path / "hubble" / "observations.parquet")
    assert set(observations["proposal_id"]) == expected
    assert report.stages[0].kept == len(expected)


def test_a_place_on_the_sky(server, tmp_path, options, truth):
    row = next(iter(truth.values()))
    build_from(
        server,
        tmp_path / "hubble",
        coordinates=f"{row['s_ra']} {row['s_dec']}",
        radius=0.01,
        encoder=options["encoder"],
        progress=False,
    )
    pairs = read_pairs(tmp_path / "hubble" / "pairs.parquet")
    assert str(row["obsid"]) in set(pairs["obsid"])
    assert len(pairs) < len(truth)


def a_rule(observations):
    """Choose the previews of long exposures."""
    chosen = observations["obsid", "jpegURL"][observations["t_exptime"] > 1000]
    chosen.rename_column("jpegURL", "preview")
    return chosen


def test_a_rule_of_ones_own_is_given_again_to_go_on(server, tmp_path, options, truth):
    report = build_from(server, tmp_path / "hubble", **options, previews=a_rule)
    expected = {uri for uri, row in truth.items() if row["t_exptime"] > 1000}
    pairs = read_pairs(tmp_path / "hubble" / "pairs.parquet")
    assert set(pairs["preview"]) == expected
    assert report.stages[2].found == len(truth)
    with pytest.raises(InvalidQueryError, match=r"function .*a_rule: give it again"):
        build_from(server, tmp_path / "hubble", progress=False)
    again = build_from(server, tmp_path / "hubble", previews=a_rule, progress=False)
    assert not any(stage.is_new for stage in again.stages)
    named = build_from(server, tmp_path / "hubble", previews="jpegURL", progress=False)
    assert named.stages[2].kept == len(truth)


def test_what_was_asked_before_is_not_in_the_report(server, tmp_path, options):
    mast = Mast(server.url)
    with mast.reply_session, mast.session:
        build(tmp_path / "one", mast=mast, **options, stages="proposals")
        server.requests.clear()
        report = build(tmp_path / "two", mast=mast, **options, stages="proposals")
    assert report.requests == server.requests.total() > 0


def test_the_data_set_of_the_paper(server, tmp_path, options, truth):
    report = build_from(server, tmp_path / "hubble", **options, recipe="paper")
    previews = read_previews(tmp_path / "hubble" / "previews.parquet")
    assert all("total" in name and "color" not in name for name in previews["productFilename"])
    expected = {uri for uri in truth if "total" in uri}
    assert set(previews["preview"]) == expected
    stage = report.stages[2]
    assert stage.found > stage.kept == len(expected)
    texts = read_pairs(tmp_path / "hubble" / "pairs.parquet")["text"]
    assert all(text.startswith("Category: ") for text in texts)


# A picture whose length is announced too short arrives cut, as one that is no picture.
FAULTS_AS_SEEN = {
    ("server error",): {"unavailable"},
    ("too many requests",): {"too_many_requests"},
    ("incomplete", "not an image"): {"reset", "truncated", "wrong_length", "not_a_jpeg"},
    ("unreadable",): {"html"},
    ("too slow",): {"trickle"},
}


@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_faults_of_the_archive_are_survived_and_reported(sky, tmp_path, options, recipe):
    transport = set().union(*FAULTS_AS_SEEN.values())
    with serve(sky, retry_after=0) as quiet:
        build_from(quiet, tmp_path / "quiet", **options, recipe=recipe)
    with serve(sky, fault_rate=0.3, faults=transport, retry_after=0, seed=3) as faulty:
        report = build_from(faulty, tmp_path / "faulty", **options, recipe=recipe, timeout=0.5)
        assert report.requests == faulty.requests.total()
        for kinds, names in FAULTS_AS_SEEN.items():
            injected = sum(faulty.injected[name] for name in names)
            assert sum(report.faults.get(kind, 0) for kind in kinds) == injected, kinds
        assert sum(report.faults.values()) == faulty.injected.total() > 3
    assert contents(tmp_path / "faulty") == contents(tmp_path / "quiet")
    for kind, number in report.faults.items():
        assert f"{kind}: {number}" in report.summary()


def test_rows_that_cannot_be_used_are_counted(sky, tmp_path, options):
    only = {"route": "portal", "stages": STAGES[:2]}
    with serve(sky, fault_rate=1, faults=("odd_obsids",)) as server:
        report = build_from(server, tmp_path / "hubble", **options, **only)
        assert report.stages[1].left_out == {"without an obsid": server.injected["odd_obsids"]}


def test_products_listed_twice_are_one(sky, tmp_path, options):
    with serve(sky) as server:
        build_from(server, tmp_path / "once", **options, recipe="paper", stages=STAGES[:3])
    with serve(sky, fault_rate=1, faults=("duplicate_products",)) as server:
        build_from(server, tmp_path / "twice", **options, recipe="paper", stages=STAGES[:3])
        assert server.injected["duplicate_products"]
    once, twice = (
        read_previews(tmp_path / name / "previews.parquet") for name in ("once", "twice")
    )
    assert list(once["preview"]) == list(twice["preview"])


def test_a_preview_that_fails_is_retried_by_the_next_build(sky, tmp_path, options, monkeypatch):
    hidden = next((sky / "previews").rglob("*.jpg"))
    with serve(sky, retry_after=0) as server:
        whole = build_from(server, tmp_path / "whole", **options)
        with monkeypatch.context() as context:
            context.setattr(stages_module.archive, "download_previews", _failing_for(hidden.name))
            report = build_from(server, tmp_path / "hubble", **options)
        assert report.stages[2].left_out == {"failed": 1}
        assert "Run the same again" in report.stages[2].note
        again = build_from(server, tmp_path / "hubble", progress=False)
    assert again.stages[2].is_new
    assert again.stages[2].kept == whole.stages[2].kept
    assert contents(tmp_path / "hubble") == contents(tmp_path / "whole")


def _failing_for(name):
    real = stages_module.archive.download_previews

    def download(*args, mast, **options):
        address = mast.file_url
        mast.file_url = lambda uri: "http://127.0.0.1:9/x" if uri.endswith(name) else address(uri)
        mast._retry = mast._retry.new(total=1, backoff_factor=0)
        return real(*args, mast=mast, **options)

    return download


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"proposal_id": None}, InvalidQueryError, "Say which observations"),
        ({"stages": "download"}, InvalidQueryError, "no stage 'download'.*previews"),
        ({"recipe": "papers"}, InvalidQueryError, "no recipe 'papers'.*paper"),
        ({"previews": "best"}, InvalidQueryError, "best"),
        ({"caption": "haiku"}, InvalidQueryError, "haiku"),
        ({"criteria": {"instrument": "ACS"}}, InvalidQueryError, "instrument_name"),
        ({"mast": "mast.stsci.edu"}, ArchiveError, "no address"),
        ({"route": "ftp"}, InvalidQueryError, "ftp"),
    ],
)
def test_wrong_settings(tmp_path, options, changes, error, message):
    settings = {"mast": "http://127.0.0.1:9"} | options | changes
    with pytest.raises(error, match=message):
        build(tmp_path / "hubble", **settings)
    assert not list(tmp_path.rglob("*.parquet"))


def test_directories_that_hold_something_else(tmp_path, options, server):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("...")
    with pytest.raises(CollectionError, match="something else"):
        build_from(server, tmp_path / "thesis", **options)
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["chapter1.tex"]
    Collection.create(
        tmp_path / "own", encoder_name="compact", encoder_fingerprint="00", dimension=1
    )
    with pytest.raises(CollectionError, match="from pairs files"):
        build_from(server, tmp_path / "own", **options)


def test_one_build_at_a_time(server, tmp_path, options):
    from astro_paperclip.building.builder import _alone

    (tmp_path / "hubble").mkdir()
    with _alone(tmp_path / "hubble"), pytest.raises(CollectionLockedError, match="being built"):
        build_from(server, tmp_path / "hubble", **options)


def test_killed_at_random_moments(encoder):
    """A build that is killed again and again ends as one that is not."""
    script = Path(__file__).parents[2] / "benchmarks" / "interruptions.py"
    arguments = ["--proposals", "6", "--per-proposal", "3", "--size", "48", "--kills", "3"]
    done = subprocess.run(
        [sys.executable, script, *arguments, "--encoder", encoder],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    assert done.returncode == 0, done.stderr
    assert "0 of them different" in done.stdout


def test_the_ledger_can_be_read(server, tmp_path, options):
    build_from(server, tmp_path / "hubble", **options)
    record = json.loads((tmp_path / "hubble" / "stages.json").read_text())
    assert sorted(record) == sorted(STAGES)
    assert record["previews"]["report"]["left_out"] == {}
