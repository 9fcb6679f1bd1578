"""Vectors with their payload: stored, filtered and searched, in a directory or on a server.

`open_store` opens the index of a collection; what it returns is a `Store`, whatever engine
stands behind it.
"""

from astro_paperclip.index.address import ServerAddress, is_address
from astro_paperclip.index.checking import IndexCheck, check_index
from astro_paperclip.index.copying import CopyReport, copy_collection
from astro_paperclip.index.creating import create_index, finish_index
from astro_paperclip.index.opening import open_store
from astro_paperclip.index.planning import SearchPlan
from astro_paperclip.index.profiles import PROFILES, Profile
from astro_paperclip.index.schema import point_id
from astro_paperclip.index.store import Hit, Record, Store
from astro_paperclip.index.surveying import collections_on_server, index_facts
from astro_paperclip.index.upgrading import upgrade_index

__all__ = [
    "PROFILES",
    "CopyReport",
    "Hit",
    "IndexCheck",
    "Profile",
    "Record",
    "SearchPlan",
    "ServerAddress",
    "Store",
    "check_index",
    "collections_on_server",
    "copy_collection",
    "create_index",
    "finish_index",
    "index_facts",
    "is_address",
    "open_store",
    "point_id",
    "upgrade_index",
]
