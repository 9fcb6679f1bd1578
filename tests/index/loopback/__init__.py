"""A Qdrant server for tests: the published contract in front of real shards.

`LoopbackServer` listens on the loopback address. It checks each request against the OpenAPI
document that Qdrant publishes, has Qdrant Edge answer it, and goes wrong when it is told to.
"""

from .faults import (
    APPLIED_THEN_CUT,
    CUT,
    CUT_WITHIN,
    MALFORMED,
    WRONG_CONTENT,
    Fault,
    Reply,
    at,
    refused,
    slow,
)
from .server import LoopbackServer, Request

__all__ = [
    "APPLIED_THEN_CUT",
    "CUT",
    "CUT_WITHIN",
    "MALFORMED",
    "WRONG_CONTENT",
    "Fault",
    "LoopbackServer",
    "Reply",
    "Request",
    "at",
    "refused",
    "slow",
]
