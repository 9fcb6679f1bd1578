"""What may go wrong at the simulated archive, on request: which, how often, to which reply."""

import json
import random
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from astro_paperclip.simulation.server.application import Answer
from astro_paperclip.simulation.server.reply import Reply

__all__ = ["CUT_SHORT", "FAULTS", "Fault", "Faults", "spoil"]

FAULTS = (
    "unavailable",
    "too_many_requests",
    "reset",
    "truncated",
    "wrong_length",
    "html",
    "trickle",
    "not_a_jpeg",
    "odd_obsids",
    "duplicate_products",
    "no_products",
)
"""Names of the faults that `~astro_paperclip.simulation.serve` can inject."""

CUT_SHORT = {"reset", "truncated", "wrong_length", "trickle"}
"""Faults of the transport: the reply is right, and does not arrive so."""

_REFUSALS = {
    "unavailable": (503, "Simulated: the service is unavailable, try again later"),
    "too_many_requests": (429, "Simulated: too many requests, try again later"),
}

_HTML = """<!DOCTYPE html>
<html><head><title>Simulated maintenance</title></head>
<body><h1>The archive is being looked after</h1><p>Please come back later.</p></body></html>
"""

_LISTS = {"obsid": "observations", "obsID": "products"}
_FAULTS_OF_LISTS = {
    "observations": {"odd_obsids"},
    "products": {"odd_obsids", "duplicate_products", "no_products"},
}


@dataclass(frozen=True)
class Fault:
    """A fault that was dealt.

    Parameters
    ----------
    name : str
        One of `FAULTS`.
    seed : int
        Of what is chosen at random in it.
    """

    name: str
    seed: int


class Faults:
    """
    Deal faults to requests at random; threads may share it.

    Parameters
    ----------
    rate : float
        Probability of a fault at each request that some fault fits.
    names : iterable of str
        Which of `FAULTS`.
    seed : int
        Of the random numbers.

    Attributes
    ----------
    injected : `~collections.Counter`
        How many faults were dealt, by name.
    """

    def __init__(self, rate: float, names: Iterable[str], seed: int):
        self.injected = Counter()
        self._rate = rate
        self._names = [name for name in FAULTS if name in set(names)]
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def deal(self, method: str, answer: Answer) -> Fault | None:
        """
        Choose what goes wrong with an answer.

        Parameters
        ----------
        method : str
            Of HTTP.
        answer : `Answer`
            What would be answered.

        Returns
        -------
        `Fault` or None
            It is counted; None where all goes well.
        """
        if answer.kind is None:
            return None
        with self._lock:
            if self._random.random() >= self._rate:
                return None
            fitting = _fitting(method, answer)
            names = [name for name in self._names if name in fitting]
            if not names:
                return None
            name = self._random.choice(names)
            self.injected[name] += 1
            return Fault(name, self._random.getrandbits(32))


def _fitting(method, answer) -> set[str]:
    """Return the faults that make sense for an answer, and that a client can notice."""
    fitting, reply = set(_REFUSALS), answer.reply
    if method == "HEAD" or reply.status >= 400:
        return fitting
    if len(reply.body) > 1:
        fitting |= CUT_SHORT
    if reply.status != 200:
        return fitting
    fitting.add("html")
    if answer.kind == "file" and reply.content_type == "image/jpeg":
        fitting.add("not_a_jpeg")
    if answer.kind == "portal":
        fitting |= _FAULTS_OF_LISTS.get(_list_in(reply), set())
    return fitting


def _list_in(reply):
    """Say what a reply of the portal lists, if it lists anything at all."""
    head, _, rows = reply.body.partition(b'"data": [')
    found = [kind for name, kind in _LISTS.items() if f'"name": "{name}"'.encode() in head]
    return found[0] if found and rows != b"]}" else None


def spoil(reply: Reply, fault: Fault, retry_after: int) -> Reply:
    """
    Put a wrong reply in a right one's place.

    Parameters
    ----------
    reply : `Reply`
        The right one.
    fault : `Fault`
        None of `CUT_SHORT`.
    retry_after : int
        Pause that a refusal asks for [s].

    Returns
    -------
    `Reply`
    """
    if fault.name in _REFUSALS:
        status, words = _REFUSALS[fault.name]
        refusal = Reply.text(words, status)
        return replace(refusal, headers={"Retry-After": str(retry_after)})
    if fault.name == "html":
        return Reply(200, _HTML.encode(), "text/html;charset=utf-8")
    if fault.name == "not_a_jpeg":
        pattern = reply.body[:4] + b"Simulated: not an image. " * (len(reply.body) // 25 + 1)
        return replace(reply, body=pattern[: len(reply.body)])
    content = json.loads(reply.body)
    content["data"] = _spoil_rows(content["data"], fault)
    return Reply.json(content)


def _spoil_rows(rows, fault):
    if fault.name == "no_products":
        return []
    if fault.name == "duplicate_products":
        return [row for row in rows for _ in range(2)]
    for row in rows:
        for name in ("obsid", "obsID", "parent_obsid"):
            if row.get(name) is not None:
                row[name] = float(row[name])
    row = random.Random(fault.seed).choice(rows)
    row["obsid" if "obsid" in row else "obsID"] = None
    return rows
