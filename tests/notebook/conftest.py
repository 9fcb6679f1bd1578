"""Results with pictures that are easy to tell apart."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from astro_paperclip import PaperclipResult

FOOTPRINT = "POLYGON J2000 {0} 0 {1} 0 {1} 0.05 {0} 0.05 {0} 0"


@pytest.fixture
def make_result(tmp_path):
    """Return a function that makes a result of so many observations, with pictures on disk."""

    def make_result(number=3, *, size=(200, 150), **payload):
        hits = []
        for n in range(number):
            path = tmp_path / f"{n}.png"
            red, blue = np.full(size[::-1], 40 * n % 256), np.full(size[::-1], 255 - 40 * n % 256)
            ramp = np.tile(np.linspace(0, 255, size[0]), (size[1], 1))
            Image.fromarray(np.stack([red, ramp, blue], axis=-1).astype(np.uint8)).save(path)
            ra = 10 + 0.1 * n
            row = {
                "obsid": str(2003738720 + n),
                "obs_id": f"hst_9405_{n:02}",
                "target_name": f"NGC {n}",
                "obs_collection": "HST",
                "instrument_name": "ACS/WFC",
                "filters": "F606W",
                "proposal_id": "9405",
                "t_exptime": 1000.0 + n,
                "s_ra": ra,
                "s_dec": 0.025,
                "s_region": FOOTPRINT.format(ra - 0.025, ra + 0.025),
                "preview": f"mast:HST/product/hst_9405_{n:02}_drz.jpg",
                "image": str(path),
                "title": f"The galaxy number {n}",
            }
            hits.append(SimpleNamespace(id=str(n), score=0.9 - n / 10, payload=row | payload))
        return PaperclipResult.from_hits(hits, query={"kind": "text", "text": "a galaxy"})

    return make_result
