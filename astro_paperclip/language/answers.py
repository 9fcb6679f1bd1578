"""What stands in the place of an answer that did not come."""

from dataclasses import dataclass

__all__ = ["Failure"]


@dataclass(frozen=True)
class Failure:
    """Why there is no answer.

    Parameters
    ----------
    reason : str
        In a few words, for the record.
    may_pass : bool
        Whether another attempt, with another seed, may succeed.
    """

    reason: str
    may_pass: bool = False
