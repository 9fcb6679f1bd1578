"""What a filter is made of in the words of an engine."""

from collections.abc import Sequence
from typing import Any, Protocol

__all__ = ["Dialect"]


class Dialect(Protocol):
    """Makes the conditions of one engine.

    Qdrant Edge and Qdrant's client have classes of the same names that know nothing of each
    other. ``field`` is always a path into the payload, as `~astro_paperclip.index.filters`
    quotes it. What the methods return may stand for ``conditions`` in others.
    """

    def all_of(self, conditions: Sequence[Any]) -> Any:
        """Return that all conditions hold; no conditions: always."""

    def any_of(self, conditions: Sequence[Any]) -> Any:
        """Return that at least one of the conditions, of which there must be one, holds."""

    def none_of(self, conditions: Sequence[Any]) -> Any:
        """Return that none of the conditions holds."""

    def is_value(self, field: str, value: str | int) -> Any:
        """Return that a field equals a text or a whole number, or has it in its list."""

    def is_any(self, field: str, values: Sequence[str] | Sequence[int]) -> Any:
        """Return that a field equals one of some texts or numbers, or has it in its list."""

    def is_between(
        self, field: str, gte: float | None, lte: float | None, gt: float | None, lt: float | None
    ) -> Any:
        """Return that a field is a number within bounds."""

    def has_id(self, ids: Sequence[str]) -> Any:
        """Return that a point's id is one of some; none of them: never."""

    def has_vector(self, name: str) -> Any:
        """Return that a point has a vector of a name."""
