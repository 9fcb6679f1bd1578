"""A small simulated archive of Hubble observations, for tests, documentation and the demo.

Nothing in it was observed: pictures, proposals and metadata are all made up.
"""

from importlib import import_module

from astro_paperclip.simulation.archive import write_archive
from astro_paperclip.simulation.kinds import KINDS, render

__all__ = ["FAULTS", "KINDS", "Holdings", "SimulatedServer", "render", "serve", "write_archive"]

_OF_THE_SERVER = {"FAULTS", "Holdings", "SimulatedServer", "serve"}


def __getattr__(name):
    if name not in _OF_THE_SERVER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.server"), name)
    globals()[name] = value
    return value
