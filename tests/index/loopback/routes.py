"""Which function answers which operation of the contract."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .engine import Collection, Engine
from .errors import not_found, not_served

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
        name, operation = values.get("collection_name"), (method, template)
        if operation in _OF_ALL:
            return _OF_ALL[operation](self, name, body)
        if operation in _READS:
            return _READS[operation](self.engine.get(name), values, body)
        if operation not in _WRITES:
            raise not_served(f"{method} {template}")
        _WRITES[operation](self.engine.get(name), values, body)
        return self._written(query.get("wait") == "true")

    def _written(self, waited: bool) -> dict:
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
        if collection.settings.update(body):
            collection.yellow_answers = self.yellow_answers
        return True

    def batch(self, name: str, body: dict) -> list[dict]:
        """Do several writes, one after the other."""
        collection = self.engine.get(name)
        results = []
        for operation in body["operations"]:
            ((kind, data),) = operation.items()
            _CHANGES[kind](collection, data)
            results.append(self._written(waited=True))
        return results


def _point(collection: Collection, values: dict, body: None) -> dict:
    text = values["id"]
    found = collection.retrieve([int(text) if text.isdigit() else text], True, True)
    if not found:
        raise not_found(f"Point with id {text} does not exists!")
    return found[0]


def _retrieve(collection: Collection, values: dict, body: dict) -> list[dict]:
    return collection.retrieve(body["ids"], body.get("with_payload"), body.get("with_vector"))


def _query_batch(collection: Collection, values: dict, body: dict) -> list[dict]:
    return [{"points": collection.query(one)} for one in body["searches"]]


def _create_index(collection: Collection, values: dict, body: dict) -> None:
    if body.get("field_schema") is None:
        raise not_served("indexes whose type is guessed")
    collection.create_index(body["field_name"], body["field_schema"])


def _delete_index(collection: Collection, values: dict, body: None) -> None:
    collection.delete_index(values["field_name"])


def _create_vector(collection: Collection, values: dict, body: dict) -> None:
    collection.create_vector(values["vector_name"], body)


def _change(name: str) -> Callable:
    return lambda collection, values, body: _CHANGES[name](collection, body)


_CHANGES: dict[str, Callable] = {
    "upsert": lambda collection, data: collection.upsert(data),
    "update_vectors": lambda collection, data: collection.update_vectors(data),
    "delete": lambda collection, data: collection.change("delete_points", data),
    "delete_vectors": lambda collection, data: collection.change(
        "delete_vectors", data, data["vector"]
    ),
    "set_payload": lambda collection, data: collection.change(
        "set_payload", data, data["payload"], data.get("key")
    ),
    "overwrite_payload": lambda collection, data: collection.change(
        "overwrite_payload", data, data["payload"], data.get("key")
    ),
    "delete_payload": lambda collection, data: collection.change(
        "delete_payload", data, data["keys"]
    ),
    "clear_payload": lambda collection, data: collection.change("clear_payload", data),
}
"""What changes points, by the names that a batch of writes uses."""

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
    ("POST", _POINTS): _retrieve,
    ("POST", f"{_POINTS}/scroll"): lambda collection, values, body: collection.scroll(body),
    ("POST", f"{_POINTS}/count"): lambda collection, values, body: {
        "count": collection.count(body)
    },
    ("POST", f"{_POINTS}/query"): lambda collection, values, body: {
        "points": collection.query(body)
    },
    ("POST", f"{_POINTS}/query/batch"): _query_batch,
    ("POST", f"{_POINTS}/query/groups"): lambda collection, values, body: {
        "groups": collection.query_groups(body)
    },
    ("POST", f"{_NAMED}/facet"): lambda collection, values, body: {"hits": collection.facet(body)},
}
_WRITES: dict[tuple[str, str], Callable] = {
    ("PUT", f"{_NAMED}/index"): _create_index,
    ("DELETE", f"{_NAMED}/index/{{field_name}}"): _delete_index,
    ("PUT", f"{_NAMED}/vectors/{{vector_name}}"): _create_vector,
    ("PUT", _POINTS): _change("upsert"),
    ("POST", f"{_POINTS}/delete"): _change("delete"),
    ("POST", f"{_POINTS}/payload"): _change("set_payload"),
    ("PUT", f"{_POINTS}/payload"): _change("overwrite_payload"),
    ("POST", f"{_POINTS}/payload/delete"): _change("delete_payload"),
    ("POST", f"{_POINTS}/payload/clear"): _change("clear_payload"),
    ("PUT", f"{_POINTS}/vectors"): _change("update_vectors"),
    ("POST", f"{_POINTS}/vectors/delete"): _change("delete_vectors"),
}
