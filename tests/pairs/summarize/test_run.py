"""Runs over many abstracts: each once, again where that may help, and never lost."""

import json
import os
import signal
import subprocess
import sys

import pytest

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.language import Failure
from astro_paperclip.pairs.summarize import (
    RuleSummarizer,
    SummaryCache,
    summarize_texts,
)

TEXTS = {"1": "comets here", "2": "quasars there", "3": "comets   here", "4": " "}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "summaries.jsonl"


@pytest.fixture
def run(path):
    def run(texts, summarizer, **options):
        with SummaryCache(path) as cache:
            return summarize_texts(texts, summarizer, cache, progress=False, **options)

    return run


def objects(report):
    return {name: found.objects_and_phenomena[0] for name, found in report.summaries.items()}


def test_each_different_abstract_is_asked_once(run, scripted):
    summarizer = scripted()
    report = run(TEXTS, summarizer)
    assert summarizer.asked == [(["comets here", "quasars there"], 0)]
    assert objects(report) == {"1": "comets", "2": "quasars", "3": "comets"}
    assert report.failures == {"4": "the abstract is empty"}
    assert report.n_made == 2


def test_batches(run, scripted):
    summarizer = scripted()
    run({str(n): f"t{n} abstract" for n in range(5)}, summarizer, batch_size=2)
    assert [len(batch) for batch, _ in summarizer.asked] == [2, 2, 1]


def test_failures_are_tried_again_with_another_seed(run, scripted):
    summarizer = scripted({"quasars there": 2})
    report = run(TEXTS, summarizer, seed=7)
    assert [(len(batch), seed) for batch, seed in summarizer.asked] == [(2, 7), (1, 8), (1, 9)]
    assert set(report.summaries) == {"1", "2", "3"}


def test_attempts_are_bounded_and_the_failure_is_told(run, scripted, path):
    summarizer = scripted({"comets here": 99})
    report = run(TEXTS, summarizer, attempts=3)
    assert len(summarizer.asked) == 3
    assert report.failures["1"] == report.failures["3"] == "the answer is garbled"
    assert "No summary, the answer is garbled: 1, 3." in report.summary()
    assert "1 of 4 proposals have a summary" in report.summary()
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["failure"] for line in kept if "failure" in line] == ["the answer is garbled"]


def test_what_cannot_pass_is_not_tried_again(run):
    class Refusing:
        name, version, calls = "refusing", "1", 0

        def attempt(self, abstracts, seed=0):
            self.calls += 1
            return [Failure("nothing is named") for _ in abstracts]

    refusing = Refusing()
    report = run({"1": "something"}, refusing)
    assert refusing.calls == 1
    assert report.failures == {"1": "nothing is named"}


def test_what_was_made_is_not_made_again(run, scripted):
    run(TEXTS, scripted())
    again = scripted()
    report = run(TEXTS | {"5": "novae too"}, again)
    assert again.asked == [(["novae too"], 0)]
    assert len(report.summaries) == 4
    assert report.n_made == 1


@pytest.mark.parametrize("change", ["name", "version"])
def test_another_model_or_prompt_is_asked_anew(run, scripted, change):
    run(TEXTS, scripted())
    other = scripted()
    setattr(other, change, "other")
    run(TEXTS, other)
    assert len(other.asked) == 1


def test_failures_are_no_summaries(run, scripted):
    run(TEXTS, scripted({"comets here": 9}), attempts=1)
    again = scripted()
    report = run(TEXTS, again)
    assert again.asked == [(["comets here"], 0)]
    assert len(report.summaries) == 3


def test_an_error_loses_nothing(run, scripted):
    class Breaking(scripted):
        def attempt(self, abstracts, seed=0):
            if len(self.asked) == 1:
                raise ConnectionError("the server went away")
            return super().attempt(abstracts, seed)

    with pytest.raises(ConnectionError):
        run(TEXTS, Breaking(), batch_size=1)
    again = scripted()
    run(TEXTS, again)
    assert again.asked == [(["quasars there"], 0)]


@pytest.mark.parametrize("number", ["attempts", "batch_size"])
def test_numbers_below_one(run, scripted, number):
    with pytest.raises(InvalidQueryError, match=f"{number} must be a whole number from 1, not 0"):
        run(TEXTS, scripted(), **{number: 0})


class TestCache:
    @pytest.mark.parametrize("torn", [b'{"key": "ab', b"{", b"\xff\xfe"])
    def test_a_torn_last_line_is_dropped(self, run, scripted, path, torn):
        run(TEXTS, scripted())
        whole = path.read_bytes()
        path.write_bytes(whole + torn)
        again = scripted()
        run(TEXTS | {"5": "novae too"}, again)
        assert again.asked == [(["novae too"], 0)]
        assert path.read_bytes().startswith(whole)
        assert all(json.loads(line) for line in path.read_bytes().splitlines())

    def test_every_cut_leaves_a_file_to_go_on_from(self, run, scripted, path):
        run(TEXTS, scripted())
        whole = path.read_bytes()
        for length in range(0, len(whole), 17):
            path.write_bytes(whole[:length])
            with SummaryCache(path) as cache:
                assert len(cache) == whole[:length].count(b"\n")

    @pytest.mark.parametrize("line", ["no JSON", "[]", "{}", '{"key": 1, "summary": {"a": 1}}'])
    def test_damaged_lines_are_made_again(self, run, scripted, path, line):
        run(TEXTS, scripted())
        path.write_text(f"{line}\n{path.read_text()}")
        again = scripted()
        run(TEXTS, again)
        assert again.asked == []

    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
    def test_a_killed_run_goes_on(self, path):
        code = """
import os, signal, sys
from astro_paperclip.pairs.summarize import RuleSummarizer, SummaryCache, summarize_texts

class Dying(RuleSummarizer):
    def attempt(self, abstracts, seed=0):
        if "quasars" in abstracts[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().attempt(abstracts, seed)

with SummaryCache(sys.argv[1]) as cache:
    texts = {"1": "comets", "2": "novae", "3": "quasars"}
    summarize_texts(texts, Dying(), cache, batch_size=1, progress=False)
"""
        done = subprocess.run([sys.executable, "-c", code, os.fspath(path)], check=False)
        assert done.returncode == -signal.SIGKILL
        rules = RuleSummarizer()
        with SummaryCache(path) as cache:
            assert cache.get(rules, "comets")
            assert cache.get(rules, "novae")
            assert len(cache) == 2
