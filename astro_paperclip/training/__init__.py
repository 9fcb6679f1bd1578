"""Training: pairs of pictures and captions make an encoder."""

from astro_paperclip.training.finetuning.recipe import PRESETS, FineTuneRecipe
from astro_paperclip.training.head.recipe import HeadRecipe
from astro_paperclip.training.record import TrainingReport
from astro_paperclip.training.train import METHODS, train

__all__ = ["METHODS", "PRESETS", "FineTuneRecipe", "HeadRecipe", "TrainingReport", "train"]
