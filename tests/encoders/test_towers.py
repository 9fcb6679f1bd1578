import copy

import numpy as np
import pytest
import torch
from torch import nn

from astro_paperclip import encoders
from astro_paperclip.encoders.towers import (
    ProjectedModel,
    ResidualProjection,
    has_own_heads,
    split_towers,
)

from .conftest import CLIP, IMAGE_TOWER, TEXT_TOWER, write_model_folder

COCA = {
    "embed_dim": 24,
    "custom_text": True,
    "vision_cfg": IMAGE_TOWER
    | {"attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True},
    "text_cfg": TEXT_TOWER | {"context_length": 76, "embed_cls": True, "output_tokens": True},
    "multimodal_cfg": {
        "context_length": 76,
        "vocab_size": 49408,
        "width": 24,
        "heads": 2,
        "layers": 1,
    },
}


@pytest.fixture
def pixels():
    """Two pictures' worth of pixels."""
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_a_new_projection_is_the_identity():
    features = torch.rand(3, 24)
    projection = ResidualProjection(24)
    torch.testing.assert_close(projection(features), features, rtol=0, atol=0)
    nn.init.ones_(projection.layers[-1].bias)
    torch.testing.assert_close(projection(features), features + 1)


@torch.inference_mode()
def test_heads_follow_backbones(compact):
    model = compact.model
    towers = split_towers(model)
    assert has_own_heads(model)
    pixels = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    tokens = compact.tokenizer(["a comet", "a much longer text about a globular cluster"])
    images = towers.image_backbone(pixels)
    texts = towers.text_backbone(tokens)
    assert (images.shape, texts.shape) == ((1, 1280), (2, 384))
    torch.testing.assert_close(towers.image_head(images), model.encode_image(pixels))
    torch.testing.assert_close(towers.text_head(texts), model.encode_text(tokens))


@torch.inference_mode()
def test_native_towers_are_one_piece(tiny, pixels):
    towers = split_towers(tiny.model)
    assert not has_own_heads(tiny.model)
    tokens = tiny.tokenizer(["a comet"])
    torch.testing.assert_close(
        towers.image_head(towers.image_backbone(pixels)), tiny.model.encode_image(pixels)
    )
    torch.testing.assert_close(
        towers.text_head(towers.text_backbone(tokens)), tiny.model.encode_text(tokens)
    )


@torch.inference_mode()
def test_projections_follow_a_native_model(own_tiny, pixels):
    base = own_tiny.model
    model = ProjectedModel(copy.deepcopy(base), own_tiny.dim)
    for head, shift in ((model.image_head, 1.0), (model.text_head, 2.0)):
        nn.init.constant_(head.layers[-1].bias, shift)
    towers = split_towers(model)
    tokens = own_tiny.tokenizer(["a comet"])
    torch.testing.assert_close(
        towers.image_head(towers.image_backbone(pixels)), base.encode_image(pixels) + 1
    )
    torch.testing.assert_close(
        towers.text_head(towers.text_backbone(tokens)), base.encode_text(tokens) + 2
    )


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(CLIP, id="CLIP"),
        pytest.param(CLIP | {"custom_text": True, "init_logit_bias": -10.0}, id="with a bias"),
    ],
)
def test_a_projected_model_is_called_as_open_clips_are(config, tmp_path, pixels):
    encoder = encoders.load(write_model_folder(tmp_path / "model", config), device="cpu")
    tokens = encoder.tokenizer(["a comet", "a galaxy", "two stars"])
    model = ProjectedModel(encoder.model, encoder.dim).requires_grad_(True)
    output, expected = model(pixels, tokens), encoder.model(pixels, tokens)
    assert output.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(output[name], tensor)
    output["image_features"].sum().backward()
    assert model.image_head.layers[-1].weight.grad.abs().sum() > 0
    nn.init.ones_(model.text_head.layers[-1].bias)
    changed = model(pixels, tokens)
    shifted = nn.functional.normalize(encoder.model.encode_text(tokens) + 1, dim=-1)
    torch.testing.assert_close(changed["text_features"], shifted)
    torch.testing.assert_close(changed["image_features"], expected["image_features"])


def test_the_towers_share_the_parameters(own_tiny):
    model = ProjectedModel(own_tiny.model, own_tiny.dim)
    towers = split_towers(model)
    parts = (towers.image_backbone, towers.image_head, towers.text_head)
    held = {id(parameter) for part in parts for parameter in part.parameters()}
    assert held < {id(parameter) for parameter in model.parameters()}


@pytest.mark.usefixtures("in_float32")
@pytest.mark.parametrize(
    "config",
    [
        pytest.param(CLIP, id="CLIP"),
        pytest.param(CLIP | {"quick_gelu": True}, id="QuickGELU"),
        pytest.param(CLIP | {"custom_text": True}, id="CustomTextCLIP"),
        pytest.param(COCA, id="CoCa"),
    ],
)
def test_every_kind_of_model_encodes_as_open_clip_does(config, tmp_path, pictures, texts):
    encoder = encoders.load(write_model_folder(tmp_path / "model", config), device="cpu")
    squares = np.stack([encoder.prepare(picture) for picture in pictures])
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in encoder_pixels(encoder))
    pixels = (torch.from_numpy(squares).permute(0, 3, 1, 2) / 255 - mean) / std
    with torch.inference_mode():
        images = nn.functional.normalize(encoder.model.encode_image(pixels), dim=-1)
        tokens = encoder.tokenizer(texts)
        sentences = nn.functional.normalize(encoder.model.encode_text(tokens), dim=-1)
    np.testing.assert_allclose(encoder.encode_images(pictures), images, atol=1e-5)
    np.testing.assert_allclose(encoder.encode_texts(texts), sentences, atol=1e-5)


def encoder_pixels(encoder):
    """Return the mean and the spread of colours that open_clip itself keeps with the model."""
    return encoder.model.visual.image_mean, encoder.model.visual.image_std
