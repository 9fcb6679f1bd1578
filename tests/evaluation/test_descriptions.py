"""Labels nearest to images."""

import json

import numpy as np
import pytest
from astropy.table import Table
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from astro_paperclip.evaluation import describe, encode_labels, nearest_labels
from astro_paperclip.exceptions import (
    ImageError,
    InvalidQueryError,
    SkippedImageWarning,
    UntrainedEncoderWarning,
    VocabularyError,
)
from astro_paperclip.images import read_image
from astro_paperclip.vocabulary import Concept, Vocabulary

COLOURS = ("red", "green", "blue")


class ColourEncoder:
    """Encode a picture as its mean colour, and a text by the colours that it names."""

    name = "colours"
    fingerprint = "c0ffee" * 10
    dim = 3
    trained = True

    def __init__(self):
        self.texts = []

    def encode_texts(self, texts):
        self.texts += texts
        named = [[(colour in text) + 0.01 * len(text) for colour in COLOURS] for text in texts]
        return unit(named).astype(np.float32)

    def encode_image_files(self, images, skip_broken=False, progress=False):
        assert skip_broken
        for start in range(0, len(images), 2):
            positions, vectors, broken = [], [], []
            for position in range(start, min(start + 2, len(images))):
                try:
                    colour = np.asarray(read_image(images[position])).mean(axis=(0, 1))
                except ImageError as error:
                    broken.append((position, str(error)))
                else:
                    positions.append(position)
                    vectors.append(unit([colour])[0])
            yield np.array(positions, int), np.array(vectors, "f4").reshape(-1, 3), broken


def unit(rows):
    rows = np.asarray(rows, dtype=float)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def pictures(tmp_path):
    """Return the paths of a red, a green and a blue picture."""
    paths = []
    for place, colour in enumerate(COLOURS):
        pixels = np.full((16, 16, 3), 20, dtype=np.uint8)
        pixels[..., place] = 200
        paths.append(tmp_path / f"{colour}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def test_labels_are_ranked(pictures):
    vocabulary = Vocabulary(
        [
            "a blue thing",
            "things",
            Concept("red thing", broader=("things", "a blue thing")),
            Concept("seeing red", kind="topic"),
        ],
        name="mine",
    )
    encoder = ColourEncoder()
    table = describe(encoder, pictures, vocabulary, n=2)
    assert table.colnames == ["image", "rank", "label", "score", "broader"]
    assert list(table["image"]) == [str(path) for path in pictures for _ in range(2)]
    assert list(table["rank"]) == [1, 2] * 3
    assert list(table["label"][[0, 2, 4]]) == ["red thing", "things", "a blue thing"]
    assert table["broader"][0] == "things; a blue thing"
    assert table.meta == {
        "encoder": {"name": "colours", "fingerprint": "c0ffee" * 10},
        "vocabulary": {"name": "mine", "labels": 3},
        "templates": ["{}"],
    }
    assert encoder.texts == ["a blue thing", "things", "red thing"]


def test_same_as_cosines_one_by_one(compact, pictures):
    """Truth: the product of every two vectors, by themselves, sorted."""
    labels = ["comets", "spiral galaxies", "a red nebula", "empty sky"]
    with pytest.warns(UntrainedEncoderWarning, match="compact were never trained") as caught:
        table = describe(compact, pictures, labels, n=9)
    assert caught[0].filename == __file__
    assert len(table) == len(pictures) * len(labels)
    for path in pictures:
        image = compact.encode_images([path])[0]
        cosines = {label: float(compact.encode_texts([label])[0] @ image) for label in labels}
        rows = table[table["image"] == str(path)]
        assert list(rows["label"]) == sorted(labels, key=cosines.get, reverse=True)
        assert_allclose(rows["score"], sorted(cosines.values(), reverse=True), atol=1e-5)


def test_nearest_labels_against_brute_force():
    rng = np.random.default_rng(3)
    images = unit(rng.normal(size=(40, 16))).astype(np.float32)
    labels = unit(rng.normal(size=(2372, 16))).astype(np.float32)
    positions, scores = nearest_labels(images, labels, 7)
    assert positions.shape == scores.shape == (40, 7)
    for image, places, values in zip(images, positions, scores, strict=True):
        cosines = [sum(float(a) * float(b) for a, b in zip(image, x, strict=True)) for x in labels]
        best = sorted(range(len(labels)), key=lambda place: -cosines[place])[:7]
        assert list(places) == best
        assert_allclose(values, np.array(cosines)[best], atol=1e-12)


def test_equal_scores_keep_the_order_of_the_vocabulary():
    labels = unit([[1, 0], [1, 1], [1, 1], [0, 1], [1, 1]]).astype(np.float32)
    positions, _ = nearest_labels(unit([[1, 1], [0, 1]]).astype(np.float32), labels, 5)
    assert_array_equal(positions, [[1, 2, 4, 0, 3], [3, 1, 2, 4, 0]])
    positions, scores = nearest_labels(np.empty((0, 2), np.float32), labels, 3)
    assert positions.shape == scores.shape == (0, 3)


def test_several_templates_are_averaged(compact):
    templates = ["{}", "a Hubble image of {} at night"]
    vectors = encode_labels(compact, ["comets", "a {} in braces"], templates)
    assert vectors.dtype == np.float32
    for label, vector in zip(["comets", "a {} in braces"], vectors, strict=True):
        both = compact.encode_texts([label, f"a Hubble image of {label} at night"])
        assert_allclose(vector, unit([both.mean(axis=0)])[0], atol=1e-5)


def test_a_template_is_a_sentence_around_the_label(pictures):
    encoder = ColourEncoder()
    table = describe(encoder, pictures[:1], ["red", "blue"], templates="a {} square")
    assert encoder.texts == ["a red square", "a blue square"]
    assert list(table["label"]) == ["red", "blue"]
    assert table.meta["templates"] == ["a {} square"]


def test_vocabulary_of_the_package(pictures):
    encoder = ColourEncoder()
    table = describe(encoder, pictures[:1])
    assert len(table) == 5
    assert table["label"][0] in {"red giants", "red supergiants", "little red dots"}
    assert "photometry" not in encoder.texts
    kinds = [concept.kind for concept in Vocabulary.default()]
    assert len(encoder.texts) == len(kinds) - kinds.count("topic")


def test_vocabulary_from_a_file(pictures, tmp_path):
    path = tmp_path / "words.json"
    path.write_text(json.dumps(["a red one", "a blue one"]))
    table = describe(ColourEncoder(), pictures, path, n=1)
    assert list(table["label"][[0, 2]]) == ["a red one", "a blue one"]
    assert table.meta["vocabulary"] == {"name": str(path), "labels": 2}


def test_the_thesaurus(pictures, shared):
    table = describe(ColourEncoder(), pictures, shared / "data/uat/UAT_list.json", n=3)
    assert len(table) == 9
    assert "red" in table["label"][0].lower()


def test_images_of_any_kind(pictures):
    array = np.asarray(Image.open(pictures[2]))
    images = (image for image in [array, Image.open(pictures[0]), str(pictures[1])])
    table = describe(ColourEncoder(), images, COLOURS, n=1)
    assert list(table["image"]) == ["image 1", "image 2", str(pictures[1])]
    assert list(table["label"]) == ["blue", "red", "green"]


def test_a_column_of_paths(pictures):
    pairs = Table({"image": [str(path) for path in pictures]})
    table = describe(ColourEncoder(), pairs["image"], COLOURS, n=1)
    assert list(table["label"]) == list(COLOURS)


def test_broken_images_have_no_row(pictures):
    pictures[1].write_bytes(b"no picture")
    with pytest.warns(SkippedImageWarning, match=r"1 of 3 images.*green\.png") as caught:
        table = describe(ColourEncoder(), pictures, COLOURS, n=1)
    assert caught[0].filename == __file__
    assert list(table["image"]) == [str(pictures[0]), str(pictures[2])]


@pytest.mark.parametrize("count", [1, 2])
def test_no_image_can_be_read(tmp_path, count):
    paths = [tmp_path / f"{number}.png" for number in range(count)]
    message = r"^Cannot read.*0\.png" if count == 1 else r"None can be read, the first: .*0\.png"
    with pytest.raises(ImageError, match=message):
        describe(ColourEncoder(), paths, COLOURS)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"images": "a.jpg"}, InvalidQueryError, r"not one str: describe\(\[image\]\)"),
        ({"images": b"content of a file"}, InvalidQueryError, "not one bytes"),
        ({"images": np.zeros((9, 9))}, InvalidQueryError, "not one ndarray"),
        ({"images": Image.new("RGB", (9, 9))}, InvalidQueryError, "not one Image"),
        ({"images": 3}, InvalidQueryError, "not one int"),
        ({"images": []}, InvalidQueryError, "no image to describe"),
        ({"n": 0}, InvalidQueryError, "n=0 is no number of labels"),
        ({"n": 1.5}, InvalidQueryError, r"n=1\.5 is no number"),
        ({"n": True}, InvalidQueryError, "n=True is no number"),
        ({"templates": "an image"}, InvalidQueryError, "'an image' must have one {}"),
        ({"templates": ["{} and {}"]}, InvalidQueryError, "must have one {}"),
        ({"templates": []}, InvalidQueryError, "There is no template"),
        ({"vocabulary": []}, VocabularyError, "a list is no vocabulary"),
        ({"vocabulary": "nix.txt"}, VocabularyError, "nix.txt"),
        (
            {"vocabulary": Vocabulary([Concept("optics", kind="topic")])},
            InvalidQueryError,
            "are topics",
        ),
    ],
)
def test_bad_arguments_are_refused_before_any_work(arguments, error, message):
    encoder = ColourEncoder()
    with pytest.raises(error, match=message):
        describe(encoder, **{"images": ["a.png"], "vocabulary": COLOURS} | arguments)
    assert encoder.texts == []
