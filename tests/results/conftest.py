"""Results as a search gives them: of invented rows, and of real ones that MAST sent."""

import json
from types import SimpleNamespace

import pytest

from astro_paperclip import PaperclipResult


@pytest.fixture(scope="session")
def recorded_rows(shared):
    """Return observations as MAST sent them to astroquery, as dictionaries."""
    path = shared / "data" / "mast_records" / "astroquery" / "caom.json"
    if not path.is_file():
        pytest.skip(f"there are no recorded replies of MAST: {path} is missing")
    return json.loads(path.read_text(encoding="utf-8"))["data"]


@pytest.fixture
def recorded(recorded_rows):
    """Return a result with the recorded observations, in their order."""
    hits = [
        SimpleNamespace(id=str(number), score=1 - number / 100, payload=row)
        for number, row in enumerate(recorded_rows)
    ]
    query = {"kind": "text", "text": "Griffiths' galaxies, près de 60°", "collection": "hubble"}
    return PaperclipResult.from_hits(hits, query=query, index_info={"encoder": "compact"})
