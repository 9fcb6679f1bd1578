"""Queries in JSON, translated into those of Qdrant Edge."""

from collections.abc import Callable
from typing import Any

import qdrant_edge as edge

from .conversion import params_from, payload_selection, vector_from
from .errors import not_served
from .filters import filter_from

__all__ = ["order_from", "query_request"]

_LIMIT = 10
_Fetch = Callable[[int | str, str], Any]
"""Gives the vector of a point by the point's id and the vector's name."""


def query_request(data: dict, fetch: _Fetch) -> edge.QueryRequest:
    """Return a query of the engine.

    Parameters
    ----------
    data : dict
        The body of a query, or one query of a batch.
    fetch : callable
        Gives the vector of a point that a query names.

    Returns
    -------
    `qdrant_edge.QueryRequest`
    """
    return edge.QueryRequest(
        **_search(data, fetch),
        offset=data.get("offset") or 0,
        with_payload=payload_selection(data.get("with_payload"), default=False),
        with_vector=data.get("with_vector") or False,
    )


def _search(data: dict, fetch: _Fetch) -> dict[str, Any]:
    """Return what a query and a prefetch have in common."""
    if data.get("lookup_from") is not None:
        raise not_served("vectors of other collections")
    prefetches = data.get("prefetch") or []
    prefetches = prefetches if isinstance(prefetches, list) else [prefetches]
    query, excluded = _scoring(data.get("query"), data.get("using") or "", fetch)
    where = filter_from(data.get("filter"))
    if excluded is not None:
        where = edge.Filter(
            must=[where] if where is not None else [],
            must_not=[edge.HasIdCondition({excluded})],
        )
    return {
        "query": query,
        "limit": data.get("limit") or _LIMIT,
        "prefetches": [edge.Prefetch(**_search(one, fetch)) for one in prefetches],
        "filter": where,
        "score_threshold": data.get("score_threshold"),
        "params": params_from(data.get("params")),
    }


def _scoring(data: Any, using: str, fetch: _Fetch) -> tuple[Any, int | str | None]:
    """Return how points are scored, and the point that a search does not return."""
    if data is None:
        return None, None
    if isinstance(data, dict) and "nearest" in data:
        if data.get("mmr") is not None:
            raise not_served("diversity by MMR")
        data = data["nearest"]
    if isinstance(data, int | str):
        return edge.Query.Nearest(fetch(data, using), using=using), data
    if isinstance(data, list) or "indices" in data:
        return edge.Query.Nearest(vector_from(data), using=using), None
    return _scoring_without_vector(data), None


def _scoring_without_vector(data: dict) -> Any:
    if "fusion" in data:
        return edge.Fusion.Rrf(k=2) if data["fusion"] == "rrf" else edge.Fusion.Dbsf()
    if "rrf" in data:
        return edge.Fusion.Rrf(k=data["rrf"].get("k") or 2, weights=data["rrf"].get("weights"))
    if "sample" in data:
        return edge.Sample.Random
    if "order_by" in data:
        return order_from(data["order_by"])
    raise not_served(f"queries with {', '.join(data) or 'nothing'}")


def order_from(data: str | dict | None) -> edge.OrderBy | None:
    """Return an order by a field of the payload.

    Parameters
    ----------
    data : str, dict or None
        The name of the field, or it with a direction and a start.

    Returns
    -------
    `qdrant_edge.OrderBy` or None
    """
    if data is None:
        return None
    data = {"key": data} if isinstance(data, str) else data
    direction = edge.Direction.Desc if data.get("direction") == "desc" else edge.Direction.Asc
    return edge.OrderBy(data["key"], direction=direction, start_from=data.get("start_from"))
