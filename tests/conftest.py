"""Fixtures of all tests."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[1]

# A light client has the base dependencies only; what they cannot run is not collected there.
_NEEDS = {
    "torch": [
        "building",
        "encoders",
        "evaluation/test_descriptions.py",
        "evaluation/test_evaluate.py",
        "training",
    ],
    "qdrant_edge": ["index", "building"],
    "matplotlib": [
        "evaluation/figures",
        "evaluation/test_html_report.py",
        "notebook",
        "test_demo.py",
    ],
}
collect_ignore = [
    path for library, paths in _NEEDS.items() if find_spec(library) is None for path in paths
]


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder with real data, or skip the test where it is absent."""
    folder = Path(os.environ.get("PAPERCLIP_SHARED", _ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no real data in {folder} (set PAPERCLIP_SHARED to the folder that has it)")
    return folder


@pytest.fixture
def own_cache(tmp_path_factory):
    """Keep what is cached apart: stand-ins for encoders of several modules share a fingerprint."""
    from astro_paperclip import conf

    with conf.set_temp("cache_dir", str(tmp_path_factory.mktemp("cache"))):
        yield


@pytest.fixture
def picture(tmp_path):
    """Return the path of a small picture in colour."""
    import numpy as np
    from PIL import Image

    path = tmp_path / "m51.png"
    pixels = np.random.default_rng(1).integers(0, 200, (32, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="session")
def compact():
    """Return the encoder that needs no download, on the CPU; tests only read it."""
    from astro_paperclip import encoders

    return encoders.load("compact", device="cpu")


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory):
    """Return a CLIP as open_clip makes them, small, with random weights; tests only read it."""
    import json

    import open_clip
    import torch

    from astro_paperclip.encoders import Encoder

    config = {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16}
        | {"patch_size": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2}
        | {"layers": 2},
    }
    path = tmp_path_factory.mktemp("configs") / "tiny-clip.json"
    path.write_text(json.dumps(config))
    open_clip.add_model_config(path)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = open_clip.create_model("tiny-clip", output_dict=True)
    tokenizer = open_clip.get_tokenizer("tiny-clip")
    return Encoder(model, tokenizer, config, name="tiny-clip", device=torch.device("cpu"))
