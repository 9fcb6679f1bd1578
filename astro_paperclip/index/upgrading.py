"""Bring an index of an earlier version of this package up to date."""

import os

from tqdm import tqdm

from astro_paperclip.index.opening import open_store
from astro_paperclip.index.rewriting import joined_vectors, store_again
from astro_paperclip.index.schema import SCHEMA_VERSION
from astro_paperclip.index.store import Store, in_pages

__all__ = ["upgrade_index"]

_OLDEST = 1
"""The oldest form of stored rows that can be brought up to date: the first one."""

_POINTS_PER_PAGE = 1024


def upgrade_index(location: str | os.PathLike, *, progress: bool = True) -> int:
    """Store all rows of an index again, in the form that this version searches.

    Vectors stay as they are. When it is interrupted, nothing is lost, and the index is of the
    earlier version still: upgrade again.

    Parameters
    ----------
    location : str or path-like
        The collection's directory, or its address on a server.
    progress : bool, optional
        Whether to show a progress bar.

    Returns
    -------
    int
        Number of points that were stored again: none where the index was up to date.

    Raises
    ------
    CollectionError
        If there is no index, or it is damaged.
    CollectionLockedError
        If another process has it open.
    """
    with open_store(location, mode="w", oldest=_OLDEST) as store:
        if store.schema_version == SCHEMA_VERSION:
            return 0
        return _store_again(store, progress)


def _store_again(store: Store, progress: bool) -> int:
    total, joined = store.count(), joined_vectors(store)
    with tqdm(total=total, unit="points", disable=not progress) as bar:
        for page in in_pages(store.scroll(with_vectors=True), _POINTS_PER_PAGE):
            store_again(page, store, store, joined)
            bar.update(len(page))
    store.mark_upgraded()
    return total
