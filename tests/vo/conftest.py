"""Results with rows that lack what other rows have."""

from types import SimpleNamespace

import pytest

from astro_paperclip import PaperclipResult

FULL = {
    "obsid": 24556184,
    "obs_id": "jbf801010",
    "obs_collection": "HST",
    "target_name": "M-31",
    "instrument_name": "ACS/WFC",
    "proposal_id": "12058",
    "obs_title": "A Panchromatic Hubble Andromeda Treasury",
    "dataproduct_type": "image",
    "calib_level": 3,
    "s_ra": 11.0,
    "s_dec": 41.5,
    "s_region": "POLYGON GSC1 10.97 41.47 11.03 41.47 11.03 41.53 10.97 41.53 10.97 41.47",
    "t_min": 55_400.5,
    "t_max": 55_400.6,
    "t_exptime": 1720.0,
    "em_min": 460.0,
    "em_max": 480.0,
    "dataURL": "mast:HST/product/jbf801010_drz.fits",
    "jpegURL": "mast:HST/product/jbf801010_drz.jpg",
}
PREVIEW_ONLY = {
    "obsid": "25",
    "obs_id": "u27xcs01t",
    "obs_collection": "HLA",
    "dataproduct_type": "IMAGE",
    "calib_level": -1,
    "s_region": "CIRCLE J2000 20 -30 0.25",
    "jpegURL": "https://hla.stsci.edu/cgi-bin/preview.cgi?dataset=hst_05371",
}
NOTHING = {"preview": "pictures/mine.jpg", "dataproduct_type": "preview"}


@pytest.fixture
def result():
    hits = [
        SimpleNamespace(id=str(number), score=1 - number / 4, payload=row)
        for number, row in enumerate((FULL, PREVIEW_ONLY, NOTHING))
    ]
    query = {"kind": "text", "text": "spiral arms & dust", "collection": "/data/hubble"}
    return PaperclipResult.from_hits(hits, query=query, index_info={"encoder": "compact"})
