"""A small simulated archive of Hubble observations, for tests, documentation and the demo.

Nothing in it was observed: pictures, proposals and metadata are all made up.
"""

from astro_paperclip.simulation.archive import write_archive
from astro_paperclip.simulation.kinds import KINDS, render

__all__ = ["KINDS", "render", "write_archive"]
