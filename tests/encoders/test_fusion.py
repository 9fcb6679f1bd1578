import copy

import pytest
import torch
from torch import nn

from astro_paperclip.encoders.fusion import fuse_normalisation


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
