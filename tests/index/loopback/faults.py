"""What may go wrong between a client and a server, when a test asks for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

__all__ = [
    "APPLIED_THEN_CUT",
    "CUT",
    "CUT_WITHIN",
    "MALFORMED",
    "WRONG_CONTENT",
    "Fault",
    "Reply",
    "at",
    "refused",
    "slow",
]


class Reply(NamedTuple):
    """An answer as it is sent."""

    status: int
    kind: str
    content: bytes
    headers: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong with one request.

    Parameters
    ----------
    is_applied : bool, optional
        Whether the request is carried out all the same.
    delay : float, optional
        Seconds before the answer.
    reply : Reply, optional
        What is answered in place of the true answer.
    cut : {None, "before", "within"}, optional
        Whether the connection ends before the answer, or in the middle of it.
    """

    is_applied: bool = True
    delay: float = 0
    reply: Reply | None = None
    cut: Literal["before", "within"] | None = None

    def __post_init__(self) -> None:
        if not self.is_applied and self.reply is None and self.cut != "before":
            raise ValueError("What is not carried out needs an answer, or a cut before it.")


CUT = Fault(is_applied=False, cut="before")
"""The connection ends, and nothing has been done."""

APPLIED_THEN_CUT = Fault(cut="before")
"""The connection ends after the request was carried out, of which the client cannot know."""

CUT_WITHIN = Fault(cut="within")
"""The connection ends in the middle of the answer."""

MALFORMED = Fault(reply=Reply(200, "application/json", b'{"result": [{"id": 1'))
"""The answer is no JSON."""

WRONG_CONTENT = Fault(reply=Reply(200, "text/html", b"<html><body>Welcome</body></html>"))
"""The answer comes from something else than Qdrant, such as a proxy."""


def refused(status: int, retry_after: int | None = None) -> Fault:
    """Return the fault of an error that is answered in place of doing anything.

    Parameters
    ----------
    status : int
        The HTTP status, such as 429 or 503.
    retry_after : int, optional
        Seconds after which the client may try again.

    Returns
    -------
    Fault
    """
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    content = b'{"status": {"error": "a fault that a test asked for"}, "time": 0.0}'
    reply = Reply(status, "application/json", content, headers)
    return Fault(is_applied=False, reply=reply)


def slow(seconds: float) -> Fault:
    """Return the fault of an answer that is right, and late."""
    return Fault(delay=seconds)


def at(
    method: str, ending: str, faults: dict[int, Fault]
) -> Callable[[str, str, int], Fault | None]:
    """Return a plan with faults at some of the requests to one path.

    Parameters
    ----------
    method : str
        The HTTP method.
    ending : str
        How the path ends.
    faults : dict
        The faults by the number of the request among those of its method and path, from 1.

    Returns
    -------
    callable
        What ``LoopbackServer.faults`` can be set to.
    """

    def plan(asked_method: str, path: str, number: int) -> Fault | None:
        fits = asked_method == method and path.endswith(ending)
        return faults.get(number) if fits else None

    return plan
