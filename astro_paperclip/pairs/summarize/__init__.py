"""Summaries of abstracts: what is observed and what for, short enough for a text encoder."""

from astro_paperclip.pairs.summarize.cache import SummaryCache
from astro_paperclip.pairs.summarize.guided import GuidedSummarizer
from astro_paperclip.pairs.summarize.prompt import PROMPT_VERSION, summary_prompt
from astro_paperclip.pairs.summarize.rules import RuleSummarizer
from astro_paperclip.pairs.summarize.run import SummaryReport, summarize_texts
from astro_paperclip.pairs.summarize.schema import Summary
from astro_paperclip.pairs.summarize.summarizer import Summarizer

__all__ = [
    "PROMPT_VERSION",
    "GuidedSummarizer",
    "RuleSummarizer",
    "Summarizer",
    "Summary",
    "SummaryCache",
    "SummaryReport",
    "summarize_texts",
    "summary_prompt",
]
