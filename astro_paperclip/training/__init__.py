"""Training: pairs of pictures and captions make an encoder."""

from astro_paperclip.training.recipe import HeadRecipe
from astro_paperclip.training.train import TrainingReport, train

__all__ = ["HeadRecipe", "TrainingReport", "train"]
