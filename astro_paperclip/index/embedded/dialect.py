"""The conditions of Qdrant Edge."""

from collections.abc import Sequence
from typing import Any

import qdrant_edge

__all__ = ["EdgeDialect"]


class EdgeDialect:
    """Makes conditions of Qdrant Edge, as `~astro_paperclip.index.dialect.Dialect` says."""

    def all_of(self, conditions: Sequence[Any]) -> qdrant_edge.Filter:
        """Return that all hold."""
        return qdrant_edge.Filter(must=list(conditions))

    def any_of(self, conditions: Sequence[Any]) -> qdrant_edge.Filter:
        """Return that one of them holds."""
        return qdrant_edge.Filter(should=list(conditions))

    def none_of(self, conditions: Sequence[Any]) -> qdrant_edge.Filter:
        """Return that none of them holds."""
        return qdrant_edge.Filter(must_not=list(conditions))

    def is_value(self, field: str, value: str | int) -> qdrant_edge.FieldCondition:
        """Return equality."""
        return qdrant_edge.FieldCondition(key=field, match=qdrant_edge.MatchValue(value))

    def is_any(
        self, field: str, values: Sequence[str] | Sequence[int]
    ) -> qdrant_edge.FieldCondition:
        """Return equality with one of some values."""
        return qdrant_edge.FieldCondition(key=field, match=qdrant_edge.MatchAny(list(values)))

    def is_between(
        self, field: str, gte: float | None, lte: float | None, gt: float | None, lt: float | None
    ) -> qdrant_edge.FieldCondition:
        """Return bounds."""
        bounds = qdrant_edge.RangeFloat(gte=gte, lte=lte, gt=gt, lt=lt)
        return qdrant_edge.FieldCondition(key=field, range=bounds)

    def has_id(self, ids: Sequence[str]) -> qdrant_edge.HasIdCondition:
        """Return identity."""
        return qdrant_edge.HasIdCondition(set(ids))

    def has_vector(self, name: str) -> qdrant_edge.HasVectorCondition:
        """Return having a vector."""
        return qdrant_edge.HasVectorCondition(name)
