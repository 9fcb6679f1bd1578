"""Where an encoder runs, and in which precision."""

import torch

from astro_paperclip.config import conf
from astro_paperclip.exceptions import EncoderError

__all__ = ["image_dtype", "resolve_device"]

_KINDS = ("cpu", "cuda", "mps")


def _count(kind: str) -> int:
    """Return how many devices of a kind are on this machine."""
    if kind == "cuda":
        return torch.cuda.device_count() if torch.cuda.is_available() else 0
    return int(kind == "cpu" or torch.backends.mps.is_available())


def resolve_device(device: str | torch.device | None = None) -> torch.device:
    """Return the device to run on.

    Parameters
    ----------
    device : str or `torch.device`, optional
        ``'cpu'``, ``'cuda'``, ``'cuda:1'``, ``'mps'``, or ``'auto'``, the first of cuda, mps
        and cpu that is there. Default: the configuration item ``device``.

    Returns
    -------
    device : `torch.device`
        A device that exists on this machine.

    Raises
    ------
    EncoderError
        If the name is unknown, or the device is not on this machine.
    """
    device = str(conf.device if device is None else device)
    if device == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if _count(kind)))
    kind, colon, number = device.partition(":")
    if kind not in _KINDS or (colon and not number.isdecimal()):
        known = ", ".join(("auto", *_KINDS))
        raise EncoderError(f"Unknown device {device!r}: use one of {known}.")
    if int(number or 0) >= _count(kind):
        raise EncoderError(
            f"Device {device!r} was asked for, but torch finds {_count(kind)} of the kind "
            f"{kind!r} on this machine: use device='cpu', or install a build of torch for it."
        )
    return torch.device(device)


def image_dtype(device: torch.device) -> torch.dtype:
    """Return the precision of an image tower: half on a GPU and where a CPU computes it natively.

    Emulated bfloat16 is slower than float32 (``benchmarks/engines.py`` prints the ratio), so a
    CPU gets it only with AVX512-BF16 or AMX.
    """
    if device.type == "cuda":
        # torch says that it supports bfloat16 where it only emulates it, before Ampere (8.0).
        native = torch.cuda.get_device_capability(device) >= (8, 0)
        return torch.bfloat16 if native else torch.float16
    if device.type == "mps":
        return torch.float16
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    native = capabilities.get("avx512_bf16", False) or capabilities.get("amx_bf16", False)
    return torch.bfloat16 if native else torch.float32
