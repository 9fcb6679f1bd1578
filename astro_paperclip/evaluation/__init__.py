"""Measure how well an encoder finds the caption of an image, and the image of a caption."""

from astro_paperclip.evaluation.evaluate import evaluate
from astro_paperclip.evaluation.ranks import Ranks, rank_pairs
from astro_paperclip.evaluation.report import format_report
from astro_paperclip.evaluation.retrieval import retrieval_metrics

__all__ = ["Ranks", "evaluate", "format_report", "rank_pairs", "retrieval_metrics"]
