"""A result as pyvo's own services return it."""

from typing import TYPE_CHECKING

from astro_paperclip.vo.votable import make_votable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from astropy.table import Table
    from pyvo.dal.sia2 import SIA2Results

__all__ = ["sia2_results"]


def sia2_results(obscore: "Table", searches: "Iterable[dict]" = ()) -> "SIA2Results":
    """Return a table of ObsCore as the reply of an image service (SIA2).

    Parameters
    ----------
    obscore : `~astropy.table.Table`
        As `~astro_paperclip.vo.obscore_table` returns it.
    searches : iterable of dict
        Records of the searches that the rows stem from.

    Returns
    -------
    results : `pyvo.dal.SIA2Results`
        Its records know ``getdataurl()``, ``cachedataset()`` and ObsCore's columns.
    """
    from pyvo.dal.sia2 import SIA2Results

    searches = list(searches)
    places = dict.fromkeys(str(s.get("query", {}).get("collection", "")) for s in searches)
    votable = make_votable(
        obscore,
        searches=searches,
        description="Observations in ObsCore 1.1, ranked",
    )
    # The name by which programs list a table that is sent to them.
    return SIA2Results(votable, url="; ".join(filter(None, places)) or "astro_paperclip")
