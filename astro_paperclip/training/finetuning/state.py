"""What a run has learned so far: weights, optimiser, schedule and mean of the weights."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_

from astro_paperclip.encoders.towers import open_clip_part
from astro_paperclip.training.finetuning.averaging import running_mean
from astro_paperclip.training.finetuning.checkpoint import load_checkpoint, save_checkpoint
from astro_paperclip.training.finetuning.distributed import Processes
from astro_paperclip.training.finetuning.losses import GroupClipLoss, GroupSigLipLoss
from astro_paperclip.training.finetuning.model import autocast_dtype, set_training_mode
from astro_paperclip.training.finetuning.optimizer import make_optimizer
from astro_paperclip.training.finetuning.recipe import FineTuneRecipe
from astro_paperclip.training.finetuning.step import training_step

if TYPE_CHECKING:
    from astro_paperclip.training.finetuning.loader import Batch

__all__ = ["TrainingState"]

_LOSSES = {"clip": GroupClipLoss, "siglip": GroupSigLipLoss}


class TrainingState:
    """A model in training, with all that must be kept to go on with it.

    Parameters
    ----------
    model : `torch.nn.Module`
        What `prepare_model` made; trained in place.
    recipe : FineTuneRecipe
        The settings.
    device : `torch.device`
        Where it trains.
    processes : Processes
        Who trains together.
    frozen_statistics : bool
        Whether batch normalisation keeps the statistics that it has.
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: FineTuneRecipe,
        device: torch.device,
        processes: Processes,
        *,
        frozen_statistics: bool,
    ) -> None:
        self.model = model
        self._recipe = recipe
        self._rank = processes.rank
        self._frozen_statistics = frozen_statistics
        self._optimizer, self._scheduler = make_optimizer(model, recipe)
        self._mean = running_mean(model, recipe.averaged_share, recipe.steps)
        self._loss = _LOSSES[recipe.loss](processes.rank, processes.world_size)
        self._network = _network(model, recipe, device, processes, frozen_statistics)
        dtype = autocast_dtype(recipe, device)
        self._autocast = partial(torch.autocast, device.type, dtype) if dtype else nullcontext

    @property
    def result(self) -> nn.Module:
        """The model that the run is about: the mean of the weights where there is one."""
        return self.model if self._mean is None else self._mean.module

    def train(self) -> None:
        """Put the model into the mode that it is trained in."""
        set_training_mode(self.model, frozen_statistics=self._frozen_statistics)

    def update(self, batch: "Batch", step: int) -> dict[str, float]:
        """Learn from a batch.

        Parameters
        ----------
        batch : Batch
            This process's share of the pairs.
        step : int
            Its number, counted from 0.

        Returns
        -------
        values : dict
            ``loss``, ``accuracy``, ``learning_rate``, ``logit_scale`` and ``gradient_norm``.
            Where the loss is no number, nothing was learned.
        """
        # Dropout is a function of seed, step and process, as everything random is here.
        torch.manual_seed(hash((self._recipe.seed, step, self._rank)) % 2**63)
        rate = max(group["lr"] for group in self._optimizer.param_groups)
        self._optimizer.zero_grad()
        report = training_step(
            self._network,
            self._loss,
            batch,
            micro_batches=self._recipe.micro_batches,
            autocast=self._autocast,
        )
        norm = clip_grad_norm_(self.model.parameters(), self._recipe.clip_norm or float("inf"))
        values = {
            "loss": float(report["loss"]),
            "accuracy": float(report["accuracy"]),
            "learning_rate": rate,
            "logit_scale": float(open_clip_part(self.model).logit_scale.detach().exp()),
            "gradient_norm": float(norm),
        }
        # The norm is the same in all processes, which thus agree; a loss is each one's own.
        if norm.isfinite():
            self._optimizer.step()
            self._scheduler.step()
            self._limit_scale()
            if self._mean is not None:
                self._mean.update_parameters(self.model)
        return values

    @torch.no_grad()
    def _limit_scale(self) -> None:
        if self._recipe.largest_scale:
            limit = torch.tensor(self._recipe.largest_scale).log().item()
            open_clip_part(self.model).logit_scale.clamp_(0, limit)

    def save(self, path: Path, step: int) -> None:
        """Write a checkpoint; see `save_checkpoint`."""
        save_checkpoint(path, step, self._parts())

    def load(self, path: Path, device: torch.device) -> int:
        """Go on from a checkpoint; see `load_checkpoint`."""
        return load_checkpoint(path, self._parts(), device)

    def _parts(self) -> dict[str, object]:
        return {
            "model": self.model,
            "optimizer": self._optimizer,
            "scheduler": self._scheduler,
            "mean": self._mean,
        }


def _network(
    model: nn.Module,
    recipe: FineTuneRecipe,
    device: torch.device,
    processes: Processes,
    frozen_statistics: bool,
) -> nn.Module:
    """Return what is called in training: the model, compiled and shared as asked for."""
    network = model
    if processes.world_size > 1:
        if not frozen_statistics and device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        network = DistributedDataParallel(
            network,
            device_ids=[device] if device.type == "cuda" else None,
            broadcast_buffers=not frozen_statistics,
        )
    return torch.compile(network) if recipe.compile else network
