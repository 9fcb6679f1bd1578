"""All talk with MAST: proposals, observations, previews and products."""

from astro_paperclip.archive.mast import MAST, Mast
from astro_paperclip.archive.observations import query_observations
from astro_paperclip.archive.previews import (
    SELECTION_RULES,
    download_previews,
    get_previews,
    read_previews,
    select_previews,
)
from astro_paperclip.archive.products import (
    download_products,
    filter_products,
    get_product_list,
    get_urls,
)
from astro_paperclip.archive.proposals import read_proposals
from astro_paperclip.archive.storage import read_table, write_table

__all__ = [
    "MAST",
    "SELECTION_RULES",
    "Mast",
    "download_previews",
    "download_products",
    "filter_products",
    "get_previews",
    "get_product_list",
    "get_urls",
    "query_observations",
    "read_previews",
    "read_proposals",
    "read_table",
    "select_previews",
    "write_table",
]
