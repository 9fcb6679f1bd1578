"""Collections, each answered by a shard of Qdrant Edge in a directory of its own."""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import qdrant_edge as edge

from .conversion import (
    index_schema,
    payload_selection,
    plain_id,
    plain_record,
    points_from,
    vector_from,
)
from .errors import ServerError, engine_errors, not_found, not_served
from .filters import filter_from
from .queries import order_from, query_request
from .settings import Settings, dense_vector

__all__ = ["Collection", "Engine"]

_UPDATE_MODES = {
    "upsert": edge.UpdateMode.Upsert,
    "insert_only": edge.UpdateMode.InsertOnly,
    "update_only": edge.UpdateMode.UpdateOnly,
}


class Engine:
    """All collections of a server; its user calls from one thread at a time.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Where the shards lie.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._numbers = itertools.count()
        self._collections: dict[str, Collection] = {}

    def names(self) -> list[str]:
        """Return the names of all collections."""
        return list(self._collections)

    def create(self, name: str, data: dict) -> None:
        """Make a collection."""
        if name in self._collections:
            raise ServerError(409, f"Wrong input: Collection `{name}` already exists!")
        self._collections[name] = Collection(self._folder / str(next(self._numbers)), data)

    def get(self, name: str) -> "Collection":
        """Return a collection."""
        if name not in self._collections:
            raise not_found(f"Collection `{name}` doesn't exist!")
        return self._collections[name]

    def delete(self, name: str) -> bool:
        """Remove a collection, and return whether there was one."""
        collection = self._collections.pop(name, None)
        if collection is not None:
            collection.close()
        return collection is not None

    def close(self) -> None:
        """Remove everything."""
        for name in self.names():
            self.delete(name)


class Collection:
    """One collection: its shard and its settings.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The shard's directory, which does not exist yet.
    data : dict
        The body of the request that makes the collection.
    """

    def __init__(self, folder: Path, data: dict):
        self.settings = Settings(data)
        self.yellow_answers = 0
        self._folder = folder
        self._has_graph = False
        self._indexes: dict[str, str | dict] = {}
        folder.mkdir()
        try:
            with engine_errors():
                self._shard = edge.EdgeShard.create(str(folder), self.settings.shard_config())
        except BaseException:
            shutil.rmtree(folder)
            raise

    def close(self) -> None:
        """Close the shard and remove its files."""
        self._shard.close()
        shutil.rmtree(self._folder)

    def build_graph(self) -> None:
        """Build the graph that a server builds of many vectors, and answer from it."""
        with engine_errors():
            self._shard.flush()
            self._shard.close()
            config = self.settings.shard_config(with_graph=True)
            self._shard = edge.EdgeShard.load(str(self._folder), config)
            self._shard.optimize()
        self._has_graph = True

    def info(self) -> dict:
        """Return what a server tells about the collection."""
        with engine_errors():
            shard = self._shard.info()
        status = "yellow" if self.yellow_answers else "green"
        self.yellow_answers = max(0, self.yellow_answers - 1)
        return {
            "status": status,
            "optimizer_status": "ok",
            "points_count": shard.points_count,
            "indexed_vectors_count": shard.indexed_vectors_count
            if self._has_graph
            else self.settings.indexed_count(shard.points_count),
            "segments_count": shard.segments_count,
            "config": self.settings.config,
            "payload_schema": dict(self._index_infos(shard)),
        }

    def _index_infos(self, shard: Any) -> Iterator[tuple[str, dict]]:
        for field, schema in self._indexes.items():
            name, _ = index_schema(schema)
            info = {"data_type": name, "points": shard.payload_schema[field].points}
            yield field, info | ({"params": schema} if isinstance(schema, dict) else {})

    def create_index(self, field: str, schema: str | dict) -> None:
        """Index a field of the payload."""
        with engine_errors():
            _, parameters = index_schema(schema)
            self._shard.update(edge.UpdateOperation.create_field_index(field, parameters))
        self._indexes[field] = schema

    def delete_index(self, field: str) -> None:
        """Forget the index of a field."""
        with engine_errors():
            self._shard.update(edge.UpdateOperation.delete_field_index(field))
        self._indexes.pop(field, None)

    def create_vector(self, name: str, data: dict) -> None:
        """Make room for another dense vector; a sparse one is not served."""
        if "dense" not in data:
            raise not_served("sparse vectors that are added later")
        with engine_errors():
            vector = dense_vector(data["dense"])
            self._shard.update(
                edge.UpdateOperation.create_dense_vector(
                    name,
                    vector.size,
                    vector.distance,
                    multivector_config=vector.multivector_config,
                    datatype=vector.datatype,
                )
            )
        self.settings.add_vector(name, data["dense"])

    def upsert(self, data: dict) -> None:
        """Store points."""
        with engine_errors():
            operation = edge.UpdateOperation.upsert_points(
                points_from(data),
                condition=filter_from(data.get("update_filter")),
                update_mode=_UPDATE_MODES[data.get("update_mode") or "upsert"],
            )
            self._shard.update(operation)

    def update_vectors(self, data: dict) -> None:
        """Replace vectors of points, and leave their other vectors and payload."""
        with engine_errors():
            vectors = [
                edge.PointVectors(point["id"], vector_from(point["vector"]))
                for point in data["points"]
            ]
            condition = filter_from(data.get("update_filter"))
            self._shard.update(edge.UpdateOperation.update_vectors(vectors, condition))

    def change(self, kind: str, data: dict, *details: Any) -> None:
        """Change the points of a list, or those that fit a filter.

        Parameters
        ----------
        kind : str
            Name of the engine's operation, such as ``"delete_points"``.
        data : dict
            The request, with the points or the filter.
        *details : object
            What the operation takes beside.
        """
        with engine_errors():
            if data.get("points") is not None:
                operation = getattr(edge.UpdateOperation, kind)(data["points"], *details)
            elif data.get("filter") is not None:
                operation = getattr(edge.UpdateOperation, f"{kind}_by_filter")(
                    filter_from(data["filter"]), *details
                )
            else:
                raise ServerError(400, "Wrong input: neither points nor a filter is given")
            self._shard.update(operation)

    def retrieve(self, ids: list, payload: Any = None, vectors: Any = None) -> list[dict]:
        """Return the points with these ids, as far as they exist, in the order of the ids."""
        with engine_errors():
            selection = payload_selection(payload, default=True)
            points = self._shard.retrieve(ids, selection, vectors or False)
        return [plain_record(point) for point in points]

    def scroll(self, data: dict) -> dict:
        """Return a page of points, and the id that the next page starts with."""
        with engine_errors():
            request = edge.ScrollRequest(
                offset=data.get("offset"),
                limit=data.get("limit") or 10,
                filter=filter_from(data.get("filter")),
                with_payload=payload_selection(data.get("with_payload"), default=True),
                with_vector=data.get("with_vector") or False,
                order_by=order_from(data.get("order_by")),
            )
            points, following = self._shard.scroll(request)
        return {
            "points": [plain_record(point) for point in points],
            "next_page_offset": None if following is None else plain_id(following),
        }

    def count(self, data: dict) -> int:
        """Return the number of points that fit."""
        exact = data.get("exact", True)
        with engine_errors():
            request = edge.CountRequest(exact=exact, filter=filter_from(data.get("filter")))
            return self._shard.count(request)

    def facet(self, data: dict) -> list[dict]:
        """Return how many points have each value of an indexed field."""
        with engine_errors():
            request = edge.FacetRequest(
                data["key"],
                limit=data.get("limit") or 10,
                exact=data.get("exact") or False,
                filter=filter_from(data.get("filter")),
            )
            return [
                {"value": hit.value, "count": hit.count} for hit in self._shard.facet(request).hits
            ]

    def query(self, data: dict) -> list[dict]:
        """Return the points that answer a query, best first."""
        with engine_errors():
            points = self._shard.query(query_request(data, self._vector))
        return [plain_record(point) for point in points]

    def _vector(self, point: int | str, name: str) -> Any:
        found = self._shard.retrieve([point], False, [name])
        if not found:
            raise not_found(f"No point with id {point} found")
        vector = found[0].vector
        if isinstance(vector, dict):
            vector = vector.get(name)
        if vector is None:
            raise not_found(f"No vector {name!r} of the point with id {point} found")
        return vector

    def query_groups(self, data: dict) -> list[dict]:
        """Return the best points of each value of a field, the best groups first.

        The engine has no groups: all points are ranked, and dealt out.
        """
        limit, size, field = data.get("limit") or 10, data.get("group_size") or 3, data["group_by"]
        ranking = {**data, "with_payload": [field], "with_vector": False, "offset": 0}
        with engine_errors():
            ranking["limit"] = max(1, self._shard.info().points_count)
        groups: dict[Any, list[dict]] = {}
        for hit in self.query(ranking):
            for value in dict.fromkeys(_group_values(hit["payload"])):
                group = groups.setdefault(value, [])
                if len(group) < size:
                    group.append(hit)
        best = dict(itertools.islice(groups.items(), limit))
        ids = list({hit["id"]: None for hits in best.values() for hit in hits})
        wanted = data.get("with_payload") or False
        records = {
            record["id"]: record for record in self.retrieve(ids, wanted, data.get("with_vector"))
        }
        return [
            {"id": value, "hits": [_dressed(hit, records[hit["id"]]) for hit in hits]}
            for value, hits in best.items()
        ]


def _group_values(payload: Any) -> Iterator[str | int]:
    """Return the values in the part of a payload that a group's field selects."""
    if isinstance(payload, dict):
        payload = list(payload.values())
    if isinstance(payload, list):
        for item in payload:
            yield from _group_values(item)
    elif isinstance(payload, str | int) and not isinstance(payload, bool):
        yield payload


def _dressed(hit: dict, record: dict) -> dict:
    """Return a hit with the payload and the vectors that were asked for."""
    bare = {name: value for name, value in hit.items() if name not in ("payload", "vector")}
    return bare | record
