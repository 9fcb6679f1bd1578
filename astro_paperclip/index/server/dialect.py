"""The conditions of a Qdrant server, as its client has them."""

from collections.abc import Sequence

from qdrant_client import models

__all__ = ["ServerDialect"]


class ServerDialect:
    """Makes conditions of Qdrant's client, as `~astro_paperclip.index.dialect.Dialect` says."""

    def all_of(self, conditions: Sequence[models.Condition]) -> models.Filter:
        """Return that all hold."""
        return models.Filter(must=list(conditions))

    def any_of(self, conditions: Sequence[models.Condition]) -> models.Filter:
        """Return that one of them holds."""
        return models.Filter(should=list(conditions))

    def none_of(self, conditions: Sequence[models.Condition]) -> models.Filter:
        """Return that none of them holds."""
        return models.Filter(must_not=list(conditions))

    def is_value(self, field: str, value: str | int) -> models.FieldCondition:
        """Return equality."""
        return models.FieldCondition(key=field, match=models.MatchValue(value=value))

    def is_any(self, field: str, values: Sequence[str] | Sequence[int]) -> models.FieldCondition:
        """Return equality with one of some values."""
        return models.FieldCondition(key=field, match=models.MatchAny(any=list(values)))

    def is_between(
        self, field: str, gte: float | None, lte: float | None, gt: float | None, lt: float | None
    ) -> models.FieldCondition:
        """Return bounds."""
        bounds = models.Range(gte=gte, lte=lte, gt=gt, lt=lt)
        return models.FieldCondition(key=field, range=bounds)

    def has_id(self, ids: Sequence[str]) -> models.HasIdCondition:
        """Return identity."""
        return models.HasIdCondition(has_id=list(ids))

    def has_vector(self, name: str) -> models.HasVectorCondition:
        """Return having a vector."""
        return models.HasVectorCondition(has_vector=name)
