"""The end of a bulk load: build the graph, and wait until the server has done so."""

import time
from typing import Any

from qdrant_client import models
from tqdm import tqdm

from astro_paperclip.exceptions import CollectionServerError
from astro_paperclip.index.address import ServerAddress
from astro_paperclip.index.profiles import Profile
from astro_paperclip.index.server.connection import Connection
from astro_paperclip.index.server.settings import final_settings
from astro_paperclip.index.words import WORDS

__all__ = ["end_bulk_load"]

_PAUSE = 2.0
"""Pause [s] between two questions whether the server is ready."""

_CALM_ANSWERS = 3
"""Answers "green", one after another, that mean that nothing more is to come.

A server is calm for a moment between two optimizations. Qdrant's own tutorial waits for five calm
answers in a second (https://qdrant.tech/documentation/tutorials-operations/
gpu-accelerated-hnsw-indexing/); these are 2 s apart.
"""


def end_bulk_load(
    connection: Connection, address: ServerAddress, profile: Profile, progress: bool
) -> bool:
    """Send the final settings, and wait until the graph is built.

    Interrupting the wait does not interrupt the server.

    Parameters
    ----------
    connection : Connection
        How the server is called.
    address : ServerAddress
        The collection.
    profile : Profile
        What it was made with.
    progress : bool
        Whether to show how many vectors are in the graph.

    Returns
    -------
    bool
        Whether the profile has a graph to build after loading.

    Raises
    ------
    CollectionServerError
        If the server could not build it.
    """
    if not profile.bulk_load:
        return False
    name = address.collection
    settings = final_settings(profile, connection.call("get_collection", name).config)
    if settings:
        connection.call("update_collection", name, **settings)
    _wait_until_built(connection, address, progress)
    return True


def _wait_until_built(connection: Connection, address: ServerAddress, progress: bool) -> None:
    calm = 0
    having_words = models.Filter(must=[models.HasVectorCondition(has_vector=WORDS)])
    words = connection.call("count", address.collection, count_filter=having_words).count
    with tqdm(unit="vectors", desc="building the graph", disable=not progress) as bar:
        while True:
            found = connection.call("get_collection", address.collection)
            _show(bar, found, words)
            _check_optimizers(found, address)
            calm = calm + 1 if found.status == models.CollectionStatus.GREEN else 0
            if calm == _CALM_ANSWERS:
                return
            if found.status == models.CollectionStatus.GREY:
                # A server that was started again waits for an update before it goes on.
                _nudge(connection, address)
            time.sleep(_PAUSE)


def _show(bar: Any, found: models.CollectionInfo, words: int) -> None:
    bar.total = found.points_count
    # The server's number has the words in it, which always have an index.
    bar.n = max(0, (found.indexed_vectors_count or 0) - words)
    bar.refresh()


def _nudge(connection: Connection, address: ServerAddress) -> None:
    unchanged = models.OptimizersConfigDiff()
    connection.call("update_collection", address.collection, optimizers_config=unchanged)


def _check_optimizers(found: models.CollectionInfo, address: ServerAddress) -> None:
    error = getattr(found.optimizer_status, "error", None)
    if error is None and found.status == models.CollectionStatus.RED:
        error = "status red"
    if error is not None:
        raise CollectionServerError(
            f"The server could not build the graph of {address}: {error}. Its log says more; a "
            "full disk is a common reason. Searches go on without the graph, and slower. After "
            f"making room: astro-paperclip index finish {address}"
        )
