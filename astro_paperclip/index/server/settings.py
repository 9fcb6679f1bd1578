"""A profile in the terms of Qdrant's client: how to make a collection, and how to finish it."""

from functools import partial
from typing import Any

from qdrant_client import models

from astro_paperclip.index.engine import VECTOR
from astro_paperclip.index.profiles import Profile
from astro_paperclip.index.schema import INDEXED_FIELDS
from astro_paperclip.index.words import WORDS

__all__ = ["creation_settings", "final_settings", "index_parameters", "joining_vector"]

_INDEXES = {
    "keyword": (models.KeywordIndexParams, models.KeywordIndexType.KEYWORD),
    "float": (models.FloatIndexParams, models.FloatIndexType.FLOAT),
    "integer": (
        partial(models.IntegerIndexParams, lookup=True, range=False),
        models.IntegerIndexType.INTEGER,
    ),
}


def creation_settings(profile: Profile, dimension: int) -> dict[str, Any]:
    """Return the arguments of ``create_collection``.

    Places in memory are named as servers before 1.19 know them, too: ``on_disk`` and
    ``always_ram``, for which newer ones also have ``memory``.

    Parameters
    ----------
    profile : Profile
        What the collection is for.
    dimension : int
        Length of a vector.

    Returns
    -------
    dict
    """
    vectors = models.VectorParams(
        size=dimension,
        distance=models.Distance.COSINE,
        datatype=models.Datatype(profile.datatype),
        on_disk=profile.vectors_on_disk,
    )
    optimizers = {
        name: getattr(profile, name)
        for name in ("max_segment_size", "default_segment_number")
        if getattr(profile, name)
    }
    return {
        "vectors_config": {VECTOR: vectors},
        "sparse_vectors_config": {WORDS: models.SparseVectorParams(modifier=models.Modifier.IDF)},
        "shard_number": profile.shard_number,
        "replication_factor": profile.replication_factor,
        "write_consistency_factor": _write_consistency(profile, loading=profile.bulk_load),
        "on_disk_payload": profile.on_disk_payload,
        "hnsw_config": _graph(profile, loading=profile.bulk_load),
        "optimizers_config": models.OptimizersConfigDiff(**optimizers) if optimizers else None,
        "quantization_config": _quantization(profile),
    }


def final_settings(profile: Profile, config: models.CollectionConfig) -> dict[str, Any]:
    """Return the arguments of ``update_collection`` that end a bulk load.

    Parameters
    ----------
    profile : Profile
        What the collection was made with.
    config : `qdrant_client.models.CollectionConfig`
        What the server says of it.

    Returns
    -------
    dict
        Empty where there is nothing to change: every load but a bulk load, and one that has
        ended.
    """
    if not profile.bulk_load:
        return {}
    graph, params = _graph(profile), config.params
    settings = {}
    if (config.hnsw_config.m, config.hnsw_config.payload_m or 0) != (graph.m, graph.payload_m):
        settings["hnsw_config"] = graph
    copies = _write_consistency(profile)
    if (params.write_consistency_factor or 1) != copies:
        settings["collection_params"] = models.CollectionParamsDiff(write_consistency_factor=copies)
    return settings


def joining_vector(profile: Profile, dimension: int) -> models.DenseVectorNameConfig:
    """Return what a vector is that joins those of a collection.

    Parameters
    ----------
    profile : Profile
        What the collection was made with. Its quantization and its graph are the collection's,
        and thereby this vector's, too.
    dimension : int
        Length of the vector.
    """
    return models.DenseVectorNameConfig(
        dense=models.DenseVectorConfig(
            size=dimension,
            distance=models.Distance.COSINE,
            datatype=models.VectorStorageDatatype(profile.datatype),
        )
    )


def index_parameters(profile: Profile, field: str) -> Any:
    """Return how a field of the payload is indexed.

    Parameters
    ----------
    profile : Profile
        Says which fields have links in the graph; without a graph, nothing is said about it.
    field : str
        One of `~astro_paperclip.index.schema.INDEXED_FIELDS`.
    """
    parameters, kind = _INDEXES[INDEXED_FIELDS[field]]
    has_links = field in profile.linked_fields if profile.m else None
    return parameters(type=kind, enable_hnsw=has_links)


def _graph(profile: Profile, loading: bool = False) -> models.HnswConfigDiff:
    # A server builds no graph only if both kinds of links are 0: with payload_m alone it would
    # build the links of payload fields while points arrive.
    return models.HnswConfigDiff(
        m=0 if loading else profile.m,
        payload_m=0 if loading else profile.payload_m,
        ef_construct=profile.ef_construct,
    )


def _write_consistency(profile: Profile, loading: bool = False) -> int:
    return 1 if loading else profile.write_consistency_factor


def _quantization(profile: Profile) -> models.ScalarQuantization | None:
    if profile.quantization == "none":
        return None
    return models.ScalarQuantization(
        scalar=models.ScalarQuantizationConfig(
            type=models.ScalarType.INT8,
            quantile=profile.quantile,
            always_ram=profile.always_ram,
        )
    )
