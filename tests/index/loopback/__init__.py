"""A Qdrant server for tests: the published contract in front of real shards.

`LoopbackServer` listens on the loopback address. It checks each request against the OpenAPI
document that Qdrant publishes, has Qdrant Edge answer it, and goes wrong when it is told to.

It differs from a server in this:

- It is stricter with requests (see `contract`), so that mistakes that a server forgives are seen.
- A graph is built only when a test says so (`LoopbackServer.build_graph`): searches are exact
  until then. No vector is quantized. Counts and facets that may be
  estimates are the engine's.
- One node holds one copy: the number of shards and of copies, consistency, the order of writes,
  timeouts and strict mode are remembered, and have no effect.
- A write is carried out before it is answered, whether or not the client waits.
- After a change of settings, a collection is yellow for as many answers as the test says. How
  many vectors are indexed is computed from the settings.
- Aliases, snapshots, clusters, telemetry, inference, recommendations, discovery, formulas and
  MMR are answered with 501, as are the searches before ``/points/query``. There is no gRPC.
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
