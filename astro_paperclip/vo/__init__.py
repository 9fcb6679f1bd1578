"""Results for the Virtual Observatory: ObsCore, VOTables, pyvo's results, SAMP."""

from astro_paperclip.vo.dal import sia2_results
from astro_paperclip.vo.obscore import OBSCORE_COLUMNS, obscore_table
from astro_paperclip.vo.samp import broadcast_table
from astro_paperclip.vo.votable import make_votable

__all__ = [
    "OBSCORE_COLUMNS",
    "broadcast_table",
    "make_votable",
    "obscore_table",
    "sia2_results",
]
