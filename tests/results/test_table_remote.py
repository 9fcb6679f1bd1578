"""Results with real observations, in MAST's own functions."""

import pytest
from astroquery.mast import Observations

from astro_paperclip.index import Hit
from astro_paperclip.results import PaperclipResult

pytestmark = pytest.mark.remote_data


def test_products_of_real_observations():
    found = Observations.query_criteria(
        obs_collection="HST", proposal_id="15354", dataproduct_type="image"
    )[:3]
    hits = [
        Hit(str(n), 1 - n / 10, dict(zip(row.colnames, row, strict=True)))
        for n, row in enumerate(found)
    ]
    result = PaperclipResult.from_hits(hits)
    assert set(result["obsid"]) == set(found["obsid"])
    products = Observations.get_product_list(result)
    assert set(products["parent_obsid"]) <= set(result["obsid"])
    assert len(products) > len(result)
