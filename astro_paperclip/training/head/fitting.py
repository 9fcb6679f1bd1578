"""Train the projections of frozen towers (arXiv 2403.08851, figure 2)."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from open_clip import ClipLoss
from torch.nn.functional import dropout, normalize
from tqdm.auto import tqdm

from astro_paperclip.encoders.seeding import seeded
from astro_paperclip.encoders.towers import Towers
from astro_paperclip.exceptions import TrainingError
from astro_paperclip.training.head.captions import CaptionMixture
from astro_paperclip.training.head.recipe import HeadRecipe
from astro_paperclip.training.head.sampling import GroupSampler
from astro_paperclip.training.head.standardization import standardization_for
from astro_paperclip.training.schedule import rate_schedule

__all__ = ["TowerFeatures", "fit_heads"]

#: Share of the steps over which the learning rate rises.
_WARM_UP = 0.1

#: Rows that tell the mean and the variance of features to better than one per cent.
_ROWS_FOR_STATISTICS = 65_536

#: Share of the last steps that the reported loss and accuracy average over.
_REPORTED_SHARE = 0.1


@dataclass(frozen=True)
class TowerFeatures:
    """What the frozen towers say of the training pairs.

    Parameters
    ----------
    images : `~numpy.ndarray`
        Shape (n, views, width), float16.
    texts : `~numpy.ndarray`
        Shape (number of texts, width), float16.
    captions : CaptionMixture
        Which texts belong to which row.
    groups : `~numpy.ndarray`
        The group of every row.
    """

    images: np.ndarray
    texts: np.ndarray
    captions: CaptionMixture
    groups: np.ndarray


def fit_heads(
    towers: Towers, features: TowerFeatures, recipe: HeadRecipe, *, progress: bool = True
) -> dict[str, float]:
    """Train a model's two projections in place, by symmetric InfoNCE.

    Parameters
    ----------
    towers : Towers
        Their projections are trained; nothing else changes.
    features : TowerFeatures
        Of the training pairs.
    recipe : HeadRecipe
        How to train.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    outcome : dict
        ``steps``, ``batch_size``, ``images_seen``, and ``loss`` and ``accuracy`` (how often a
        picture's own caption comes first in its batch), averaged over the last tenth.

    Raises
    ------
    TrainingError
        If the loss is no longer a number.
    """
    sampler = GroupSampler(features.groups, recipe.batch_size, recipe.seed)
    steps = recipe.steps(len(features.groups), sampler.batch_size)
    rng = np.random.default_rng(recipe.seed)
    scale_images = standardization_for(towers.image_head, _sample(features.images))
    scale_texts = standardization_for(towers.text_head, _sample(features.texts))
    optimizer, scheduler = _optimizer(towers, recipe, steps)
    loss_function = ClipLoss()
    logit_scale = torch.tensor(1 / recipe.temperature)
    history = []
    batches = zip(range(steps), sampler, strict=False)
    bar = tqdm(batches, "Training", total=steps, unit="step", disable=not progress)
    # The projections are trained on the CPU: no other device's random numbers are needed.
    with seeded(recipe.seed):
        for step, rows in bar:
            pictures, texts = _draw(features, rows, rng)
            pictures = dropout(scale_images(pictures), recipe.image_dropout)
            texts = dropout(scale_texts(texts), recipe.text_dropout)
            image_vectors = normalize(towers.image_head(pictures), dim=-1)
            text_vectors = normalize(towers.text_head(texts), dim=-1)
            loss = loss_function(image_vectors, text_vectors, logit_scale)
            if not torch.isfinite(loss):
                raise TrainingError(
                    f"The loss became {loss.item()} in step {step}: lower the learning rate "
                    f"({recipe.learning_rate})."
                )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            history.append((loss.item(), _accuracy(image_vectors, text_vectors)))
            if step % 20 == 0:
                bar.set_postfix(loss=f"{history[-1][0]:.3f}", accuracy=f"{history[-1][1]:.2f}")
    scale_images.fold_into(towers.image_head)
    scale_texts.fold_into(towers.text_head)
    last = np.mean(history[-max(1, math.ceil(_REPORTED_SHARE * steps)) :], axis=0)
    return {
        "steps": steps,
        "batch_size": sampler.batch_size,
        "images_seen": steps * sampler.batch_size,
        "loss": float(last[0]),
        "accuracy": float(last[1]),
    }


def _draw(
    features: TowerFeatures, rows: np.ndarray, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw one view of each row's picture and one of its texts."""
    views = rng.integers(features.images.shape[1], size=len(rows))
    texts = features.captions.draw(rows, rng)
    return (
        torch.from_numpy(features.images[rows, views].astype(np.float32)),
        torch.from_numpy(features.texts[texts].astype(np.float32)),
    )


def _sample(features: np.ndarray) -> torch.Tensor:
    """Return rows of features, no more than their mean and variance need."""
    rows = features.reshape(-1, features.shape[-1])
    if len(rows) > _ROWS_FOR_STATISTICS:
        rng = np.random.default_rng(0)
        rows = rows[rng.choice(len(rows), _ROWS_FOR_STATISTICS, replace=False)]
    return torch.from_numpy(rows.astype(np.float32))


def _optimizer(
    towers: Towers, recipe: HeadRecipe, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    rates = [recipe.learning_rate, recipe.learning_rate * recipe.text_rate]
    heads = [towers.image_head, towers.text_head]
    optimizer = torch.optim.AdamW(
        [{"params": list(h.parameters()), "lr": r} for h, r in zip(heads, rates, strict=True)],
        weight_decay=recipe.weight_decay,
    )
    rate = rate_schedule(steps, _WARM_UP)
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, rate)


@torch.no_grad()
def _accuracy(image_vectors: torch.Tensor, text_vectors: torch.Tensor) -> float:
    nearest = (image_vectors @ text_vectors.T).argmax(dim=1)
    return (nearest == torch.arange(len(nearest))).float().mean().item()
