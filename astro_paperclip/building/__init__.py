"""Build a collection: from MAST, or from pairs files, to an index that can be searched."""

from astro_paperclip.building.builder import build
from astro_paperclip.building.description import describe_collection
from astro_paperclip.building.indexing import IndexReport, index_pairs
from astro_paperclip.building.joining import JoinReport, join_encoder
from astro_paperclip.building.recipe import RECIPES, BuildRecipe
from astro_paperclip.building.report import BuildReport, StageReport
from astro_paperclip.building.stages import STAGES
from astro_paperclip.building.summaries import summarize_collection

__all__ = [
    "RECIPES",
    "STAGES",
    "BuildRecipe",
    "BuildReport",
    "IndexReport",
    "JoinReport",
    "StageReport",
    "build",
    "describe_collection",
    "index_pairs",
    "join_encoder",
    "summarize_collection",
]
