"""Previews: which of them, and how they come into a collection."""

from astro_paperclip.archive.previews.download import download_previews
from astro_paperclip.archive.previews.ranked import get_previews
from astro_paperclip.archive.previews.selection import SELECTION_RULES, select_previews
from astro_paperclip.archive.previews.table import read_previews

__all__ = [
    "SELECTION_RULES",
    "download_previews",
    "get_previews",
    "read_previews",
    "select_previews",
]
