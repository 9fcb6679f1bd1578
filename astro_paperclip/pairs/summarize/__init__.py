"""Summaries of abstracts: what is observed and what for, short enough for a text encoder."""

from astro_paperclip.pairs.summarize.cache import SummaryCache
from astro_paperclip.pairs.summarize.rules import RuleSummarizer
from astro_paperclip.pairs.summarize.run import SummaryReport, summarize_texts
from astro_paperclip.pairs.summarize.schema import Summary
from astro_paperclip.pairs.summarize.summarizer import Failure, Summarizer

__all__ = [
    "Failure",
    "RuleSummarizer",
    "Summarizer",
    "Summary",
    "SummaryCache",
    "SummaryReport",
    "summarize_texts",
]
