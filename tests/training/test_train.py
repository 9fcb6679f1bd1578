"""Training end to end, on pictures of simple shapes."""

import importlib
import json
import shutil
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from astropy.table import Table
from safetensors.torch import load_file

from astro_paperclip import encoders
from astro_paperclip.config import conf
from astro_paperclip.exceptions import (
    EncoderError,
    PairsError,
    SkippedImageWarning,
    TrainingError,
)
from astro_paperclip.pairs import read_pairs
from astro_paperclip.training import HeadRecipe, train
from astro_paperclip.training.record import RECORD_FILE, VALIDATION_FILE

RECIPE = HeadRecipe(images_seen=2400, views=4, validation_fraction=0.25)
BRIEF = HeadRecipe(images_seen=128, batch_size=4, views=2, validation_fraction=0.25)
module = importlib.import_module("astro_paperclip.training.train")
record_module = importlib.import_module("astro_paperclip.training.record")


@pytest.fixture(autouse=True)
def own_cache(pairs):
    """Let the runs of this module share their features: computing them takes seconds."""
    with conf.set_temp("cache_dir", str(pairs.parent / "cache")):
        yield


@pytest.fixture(scope="module")
def trained(pairs, compact, tmp_path_factory):
    """Return the report of one run of usual kind."""
    output = tmp_path_factory.mktemp("trained") / "encoder"
    with conf.set_temp("cache_dir", str(pairs.parent / "cache")):
        return train(str(pairs), compact, output, recipe=RECIPE, progress=False)


@pytest.fixture(scope="module")
def loaded(trained):
    """Return the encoder that the run wrote."""
    return encoders.load(trained.output, device="cpu")


@pytest.fixture
def brief(pairs, tiny_clip, tmp_path):
    """Return a function that trains for a moment; it takes what differs from the usual."""

    def run(output=tmp_path / "encoder", given=pairs, encoder=tiny_clip, **changes):
        return train(given, encoder, output, **({"recipe": BRIEF, "progress": False} | changes))

    return run


def accuracy(encoder, table):
    """Return how often a picture is closest to the text of its own group."""
    texts, own = np.unique(np.asarray(table["text"]), return_inverse=True)
    scores = encoder.encode_images(list(table["image"])) @ encoder.encode_texts(list(texts)).T
    return (scores.argmax(axis=1) == own).mean()


def is_training(table, trained):
    kept = set(read_pairs(trained.output / VALIDATION_FILE)["image"])
    return np.array([image not in kept for image in table["image"]])


class TestCompact:
    """A model whose configuration has a place for the projections."""

    def test_training_pairs_are_learned(self, trained, loaded, compact, pairs):
        table = read_pairs(pairs)
        seen = table[is_training(table, trained)]
        assert len(seen) == 27
        assert accuracy(compact, seen) < 0.4
        assert accuracy(loaded, seen) > 0.8

    def test_the_folder_is_the_encoder_of_the_record(self, trained, loaded):
        record = json.loads((trained.output / RECORD_FILE).read_text())
        assert loaded.fingerprint == record["fingerprint"] == trained.record["fingerprint"]
        assert loaded.trained
        assert loaded.dim == 512

    def test_the_record(self, trained, compact):
        record = json.loads((trained.output / RECORD_FILE).read_text())
        assert record == trained.record
        assert record["base"] == {"name": "compact", "fingerprint": compact.fingerprint}
        assert record["method"] == "head"
        assert HeadRecipe(**record["recipe"]) == RECIPE
        assert record["training"] == {"pairs": 27, "groups": 9}
        assert record["validation"] == {"pairs": 9, "groups": 3}
        assert record["skipped"] == []
        assert record["outcome"]["batch_size"] == 9
        assert record["versions"]["torch"] == torch.__version__.partition("+")[0]

    def test_validation_is_of_other_groups_and_can_be_read(self, trained, pairs):
        table = read_pairs(pairs)
        validation = read_pairs(trained.output / VALIDATION_FILE)
        seen = table[is_training(table, trained)]
        assert len(validation) + len(seen) == len(table)
        assert set(validation["group_id"]).isdisjoint(seen["group_id"])
        assert set(validation["title"]) <= set(table["title"])

    def test_only_the_projections_and_the_scale_changed(self, trained, compact):
        before = compact.model.state_dict()
        after = load_file(trained.output / "open_clip_model.safetensors")
        assert set(before) == set(after)
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert {name.rsplit(".", 2)[0] for name in changed if "." in name} == {
            "visual.head.mlp",
            "text.proj",
        }
        assert {name for name in changed if "." not in name} == {"logit_scale"}
        scale = after["logit_scale"].exp().item()
        assert scale == pytest.approx(1 / RECIPE.temperature, rel=1e-6)

    def test_the_encoder_that_was_given_is_left_alone(self, trained, compact):
        assert not any(parameter.requires_grad for parameter in compact.model.parameters())
        assert encoders.load("compact", device="cpu").fingerprint == compact.fingerprint

    def test_plain_open_clip_gives_the_same_vectors(self, trained, loaded, pairs, monkeypatch):
        # The text tower's configuration is found by name where the folder is the current one.
        monkeypatch.chdir(trained.output)
        model = open_clip.create_model(f"local-dir:{trained.output}", require_pretrained=True)
        tokenizer = open_clip.get_tokenizer(f"local-dir:{trained.output}")
        text = ["We see two rings."]
        with torch.inference_mode():
            vectors = model.eval().encode_text(tokenizer(text), normalize=True)
        np.testing.assert_allclose(vectors, loaded.encode_texts(text), atol=1e-5)

    def test_summary_and_card(self, trained):
        summary = trained.summary()
        assert "27 pairs of 9 groups" in summary
        assert str(trained.output / VALIDATION_FILE) in summary
        card = (trained.output / "README.md").read_text()
        assert trained.record["fingerprint"] in card
        assert "ordinary open_clip model" in card

    def test_it_can_be_trained_further(self, trained, pairs, loaded, tmp_path):
        recipe = HeadRecipe(images_seen=18, batch_size=9, views=1, validation_fraction=0.25)
        report = train(pairs, loaded, tmp_path / "more", recipe=recipe, progress=False)
        assert report.record["base"]["fingerprint"] == loaded.fingerprint
        assert report.record["fingerprint"] != loaded.fingerprint


class TestNativeClip:
    """A model whose configuration has no place for the projections."""

    def test_the_folder(self, brief, tiny_clip, pairs):
        report = brief()
        assert (report.output / "projections.safetensors").is_file()
        after = load_file(report.output / "base" / "open_clip_model.safetensors")
        before = tiny_clip.model.state_dict()
        assert set(before) == set(after)
        assert all(torch.equal(before[name], after[name]) for name in before)
        assert "base" in (report.output / "README.md").read_text()

        loaded = encoders.load(report.output, device="cpu")
        assert loaded.fingerprint == report.record["fingerprint"]
        images = list(read_pairs(pairs)["image"][:4])
        moved = loaded.encode_images(images) - tiny_clip.encode_images(images)
        assert np.abs(moved).max() > 0.01

    def test_plain_open_clip_opens_the_base(self, brief):
        base = open_clip.create_model(f"local-dir:{brief().output / 'base'}")
        assert base.text_projection.shape == (16, 24)

    def test_same_seed_same_encoder(self, brief, tmp_path):
        prints = []
        for n, seed in enumerate((0, 0, 1)):
            # Chance outside must not matter.
            torch.manual_seed(100 + n)
            recipe = HeadRecipe(**BRIEF.as_dict() | {"seed": seed, "validation_fraction": 0})
            report = brief(tmp_path / str(n), recipe=recipe)
            prints.append(report.record["fingerprint"])
        assert prints[0] == prints[1] != prints[2]


class TestOutput:
    """What is written, and what is not."""

    def test_without_validation(self, brief):
        recipe = HeadRecipe(images_seen=64, batch_size=4, views=2, validation_fraction=0)
        report = brief(recipe=recipe)
        assert report.record["training"] == {"pairs": 36, "groups": 12}
        assert report.record["validation"] == {"pairs": 0, "groups": 0}
        assert not (report.output / VALIDATION_FILE).exists()
        assert "kept back" not in report.summary()

    def test_an_earlier_run_is_replaced(self, brief, tmp_path):
        first = brief()
        (first.output / "stale").touch()
        recipe = HeadRecipe(**BRIEF.as_dict() | {"seed": 7})
        second = brief(recipe=recipe)
        assert not (second.output / "stale").exists()
        assert second.record["fingerprint"] != first.record["fingerprint"]
        loaded = encoders.load(second.output, device="cpu")
        assert loaded.fingerprint == second.record["fingerprint"]
        assert [path.name for path in tmp_path.iterdir()] == ["encoder"]

    def test_an_empty_folder_may_be_there(self, brief, tmp_path):
        (tmp_path / "encoder").mkdir()
        assert brief().output == tmp_path / "encoder"

    @pytest.mark.parametrize("kind", ["folder", "file"])
    def test_what_is_not_a_run_is_not_replaced(self, brief, tmp_path, kind):
        output = tmp_path / "thesis"
        if kind == "folder":
            output.mkdir()
        kept = output / "chapter.txt" if kind == "folder" else output
        kept.write_text("precious")
        with pytest.raises(TrainingError, match=r"thesis exists and is not an earlier"):
            brief(output)
        assert kept.read_text() == "precious"
        assert list(tmp_path.rglob("*.json")) == []

    @pytest.mark.parametrize(
        ("where", "what"), [(module, "train_head"), (record_module, "model_card")]
    )
    def test_interrupted(self, brief, monkeypatch, tmp_path, where, what):
        def interrupt(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr(where, what, interrupt)
        with pytest.raises(KeyboardInterrupt):
            brief()
        assert list(tmp_path.iterdir()) == []

    def test_interrupted_over_an_earlier_run(self, brief, monkeypatch, tmp_path):
        first = brief()

        def interrupt(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr(record_module, "write_pairs", interrupt)
        with pytest.raises(KeyboardInterrupt):
            brief(recipe=HeadRecipe(**BRIEF.as_dict() | {"seed": 7}))
        loaded = encoders.load(first.output, device="cpu")
        assert loaded.fingerprint == first.record["fingerprint"]
        assert [path.name for path in tmp_path.iterdir()] == ["encoder"]


class TestInput:
    """Pairs and settings that do not serve."""

    @pytest.fixture
    def own_pairs(self, pairs, tmp_path):
        """Return a pairs file whose pictures may be spoiled."""
        folder = tmp_path / "own"
        shutil.copytree(pairs.parent, folder, ignore=shutil.ignore_patterns("cache"))
        return folder / "pairs.csv"

    def test_unknown_method(self, brief, tmp_path):
        with pytest.raises(TrainingError, match="Unknown method 'magic': use one of head"):
            brief(method="magic")
        assert list(tmp_path.iterdir()) == []

    def test_unknown_encoder(self, brief):
        with pytest.raises(EncoderError, match="compcat"):
            brief(encoder="compcat")

    @pytest.mark.parametrize("fraction", [0, 0.5])
    def test_a_single_group(self, brief, pairs, fraction):
        table = read_pairs(pairs)
        table["group_id"] = "all"
        recipe = HeadRecipe(**BRIEF.as_dict() | {"validation_fraction": fraction})
        with pytest.raises(PairsError if fraction else TrainingError, match="group"):
            brief(given=table, recipe=recipe)

    def test_pairs_with_faults_are_refused_first(self, brief, tmp_path):
        (tmp_path / "pairs.csv").write_text("image,text,group_id\nabsent.jpg,,1\n")
        with pytest.raises(PairsError, match=r"(?s)2 faults.*caption is empty.*absent\.jpg"):
            brief(given=tmp_path / "pairs.csv", encoder="never loaded")

    def test_a_broken_picture_is_skipped_and_reported(self, brief, own_pairs):
        table = read_pairs(own_pairs)
        broken = Path(table["image"][4])
        broken.write_bytes(broken.read_bytes()[:300])
        recipe = HeadRecipe(**BRIEF.as_dict() | {"validation_fraction": 0})
        with pytest.warns(SkippedImageWarning, match=f"1 of 36 images .*{broken.name}") as caught:
            report = brief(given=own_pairs, recipe=recipe)
        assert caught[0].filename == __file__
        assert report.record["training"] == {"pairs": 35, "groups": 12}
        ((image, reason),) = [tuple(row.values()) for row in report.record["skipped"]]
        assert image == str(broken)
        assert broken.name in reason
        assert f"skipped {broken}" in report.summary()

        # The others are trained on with their own captions.
        table.remove_row(4)
        recipe = report.record["recipe"]
        without = brief(Path(report.output).with_name("b"), table, recipe=HeadRecipe(**recipe))
        assert without.record["fingerprint"] == report.record["fingerprint"]

    def test_too_few_groups_are_left(self, brief, own_pairs):
        table = read_pairs(own_pairs)[:6]
        for image in table["image"][:3]:
            Path(image).write_bytes(b"no picture")
        recipe = HeadRecipe(**BRIEF.as_dict() | {"validation_fraction": 0})
        with pytest.raises(TrainingError, match=r"one group.*3 pictures can't be read.*\.png"):
            brief(given=table, recipe=recipe)

    def test_several_pairs_files(self, brief, pairs, own_pairs):
        assert len(Table.read(pairs)) == 36
        recipe = HeadRecipe(**BRIEF.as_dict() | {"validation_fraction": 0})
        report = brief(given=[pairs, own_pairs], recipe=recipe)
        assert report.record["training"] == {"pairs": 72, "groups": 12}
