"""Fine-tuning end to end: what is learned, what is written, and how a run goes on."""

import csv
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from astro_paperclip import encoders
from astro_paperclip.config import conf
from astro_paperclip.exceptions import SkippedImageWarning, TrainingError
from astro_paperclip.pairs import read_pairs
from astro_paperclip.training import FineTuneRecipe, HeadRecipe, train
from astro_paperclip.training.finetuning import first_heads, loop
from astro_paperclip.training.finetuning.checkpoint import CHECKPOINT_FILE
from astro_paperclip.training.finetuning.state import TrainingState

WEIGHTS = "open_clip_model.safetensors"
BRIEF = FineTuneRecipe.preset(
    "improved",
    images_seen=48,
    batch_size=4,
    picture_size=48,
    validations=2,
    validation_fraction=0.25,
    interpolation=1.0,
)


@pytest.fixture(autouse=True)
def own_cache(pairs):
    """Let the runs of this module share the cache of pictures."""
    with conf.set_temp("cache_dir", str(pairs.parent / "cache")):
        yield


@pytest.fixture
def brief(pairs, tiny_clip, tmp_path):
    """Return a function that trains for 12 steps; it takes what differs from the usual."""

    def run(output="encoder", given=pairs, encoder=tiny_clip, method="full", **options):
        known = {"validation", "shuffle_pairs", "device"}
        recipe = FineTuneRecipe(
            **BRIEF.as_dict() | {k: v for k, v in options.items() if k not in known}
        )
        options = {k: v for k, v in options.items() if k in known}
        return train(
            given,
            encoder,
            tmp_path / output,
            method=method,
            recipe=recipe,
            progress=False,
            **options,
        )

    return run


@pytest.fixture
def stopped_after(monkeypatch):
    """Return a context in which a run is told to stop after a step, and does so."""

    @contextmanager
    def context(step):
        asked = []

        def agree(flag, *_):
            asked.append(flag)
            return len(asked) == 2 * step  # asked twice a step: of the loss, and of signals

        with monkeypatch.context() as patch:
            patch.setattr(loop, "all_agree", agree)
            with pytest.raises(SystemExit) as stopped:
                yield
        assert stopped.value.code == 143

    return context


def weights(report):
    return load_file(report.output / WEIGHTS)


def same(first, second):
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )


def lines(report, name="log.csv"):
    with (report.output / "run" / name).open() as stream:
        return list(csv.DictReader(stream))


class TestLearning:
    """What is trained."""

    def test_pairs_are_learned(self, brief, pairs, tiny_clip):
        report = brief(
            images_seen=2400,
            batch_size=12,
            learning_rate=3e-3,
            head_rate=1.0,
            layer_decay=1.0,
            crop_area=[0.9, 1.0],
            captions={"title": 1.0},
            gamma=0.0,
            aspect=0.0,
            temperature=0.07,
            validation_fraction=0.0,
        )
        table = read_pairs(pairs)
        titles, own = np.unique(np.asarray(table["title"]), return_inverse=True)

        def accuracy(encoder):
            scores = encoder.encode_images(list(table["image"])) @ encoder.encode_texts(titles).T
            return (scores.argmax(axis=1) == own).mean()

        assert accuracy(tiny_clip) < 0.25
        assert accuracy(encoders.load(report.output, device="cpu")) > 0.6

    def test_everything_moves_and_nothing_of_the_base(self, brief, tiny_clip):
        before = {name: tensor.clone() for name, tensor in tiny_clip.model.state_dict().items()}
        after = weights(brief(learn_temperature=True))
        still = {name for name in before if torch.equal(before[name], after[name])}
        assert still == set()
        assert same(before, tiny_clip.model.state_dict())

    def test_from_scratch_nothing_of_the_base_is_left(self, brief, tiny_clip, tmp_path):
        report = brief(
            method="scratch", encoder="tiny-clip", learning_rate=1e-9, seed=5, interpolation=0.5
        )
        before, after = tiny_clip.model.state_dict(), weights(report)
        assert not torch.allclose(before["visual.proj"], after["visual.proj"], atol=1e-3)
        assert report.record["method"] == "scratch"
        assert report.record["recipe"]["interpolation"] == 1

    def test_interpolation_lies_between_base_and_end(self, brief, tiny_clip):
        end, half = weights(brief("a")), weights(brief("b", interpolation=0.5))
        for name, tensor in tiny_clip.model.state_dict().items():
            torch.testing.assert_close(half[name], (tensor + end[name]) / 2, atol=1e-6, rtol=0)

    def test_the_sigmoid_loss_adds_a_bias_that_is_kept(self, brief, pairs):
        report = brief(loss="siglip", temperature=0.0, interpolation=0.5)
        loaded = encoders.load(report.output, device="cpu")
        assert loaded.fingerprint == report.record["fingerprint"]
        assert loaded.model.logit_bias.item() == pytest.approx(-10, abs=0.1)

    def test_in_parts_it_is_the_same(self, brief):
        whole, parts = weights(brief("a")), weights(brief("b", micro_batches=2))
        for name in whole:
            # Adam makes a step of what is a gradient by rounding only, such as that of a bias
            # of attention's keys.
            torch.testing.assert_close(whole[name], parts[name], atol=1e-4, rtol=1e-3)

    def test_shuffled_pairs_are_other_pairs(self, brief):
        report = brief("a", shuffle_pairs=True)
        assert report.record["shuffled"] is True
        assert not same(weights(report), weights(brief("b")))

    def test_the_seed_is_all_that_is_random(self, brief):
        torch.manual_seed(1)
        first = weights(brief("a"))
        torch.manual_seed(2)
        assert same(first, weights(brief("b")))
        assert not same(first, weights(brief("c", seed=1)))

    def test_compact(self, brief, compact):
        report = brief(
            encoder=compact, images_seen=8, validations=1, picture_size=224, heads_first=False
        )
        after = weights(report)
        before = compact.model.state_dict()
        statistics = [name for name in before if "running" in name]
        assert statistics
        assert all(torch.equal(before[name], after[name]) for name in statistics)
        moved = [name for name in before if not torch.equal(before[name], after[name])]
        assert "visual.trunk.conv_stem.weight" in moved
        assert encoders.load(report.output, device="cpu").trained


class TestHeadsFirst:
    """Random projections that are trained alone before the rest."""

    options = MappingProxyType({"images_seen": 8, "validations": 0, "picture_size": 224})

    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch):
        recipe = partial(HeadRecipe, images_seen=240, views=2)
        monkeypatch.setattr(first_heads, "HeadRecipe", recipe)
        return recipe

    @pytest.mark.parametrize("kind", ["title", "chunk"])
    def test_they_are_those_of_method_head(self, brief, pairs, compact, tmp_path, quick, kind):
        """They learn from the captions that all the rest learns from."""
        captions = {kind: 1.0}
        report = brief(encoder=compact, learning_rate=1e-12, captions=captions, **self.options)
        recipe = quick(validation_fraction=0.25, captions=captions)
        head = train(pairs, compact, tmp_path / "head", recipe=recipe, progress=False)
        expected, found = weights(head), weights(report)
        for name in expected.keys() - {"logit_scale"}:
            torch.testing.assert_close(found[name], expected[name], atol=1e-6, rtol=0)
        assert not (report.output / "run" / "heads").exists()

    def test_a_run_goes_on_from_them(self, brief, compact, stopped_after, monkeypatch):
        whole = brief("whole", encoder=compact, interpolation=0.5, **self.options)
        with stopped_after(1):
            brief("stopped", encoder=compact, interpolation=0.5, **self.options)
        monkeypatch.setattr(first_heads, "train_head", None)  # not a second time
        report = brief("stopped", encoder=compact, interpolation=0.5, **self.options)
        assert report.record["outcome"]["resumed_at"] == 1
        assert same(weights(whole), weights(report))

    def test_trained_ones_are_not_trained_anew(self, brief, monkeypatch):
        monkeypatch.setattr(first_heads, "train_head", None)
        assert brief(heads_first=True).record["recipe"]["heads_first"]


class TestFolder:
    """What a run writes."""

    def test_the_folder_tells_how_to_run_it_again(self, brief, pairs):
        report = brief()
        run = report.output / "run"
        assert FineTuneRecipe.read(run / "recipe.toml").as_dict() == report.record["recipe"]
        about = json.loads((run / "run.json").read_text())
        assert about["pairs_sha256"] == report.record["pairs_sha256"]
        assert about["base"]["name"] == "tiny-clip"
        assert not (run / CHECKPOINT_FILE).exists()
        again = brief("again")
        assert same(weights(report), weights(again))

    def test_logs(self, brief):
        report = brief()
        assert [int(line["step"]) for line in lines(report)] == list(range(1, 13))
        assert [int(line["images_seen"]) for line in lines(report)][-1] == 48
        rates = [float(line["learning_rate"]) for line in lines(report)]
        # A cosine after one step of warming up.
        assert rates[0] == max(rates)
        assert rates[-1] < 0.05 * rates[0]
        validation = lines(report, "validation_log.csv")
        assert [int(line["step"]) for line in validation] == [6, 12]
        last = report.record["outcome"]["validation"]
        assert float(validation[-1]["loss"]) == pytest.approx(last["loss"], rel=1e-4)
        events = list((report.output / "run" / "tensorboard").iterdir())
        assert len(events) == 1

    def test_the_card(self, brief):
        card = (brief().output / "README.md").read_text()
        assert "`full`" in card
        assert "12 of 4 pairs" in card
        assert "top 10 %" in card

    def test_no_encoder_can_be_seen_before_it_is_whole(self, brief, tmp_path, monkeypatch):
        seen = []
        update = TrainingState.update

        def watched(*args):
            seen.append(list((tmp_path / "encoder").iterdir()))
            return update(*args)

        monkeypatch.setattr(TrainingState, "update", watched)
        brief()
        assert {tuple(path.name for path in names) for names in seen} == {("run",)}

    def test_given_validation_pairs_are_used(self, brief, pairs, tmp_path):
        table = read_pairs(pairs)
        is_disc = np.char.startswith(np.asarray(table["group_id"]).astype(str), "disc")
        report = brief(given=table[~is_disc], validation=table[is_disc])
        assert report.record["validation"] == {"pairs": 6, "groups": 2}
        kept = read_pairs(report.output / "validation.csv")
        assert sorted(kept["image"]) == sorted(table["image"][is_disc])

    def test_a_broken_picture_is_replaced_and_reported(self, brief, pairs, tmp_path):
        table = read_pairs(pairs)
        broken = tmp_path / "broken.png"
        broken.write_bytes(Path(table["image"][0]).read_bytes()[:200])
        table["image"] = [str(broken), *table["image"][1:]]
        with pytest.warns(SkippedImageWarning, match=r"1 of 36 images .*broken\.png"):
            report = brief(given=table, images_seen=200, validation_fraction=0.0)
        assert [row["image"] for row in report.record["skipped"]] == [str(broken)]


class TestGoingOn:
    """Runs that were stopped."""

    @pytest.mark.parametrize("step", [1, 5, 6, 11])
    def test_a_stopped_run_ends_as_if_it_had_not_been(self, brief, stopped_after, step):
        options = {"dropout": True, "learn_temperature": True}
        whole = brief("whole", **options)
        with stopped_after(step):
            brief("stopped", **options)
        report = brief("stopped", **options)
        assert report.record["outcome"]["resumed_at"] == step
        assert same(weights(whole), weights(report))
        columns = ("step", "loss", "accuracy", "learning_rate", "gradient_norm")
        for name in ("log.csv", "validation_log.csv"):
            for ours, theirs in zip(lines(report, name), lines(whole, name), strict=True):
                assert [ours.get(c) for c in columns] == [theirs.get(c) for c in columns]

    def test_a_crash_goes_back_to_the_last_checkpoint(self, brief, monkeypatch):
        whole = brief("whole")
        update = TrainingState.update

        def fail_at_nine(state, batch, step):
            if step == 9:
                raise RuntimeError("the power went out")
            return update(state, batch, step)

        save = TrainingState.save

        def now_and_then(state, path, step):
            if step % 4 == 0:
                save(state, path, step)

        with monkeypatch.context() as patch:
            patch.setattr(TrainingState, "update", fail_at_nine)
            patch.setattr(TrainingState, "save", now_and_then)
            patch.setattr(loop, "_BETWEEN_CHECKPOINTS", 0.0)
            with pytest.raises(RuntimeError, match="power"):
                brief("crashed")
        report = brief("crashed")
        assert report.record["outcome"]["resumed_at"] == 8
        assert same(weights(whole), weights(report))
        assert [int(line["step"]) for line in lines(report)] == list(range(1, 13))

    @pytest.mark.parametrize(
        ("number", "status"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)]
    )
    def test_signals_are_obeyed_after_the_step(self, brief, monkeypatch, number, status):
        update = TrainingState.update

        def signalled(state, batch, step):
            if step == 3:
                signal.raise_signal(number)
            return update(state, batch, step)

        before = signal.getsignal(number)
        with monkeypatch.context() as patch:
            patch.setattr(TrainingState, "update", signalled)
            with pytest.raises(status):
                brief()
        assert signal.getsignal(number) is before
        assert brief().record["outcome"]["resumed_at"] == 4

    def test_another_run_is_not_gone_on_with(self, brief, stopped_after):
        with stopped_after(1):
            brief()
        with pytest.raises(TrainingError, match=r"another learning_rate \(0.0001 there, 0.5 here"):
            brief(learning_rate=0.5)

    def test_a_checkpoint_of_another_architecture(self, brief, stopped_after, tmp_path):
        with stopped_after(1):
            brief()
        path = tmp_path / "encoder" / "run" / CHECKPOINT_FILE
        state = torch.load(path, weights_only=True)
        state["model"]["visual.proj"] = torch.zeros(3, 4)
        torch.save(state, path)
        with pytest.raises(TrainingError, match=r"another architecture: visual\.proj has shape"):
            brief()

    def test_a_damaged_checkpoint(self, brief, stopped_after, tmp_path):
        with stopped_after(1):
            brief()
        path = tmp_path / "encoder" / "run" / CHECKPOINT_FILE
        path.write_bytes(path.read_bytes()[:1000])
        with pytest.raises(TrainingError, match=r"cannot be read.*start over"):
            brief()

    def test_a_finished_run_is_begun_anew(self, brief):
        brief()
        report = brief(seed=1)
        assert [int(line["step"]) for line in lines(report)] == list(range(1, 13))
        assert len(list((report.output / "run" / "tensorboard").iterdir())) == 1


class TestRefusals:
    """What can't be trained."""

    def test_a_loss_that_is_no_number(self, brief, monkeypatch, tmp_path):
        update = TrainingState.update

        def poisoned(state, batch, step):
            if step == 5:
                batch.pixels[0] = float("nan")
            return update(state, batch, step)

        with monkeypatch.context() as patch:
            patch.setattr(TrainingState, "update", poisoned)
            with pytest.raises(TrainingError, match=r"In step 6 the loss became nan.*\.png"):
                brief()
        kept = torch.load(tmp_path / "encoder" / "run" / CHECKPOINT_FILE, weights_only=True)
        assert kept["step"] == 5
        assert all(tensor.isfinite().all() for tensor in kept["model"].values())
        # Without the poison the run goes on as if nothing had happened.
        assert same(weights(brief()), weights(brief("whole")))

    def test_a_batch_larger_than_the_number_of_groups(self, brief, tmp_path):
        with pytest.raises(TrainingError, match=r"batch_size 10 .* training groups, 9"):
            brief(batch_size=10)
        assert not (tmp_path / "encoder").exists()

    def test_groups_on_both_sides(self, brief, pairs):
        table = read_pairs(pairs)
        with pytest.raises(TrainingError, match="are in the training pairs as well: disc one"):
            brief(given=table, validation=table[:2])

    @pytest.mark.parametrize("method", ["head", "full"])
    def test_a_recipe_of_another_method(self, pairs, tiny_clip, tmp_path, method):
        from astro_paperclip.training import HeadRecipe

        recipe = BRIEF if method == "head" else HeadRecipe()
        with pytest.raises(TrainingError, match=f"'{method}' takes a"):
            train(pairs, tiny_clip, tmp_path / "x", method=method, recipe=recipe)


def test_two_processes_learn_what_one_does(brief, pairs, tiny_clip, tmp_path):
    """Through ``torchrun``, as a user starts it."""
    base = encoders.save(tiny_clip, tmp_path / "base")
    options = {"images_seen": 16, "validations": 1}
    alone = weights(brief("alone", encoder=encoders.load(base, "cpu"), **options))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(FineTuneRecipe(**BRIEF.as_dict() | options).as_toml())
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", "astro_paperclip.cli.main", "train"]
    command += ["--pairs", str(pairs), "--encoder", str(base), "--output", str(tmp_path / "two")]
    command += ["--method", "full", "--recipe", str(recipe), "--device", "cpu", "--quiet"]
    done = subprocess.run(
        command,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("The encoder is in") == 1
    together = load_file(tmp_path / "two" / WEIGHTS)
    for name in alone:
        torch.testing.assert_close(together[name], alone[name], atol=1e-5, rtol=0)
