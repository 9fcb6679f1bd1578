"""Encoders with random weights."""

import math
import shutil

import numpy as np
import open_clip
import pytest
import torch

from astro_paperclip import encoders
from astro_paperclip.encoders import Encoder
from astro_paperclip.encoders.towers import ProjectedModel
from astro_paperclip.exceptions import EncoderError, WeightsNotFoundError

from .conftest import CLIP, TEXT_TOWER, write_model_folder
from .test_registry import hub_cache, known_pair, put_into_cache  # noqa: F401

INITIAL_SCALE = math.log(1 / 0.07)


def tensors(encoder):
    return encoder.model.state_dict()


def assert_other_weights_of_the_same_model(untrained, trained):
    """Check that two encoders differ in their weights, and in nothing else."""
    assert not untrained.trained
    assert untrained.fingerprint != trained.fingerprint
    assert untrained.config == trained.config
    assert untrained.pixels == trained.pixels
    assert untrained.context_length == trained.context_length
    first, second = tensors(untrained), tensors(trained)
    assert {n: t.shape for n, t in first.items()} == {n: t.shape for n, t in second.items()}
    # What is not drawn at random (zeros, ones, counters) may be the same.
    matrices = [name for name, tensor in first.items() if tensor.ndim > 1 and tensor.std() > 0]
    assert len(matrices) > 5
    assert not any(torch.equal(first[name], second[name]) for name in matrices)
    assert first[next(n for n in first if n.endswith("logit_scale"))].item() == pytest.approx(
        INITIAL_SCALE
    )


def assert_seeded(load):
    """Check that a seed decides about the weights, and is nobody else's."""
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    first, again, other = load(seed=4), load(seed=4), load(seed=5)
    assert torch.equal(torch.rand(3), expected)
    assert first.fingerprint == again.fingerprint != other.fingerprint


@pytest.fixture
def trained_folder(tiny_folder, tmp_path):
    """A folder whose model has another temperature than new ones have."""
    encoder = encoders.load(tiny_folder, device="cpu")
    torch.nn.init.constant_(encoder.model.logit_scale, math.log(100))
    return encoders.save(encoder, tmp_path / "trained")


def test_folders(trained_folder, pictures, texts):
    def load(**options):
        return encoders.load(trained_folder, "cpu", pretrained=False, **options)

    trained, untrained = encoders.load(trained_folder, device="cpu"), load()
    assert_other_weights_of_the_same_model(untrained, trained)
    assert_seeded(load)
    assert untrained.folder is None
    assert not np.allclose(untrained.encode_texts(texts), trained.encode_texts(texts), atol=0.1)
    assert untrained.encode_images(pictures).shape == (5, 24)


def test_the_weights_are_those_that_open_clip_draws(tiny_folder):
    untrained = encoders.load(tiny_folder, "cpu", pretrained=False, seed=7)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = open_clip.CLIP(**CLIP)
    torch.testing.assert_close(tensors(untrained), dict(model.state_dict()), rtol=0, atol=0)


def test_folders_with_projections(own_tiny, tmp_path):
    model = ProjectedModel(own_tiny.model, own_tiny.dim)
    for head in (model.image_head, model.text_head):
        torch.nn.init.normal_(head.layers[-1].weight, std=0.3)
    encoder = Encoder(
        model, own_tiny.tokenizer, own_tiny.config, name="projected", device=own_tiny.device
    )
    folder = encoders.save(encoder, tmp_path / "projected")

    def load(**options):
        return encoders.load(folder, "cpu", pretrained=False, **options)

    assert_other_weights_of_the_same_model(load(), encoders.load(folder, device="cpu"))
    assert_seeded(load)
    assert isinstance(load().model, ProjectedModel)


def test_folders_whose_text_tower_is_not_open_clips(compact, tmp_path):
    folder = encoders.save(compact, tmp_path / "compact")
    # Of another seed than the projections of compact, which were never trained either.
    untrained = encoders.load(folder, "cpu", pretrained=False, seed=1)
    assert_other_weights_of_the_same_model(untrained, compact)


def test_compact(compact, texts):
    def load(**options):
        return encoders.load("compact", "cpu", pretrained=False, **options)

    untrained = load(seed=1)
    assert_other_weights_of_the_same_model(untrained, compact)
    assert_seeded(load)
    assert torch.equal(untrained.tokenizer(texts), compact.tokenizer(texts))


def test_pairs_of_open_clip(known_pair, hub_cache):  # noqa: F811
    trained = encoders.load(known_pair, "cpu")
    shutil.rmtree(hub_cache)

    def load(**options):
        return encoders.load(known_pair, "cpu", pretrained=False, **options)

    assert_other_weights_of_the_same_model(load(), trained)
    assert_seeded(load)


def test_models_of_open_clip_without_weights(known_pair, monkeypatch):  # noqa: F811
    name = known_pair.partition("/")[0]
    monkeypatch.setattr(open_clip, "list_models", lambda: [name])
    plain = encoders.load(name, "cpu", pretrained=False)
    paired = encoders.load(known_pair, "cpu", pretrained=False)
    assert plain.name == name
    assert plain.pixels.mean == open_clip.OPENAI_DATASET_MEAN
    torch.testing.assert_close(tensors(plain), tensors(paired), rtol=0, atol=0)
    with pytest.raises(EncoderError, match="Unknown encoder"):
        encoders.load(name, "cpu")


class TestHub:
    def test_the_configuration_suffices(self, hub_cache, tiny, tiny_folder):  # noqa: F811
        stored = put_into_cache(hub_cache, "example/tiny", tiny_folder)
        (stored / "open_clip_model.safetensors").unlink()

        def load(**options):
            return encoders.load("hf-hub:example/tiny", "cpu", pretrained=False, **options)

        assert_other_weights_of_the_same_model(load(), tiny)
        assert_seeded(load)

    def test_weights_are_not_asked_for(self, hub_cache, tiny_folder, monkeypatch):  # noqa: F811
        put_into_cache(hub_cache, "example/tiny", tiny_folder)

        def refuse(*args, **options):
            raise AssertionError("weights were asked for")

        monkeypatch.setattr(open_clip.factory, "load_checkpoint", refuse)
        asked = []
        download = open_clip.pretrained.hf_hub_download

        def record(*args, **options):
            asked.append(options["filename"])
            return download(*args, **options)

        monkeypatch.setattr(open_clip.pretrained, "hf_hub_download", record)
        encoders.load("hf-hub:example/tiny", "cpu", pretrained=False)
        assert all(name.endswith(".json") for name in asked)

    def test_without_a_configuration(self, hub_cache):  # noqa: F811
        with pytest.raises(WeightsNotFoundError, match="example/tiny"):
            encoders.load("hf-hub:example/tiny", pretrained=False)


def test_other_initial_values_of_a_configuration(tmp_path):
    config = CLIP | {
        "custom_text": True,
        "init_logit_bias": -10.0,
        "init_logit_scale": 2.0,
        "text_cfg": TEXT_TOWER,
    }
    folder = write_model_folder(tmp_path / "sigmoid", config)
    encoder = encoders.load(folder, "cpu", pretrained=False)
    assert encoder.model.logit_bias.item() == -10
    assert encoder.model.logit_scale.item() == 2
