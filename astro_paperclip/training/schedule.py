"""Learning rates over a run."""

import math
from collections.abc import Callable

__all__ = ["rate_schedule"]


def rate_schedule(steps: int, warm_up: float, kind: str = "cosine") -> Callable[[int], float]:
    """Return the learning rate at each step, as a share of its largest value.

    Parameters
    ----------
    steps : int
        Length of the run.
    warm_up : float
        Share of the steps over which the rate rises in a straight line.
    kind : {"constant", "cosine"}
        Whether it then stays, or falls to 0 along half a cosine.

    Returns
    -------
    rate : callable
        Takes a step, counted from 0.
    """
    rising = max(1, round(warm_up * steps))

    def rate(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        if kind == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))

    return rate
