from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from astro_paperclip.exceptions import TrainingError
from astro_paperclip.training.head.features import image_features, text_features

VIEWS = 3
quiet = {"progress": False}


def write_picture(path, seed):
    pixels = np.random.default_rng(seed).integers(60, 200, (24, 30, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return str(path)


@pytest.fixture
def paths(tmp_path):
    """Six pictures."""
    return [write_picture(tmp_path / f"{n}.png", n) for n in range(6)]


@pytest.fixture
def encoder(make_encoder):
    """An encoder that counts what it is asked."""
    return make_encoder()


class TestImages:
    """Features of pictures."""

    def test_first_view_is_the_picture_itself(self, encoder, paths):
        features, broken = image_features(encoder, paths, VIEWS, **quiet)
        assert features.shape == (6, VIEWS, 4)
        assert features.dtype == np.float16
        assert broken == []
        expected = encoder.of_squares(np.stack([encoder.prepare(path) for path in paths]))
        np.testing.assert_array_equal(features[:, 0], expected.astype(np.float16))
        assert all(len(np.unique(views, axis=0)) == VIEWS for views in features)

    def test_nothing_is_computed_twice(self, encoder, paths):
        first, _ = image_features(encoder, paths, VIEWS, **quiet)
        again, _ = image_features(encoder, paths[::-1], VIEWS, **quiet)
        assert encoder.pictures_seen == 6
        np.testing.assert_array_equal(again, first[::-1])

    def test_views_do_not_depend_on_the_order_of_the_files(self, make_encoder, paths):
        first, _ = image_features(make_encoder("a" * 64), paths, VIEWS, **quiet)
        other, _ = image_features(make_encoder("b" * 64), paths[::-1], VIEWS, **quiet)
        np.testing.assert_array_equal(other, first[::-1])

    def test_an_interrupted_run_goes_on_where_it_stopped(self, encoder, make_encoder, paths):
        encoder.fails_at = 4
        with pytest.raises(KeyboardInterrupt):
            image_features(encoder, paths, VIEWS, **quiet)
        resumed = make_encoder()
        features, _ = image_features(resumed, paths, VIEWS, **quiet)
        assert resumed.pictures_seen == 2
        whole, _ = image_features(make_encoder("b" * 64), paths, VIEWS, **quiet)
        np.testing.assert_array_equal(features, whole)

    def test_a_changed_file_is_computed_anew(self, encoder, paths):
        first, _ = image_features(encoder, paths, VIEWS, **quiet)
        write_picture(paths[2], seed=99)
        changed, _ = image_features(encoder, paths, VIEWS, **quiet)
        assert encoder.pictures_seen == 7
        np.testing.assert_array_equal(np.delete(changed, 2, 0), np.delete(first, 2, 0))
        expected = encoder.of_squares(encoder.prepare(paths[2])[None])
        np.testing.assert_array_equal(changed[2, :1], expected.astype(np.float16))

    def test_a_copy_of_a_file_is_the_same_picture(self, encoder, paths, tmp_path):
        write_picture(tmp_path / "copy.png", seed=0)
        features, _ = image_features(encoder, [*paths, tmp_path / "copy.png"], VIEWS, **quiet)
        assert encoder.pictures_seen == 6
        np.testing.assert_array_equal(features[6], features[0])

    def test_two_encoders_share_nothing(self, encoder, make_encoder, paths):
        image_features(encoder, paths, VIEWS, **quiet)
        other = make_encoder("b" * 64)
        image_features(other, paths, VIEWS, **quiet)
        assert other.pictures_seen == 6

    def test_another_number_of_views_is_computed(self, encoder, paths):
        image_features(encoder, paths, VIEWS, **quiet)
        features, _ = image_features(encoder, paths, 5, **quiet)
        assert features.shape == (6, 5, 4)

    def test_broken_and_missing_pictures_are_reported(self, encoder, paths, tmp_path):
        whole, _ = image_features(encoder, paths, VIEWS, **quiet)
        with Path(paths[1]).open("rb+") as file:
            file.truncate(200)
        (tmp_path / "4.png").unlink()
        features, broken = image_features(encoder, paths, VIEWS, **quiet)
        assert [position for position, _ in broken] == [1, 4]
        assert paths[1] in broken[0][1]
        assert paths[4] in broken[1][1]
        np.testing.assert_array_equal(features, whole[[0, 2, 3, 5]])

    def test_not_one_picture(self, encoder, tmp_path):
        with pytest.raises(TrainingError, match=r"None of the 1 images .*absent"):
            image_features(encoder, [str(tmp_path / "absent.jpg")], VIEWS, **quiet)


class TestTexts:
    """Features of texts."""

    TEXTS = ("a comet", "the spiral galaxy of the year", "dust", "a comet", "a star")

    def test_order_and_duplicates(self, encoder):
        features = text_features(encoder, self.TEXTS, **quiet)
        expected = np.stack([encoder.of_text(text) for text in self.TEXTS])
        assert features.dtype == np.float16
        np.testing.assert_array_equal(features, expected.astype(np.float16))
        assert sorted(encoder.texts_seen) == sorted(set(self.TEXTS))

    def test_only_new_texts_are_computed(self, encoder):
        first = text_features(encoder, self.TEXTS[:2], **quiet)
        encoder.texts_seen.clear()
        both = text_features(encoder, self.TEXTS, **quiet)
        assert sorted(encoder.texts_seen) == ["a star", "dust"]
        np.testing.assert_array_equal(both[:2], first)

    def test_many_batches(self, encoder):
        texts = [f"text {'x' * (n % 17)} {n}" for n in range(200)]
        features = text_features(encoder, texts, **quiet)
        expected = np.stack([encoder.of_text(text) for text in texts])
        np.testing.assert_array_equal(features, expected.astype(np.float16))

    def test_two_encoders_share_nothing(self, encoder, make_encoder):
        text_features(encoder, self.TEXTS, **quiet)
        other = make_encoder("b" * 64)
        text_features(other, self.TEXTS, **quiet)
        assert len(other.texts_seen) == 4


def test_the_cache_is_where_the_configuration_says(encoder, paths, own_cache):
    image_features(encoder, paths[:1], VIEWS, **quiet)
    text_features(encoder, ["a comet"], **quiet)
    files = sorted(path.relative_to(own_cache).parts[0] for path in own_cache.rglob("*.sqlite"))
    assert files == ["features", "features"]


def test_the_share_of_whole_pictures_is_a_recipe_of_its_own(encoder, paths):
    features = [
        image_features(encoder, paths, VIEWS, whole=whole, **quiet)[0] for whole in (0.0, 1.0, 0.0)
    ]
    assert np.array_equal(features[0], features[2])
    assert np.array_equal(features[0][:, 0], features[1][:, 0])  # the pictures themselves
    assert not np.array_equal(features[0], features[1])
