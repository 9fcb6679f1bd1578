"""Products: lists of them, their addresses, and the files themselves."""

from astro_paperclip.archive.products.download import download_products
from astro_paperclip.archive.products.lists import filter_products, get_product_list
from astro_paperclip.archive.products.urls import get_urls

__all__ = ["download_products", "filter_products", "get_product_list", "get_urls"]
