"""Queries by expressions and by lists, of a small collection on disk."""

import warnings
from importlib.util import find_spec

import numpy as np
import pytest
from astropy.io import fits
from astroquery.exceptions import InputWarning
from PIL import Image

from astro_paperclip import Like, PaperclipMast
from astro_paperclip.calibration import Bank
from astro_paperclip.exceptions import ImageError, InvalidQueryError, UntrainedEncoderWarning
from astro_paperclip.images import read_image

pytest.importorskip("qdrant_edge")

from astro_paperclip.searching import directions, indexed

from . import stand_ins
from .stand_ins import direction, make_collection

N_POINTS = 25


class Encoder(stand_ins.Encoder):
    """Knows that some texts are the opposite of others."""

    def of_text(self, text):
        if text.startswith("opposite of "):
            return -super().of_text(text.removeprefix("opposite of "))
        return super().of_text(text)


@pytest.fixture(scope="module")
def vectors():
    return np.stack([direction(bytes([row])) for row in range(N_POINTS)])


@pytest.fixture(scope="module")
def collection(tmp_path_factory, vectors):
    path = tmp_path_factory.mktemp("expressions") / "collection"
    rows = [{"image": f"{row}.jpg", "obsid": str(100 + row)} for row in range(N_POINTS)]
    return make_collection(path, Encoder(views="rotations"), vectors, rows)


@pytest.fixture
def encoder():
    return Encoder(views="rotations")


@pytest.fixture
def paperclip(collection, encoder, monkeypatch):
    # The encoder counts what it is asked for, and would count the bank of queries, too.
    monkeypatch.setattr(indexed, "text_bank", lambda encoder, folder: Bank(np.eye(encoder.dim)))
    with PaperclipMast(collection=collection, encoder=encoder) as made:
        yield made


@pytest.fixture
def pictures(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        pixels = np.random.default_rng(number).integers(0, 200, (8, 8 + number, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return paths


def assert_ranked_by(result, vectors, wanted, without=()):
    scores = vectors @ (wanted / np.linalg.norm(wanted))
    order = [row for row in np.argsort(-scores) if row not in without]
    assert result["obsid"].tolist() == [str(100 + row) for row in order]
    np.testing.assert_allclose(result["score"], scores[order], atol=1e-5)


class TestExpressions:
    def test_the_direction_of_the_weighted_sum_is_searched(self, paperclip, vectors, pictures):
        like = Like("a") - 0.5 * Like("b") + 2 * Like(image=pictures[0]) + Like(similar_to=[103, 7])
        with pytest.warns(InputWarning, match="1 of 2 observations"):
            result = paperclip.query_text(like, limit=N_POINTS)
        picture = direction(np.asarray(Image.open(pictures[0])).tobytes())
        wanted = direction(b"a") - 0.5 * direction(b"b") + 2 * picture + vectors[3]
        assert_ranked_by(result, vectors, wanted, without=[3])

    def test_several_observations_are_one_direction(self, paperclip, vectors):
        like = Like("a") - Like(similar_to=[103, 104])
        result = paperclip.query_text(like, limit=N_POINTS)
        mean = vectors[3] + vectors[4]
        wanted = direction(b"a") - mean / np.linalg.norm(mean)
        assert_ranked_by(result, vectors, wanted, without=[3, 4])

    def test_what_stands_beside_a_text(self, paperclip, vectors, pictures):
        result = paperclip.query_criteria(
            text='"a" - 3 "b"', image=pictures[1], similar_to=105, obsid="!106", limit=N_POINTS
        )
        picture = direction(np.asarray(Image.open(pictures[1])).tobytes())
        wanted = direction(b"a") - 3 * direction(b"b") + picture + vectors[5]
        assert_ranked_by(result, vectors, wanted, without=[5, 6])

    def test_a_text_is_an_expression_of_one_term(self, paperclip):
        plain = paperclip.query_text("a galaxy")
        for same in (Like("a galaxy"), '"a galaxy"', 7 * Like("a galaxy")):
            result = paperclip.query_text(same)
            assert result["obsid"].tolist() == plain["obsid"].tolist()
            assert result["score"].tolist() == plain["score"].tolist()

    @pytest.mark.parametrize("weight", [1e300, 1e-300])
    def test_very_large_and_very_small_weights(self, paperclip, vectors, weight):
        result = paperclip.query_text(weight * (Like("a") - "b"), limit=N_POINTS)
        assert_ranked_by(result, vectors, direction(b"a") - direction(b"b"))

    def test_the_opposite(self, paperclip, vectors):
        assert_ranked_by(paperclip.query_text('-"a"', limit=N_POINTS), vectors, -direction(b"a"))

    def test_directions_that_cancel(self, paperclip):
        with pytest.raises(InvalidQueryError, match="cancel out"):
            paperclip.query_text(Like("a") + "opposite of a")

    def test_a_term_is_encoded_once(self, paperclip, encoder):
        paperclip.query_text("a")
        paperclip.query_text(Like("a") - 0.5 * Like("b") + "a")
        paperclip.query_criteria(text=2 * Like("b"), obsid="103")
        assert encoder.batches == [["a"], ["b"]]

    def test_what_is_asked_is_written_down(self, refusing):
        payload = refusing.query_text('"a" - 0.5 "b"', get_query_payload=True)
        assert payload["text"] == '"a" - 0.5 "b"'
        assert [(term["weight"], term["text"]) for term in payload["terms"]] == [
            (1, "a"),
            (-0.5, "b"),
        ]

    def test_an_expression_that_breaks_off(self, refusing):
        with pytest.raises(InvalidQueryError, match="breaks off"):
            refusing.query_text('"a" - 0.5 "b')


class TestLists:
    """A list gives what its elements give."""

    TEXTS = ("a", '"a" - 0.5 "b"', "one two three four five", "a", "c")

    @staticmethod
    def found(ask):
        """Return rows and warnings of what is asked."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = ask()
        assert all(one.filename == __file__ for one in caught)
        return result, [(one.category, str(one.message)) for one in caught]

    def compare(self, one_by_one, together):
        singles = [self.found(ask) for ask in one_by_one]
        results, notes = self.found(together)
        assert len(results) == len(singles)
        for result, (single, _) in zip(results, singles, strict=True):
            assert result.pformat(max_lines=-1) == single.pformat(max_lines=-1)
            assert result.query == single.query
        assert notes == [note for _, said in singles for note in said]
        return notes

    @pytest.mark.parametrize("kind", [list, tuple, np.array])
    def test_texts(self, collection, paperclip, encoder, kind):
        encoder.trained, encoder.context_length = False, 6
        texts = list(self.TEXTS)
        with PaperclipMast(collection=collection, encoder=encoder) as other:
            notes = self.compare(
                [lambda text=text: other.query_text(text, limit=3, offset=1) for text in texts],
                lambda: paperclip.query_text(kind(texts), limit=3, offset=1),
            )
        assert encoder.batches[-1] == ["a", "b", "one two three four five", "c"]
        kinds = [category for category, _ in notes]
        assert kinds.count(InputWarning) == 1
        assert kinds.count(UntrainedEncoderWarning) == len(texts)

    def test_pictures(self, collection, paperclip, encoder, pictures):
        images = [*pictures, np.asarray(Image.open(pictures[0]))]
        with PaperclipMast(collection=collection, encoder=encoder) as other:
            self.compare(
                [lambda image=image: other.query_image(image, limit=3) for image in images],
                lambda: paperclip.query_image(images, limit=3),
            )
        sizes = [read_image(image).size for image in encoder.batches[-1]]
        assert sizes == [(8, 8), (9, 8), (10, 8), (8, 8)]

    def test_one_element(self, paperclip):
        (result,) = paperclip.query_text(["a"])
        assert result["obsid"].tolist() == paperclip.query_text("a")["obsid"].tolist()
        (payload,) = paperclip.query_text(["a"], get_query_payload=True)
        assert payload == paperclip.query_text("a", get_query_payload=True)

    def test_more_than_is_remembered(self, paperclip, encoder, vectors, monkeypatch):
        monkeypatch.setattr(directions, "_REMEMBERED", 2)
        texts = [f"text {number}" for number in range(5)]
        for result, text in zip(paperclip.query_text(texts, limit=N_POINTS), texts, strict=True):
            assert_ranked_by(result, vectors, direction(text.encode()))
        paperclip.query_text(texts[3:])
        assert encoder.batches == [texts]

    def test_hdus_are_one_picture(self, paperclip):
        hdus = [fits.PrimaryHDU(), fits.ImageHDU(np.random.default_rng(1).normal(size=(9, 9)))]
        for single in (hdus, fits.HDUList(hdus)):
            result = paperclip.query_image(single)
            (same,) = paperclip.query_image([single])
            assert result["obsid"].tolist() == same["obsid"].tolist()

    @pytest.mark.parametrize(
        ("texts", "message"),
        [
            ([], r"text must say what to look for, not \[\]"),
            (np.array([]), r"text must say what to look for, not \[\]"),
            (["a", " "], r"^text\[1\]: text must say"),
            (["a", "b", None], r"^text\[2\]: text must say"),
            (["a", ["b"]], r"^text\[1\]: text must say"),
            (['"a" - nan "b"', "b"], r"^text\[0\]: The weight nan"),
        ],
    )
    def test_wrong_texts_are_named_before_any_work(self, refusing, texts, message):
        with pytest.raises(InvalidQueryError, match=message):
            refusing.query_text(texts)

    def test_wrong_pictures_are_named_before_any_work(self, refusing, pictures, tmp_path):
        with pytest.raises(ImageError, match=r"^image\[1\]: .*absent\.jpg"):
            refusing.query_image([pictures[0], tmp_path / "absent.jpg"])
        with pytest.raises(InvalidQueryError, match=r"^image\[2\]: image must say"):
            refusing.query_image([*pictures[:2], None])
        with pytest.raises(InvalidQueryError, match="image must say"):
            refusing.query_image([])
        with pytest.raises(ImageError, match=r"^image\[0\]"):
            refusing.query_image([[1, 2], [3, 4]])

    def test_with_criteria(self, paperclip, encoder, pictures):
        options = {"image": pictures[0], "obsid": "!106", "limit": 3}
        self.compare(
            [lambda text=text: paperclip.query_criteria(text=text, **options) for text in "abc"],
            lambda: paperclip.query_criteria(text=["a", "b", "c"], **options),
        )


@pytest.mark.skipif(find_spec("torch") is None, reason="needs torch")
def test_a_trained_encoder_gives_lists_and_elements_the_same(collection, compact):
    """Padding of a batch must not leak into the vectors."""
    texts = ["galaxy", "a long text on the star formation history of dwarf galaxies, and more"]
    known = directions.Encodings(lambda: compact, "whole")
    together = known.encode([Like(text) for text in texts])
    for text in texts:
        (single,) = directions.Encodings(lambda: compact, "whole").encode([Like(text)]).values()
        (content,) = (term.content for term in Like(text).terms)
        np.testing.assert_allclose(together[content].vector, single.vector, atol=1e-5)
