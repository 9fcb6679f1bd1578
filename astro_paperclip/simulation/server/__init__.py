"""The simulated archive as a server that speaks as MAST does, and fails as MAST may.

`serve` starts it on loopback, in threads of this process. The portal's requests, the
configuration of its columns, files, TAP and the proposal catalogue are at the same paths as
at https://mast.stsci.edu, so that astroquery and pyvo need to be told the server's address only.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from astro_paperclip.simulation.server.application import Application
from astro_paperclip.simulation.server.faults import FAULTS, Faults
from astro_paperclip.simulation.server.holdings import Holdings
from astro_paperclip.simulation.server.transport import Server

__all__ = ["FAULTS", "Holdings", "SimulatedServer", "serve"]

# Longest time until the server notices that it is to stop [s].
_POLL = 0.02


class SimulatedServer:
    """
    A running server, as `serve` hands it out.

    Attributes
    ----------
    url : str
        Its address, ``http://127.0.0.1:PORT``.
    requests : `~collections.Counter`
        Number of requests so far by kind: "portal", "columns", "file", "tap", "proposals".
    injected : `~collections.Counter`
        Number of faults so far by name.
    """

    def __init__(self, server: Server):
        self.url: str = server.url
        self.requests: Counter[str] = server.requests
        self.injected: Counter[str] = server.faults.injected


@contextmanager
def serve(
    archive: str | Path | Holdings,
    *,
    port: int = 0,
    latency: float = 0.0,
    fault_rate: float = 0.0,
    faults: Iterable[str] = FAULTS,
    seed: int = 0,
    retry_after: int = 1,
) -> Iterator[SimulatedServer]:
    """
    Serve a simulated archive on loopback.

    Parameters
    ----------
    archive : str, `~pathlib.Path` or `Holdings`
        Directory that `~astro_paperclip.simulation.write_archive` wrote; or tables, which need
        no previews on disk.
    port : int
        Where to; 0 for any port that is free.
    latency : float
        Time before each answer [s].
    fault_rate : float
        Probability of a fault at each request, from 0 to 1.
    faults : iterable of str
        Those of `FAULTS` that may happen. At each request one is chosen among those that make
        sense there.
    seed : int
        Of the random faults.
    retry_after : int
        Pause that refused clients are asked to make [s].

    Yields
    ------
    `SimulatedServer`
        Running; it is stopped, and its connections are closed, when the context is left.

    Raises
    ------
    CollectionError
        If the directory holds no simulated archive.
    OSError
        If the port is not free.
    ValueError
        If an argument makes no sense.
    """
    faults = tuple(faults)
    if unknown := set(faults) - set(FAULTS):
        raise ValueError(f"faults={sorted(unknown)} do not exist; choose from {FAULTS}")
    if not 0 <= fault_rate <= 1:
        raise ValueError(f"fault_rate={fault_rate} must be between 0 and 1")
    if latency < 0:
        raise ValueError(f"latency={latency} must not be negative")
    holdings = archive if isinstance(archive, Holdings) else Holdings.read(archive)
    server = Server(
        Application(holdings),
        Faults(fault_rate, faults, seed),
        port=port,
        latency=latency,
        retry_after=retry_after,
    )
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(_POLL,), daemon=True)
        thread.start()
        try:
            yield SimulatedServer(server)
        finally:
            server.shutdown()
            thread.join()
