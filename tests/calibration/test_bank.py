import numpy as np
import pytest

from astro_paperclip import conf
from astro_paperclip.calibration import bank_texts, image_bank, text_bank
from astro_paperclip.calibration.bank import BANK_FILE, IMAGE_BANK_SIZE, write_text_bank
from astro_paperclip.index import Record
from astro_paperclip.logger import log
from astro_paperclip.vocabulary import Vocabulary

DIMENSION = 3


class Encoder:
    """Gives each text the numbers that it is known by, and counts what it was asked."""

    def __init__(self, fingerprint="a" * 64):
        self.fingerprint = fingerprint
        self.encoded = []

    def encode_texts(self, texts):
        self.encoded += texts
        return np.array([[len(text), ord(text[0]), ord(text[-1])] for text in texts], np.float32)


@pytest.fixture(autouse=True)
def cache(tmp_path):
    with conf.set_temp("cache_dir", str(tmp_path / "cache")):
        yield tmp_path / "cache" / "query_banks"


@pytest.fixture
def expected():
    return Encoder().encode_texts(bank_texts())


def test_texts_are_what_pictures_can_show():
    vocabulary = Vocabulary.default()
    assert {vocabulary[text].kind for text in bank_texts()} == {"object", "phenomenon"}
    assert len(set(bank_texts())) == len(bank_texts()) >= 300


def test_texts_are_encoded_once_for_all_collections_of_an_encoder(cache, expected):
    first, second = Encoder(), Encoder()
    np.testing.assert_array_equal(text_bank(first).vectors, expected)
    np.testing.assert_array_equal(text_bank(second).vectors, expected)
    assert first.encoded == list(bank_texts())
    assert second.encoded == []
    assert len(list(cache.iterdir())) == 1
    other = Encoder("b" * 64)
    text_bank(other)
    assert other.encoded


def test_a_collection_has_its_bank(tmp_path, cache, expected):
    write_text_bank(tmp_path, Encoder())
    for path in cache.iterdir():
        path.unlink()
    reader = Encoder()
    np.testing.assert_array_equal(text_bank(reader, tmp_path).vectors, expected)
    assert reader.encoded == []
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [BANK_FILE]


def test_a_bank_of_another_encoder_is_not_used_and_is_replaced(tmp_path, expected):
    write_text_bank(tmp_path, Encoder("b" * 64))
    reader = Encoder()
    np.testing.assert_array_equal(text_bank(reader, tmp_path).vectors, expected)
    assert reader.encoded
    write_text_bank(tmp_path, reader)
    assert str(np.load(tmp_path / BANK_FILE)["encoder"]) == reader.fingerprint


def test_a_bank_of_other_texts_is_not_used(tmp_path, monkeypatch):
    from astro_paperclip.calibration import bank

    write_text_bank(tmp_path, Encoder())
    monkeypatch.setattr(bank, "bank_texts", lambda: ("a comet", "a planet"))
    reader = Encoder()
    assert text_bank(reader, tmp_path).vectors.shape == (2, DIMENSION)
    assert reader.encoded == ["a comet", "a planet"]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"no zip at all", "cut"], ids=repr)
def test_a_damaged_file_is_made_anew(cache, expected, damage):
    text_bank(Encoder())
    (path,) = cache.iterdir()
    path.write_bytes(path.read_bytes()[:900] if damage == "cut" else damage)
    np.testing.assert_array_equal(text_bank(Encoder()).vectors, expected)
    reader = Encoder()
    text_bank(reader)
    assert reader.encoded == []


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path, expected):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with log.log_to_list() as messages:
        np.testing.assert_array_equal(text_bank(Encoder()).vectors, expected)
    assert [message.levelname for message in messages] == ["WARNING"]


def test_nothing_is_left_of_a_bank_that_was_broken_off(tmp_path, cache):
    class Failing(Encoder):
        def encode_texts(self, texts):
            if self.encoded:
                raise KeyboardInterrupt
            return super().encode_texts(texts)

    with pytest.raises(KeyboardInterrupt):
        write_text_bank(tmp_path, Failing())
    assert not (tmp_path / BANK_FILE).exists()
    assert not cache.exists()


def test_pictures_are_the_first_points_by_id():
    class Store:
        def scroll(self, where=None, with_vectors=False, *, with_payload=True):
            assert with_vectors
            assert not with_payload
            for row in range(2 * IMAGE_BANK_SIZE):
                yield Record(f"{row:04d}", vector=np.full(DIMENSION, row, np.float32))

    bank = image_bank(Store())
    assert bank.ids == tuple(f"{row:04d}" for row in range(IMAGE_BANK_SIZE))
    np.testing.assert_array_equal(bank.vectors[:, 0], np.arange(IMAGE_BANK_SIZE))
