import copy

import pytest
import timm
import torch
from torch import nn

from astro_paperclip.encoders.fusion import fuse_activations, fuse_normalisation


@pytest.fixture
def pixels():
    """Two pictures' worth of pixels."""
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1


def layers(model, kind):
    return [module for module in model.modules() if isinstance(module, kind)]


@torch.inference_mode()
def test_fused_tower_says_the_same(compact, pixels):
    trunk = compact.model.visual.trunk
    expected = trunk(pixels)
    fused = fuse_normalisation(copy.deepcopy(trunk))
    assert layers(trunk, nn.BatchNorm2d)
    assert not layers(fused, nn.BatchNorm2d)
    assert len(layers(fused, nn.Conv2d)) == len(layers(trunk, nn.Conv2d))
    torch.testing.assert_close(fused(pixels), expected, rtol=0, atol=1e-4)


def test_the_original_tower_is_not_touched(compact, picture_files):
    before = {name: tensor.clone() for name, tensor in compact.model.state_dict().items()}
    compact.encode_images(picture_files[:1])
    after = compact.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_other_towers_stay_as_they_are(tiny):
    tower = copy.deepcopy(tiny.model.visual)
    assert fuse_normalisation(tower) is tower
    assert str(tower) == str(tiny.model.visual)
    separate = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)).eval()
    assert len(layers(fuse_normalisation(separate), nn.BatchNorm2d)) == 1


@pytest.fixture(scope="module")
def trunk(compact):
    """The image tower of compact with its normalisation fused."""
    return fuse_normalisation(copy.deepcopy(compact.model.visual.trunk))


@torch.inference_mode()
@pytest.mark.parametrize("size", [64, 63, 50, 224])
def test_fused_activations_say_the_same(trunk, size):
    fused = fuse_activations(trunk, size)
    assert fused is not trunk
    assert not layers(fused, nn.Conv2d)
    assert not layers(fused, nn.ReLU6)
    pixels = torch.rand(3, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1
    # A spot beside the middle would show if the picture were turned and its kernels were not.
    pixels[:, :, : size // 3, : size // 4] = 1
    torch.testing.assert_close(fused(pixels), trunk(pixels), rtol=0, atol=1e-4)
    for picture in (pixels[:1], pixels[1:]):
        torch.testing.assert_close(fused(picture), trunk(picture), rtol=0, atol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_b0", "mobilenetv2_050"])
def test_other_efficientnets_say_the_same(name, pixels):
    tower = fuse_normalisation(timm.create_model(name, num_classes=0).eval())
    fused = fuse_activations(tower, 64)
    assert fused is not tower
    torch.testing.assert_close(fused(pixels), tower(pixels), rtol=1e-4, atol=1e-4)


def test_a_tower_that_cannot_be_fused_stays_as_it_is(tiny, trunk, monkeypatch):
    assert fuse_activations(tiny.model.visual, 32) is tiny.model.visual

    original = torch.ops.mkldnn._convolution_pointwise

    def refuse(*arguments):
        raise RuntimeError("Found no kernel")

    def slip(features, *arguments):
        return original(features, *arguments) + 0.01

    def miss(*arguments):
        raise AttributeError("'_OpNamespace' 'mkldnn' object has no attribute")

    for replacement in (refuse, slip, miss):
        monkeypatch.setattr(torch.ops.mkldnn, "_convolution_pointwise", replacement)
        assert fuse_activations(trunk, 64) is trunk
    monkeypatch.undo()
    assert fuse_activations(trunk, 64) is not trunk
