"""Fixtures of the encoders' tests: small open_clip models, written by open_clip's own means."""

import json
import logging

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from astro_paperclip import encoders

TEXT_TOWER = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
IMAGE_TOWER = {"image_size": 32, "patch_size": 16, "width": 64, "head_width": 16, "layers": 2}
CLIP = {"embed_dim": 24, "vision_cfg": IMAGE_TOWER, "text_cfg": TEXT_TOWER}
PREPROCESS = {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]}


def write_model_folder(folder, config, preprocess=PREPROCESS):
    """Write an open_clip model with random weights without this package; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {"model_cfg": config, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(contents))
    logging.disable(logging.WARNING)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(1)
            model = open_clip.create_model(f"local-dir:{folder}")
    finally:
        logging.disable(logging.NOTSET)
    tensors = {name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """A folder with a native CLIP model; tests only read it."""
    return write_model_folder(tmp_path_factory.mktemp("models") / "tiny", CLIP)


@pytest.fixture(scope="session")
def tiny(tiny_folder):
    """The encoder of that folder; tests only read it."""
    return encoders.load(tiny_folder, device="cpu")


@pytest.fixture
def own_tiny(tiny_folder):
    """An encoder that the test may change."""
    return encoders.load(tiny_folder, device="cpu")


@pytest.fixture
def in_float32(monkeypatch):
    """Let image towers work in single precision."""
    name = "astro_paperclip.encoders.encoder.image_dtype"
    monkeypatch.setattr(name, lambda device: torch.float32)


def make_picture(seed, width=90, height=60):
    """Return a smooth colour picture with a dark border."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(20, 200, (6, 9, 3), np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope="session")
def pictures():
    """Five pictures of different shapes."""
    sizes = [(90, 60), (60, 90), (64, 64), (400, 300), (33, 20)]
    return [make_picture(seed, *size) for seed, size in enumerate(sizes)]


@pytest.fixture(scope="session")
def picture_files(pictures, tmp_path_factory):
    """Those pictures as PNG files."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, picture in enumerate(pictures):
        picture.save(folder / f"{number}.png")
    return sorted(folder.iterdir())


TEXTS = [
    "A barred spiral galaxy with a bright nucleus.",
    "planet",
    "We propose to image the cores of twelve rich clusters of galaxies to find lensed arcs.",
    "",
    "Jupiter &amp; its   moons",
]


@pytest.fixture
def texts():
    """Texts of all lengths."""
    return list(TEXTS)
