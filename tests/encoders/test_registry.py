import pickle
import shutil
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import open_clip
import pytest

from astro_paperclip import encoders
from astro_paperclip.config import conf
from astro_paperclip.exceptions import EncoderError, InvalidQueryError, WeightsNotFoundError

from .test_folder import Bomb

PAPER = "ViT-B-16-quickgelu/openai"


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("ViT-B-16-quickgelu/openia", PAPER),
        ("ViT-B-32", "ViT-B-32/openai"),
        ("Compact", "compact"),
        ("compct", "compact"),
    ],
)
def test_unknown_names_are_told_what_comes_close(name, close):
    with pytest.raises(EncoderError) as caught:
        encoders.load(name)
    message = str(caught.value)
    assert f"Unknown encoder {name!r}. Did you mean {close!r}" in message
    assert "hf-hub:ORGANISATION/MODEL" in message


@pytest.mark.parametrize(
    "name", ["", " ", "/no/such/folder", "x", "hf-hub:", "hf-hub:one", "hf-hub:../../etc"]
)
def test_unknown_names_are_told_what_an_encoder_is(name):
    with pytest.raises(EncoderError) as caught:
        encoders.load(name)
    message = str(caught.value)
    assert f"Unknown encoder {name!r}. An encoder is 'compact'" in message
    assert "Did you mean" not in message
    assert not isinstance(caught.value, WeightsNotFoundError)


def test_users_of_astroquery_catch_these_errors():
    with pytest.raises(InvalidQueryError):
        encoders.load("nothing")


def test_the_device_is_checked_before_anything_is_loaded():
    with pytest.raises(EncoderError, match="Unknown device 'gpu'"):
        encoders.load("no such encoder", device="gpu")


def test_the_device_is_the_configured_one(tiny_folder):
    with conf.set_temp("device", "cpu"):
        assert encoders.load(tiny_folder).device.type == "cpu"


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """An empty cache of the Hugging Face hub, which itself cannot be reached."""
    cache = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    assert huggingface_hub.constants.HF_HUB_OFFLINE
    return cache


def put_into_cache(cache, repository, folder):
    """Store a folder as the hub's client does after a download; return the stored one."""
    home = cache / f"models--{repository.replace('/', '--')}"
    commit = "0" * 40
    shutil.copytree(folder, home / "snapshots" / commit)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(commit)
    return home / "snapshots" / commit


class TestWithoutNetwork:
    @pytest.mark.parametrize(
        ("name", "repository"),
        [
            (PAPER, "timm/vit_base_patch16_clip_224.openai"),
            ("hf-hub:example/tiny", "example/tiny"),
        ],
    )
    def test_says_what_is_missing_and_where_it_belongs(self, hub_cache, name, repository):
        with pytest.raises(WeightsNotFoundError) as caught:
            encoders.load(name)
        message = str(caught.value)
        assert repr(name) in message
        assert repository in message
        assert str(hub_cache) in message
        assert f"models--{repository.replace('/', '--')}" in message

    def test_models_of_the_cache_are_found_there(self, hub_cache, tiny, tiny_folder, texts):
        put_into_cache(hub_cache, "example/tiny", tiny_folder)
        encoder = encoders.load("hf-hub:example/tiny", device="cpu")
        assert encoder.fingerprint == tiny.fingerprint
        assert encoder.folder is None
        np.testing.assert_array_equal(encoder.encode_texts(texts), tiny.encode_texts(texts))

    def test_configuration_without_weights(self, hub_cache, tiny_folder):
        stored = put_into_cache(hub_cache, "example/tiny", tiny_folder)
        (stored / "open_clip_model.safetensors").unlink()
        with pytest.raises(WeightsNotFoundError, match="'hf-hub:example/tiny'"):
            encoders.load("hf-hub:example/tiny")

    @pytest.mark.parametrize("content", [b"", b"no weights at all", b"\x10" + bytes(40)])
    def test_damaged_weights_are_not_called_missing(self, hub_cache, tiny_folder, content):
        stored = put_into_cache(hub_cache, "example/tiny", tiny_folder)
        (stored / "open_clip_model.safetensors").write_bytes(content)
        with pytest.raises(EncoderError, match="'hf-hub:example/tiny' cannot be loaded") as caught:
            encoders.load("hf-hub:example/tiny")
        assert str(stored.parents[1]) in str(caught.value)
        assert not isinstance(caught.value, WeightsNotFoundError)

    def test_pickles_are_never_opened(self, hub_cache, tiny_folder, tmp_path):
        stored = put_into_cache(hub_cache, "example/tiny", tiny_folder)
        (stored / "open_clip_model.safetensors").unlink()
        mark = tmp_path / "exploded"
        pickled = stored / "open_clip_pytorch_model.bin"
        pickled.write_bytes(pickle.dumps(Bomb(mark)))
        with pytest.raises(EncoderError):
            encoders.load("hf-hub:example/tiny")
        assert not mark.exists()


@pytest.fixture
def known_pair(tiny_folder, tmp_path, monkeypatch, hub_cache):
    """The name of a small model that open_clip knows together with its weights."""
    configs = tmp_path / "tiny-pair.json"
    config = open_clip.get_model_config(f"local-dir:{tiny_folder}")
    settings = {
        "hf_hub": "example/tiny/",
        "mean": (0.48, 0.46, 0.41),
        "std": (0.27, 0.26, 0.28),
    }
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, configs.stem, config)
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, configs.stem, {"tag": settings})
    put_into_cache(hub_cache, "example/tiny", tiny_folder)
    return f"{configs.stem}/tag"


def test_pairs_of_open_clip(known_pair, tiny, texts, pictures, tmp_path):
    encoder = encoders.load(known_pair, device="cpu")
    assert encoder.name == known_pair
    assert encoder.trained
    assert encoder.pixels == tiny.pixels
    np.testing.assert_array_equal(encoder.encode_texts(texts), tiny.encode_texts(texts))
    np.testing.assert_array_equal(encoder.encode_images(pictures), tiny.encode_images(pictures))
    saved = encoders.load(encoders.save(encoder, tmp_path / "saved"), device="cpu")
    assert saved.fingerprint == encoder.fingerprint


def test_every_pair_of_open_clip_has_weights_on_the_hub():
    for model, tag in open_clip.list_pretrained():
        location = open_clip.get_pretrained_cfg(model, tag)["hf_hub"]
        assert len(location.split("/")) >= 2


def test_a_folder_may_be_in_the_home_folder(tiny_folder, tmp_path, monkeypatch):
    shutil.copytree(tiny_folder, tmp_path / "encoder")
    monkeypatch.setenv("HOME", str(tmp_path))
    loaded = encoders.load("~/encoder", device="cpu")
    assert loaded.folder == Path(tmp_path, "encoder").resolve()
