"""Pictures in words, by the encoder of a collection."""

import numpy as np
import pytest
from PIL import Image

from astro_paperclip import PaperclipMast, conf
from astro_paperclip.evaluation import describe
from astro_paperclip.exceptions import (
    CollectionError,
    ImageError,
    InvalidQueryError,
    UntrainedEncoderWarning,
    VocabularyError,
)

pytest.importorskip("qdrant_edge")

from . import stand_ins

LABELS = ["a galaxy", "a nebula", "a comet", "a planet"]


class Encoder(stand_ins.Encoder):
    """Reads files, as descriptions need it."""

    def encode_image_files(self, images, *, skip_broken, progress):
        assert skip_broken
        for place, image in enumerate(images):
            try:
                vector = self.of_image(image)
            except ImageError as error:
                yield np.array([], int), np.empty((0, self.dim)), [(place, str(error))]
            else:
                yield np.array([place]), vector[np.newaxis], []


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    path = tmp_path_factory.mktemp("describing") / "collection"
    return stand_ins.make_collection(path, Encoder(), np.empty((0, Encoder().dim)), [])


@pytest.fixture
def encoder():
    return Encoder()


@pytest.fixture
def paperclip(collection, encoder):
    with PaperclipMast(collection=collection, encoder=encoder) as made:
        yield made


def test_labels_are_those_of_the_evaluation(paperclip, picture, collection):
    table = paperclip.describe(picture, LABELS, n=3)
    other = describe(Encoder(), [picture], LABELS, n=3)
    assert table["label"].tolist() == other["label"].tolist()
    assert table["score"].tolist() == other["score"].tolist()
    assert table["image"].tolist() == [str(picture)] * 3
    assert table.meta["collection"] == str(collection)
    assert table.meta["encoder"]["fingerprint"] == Encoder().fingerprint


def test_labels_are_encoded_once_for_each_vocabulary(paperclip, encoder, picture, tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("\n".join(LABELS))
    first = paperclip.describe(picture, path)
    again = paperclip.describe(picture, LABELS)
    assert encoder.encoded == LABELS
    assert again["label"].tolist() == first["label"].tolist()
    path.write_text("a quasar")
    assert paperclip.describe(picture, path)["label"].tolist() == ["a quasar"]
    for labels in (["one"], ["two"], ["three"]):
        paperclip.describe(picture, labels)
    encoder.batches.clear()
    # What was asked for longest ago was let go.
    paperclip.describe(picture, LABELS)
    assert encoder.encoded == LABELS


def test_the_vocabulary_of_the_package_is_the_default(paperclip, picture):
    table = paperclip.describe(picture)
    assert len(table) == 5
    assert table.meta["vocabulary"]["labels"] > 300


def test_pictures_in_memory(paperclip, picture):
    by_path = paperclip.describe(picture, LABELS)
    in_memory = paperclip.describe(np.asarray(Image.open(picture)), LABELS)
    assert in_memory["label"].tolist() == by_path["label"].tolist()


def test_an_untrained_encoder_is_pointed_out_where_the_user_stands(paperclip, encoder, picture):
    encoder.trained = False
    with pytest.warns(UntrainedEncoderWarning) as caught:
        paperclip.describe(picture, LABELS)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n": 0}, InvalidQueryError, "n=0"),
        ({"n": 2.5}, InvalidQueryError, r"n=2\.5"),
        ({"vocabulary": []}, VocabularyError, "no concept"),
        ({"vocabulary": "/absent/labels.txt"}, VocabularyError, "/absent/labels.txt"),
        ({"image": "/absent/picture.jpg"}, ImageError, "/absent/picture.jpg"),
        ({"collection": "/absent/collection"}, CollectionError, "/absent/collection"),
    ],
)
def test_wrong_arguments(picture, encoder, options, error, message):
    """Of these only the last opens the collection, which is not there."""
    paperclip = PaperclipMast(collection="/absent/other", encoder=encoder)
    with conf.set_temp("collection", "/absent/collection"), pytest.raises(error, match=message):
        paperclip.describe(**({"image": picture, "vocabulary": LABELS} | options))
    assert encoder.encoded == []


def test_a_broken_picture_is_named(paperclip, tmp_path):
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"broken\.jpg"):
        paperclip.describe(path, LABELS)
