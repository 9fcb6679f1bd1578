import pytest
import torch

from astro_paperclip.config import conf
from astro_paperclip.encoders import device
from astro_paperclip.encoders.device import image_dtype, resolve_device
from astro_paperclip.exceptions import EncoderError


@pytest.fixture
def machine(monkeypatch):
    """Return a function that pretends which devices there are."""

    def pretend(*, cuda=0, mps=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(0, False, "cpu"), (0, True, "mps"), (2, True, "cuda"), (1, False, "cuda")],
)
def test_auto_takes_the_first_that_is_there(machine, cuda, mps, expected):
    machine(cuda=cuda, mps=mps)
    assert resolve_device("auto").type == expected


def test_default_is_the_configuration(machine):
    machine(mps=True)
    assert resolve_device() == torch.device("mps")
    with conf.set_temp("device", "cpu"):
        assert resolve_device() == torch.device("cpu")


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:1", "mps", torch.device("cuda", 1)])
def test_named_device_is_taken(machine, name):
    machine(cuda=2, mps=True)
    assert resolve_device(name) == torch.device(name)


@pytest.mark.parametrize("name", ["tpu", "CPU", "auto:1", "cuda:x", "cuda:", "cuda:-1", ""])
def test_unknown_device(machine, name):
    machine(cuda=2)
    with pytest.raises(EncoderError, match=r"Unknown device '.*': use one of auto, cpu, cuda, mps"):
        resolve_device(name)


@pytest.mark.parametrize("name", ["cuda:1", "mps"])
def test_absent_device(machine, name):
    machine(cuda=1)
    with pytest.raises(EncoderError, match=f"Device '{name}' was asked for.*device='cpu'"):
        resolve_device(name)


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True, "avx512_bf16": False}, torch.bfloat16),
        ({"avx2": True, "avx512_bf16": False}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_a_cpu_works_in_bfloat16_only_where_it_has_it(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert image_dtype(torch.device("cpu")) == expected


@pytest.mark.parametrize(
    ("capability", "expected"), [((7, 5), torch.float16), ((8, 0), torch.bfloat16)]
)
def test_a_gpu_works_in_half_precision(monkeypatch, capability, expected):
    monkeypatch.setattr(device.torch.cuda, "get_device_capability", lambda which: capability)
    assert image_dtype(torch.device("cuda")) == expected
