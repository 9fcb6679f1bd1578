"""Which function answers which operation of the contract."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .engine import Collection, Engine
from .errors import bad_request, not_found, not_served

__all__ = ["SERVER_VERSION", "Application"]

SERVER_VERSION = "1.19.0"
"""Version of the server that the contract describes."""

_PLAIN = {
    "/healthz": "healthz check passed",
    "/livez": "livez check passed",
    "/readyz": "all shards are ready",
}


@dataclass
class Application:
    """The server without its network.

    Parameters
    ----------
    engine : Engine
        The collections.
    yellow_answers : int, optional
        How often a collection is reported as yellow after a change that makes a server build
        its indexes anew.
    """

    engine: Engine
    yellow_answers: int = 0
    _operations: Any = field(default_factory=itertools.count)

    def answer(
        self, method: str, template: str, values: dict[str, str], query: dict, body: Any
    ) -> Any:
        """Answer one operation.

        Parameters
        ----------
        method, template : str
            The operation.
        values : dict
            The values in its path.
        query : dict
            The parameters after the question mark.
        body : object
            The parsed body.

        Returns
        -------
        object
            The result; a text is sent as such.
        """
        if template == "/":
            return {"title": "qdrant - vector search engine", "version": SERVER_VERSION}
        if template in _PLAIN:
            return _PLAIN[template]
        if (method, template) == ("GET", "/collections"):
            return {"collections": [{"name": name} for name in self.engine.names()]}
        name = values.get("collection_name")
        of_all = _OF_ALL.get((method, template))
        if of_all is not None:
            return of_all(self, name, body)
        read, write = _READS.get((method, template)), _WRITES.get((method, template))
        if read is None and write is None:
            raise not_served(f"{method} {template}")
        collection = self.engine.get(name)
        if read is not None:
            return read(collection, values, body)
        write(collection, values, body)
        return self._written(query)

    def _written(self, query: dict) -> dict:
        waited = query.get("wait") == "true"
        return {
            "operation_id": next(self._operations),
            "status": "completed" if waited else "acknowledged",
        }

    def create(self, name: str, body: dict) -> bool:
        """Make a collection."""
        self.engine.create(name, body)
        return True

    def update(self, name: str, body: dict) -> bool:
        """Change the settings of a collection."""
        collection = self.engine.get(name)
        unknown = (body.get("vectors") or {}).keys() - collection.settings.vectors.keys()
        if unknown:
            raise bad_request(f"Not existing vector name error: {', '.join(sorted(unknown))}")
        if collection.settings.update(body):
            collection.yellow_answers = self.yellow_answers
        return True

    def batch(self, name: str, body: dict) -> list[dict]:
        """Do several writes, one after the other."""
        collection = self.engine.get(name)
        results = []
        for operation in body["operations"]:
            ((kind, data),) = operation.items()
            _BATCHED[kind](collection, {}, data)
            results.append(self._written({"wait": "true"}))
        return results


def _index(collection: Collection, values: dict, body: dict) -> None:
    if body.get("field_schema") is None:
        raise not_served("indexes whose type is guessed")
    collection.create_index(body["field_name"], body["field_schema"])


def _point(collection: Collection, values: dict, body: None) -> dict:
    text = values["id"]
    found = collection.retrieve([int(text) if text.isdigit() else text], True, True)
    if not found:
        raise not_found(f"Point with id {text} does not exists!")
    return found[0]


def _queries(collection: Collection, values: dict, body: dict) -> list[dict]:
    return [{"points": collection.query(one)} for one in body["searches"]]


def _set_payload(collection: Collection, values: dict, body: dict) -> None:
    collection.change("set_payload", body, body["payload"], body.get("key"))


def _overwrite_payload(collection: Collection, values: dict, body: dict) -> None:
    collection.change("overwrite_payload", body, body["payload"], body.get("key"))


def _delete_payload(collection: Collection, values: dict, body: dict) -> None:
    collection.change("delete_payload", body, body["keys"])


def _clear_payload(collection: Collection, values: dict, body: dict) -> None:
    collection.change("clear_payload", body)


def _delete(collection: Collection, values: dict, body: dict) -> None:
    collection.change("delete_points", body)


def _delete_vectors(collection: Collection, values: dict, body: dict) -> None:
    collection.change("delete_vectors", body, body["vector"])


def _upsert(collection: Collection, values: dict, body: dict) -> None:
    collection.upsert(body)


def _update_vectors(collection: Collection, values: dict, body: dict) -> None:
    collection.update_vectors(body)


_NAMED = "/collections/{collection_name}"
_POINTS = f"{_NAMED}/points"

_OF_ALL: dict[tuple[str, str], Callable] = {
    ("GET", f"{_NAMED}/exists"): lambda app, name, body: {"exists": name in app.engine.names()},
    ("PUT", _NAMED): Application.create,
    ("PATCH", _NAMED): Application.update,
    ("DELETE", _NAMED): lambda app, name, body: app.engine.delete(name),
    ("POST", f"{_POINTS}/batch"): Application.batch,
}
_READS: dict[tuple[str, str], Callable] = {
    ("GET", _NAMED): lambda collection, values, body: collection.info(),
    ("GET", f"{_POINTS}/{{id}}"): _point,
    ("POST", _POINTS): lambda collection, values, body: collection.retrieve(
        body["ids"], body.get("with_payload"), body.get("with_vector")
    ),
    ("POST", f"{_POINTS}/scroll"): lambda collection, values, body: collection.scroll(body),
    ("POST", f"{_POINTS}/count"): lambda collection, values, body: {
        "count": collection.count(body)
    },
    ("POST", f"{_POINTS}/query"): lambda collection, values, body: {
        "points": collection.query(body)
    },
    ("POST", f"{_POINTS}/query/batch"): _queries,
    ("POST", f"{_POINTS}/query/groups"): lambda collection, values, body: {
        "groups": collection.query_groups(body)
    },
    ("POST", f"{_NAMED}/facet"): lambda collection, values, body: {"hits": collection.facet(body)},
}
_WRITES: dict[tuple[str, str], Callable] = {
    ("PUT", f"{_NAMED}/index"): _index,
    ("DELETE", f"{_NAMED}/index/{{field_name}}"): lambda collection, values, body: (
        collection.delete_index(values["field_name"])
    ),
    ("PUT", _POINTS): _upsert,
    ("POST", f"{_POINTS}/delete"): _delete,
    ("POST", f"{_POINTS}/payload"): _set_payload,
    ("PUT", f"{_POINTS}/payload"): _overwrite_payload,
    ("POST", f"{_POINTS}/payload/delete"): _delete_payload,
    ("POST", f"{_POINTS}/payload/clear"): _clear_payload,
    ("PUT", f"{_POINTS}/vectors"): _update_vectors,
    ("POST", f"{_POINTS}/vectors/delete"): _delete_vectors,
}
_BATCHED: dict[str, Callable] = {
    "upsert": _upsert,
    "delete": _delete,
    "set_payload": _set_payload,
    "overwrite_payload": _overwrite_payload,
    "delete_payload": _delete_payload,
    "clear_payload": _clear_payload,
    "update_vectors": _update_vectors,
    "delete_vectors": _delete_vectors,
}
