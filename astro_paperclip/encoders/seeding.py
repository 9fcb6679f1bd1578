"""Draw a model's first weights from a seed, and no user's random numbers."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["seeded"]


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Let torch draw from a seed inside the block, and go on outside as if there had been none.

    Parameters
    ----------
    seed : int or None
        Of the CPU's generator, where all models are made; the generators of GPUs are not
        touched. None: nothing is done.
    """
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would seed the GPUs as well, for good.
        torch.default_generator.manual_seed(seed)
        yield
