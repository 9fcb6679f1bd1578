"""Storing points as a whole that a store holds, here or there."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from astro_paperclip.index.engine import VECTOR
from astro_paperclip.index.store import Record, Store

__all__ = ["joined_vectors", "store_again"]


def joined_vectors(store: Store) -> dict[str, dict[str, Any]]:
    """Return what ``info`` says of the vectors that joined the main one, by name."""
    return {name: facts for name, facts in store.info()["vectors"].items() if name != VECTOR}


def store_again(
    records: Sequence[Record], origin: Store, target: Store, joined: Iterable[str]
) -> None:
    """Store points with all their vectors, in one go.

    Parameters
    ----------
    records : sequence of Record
        Points of a store, with their main vectors.
    origin : Store
        That store.
    target : Store
        Where they are to be stored.
    joined : iterable of str
        Names of the vectors that joined the main one, in both.
    """
    ids = [record.id for record in records]
    others = {
        name: [record.vector for record in origin.retrieve(ids, with_vectors=name)]
        for name in joined
    }
    target.upsert(
        ids,
        np.stack([record.vector for record in records]),
        [record.payload for record in records],
        others,
    )
