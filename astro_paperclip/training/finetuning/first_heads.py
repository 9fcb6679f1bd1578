"""Projections that are random, trained alone before everything else is."""

from collections.abc import Mapping
from pathlib import Path

import torch

from astro_paperclip import encoders
from astro_paperclip.encoders import Encoder
from astro_paperclip.encoders.towers import has_own_heads
from astro_paperclip.training.data import TrainingData
from astro_paperclip.training.finetuning.distributed import Processes, main_first
from astro_paperclip.training.head.recipe import HeadRecipe
from astro_paperclip.training.head.run import train_head

__all__ = ["HEADS_FOLDER", "with_trained_heads"]

HEADS_FOLDER = "heads"
"""Folder, within that of a run, of the encoder whose projections were trained alone."""


def with_trained_heads(
    data: TrainingData,
    encoder: Encoder,
    folder: Path,
    processes: Processes,
    *,
    captions: Mapping[str, float],
    seed: int,
    progress: bool = True,
) -> Encoder:
    """Return an encoder whose projections fit its towers, to fine-tune from.

    Gradients of random projections pull towers away from what they know; those of trained ones
    do less (LP-FT, arXiv:2202.10054). They are trained as method ``head`` trains them, by its
    default recipe but for the captions, in the main process while the others wait.

    Parameters
    ----------
    data : TrainingData
        The pairs; held-out ones are not looked at.
    encoder : Encoder
        Returned as it is where its projections were trained before, or it has none that are
        layers of their own.
    folder : `~pathlib.Path`
        The run's folder. What is trained is kept in it, and read when the run goes on.
    processes : Processes
        Who trains together.
    captions : dict of str to float
        How often each kind of caption is drawn, as in everything that follows.
    seed : int
        Of the batches.
    progress : bool
        Whether to show progress bars.

    Returns
    -------
    encoder : Encoder
        On the device of the one given.

    Raises
    ------
    TrainingError
        If no picture can be read, or those that can belong to one group.
    """
    if encoder.trained or not has_own_heads(encoder.model):
        return encoder
    path = folder / HEADS_FOLDER

    def train_and_keep() -> None:
        if path.exists():
            return
        pairs = data.pairs[data.training]
        model, _ = train_head(
            pairs, encoder, HeadRecipe(captions=captions, seed=seed), progress=progress
        )
        trained = Encoder(
            model,
            encoder.tokenizer,
            encoder.config,
            name=encoder.name,
            device=torch.device("cpu"),
        )
        encoders.save(trained, path)

    main_first(processes, train_and_keep)
    return encoders.load(path, str(encoder.device))
