"""Figures of an evaluation, as `matplotlib.figure.Figure` objects; needs matplotlib."""

from astro_paperclip.evaluation.figures.accuracy_curves import draw_accuracy_curves
from astro_paperclip.evaluation.figures.gallery import draw_gallery
from astro_paperclip.evaluation.figures.relevance import draw_relevance
from astro_paperclip.evaluation.figures.similarities import draw_similarities
from astro_paperclip.evaluation.figures.training_curves import draw_training_curves

__all__ = [
    "draw_accuracy_curves",
    "draw_gallery",
    "draw_relevance",
    "draw_similarities",
    "draw_training_curves",
]
