"""What can be wrong with a query."""

__all__ = ["QueryError"]


class QueryError(ValueError):
    """A query that the TAP service refuses, or cannot carry out; the message is for its author."""
