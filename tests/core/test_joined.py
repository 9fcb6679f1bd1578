"""Queries with an encoder that joined a collection, against brute force."""

import numpy as np
import pytest

from astro_paperclip import PaperclipMast
from astro_paperclip.collection import Collection
from astro_paperclip.exceptions import IndexMismatchError

pytest.importorskip("qdrant_edge")

from astro_paperclip.index import open_store, point_id

from .stand_ins import Encoder, direction, make_collection

N_POINTS = 30
FIRST, SECOND, STRANGER = Encoder("first", 6), Encoder("second", 9), Encoder("stranger", 6)


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    path = tmp_path_factory.mktemp("joined") / "collection"
    facts = {"encoder": "second", "fingerprint": SECOND.fingerprint, "views": "whole"}
    ids = [point_id(str(row)) for row in range(N_POINTS)]
    rows = [{"obsid": str(row + 1)} for row in range(N_POINTS)]
    make_collection(path, FIRST, pictures(FIRST), rows, ids=ids)
    record = Collection.open(path)
    record.joined["better"] = facts
    record.save()
    with open_store(path, mode="w") as store:
        store.add_vector("better", SECOND.dim, encoder=SECOND.fingerprint)
        # The last point was indexed later.
        store.put_vectors("better", ids[:-1], pictures(SECOND)[:-1])
    return path


def pictures(encoder):
    return np.stack([direction(f"picture {row}", encoder.dim) for row in range(N_POINTS)])


def ranked(encoder, vector, count=N_POINTS):
    scores = pictures(encoder)[:count] @ vector
    order = np.argsort(-scores)
    return [str(row + 1) for row in order], scores[order]


@pytest.mark.parametrize(("encoder", "count"), [(FIRST, N_POINTS), (SECOND, N_POINTS - 1)])
def test_text(collection, encoder, count):
    with PaperclipMast(collection=collection, encoder=encoder) as paperclip:
        result = paperclip.query_text("a comet", limit=100)
    obsids, scores = ranked(encoder, direction("a comet", encoder.dim), count)
    assert result["obsid"].tolist() == obsids
    np.testing.assert_allclose(result["score"], scores, atol=1e-5)
    assert np.isfinite(result["score_percentile"]).all()
    assert result.index_info["encoder"] == encoder.name
    assert result.index_info["fingerprint"] == encoder.fingerprint


@pytest.mark.parametrize(("encoder", "count"), [(FIRST, N_POINTS), (SECOND, N_POINTS - 1)])
def test_similar(collection, encoder, count):
    with PaperclipMast(collection=collection, encoder=encoder) as paperclip:
        result = paperclip.query_similar("5", limit=100)
    obsids, _ = ranked(encoder, pictures(encoder)[4], count)
    assert result["obsid"].tolist() == obsids[1:]


def test_by_the_name_of_its_vectors(collection, monkeypatch):
    pytest.importorskip("torch")
    from astro_paperclip import encoders

    asked = []
    monkeypatch.setattr(encoders, "load", lambda name, device=None: asked.append(name) or SECOND)
    with PaperclipMast(collection=collection, encoder="better") as paperclip:
        paperclip.query_text("a comet")
    assert asked == ["second"]


def test_an_encoder_that_made_no_vectors_is_refused(collection):
    with (
        PaperclipMast(collection=collection, encoder=STRANGER) as paperclip,
        pytest.raises(IndexMismatchError, match=r"'first'.*not with 'stranger'.*index join"),
    ):
        paperclip.query_text("a comet")
