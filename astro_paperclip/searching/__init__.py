"""A collection that is open for queries, whether its index is here or a service has it."""

from astro_paperclip.searching.indexed import IndexedCollection
from astro_paperclip.searching.interface import Described, Found, SearchedCollection

__all__ = ["Described", "Found", "IndexedCollection", "SearchedCollection"]
