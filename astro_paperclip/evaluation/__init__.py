"""Measure how well an encoder finds the caption of an image, and the image of a caption."""

from astro_paperclip.evaluation.agreement import RecordedJudge, judge_agreement
from astro_paperclip.evaluation.descriptions import (
    Describer,
    describe,
    encode_labels,
    nearest_labels,
)
from astro_paperclip.evaluation.evaluate import evaluate
from astro_paperclip.evaluation.graded import graded_metrics, similarity_metrics, vote_metrics
from astro_paperclip.evaluation.html_report import REPORT_FILE, write_report
from astro_paperclip.evaluation.human_judgements import (
    ImageDistances,
    Votes,
    read_image_distances,
    read_votes,
)
from astro_paperclip.evaluation.in_batch import in_batch_metrics
from astro_paperclip.evaluation.judges import Judge, KeywordJudge
from astro_paperclip.evaluation.language_judge import LanguageJudge
from astro_paperclip.evaluation.ndcg import ndcg, relevance_matrix
from astro_paperclip.evaluation.ranks import Ranks, rank_pairs
from astro_paperclip.evaluation.records import (
    PaperCurves,
    RunLogs,
    read_metrics,
    read_paper_curves,
    read_run,
)
from astro_paperclip.evaluation.relevance import PAPER_QUERIES, query_relevance
from astro_paperclip.evaluation.report import format_report
from astro_paperclip.evaluation.retrieval import retrieval_metrics

__all__ = [
    "PAPER_QUERIES",
    "REPORT_FILE",
    "Describer",
    "ImageDistances",
    "Judge",
    "KeywordJudge",
    "LanguageJudge",
    "PaperCurves",
    "Ranks",
    "RecordedJudge",
    "RunLogs",
    "Votes",
    "describe",
    "encode_labels",
    "evaluate",
    "format_report",
    "graded_metrics",
    "in_batch_metrics",
    "judge_agreement",
    "ndcg",
    "nearest_labels",
    "query_relevance",
    "rank_pairs",
    "read_image_distances",
    "read_metrics",
    "read_paper_curves",
    "read_run",
    "read_votes",
    "relevance_matrix",
    "retrieval_metrics",
    "similarity_metrics",
    "vote_metrics",
    "write_report",
]
