"""Checkpoints: a run stopped at any moment goes on as if it had not been stopped."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from astro_paperclip.exceptions import TrainingError
from astro_paperclip.files import written_whole

__all__ = ["CHECKPOINT_FILE", "load_checkpoint", "save_checkpoint"]

CHECKPOINT_FILE = "checkpoint.pt"
"""Name of a run's last checkpoint, in its folder."""


def save_checkpoint(path: Path, step: int, parts: dict[str, Any]) -> None:
    """Write all that a run has learned; the file appears whole or not at all.

    Parameters
    ----------
    path : `~pathlib.Path`
        Where to; the checkpoint that stands there is replaced.
    step : int
        Number of steps that are done. Batches, views, captions and dropout are functions of the
        seed and the step, so that nothing else of them needs to be kept.
    parts : dict
        What has a ``state_dict``, by name; None where a run does without it.
    """
    state = {name: part.state_dict() for name, part in parts.items() if part is not None}
    state["step"] = step
    with written_whole(path) as temporary:
        torch.save(state, temporary)


def load_checkpoint(path: Path, parts: dict[str, Any], device: torch.device) -> int:
    """Bring a run back to where its checkpoint was written.

    Parameters
    ----------
    path : `~pathlib.Path`
        What `save_checkpoint` wrote.
    parts : dict
        The same parts, made anew; changed in place.
    device : `torch.device`
        Where the run goes on.

    Returns
    -------
    step : int
        Number of steps that are done.

    Raises
    ------
    TrainingError
        If the file is damaged or holds another architecture.
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:
        raise TrainingError(
            f"The checkpoint {path} cannot be read: {error}. Remove it to start over."
        ) from error
    wanted = {name for name, part in parts.items() if part is not None}
    if missing := sorted(wanted - set(state)):
        raise TrainingError(
            f"The checkpoint {path} has no {missing[0]}: it is of a run with other settings. "
            "Name another folder, or remove it to start over."
        )
    _check_architecture(path, parts["model"], state["model"])
    for name in wanted:
        parts[name].load_state_dict(state[name])
    return state["step"]


def _check_architecture(
    path: Path, model: nn.Module | AveragedModel, state: dict[str, torch.Tensor]
) -> None:
    own = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    kept = {name: tuple(tensor.shape) for name, tensor in state.items()}
    for name in sorted(own.keys() | kept.keys()):
        if own.get(name) != kept.get(name):
            raise TrainingError(
                f"The checkpoint {path} is of another architecture: {name} has shape "
                f"{kept.get(name)} there and {own.get(name)} in this run's encoder. Name another "
                "folder, or remove the checkpoint to start over."
            )
