"""A simulated archive of a few dozen observations, and one line that is awkward."""

import pyarrow as pa
import pytest

from astro_paperclip.simulation.observations import draw_proposals
from astro_paperclip.simulation.server.holdings import Holdings

AWKWARD = {
    "obsid": "2003585980",
    "obs_id": "U27XCS01T",
    "obs_collection": "HLA",
    "obs_title": "Hα & <O III> in M'31",
    "target_name": "",
    "proposal_id": "5371",
    "s_ra": 23.11817129395,
    "s_dec": 60.64213575852,
    "s_region": "POLYGON GSC1  23.17474785  60.66012593  23.15424076  60.61702967  "
    "23.06645518  60.62703769  23.08684334  60.67014825  23.17474785  60.66012593",
}


@pytest.fixture(scope="session")
def rows():
    """Return the rows of the archive, as dictionaries with MAST's names."""
    drawn = [row.row for proposal in draw_proposals(12, 0) for row in proposal.observations]
    return [*drawn, dict.fromkeys(drawn[0]) | AWKWARD]


@pytest.fixture(scope="session")
def holdings(rows):
    return Holdings(pa.table({"proposal_id": []}), pa.Table.from_pylist(rows))
