"""A small collection, whose neighbours are known by brute force."""

import numpy as np
from qdrant_client import models

NAME = "observations"
COUNT = 60
SIZE = 8


def vectors(seed=0):
    return np.random.default_rng(seed).normal(size=(COUNT, SIZE)).astype(np.float32)


def points(rows):
    """Return points with a dense vector each, and a sparse one in even rows."""
    dense = vectors()
    return [
        models.PointStruct(
            id=row,
            vector={"image": dense[row].tolist()}
            | ({} if row % 2 else {"text": models.SparseVector(indices=[row], values=[1.0])}),
            payload={"group": f"g{row % 4}", "row": row, "inner": {"a": row, "b": 1}},
        )
        for row in rows
    ]


def make_collection(client, name=NAME, **settings):
    client.create_collection(
        name,
        vectors_config={"image": models.VectorParams(size=SIZE, distance=models.Distance.COSINE)},
        sparse_vectors_config={"text": models.SparseVectorParams(modifier=models.Modifier.IDF)},
        **settings,
    )


def ids(answer):
    return [point.id for point in answer]


def only(group):
    match = models.MatchValue(value=group)
    return models.Filter(must=[models.FieldCondition(key="group", match=match)])
