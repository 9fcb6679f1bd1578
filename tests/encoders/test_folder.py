import copy
import json
import pickle
import shutil

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

from astro_paperclip import encoders
from astro_paperclip.encoders import Encoder
from astro_paperclip.encoders.folder import is_encoder_folder
from astro_paperclip.encoders.quiet import quiet_loading
from astro_paperclip.encoders.towers import ProjectedModel
from astro_paperclip.exceptions import EncoderError

from .conftest import make_picture

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"


@pytest.fixture(scope="module")
def compact_folder(compact, tmp_path_factory):
    """The folder of the compact encoder, as this package writes it."""
    return encoders.save(compact, tmp_path_factory.mktemp("saved") / "kept", "A card.\n")


@pytest.fixture
def projected(own_tiny):
    """An encoder with projections that do something."""
    model = ProjectedModel(own_tiny.model, own_tiny.dim)
    with torch.random.fork_rng():
        torch.manual_seed(2)
        for head in (model.image_head, model.text_head):
            torch.nn.init.normal_(head.layers[-1].weight, std=0.3)
    return Encoder(
        model, own_tiny.tokenizer, own_tiny.config, name="projected", device=own_tiny.device
    )


def assert_same(encoder, other, texts, pictures):
    assert other.fingerprint == encoder.fingerprint
    assert other.dim == encoder.dim
    assert other.context_length == encoder.context_length
    assert other.pixels == encoder.pixels
    np.testing.assert_array_equal(other.encode_texts(texts), encoder.encode_texts(texts))
    np.testing.assert_array_equal(other.encode_images(pictures), encoder.encode_images(pictures))


class TestSaveAndLoad:
    def test_compact(self, compact, compact_folder, texts, pictures):
        loaded = encoders.load(compact_folder, device="cpu")
        assert loaded.folder == compact_folder.resolve()
        assert_same(compact, loaded, texts, pictures)

    def test_native_clip(self, tiny, tmp_path, texts, pictures):
        loaded = encoders.load(encoders.save(tiny, tmp_path / "again"), device="cpu")
        assert_same(tiny, loaded, texts, pictures)

    def test_projected_clip(self, projected, tiny, tmp_path, texts, pictures):
        assert not np.allclose(projected.encode_texts(texts), tiny.encode_texts(texts), atol=1e-2)
        loaded = encoders.load(encoders.save(projected, tmp_path / "again"), device="cpu")
        assert_same(projected, loaded, texts, pictures)

    def test_relative_names(self, compact, compact_folder, texts, monkeypatch):
        monkeypatch.chdir(compact_folder.parent)
        loaded = encoders.load(compact_folder.name, device="cpu")
        assert loaded.folder == compact_folder.resolve()
        assert loaded.fingerprint == compact.fingerprint

    def test_a_folder_that_was_moved(self, compact, compact_folder, tmp_path):
        moved = shutil.copytree(compact_folder, tmp_path / "moved")
        assert encoders.load(moved, device="cpu").fingerprint == compact.fingerprint

    def test_what_stood_there_is_replaced(self, tiny, tmp_path):
        (tmp_path / "there").mkdir()
        (tmp_path / "there" / "old").touch()
        folder = encoders.save(tiny, tmp_path / "there")
        assert {path.name for path in folder.iterdir()} == {CONFIG, WEIGHTS}

    def test_the_card_is_the_readme(self, compact_folder):
        assert (compact_folder / "README.md").read_text(encoding="utf-8") == "A card.\n"

    def test_no_pickles_are_written(self, compact_folder):
        suffixes = {path.suffix for path in compact_folder.rglob("*") if path.is_file()}
        assert suffixes <= {".json", ".safetensors", ".md", ".txt"}


class TestPlainOpenClip:
    def open(self, folder, monkeypatch):
        """Open a folder as its model card says, with no network."""
        monkeypatch.chdir(folder)
        with quiet_loading():
            model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
            return model.eval(), preprocess, open_clip.get_tokenizer(f"local-dir:{folder}")

    @torch.inference_mode()
    def test_opens_compact(self, compact, compact_folder, texts, monkeypatch):
        model, preprocess, tokenizer = self.open(compact_folder, monkeypatch)
        sentences = model.encode_text(tokenizer(texts), normalize=True)
        np.testing.assert_allclose(compact.encode_texts(texts), sentences, atol=1e-5)
        pictures = [make_picture(seed, 300, 200) for seed in range(3)]
        pixels = torch.stack([preprocess(picture) for picture in pictures])
        images = model.encode_image(pixels, normalize=True).numpy()
        assert (compact.encode_images(pictures) * images).sum(1).min() > 0.98

    @torch.inference_mode()
    def test_opens_a_native_clip(self, tiny, tmp_path, texts, monkeypatch):
        model, _, tokenizer = self.open(encoders.save(tiny, tmp_path / "saved"), monkeypatch)
        sentences = model.encode_text(tokenizer(texts), normalize=True)
        np.testing.assert_allclose(tiny.encode_texts(texts), sentences, atol=1e-5)

    @torch.inference_mode()
    def test_never_misses_projections_unnoticed(self, projected, tmp_path, texts, monkeypatch):
        folder = encoders.save(projected, tmp_path / "saved")
        with pytest.raises(FileNotFoundError, match="config file missing"):
            open_clip.create_model(f"local-dir:{folder}")
        model, _, tokenizer = self.open(folder / "base", monkeypatch)
        base = projected.model.base
        torch.testing.assert_close(
            model.encode_text(tokenizer(texts)), base.encode_text(projected.tokenizer(texts))
        )


class TestFoldersOfOthers:
    @pytest.fixture
    def folder(self, tiny_folder, tmp_path):
        return shutil.copytree(tiny_folder, tmp_path / "model")

    def test_other_weights_beside_are_not_taken(self, folder, tiny):
        others = load_file(folder / WEIGHTS)
        others["visual.proj"] += 1
        for name in ("open_clip_pytorch_model.safetensors", "a.safetensors", "model.safetensors"):
            save_file(others, folder / name)
        (folder / "open_clip_pytorch_model.bin").write_bytes(b"no weights at all")
        assert encoders.load(folder, device="cpu").fingerprint == tiny.fingerprint

    def test_a_configuration_of_transformers_beside_is_left_alone(self, folder, tiny):
        (folder / "config.json").write_text(json.dumps({"model_type": "clip"}))
        assert encoders.load(folder, device="cpu").fingerprint == tiny.fingerprint

    def test_half_precision_weights_are_read_in_single_precision(self, folder, tiny, texts):
        tensors = {name: tensor.half() for name, tensor in load_file(folder / WEIGHTS).items()}
        save_file(tensors, folder / WEIGHTS)
        loaded = encoders.load(folder, device="cpu")
        assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.float32}
        np.testing.assert_allclose(loaded.encode_texts(texts), tiny.encode_texts(texts), atol=1e-2)


class Bomb:
    """An object whose unpickling creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


class TestDamagedFolders:
    @pytest.fixture
    def folder(self, tiny_folder, tmp_path):
        return shutil.copytree(tiny_folder, tmp_path / "model")

    def fails(self, folder, match="cannot be loaded: ."):
        with pytest.raises(EncoderError, match=match) as caught:
            encoders.load(folder, device="cpu")
        assert str(folder) in str(caught.value)

    def test_truncated_weights(self, folder):
        content = (folder / WEIGHTS).read_bytes()
        (folder / WEIGHTS).write_bytes(content[: len(content) // 2])
        self.fails(folder)

    def test_weights_of_another_model(self, folder, compact_folder):
        shutil.copy(compact_folder / WEIGHTS, folder / WEIGHTS)
        self.fails(folder)

    def test_missing_tensor(self, folder):
        tensors = load_file(folder / WEIGHTS)
        del tensors["visual.proj"]
        save_file(tensors, folder / WEIGHTS)
        self.fails(folder, r"visual\.proj")

    @pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"model_cfg": {}}'])
    def test_damaged_configuration(self, folder, content):
        (folder / CONFIG).write_text(content)
        self.fails(folder)

    def test_pickles_are_never_opened(self, folder, tmp_path):
        mark = tmp_path / "exploded"
        for name in (WEIGHTS, "open_clip_pytorch_model.bin", "model.pth"):
            (folder / name).write_bytes(pickle.dumps(Bomb(mark)))
        torch.save(Bomb(mark), folder / "pytorch_model.bin")
        self.fails(folder)
        (folder / WEIGHTS).unlink()
        self.fails(folder, "holds no encoder")
        assert not mark.exists()

    def test_projections_that_do_not_fit(self, projected, tmp_path):
        folder = encoders.save(projected, tmp_path / "saved")
        save_file({"image_head.layers.0.weight": torch.ones(2)}, folder / "projections.safetensors")
        self.fails(folder)

    def test_projections_without_their_base(self, projected, tmp_path):
        folder = encoders.save(projected, tmp_path / "saved")
        shutil.rmtree(folder / "base")
        assert not is_encoder_folder(folder)
        self.fails(folder, "holds no encoder")

    def test_text_tower_without_its_configuration(self, compact_folder, tmp_path):
        folder = shutil.copytree(compact_folder, tmp_path / "compact")
        shutil.rmtree(folder / "sentence-transformers")
        self.fails(folder, r"config\.json of 'sentence-transformers/all-MiniLM-L6-v2' into")

    def test_an_empty_folder(self, tmp_path):
        self.fails(tmp_path, r"holds no encoder: 'open_clip_config\.json'")


def test_nothing_half_written_is_left(tiny, tmp_path):
    broken = copy.copy(tiny)
    broken.config = {"text_cfg": {"hf_model_name": object()}}
    encoders.save(tiny, tmp_path / "encoder")
    with pytest.raises(TypeError):
        encoders.save(broken, tmp_path / "encoder")
    assert [path.name for path in tmp_path.iterdir()] == ["encoder"]
    assert encoders.load(tmp_path / "encoder", device="cpu").fingerprint == tiny.fingerprint
