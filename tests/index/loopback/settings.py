"""What a collection was told, as a server remembers and reports it.

Most of it decides where and how often data are kept, which an embedded shard has no say in.
"""

from copy import deepcopy
from typing import Any

import qdrant_edge as edge

from .errors import ServerError

__all__ = ["Settings", "dense_vector"]

_HNSW = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000} | {
    "max_indexing_threads": 0,
    "on_disk": False,
}
_OPTIMIZERS = {
    "deleted_threshold": 0.2,
    "vacuum_min_vector_number": 1000,
    "default_segment_number": 0,
    "max_segment_size": None,
    "memmap_threshold": None,
    "indexing_threshold": 10000,
    "flush_interval_sec": 5,
    "max_optimization_threads": None,
}
_WAL = {"wal_capacity_mb": 32, "wal_segments_ahead": 0, "wal_retain_closed": 1}
_PARAMS = {"shard_number": 1, "replication_factor": 1, "write_consistency_factor": 1} | {
    "on_disk_payload": True
}
_OPTIONAL_PARAMS = ("vectors", "sparse_vectors", "sharding_method", "payload", "id_tracker")
_DATATYPES = {
    "float32": edge.VectorStorageDatatype.Float32,
    "float16": edge.VectorStorageDatatype.Float16,
    "uint8": edge.VectorStorageDatatype.Uint8,
}


class Settings:
    """The settings of a collection.

    Parameters
    ----------
    data : dict
        The body of the request that makes the collection.
    """

    def __init__(self, data: dict):
        data = deepcopy(data)
        names = (*_PARAMS, *_OPTIONAL_PARAMS)
        self._config = {
            "params": _PARAMS | {name: data[name] for name in names if data.get(name) is not None},
            "hnsw_config": _merged(_HNSW, data.get("hnsw_config")),
            "optimizer_config": _merged(_OPTIMIZERS, data.get("optimizers_config")),
            "wal_config": _merged(_WAL, data.get("wal_config")),
            "quantization_config": data.get("quantization_config"),
            "strict_mode_config": data.get("strict_mode_config") or {"enabled": False},
        }
        if data.get("metadata"):
            self._config["metadata"] = data["metadata"]

    @property
    def config(self) -> dict:
        """A copy of the configuration, as a server tells it."""
        return deepcopy(self._config)

    @property
    def vectors(self) -> dict[str, dict]:
        """The dense vectors by name; a vector without a name has the name ``""``."""
        vectors = self._config["params"].get("vectors") or {}
        return {"": vectors} if "size" in vectors and "distance" in vectors else vectors

    def add_vector(self, name: str, data: dict) -> None:
        """Remember a vector that was added later."""
        self._config["params"].setdefault("vectors", {})[name] = deepcopy(data)

    def update(self, data: dict) -> bool:
        """Change settings.

        Parameters
        ----------
        data : dict
            The body of the request.

        Returns
        -------
        bool
            Whether a server would now build its indexes anew.
        """
        self._check_names(data)
        config, data = self._config, deepcopy(data)
        config["params"] = _merged(config["params"], data.get("params"))
        for name, told in [
            ("hnsw_config", "hnsw_config"),
            ("optimizer_config", "optimizers_config"),
            ("strict_mode_config", "strict_mode_config"),
            ("metadata", "metadata"),
        ]:
            if data.get(told) is not None:
                config[name] = _merged(config.get(name) or {}, data[told])
        if data.get("quantization_config") is not None:
            config["quantization_config"] = _unless_disabled(data["quantization_config"])
        for name, changes in (data.get("vectors") or {}).items():
            self._update_vector(name, changes)
        if data.get("sparse_vectors"):
            known = config["params"]["sparse_vectors"]
            for name, changes in data["sparse_vectors"].items():
                known[name] = _merged(known[name], changes)
        rebuilding = ("hnsw_config", "optimizers_config", "quantization_config", "vectors")
        return any(data.get(name) is not None for name in rebuilding)

    def _check_names(self, data: dict) -> None:
        for kind, known in [
            ("vectors", self.vectors),
            ("sparse_vectors", self._config["params"].get("sparse_vectors") or {}),
        ]:
            for name in (data.get(kind) or {}).keys() - known.keys():
                raise ServerError(400, f"Wrong input: Not existing vector name error: {name}")

    def _update_vector(self, name: str, changes: dict) -> None:
        vector = self.vectors[name]
        for key, value in changes.items():
            if key == "quantization_config":
                vector[key] = _unless_disabled(value)
            elif isinstance(value, dict):
                vector[key] = _merged(vector.get(key) or {}, value)
            elif value is not None:
                vector[key] = value

    def indexed_count(self, points: int) -> int:
        """Return how many vectors a server would have in its graphs.

        It builds none with ``m`` 0, and none of segments below a threshold in KB.
        """
        threshold = self._config["optimizer_config"]["indexing_threshold"]
        count = 0
        for vector in self.vectors.values():
            links = (vector.get("hnsw_config") or {}).get("m")
            links = self._config["hnsw_config"]["m"] if links is None else links
            if links and threshold and points * vector["size"] * 4 / 1024 > threshold:
                count += points
        return count

    def shard_config(self, with_graph: bool = False) -> edge.EdgeConfig:
        """Return the part that decides what a search finds, for the engine.

        The engine keeps no log, as no collection outlives the server.

        Parameters
        ----------
        with_graph : bool
            Whether the engine shall build a graph of however few vectors, and search it.
        """
        graph = {
            "hnsw_config": edge.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=1),
            "optimizers": edge.EdgeOptimizersConfig(indexing_threshold=1, default_segment_number=1),
        }
        sparse = self._config["params"].get("sparse_vectors") or {}
        return edge.EdgeConfig(
            vectors={name: dense_vector(vector) for name, vector in self.vectors.items()},
            sparse_vectors={name: _sparse(vector) for name, vector in sparse.items()},
            wal_enabled=False,
            **(graph if with_graph else {}),
        )


def _merged(known: dict, changes: dict | None) -> dict:
    given = {name: value for name, value in (changes or {}).items() if value is not None}
    return known | given


def _unless_disabled(quantization: Any) -> Any:
    return None if quantization == "Disabled" else quantization


def dense_vector(vector: dict) -> edge.EdgeVectorParams:
    """Return a vector as the engine is told of it."""
    multiple = vector.get("multivector_config")
    return edge.EdgeVectorParams(
        size=vector["size"],
        distance=getattr(edge.Distance, vector["distance"]),
        datatype=_DATATYPES[vector.get("datatype") or "float32"],
        multivector_config=multiple and edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim),
    )


def _sparse(vector: dict) -> edge.EdgeSparseVectorParams:
    modifier = edge.Modifier.Idf if vector.get("modifier") == "idf" else None
    return edge.EdgeSparseVectorParams(modifier=modifier)
