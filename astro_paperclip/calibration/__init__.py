"""Scores that a person can judge: how a match compares with what other queries would score.

A cosine similarity orders the rows of one query. Whether 0.27 is much depends on the encoder, on
the kind of query and on the picture. So each row is compared with a fixed bank of other queries:
its percentile says how many of them it fits less well.
"""

from astro_paperclip.calibration.bank import (
    IMAGE_BANK_SIZE,
    Bank,
    bank_texts,
    image_bank,
    text_bank,
)
from astro_paperclip.calibration.matches import LARGEST_DEPTH, Matches, best_matches
from astro_paperclip.calibration.percentiles import score_percentiles
from astro_paperclip.calibration.threshold import checked_threshold, percentile_of

__all__ = [
    "IMAGE_BANK_SIZE",
    "LARGEST_DEPTH",
    "Bank",
    "Matches",
    "bank_texts",
    "best_matches",
    "checked_threshold",
    "image_bank",
    "percentile_of",
    "score_percentiles",
    "text_bank",
]
