"""Percentiles of a small collection on disk, against counting by hand."""

import numpy as np
import pytest
from astropy import units as u

from astro_paperclip import PaperclipMast, PaperclipResult
from astro_paperclip.calibration import IMAGE_BANK_SIZE, bank_texts, matches
from astro_paperclip.exceptions import InvalidQueryError, MaxResultsWarning, NoResultsWarning

pytest.importorskip("qdrant_edge")

from astro_paperclip.index import point_id

from .stand_ins import Encoder, direction, make_collection

N_POINTS = IMAGE_BANK_SIZE + 100
TEXT = "a galaxy"


@pytest.fixture(scope="module")
def points():
    """Ids and vectors of the collection, in the order of the ids."""
    ids = sorted(point_id(f"{row}.jpg") for row in range(N_POINTS))
    return ids, np.stack([direction(point) for point in ids])


@pytest.fixture(scope="module")
def collection(tmp_path_factory, points):
    path = tmp_path_factory.mktemp("calibrated") / "collection"
    ids, vectors = points
    payloads = [
        {"obsid": str(1 + row), "proposal_id": str(row % 7), "row": row} for row in range(N_POINTS)
    ]
    return make_collection(path, Encoder(), vectors, payloads, ids=ids)


@pytest.fixture
def paperclip(collection):
    with PaperclipMast(collection=collection, encoder=Encoder()) as made:
        yield made


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(3).integers(0, 200, (16, 16, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def by_text(points):
    """Percentiles of all points for the text, by counting."""
    _, vectors = points
    others = np.stack([direction(text) for text in bank_texts()])
    return 100 * np.mean(vectors @ others.T < (vectors @ direction(TEXT))[:, None], axis=1)


def expected_by_image(points, query, row):
    _, vectors = points
    others = [place for place in range(IMAGE_BANK_SIZE) if place != row]
    return 100 * np.mean(vectors[others] @ vectors[row] < vectors[row] @ query - 1e-6)


def test_text(paperclip, by_text):
    result = paperclip.query_text(TEXT, limit=40)
    np.testing.assert_allclose(result["score_percentile"], by_text[result["row"]])
    assert result.colnames[:3] == ["rank", "score", "score_percentile"]
    assert result["score_percentile"].unit == u.percent
    assert result["score_percentile"].dtype == np.float64
    assert list(result["score"]) == sorted(result["score"], reverse=True)


def test_picture_and_observation_are_compared_with_pictures(paperclip, points, picture):
    for result, query in [
        (paperclip.query_image(picture, limit=20), direction(picture.tobytes())),
        (paperclip.query_similar("5", limit=20), points[1][4]),
    ]:
        for row in result:
            expected = expected_by_image(points, query, row["row"])
            assert row["score_percentile"] == pytest.approx(expected)
        assert (result["row"] < IMAGE_BANK_SIZE).any()
        assert (result["row"] >= IMAGE_BANK_SIZE).any()


def test_observations_need_no_encoder(collection, monkeypatch):
    with PaperclipMast(collection=collection) as made:
        monkeypatch.setattr(made, "_load_encoder", lambda record: pytest.fail("loads an encoder"))
        assert not np.ma.is_masked(made.query_similar("5", limit=3)["score_percentile"])


class Leaning(Encoder):
    """Texts lie on one side of the sphere, as they do for real encoders."""

    def encode_texts(self, texts):
        vectors = super().encode_texts(texts) + 2 * np.eye(self.dim, dtype=np.float32)[0]
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_text_and_picture_together_are_compared_with_both(collection, points, picture):
    """A drawn bank of sums gives nearly the share of all pairs of a text and a picture."""
    with PaperclipMast(collection=collection, encoder=Leaning()) as paperclip:
        result = paperclip.query_criteria(text=TEXT, image=picture, limit=N_POINTS)
    texts = Leaning().encode_texts(bank_texts())
    images = points[1][:IMAGE_BANK_SIZE]
    sums = texts[:, np.newaxis] + images
    sums /= np.linalg.norm(sums, axis=-1, keepdims=True)

    def shares(bank):
        of_rows = zip(points[1][result["row"]], result["score"], strict=True)
        return np.array([100 * np.mean(bank @ row < score) for row, score in of_rows])

    # A share of 500 draws has a standard deviation of 2.2 percent at most.
    np.testing.assert_allclose(result["score_percentile"], shares(sums), atol=9)
    for alone in (texts, images):
        assert np.abs(shares(alone) - shares(sums)).max() > 18


def test_where_nothing_is_ranked_there_is_no_percentile(paperclip):
    result = paperclip.query_criteria(obsid=["3", "4"])
    assert result["score_percentile"].mask.all()
    with pytest.warns(NoResultsWarning):
        empty = paperclip.query_criteria(obsid="0")
    assert empty["score_percentile"].unit == u.percent


@pytest.mark.parametrize("threshold", ["99%", 99 * u.percent])
def test_threshold_of_percentiles(paperclip, by_text, points, threshold):
    scores = points[1] @ direction(TEXT)
    reaching = [row for row in np.argsort(-scores) if by_text[row] >= 99]
    assert 3 < len(reaching) < N_POINTS
    result = paperclip.query_text(TEXT, score_threshold=threshold, limit=N_POINTS)
    assert result["row"].tolist() == reaching
    assert result.query["score_threshold"] == "99%"
    assert result["rank"].tolist() == list(range(1, 1 + len(reaching)))
    # Rows between them fit the text better, but not better than they fit others.
    assert np.count_nonzero(scores >= scores[reaching[-1]]) > len(reaching)
    with pytest.warns(MaxResultsWarning, match="More than 2 observations score 99% or more"):
        first = paperclip.query_text(TEXT, score_threshold=threshold, limit=2)
    second = paperclip.query_text(TEXT, score_threshold=threshold, limit=N_POINTS, offset=2)
    assert first["row"].tolist() + second["row"].tolist() == reaching


def test_giving_up_is_said(paperclip, by_text, points, monkeypatch):
    monkeypatch.setattr(matches, "LARGEST_DEPTH", 50)
    first = np.argsort(-(points[1] @ direction(TEXT)))[:50]
    with pytest.warns(MaxResultsWarning, match="Only the first 50 observations") as caught:
        result = paperclip.query_text(TEXT, score_threshold="99%", limit=50)
    assert caught[0].filename == __file__
    assert result["row"].tolist() == [row for row in first if by_text[row] >= 99]


def test_threshold_needs_something_to_compare_with(paperclip):
    with pytest.raises(InvalidQueryError, match="score_threshold='99%' needs"):
        paperclip.query_criteria(obsid="3", score_threshold="99%")


@pytest.mark.parametrize("form", ["ascii.ecsv", "votable", "fits"])
def test_files_keep_percentiles(paperclip, tmp_path, form):
    result = paperclip.query_text(TEXT, limit=5)
    result.write(tmp_path / "found", format=form)
    read = PaperclipResult.read(tmp_path / "found", format=form)["score_percentile"]
    assert read.tolist() == result["score_percentile"].tolist()
    assert read.unit == u.percent
    assert read.description == result["score_percentile"].description
