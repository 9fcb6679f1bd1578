"""Positions where arithmetic on the sky goes wrong."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def everywhere():
    """Return 100,000 positions: all over the sky, round the poles, at RA 0 and RA 180."""
    rng = np.random.default_rng(20)
    n = 25_000
    ra, dec = rng.uniform(0, 360, 4 * n), np.degrees(np.arcsin(rng.uniform(-1, 1, 4 * n)))
    dec[n : 2 * n] = rng.choice([-1, 1], n) * (90 - 10 ** rng.uniform(-9, 1, n))
    dec[n : n + 50] = np.repeat([-90, 90], 25)
    near = 10 ** rng.uniform(-12, 0.5, 2 * n) * rng.choice([-1, 0, 1], 2 * n)
    ra[2 * n :] = (near + np.repeat([0, 180], n)) % 360
    dec[2 * n :: 2] *= rng.uniform(0, 0.1, n)
    return ra, dec
