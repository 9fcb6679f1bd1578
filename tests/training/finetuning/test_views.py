"""Views are found again in their pictures, by trying every place, turn and mirror image."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
import torch
from PIL import Image

from astro_paperclip.exceptions import TrainingError
from astro_paperclip.images import letterbox
from astro_paperclip.training.finetuning.views import (
    ViewSettings,
    apply_views,
    draw_views,
    whole_views,
)

MEAN, STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)
PLAIN = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def noise(count, side, seed=0):
    """Return squares in which no two places look alike, and their boxes."""
    rng = np.random.default_rng(seed)
    squares = rng.integers(1, 256, (count, side, side, 3), dtype=np.uint8)
    return squares, np.tile([0, 0, side, side], (count, 1))


def normalised(squares, mean=MEAN, std=STD):
    """Return what a tower sees of squares of its own size, by the textbook."""
    values = (squares.astype(np.float64) / 255 - mean) / std
    return values.transpose(0, 3, 1, 2)


def views_of(squares, boxes, settings, seed=0, mean=MEAN, std=STD):
    parameters = draw_views(len(squares), settings, np.random.default_rng(seed))
    return apply_views(squares, boxes, parameters, settings.size, mean, std).numpy()


def placed(view, square):
    """Return every (left, top, turns, is mirrored) at which a view is the square's own pixels."""
    view = view.transpose(1, 2, 0)
    size = len(view)
    found = []
    for turns, mirrored in product(range(4), (False, True)):
        crop = np.rot90(view[:, ::-1] if mirrored else view, -turns)
        corners = (square[: 1 - size or None, : 1 - size or None] == crop[0, 0]).all(axis=2)
        for top, left in np.argwhere(corners).tolist():
            if (square[top : top + size, left : left + size] == crop).all():
                found.append((left, top, turns, mirrored))
    return found


@pytest.fixture(scope="module")
def paper():
    """Views as in the paper, a quarter of its size: 56 of 128 pixels, and where they are."""
    settings = ViewSettings(size=56, crop_area=(0.1914, 0.1914), quarter_turns=True, flips=True)
    squares, boxes = noise(64, 128)
    views = views_of(squares, boxes, settings)
    levels = np.rint((views * np.reshape(STD, (3, 1, 1)) + np.reshape(MEAN, (3, 1, 1))) * 255)
    places = [placed(view, square) for view, square in zip(levels, squares, strict=True)]
    return squares, views, places


class TestCropsAtTheirOwnScale:
    def test_they_are_pixels_of_the_picture(self, paper):
        squares, views, places = paper
        for square, view, found in zip(squares, views, places, strict=True):
            ((left, top, turns, mirrored),) = found
            crop = np.rot90(square[top : top + 56, left : left + 56], turns)
            crop = crop[:, ::-1] if mirrored else crop
            np.testing.assert_allclose(view, normalised(crop[None])[0], rtol=0, atol=1e-5)

    def test_every_turn_and_mirror_image_is_as_likely(self):
        settings = ViewSettings(size=8, quarter_turns=True, flips=True)
        squares, boxes = noise(1, 8)
        squares, boxes = squares.repeat(1600, 0), boxes.repeat(1600, 0)
        views = np.rint(views_of(squares, boxes, settings, mean=PLAIN[0], std=PLAIN[1]) * 255)
        counts = Counter(found for view in views for found in placed(view, squares[0]))
        assert set(counts) == {(0, 0, turns, m) for turns in range(4) for m in (False, True)}
        assert all(abs(count - 200) < 5 * np.sqrt(200) for count in counts.values())

    def test_they_are_anywhere(self, paper):
        _, _, places = paper
        lefts, tops = np.array([found[0][:2] for found in places]).T
        for starts in (lefts, tops):
            assert 0 <= starts.min() < 12
            assert 60 < starts.max() <= 72
            assert abs(starts.mean() - 36) < 5 * 72 / np.sqrt(12 * 64)
        assert abs(np.corrcoef(lefts, tops)[0, 1]) < 0.5


def test_a_share_shows_all_of_the_picture_as_it_stands():
    squares, boxes = noise(1, 16)
    squares, boxes = squares.repeat(1000, 0), boxes.repeat(1000, 0)
    settings = ViewSettings(
        size=16, whole=0.3, crop_area=(0.2, 0.5), quarter_turns=True, flips=True, aspect=2.0
    )
    views = np.rint(views_of(squares, boxes, settings, 0, *PLAIN) * 255)
    is_whole = (views == squares.transpose(0, 3, 1, 2)).all(axis=(1, 2, 3))
    assert abs(is_whole.mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / 1000)
    # Their colours are changed like those of any other view.
    settings = ViewSettings(size=16, whole=1.0, quarter_turns=True, grey=1.0)
    views = views_of(squares[:20], boxes[:20], settings, 0, *PLAIN)
    grey = squares[:20].mean(axis=3) / 255
    np.testing.assert_allclose(views, np.stack([grey] * 3, axis=1), atol=1e-6)


@pytest.mark.parametrize(
    ("box", "lefts", "tops"),
    [
        ((0, 0, 24, 24), range(17), range(17)),
        ((0, 6, 24, 12), range(17), range(6, 11)),
        ((7, 0, 10, 24), range(7, 10), range(17)),
        ((0, 8, 24, 8), range(17), range(8, 9)),
        ((0, 10, 24, 4), range(17), range(6, 11)),  # all of the picture's height is in the crop
        ((11, 0, 1, 24), range(4, 12), range(17)),
    ],
)
def test_crops_keep_to_the_picture(box, lefts, tops):
    """A crop shows nothing but the picture, or all of it along an axis where it is narrow."""
    squares, _ = noise(1, 24)
    squares = squares.repeat(600, 0)
    settings = ViewSettings(size=8, crop_area=(1 / 9, 1 / 9))
    views = np.rint(views_of(squares, np.tile(box, (600, 1)), settings, 0, *PLAIN) * 255)
    found = [placed(view, squares[0])[0][:2] for view in views]
    assert {left for left, _ in found} == set(lefts)
    assert {top for _, top in found} == set(tops)


def test_a_crop_near_the_size_of_the_square_stays_in_it():
    squares, _ = noise(200, 24)
    settings = ViewSettings(size=22, crop_area=((22 / 24) ** 2,) * 2)
    views = np.rint(views_of(squares, np.tile([0, 11, 24, 1], (200, 1)), settings, 0, *PLAIN) * 255)
    for view, square in zip(views, squares, strict=True):
        assert len(placed(view, square)) == 1


def chart(side):
    """Return a square in which red is where a pixel is from left to right, green from the top."""
    square = np.zeros((side, side, 3), np.uint8)
    square[..., 0] = np.arange(side)
    square[..., 1] = np.arange(side)[:, None]
    return square


@pytest.fixture(scope="module")
def shapes():
    """Return left, top, width and height of many crops, read off a chart."""
    squares = chart(200)[None].repeat(400, 0)
    boxes = np.tile([0, 0, 200, 200], (400, 1))
    settings = ViewSettings(size=50, crop_area=(0.25, 1), aspect=1.5)
    views = views_of(squares, boxes, settings, 0, *PLAIN) * 255
    shapes = []
    for colour, axis in ((0, 1), (1, 2)):
        # Away from the brim, colours rise by the same amount from pixel to pixel.
        profile = views[:, colour].mean(axis=axis)
        step = (profile[:, 40] - profile[:, 10]) / 30
        shapes += [profile[:, 25] - 25.5 * step + 0.5, 50 * step]
    return np.array(shapes)


class TestCropsOfOtherScales:
    def test_areas(self, shapes):
        area = shapes[1] * shapes[3] / 200**2
        assert 0.25 - 0.02 < area.min() < 0.3
        assert 0.9 < area.max() < 1 + 0.02
        # Wide crops of much of the area do not fit, and are cut.
        assert abs(area.mean() - 0.61) < 0.04

    def test_aspects(self, shapes):
        aspect = shapes[1] / shapes[3]
        assert 1 / 1.5 - 0.03 < aspect.min() < 1 / 1.4
        assert 1.4 < aspect.max() < 1.5 + 0.03
        assert abs(np.median(np.log(aspect))) < 0.05

    def test_places(self, shapes):
        left, width, top, height = shapes
        for start, length in ((left, width), (top, height)):
            assert start.min() > -2
            assert (start + length).max() < 202
            fits = length < 150
            share = start[fits] / (200 - length[fits])
            assert abs(share.mean() - 0.5) < 5 / np.sqrt(12 * fits.sum())

    @pytest.mark.parametrize("size", [30, 64, 101])
    def test_they_are_resized_with_all_detail_averaged(self, size):
        """As torch resizes pictures with its filter against aliasing."""
        squares, boxes = noise(4, 64)
        squares = 90 + squares // 4  # not so wild that what overshoots is cut off
        views = views_of(squares, boxes, ViewSettings(size=size), 0, *PLAIN)
        wanted = torch.nn.functional.interpolate(
            torch.from_numpy(squares).permute(0, 3, 1, 2).double(),
            (size, size),
            mode="bicubic",
            antialias=True,
        )
        np.testing.assert_allclose(views * 255, wanted, rtol=0, atol=1.1)


class TestColours:
    @staticmethod
    def colours(count=1500, **settings):
        """Return the one colour of each view of a picture of one colour."""
        squares = np.full((count, 8, 8, 3), (60, 120, 240), np.uint8)
        boxes = np.tile([0, 0, 8, 8], (count, 1))
        views = views_of(squares, boxes, ViewSettings(size=8, **settings), 0, *PLAIN)
        assert (views == views[:, :, :1, :1]).all()
        return views[:, :, 0, 0]

    def test_shares(self):
        colours = self.colours(grey=0.4, permute=0.3)
        counts = Counter(tuple(np.rint(colour * 255).astype(int)) for colour in colours)
        wanted = dict.fromkeys(
            [(60, 240, 120), (120, 60, 240), (120, 240, 60), (240, 60, 120), (240, 120, 60)], 0.05
        )
        wanted |= {(140, 140, 140): 0.4, (60, 120, 240): 0.35}
        assert set(counts) == set(wanted)
        for colour, share in wanted.items():
            error = np.sqrt(share * (1 - share) / len(colours))
            assert abs(counts[colour] / len(colours) - share) < 5 * error

    def test_the_order_of_colours_is_what_was_drawn(self):
        squares, boxes = noise(20, 8)
        parameters = draw_views(20, ViewSettings(size=8, permute=1.0), np.random.default_rng(0))
        views = apply_views(squares, boxes, parameters, 8, *PLAIN)
        for view, square, order in zip(views, squares, parameters.order, strict=True):
            np.testing.assert_allclose(view * 255, square[..., order].transpose(2, 0, 1), rtol=1e-6)

    def test_brightness_is_raised_to_a_power(self):
        colours = self.colours(gamma=1.6)
        powers = np.log(colours) / np.log(np.array([60, 120, 240]) / 255)
        np.testing.assert_allclose(powers, powers[:, :1].repeat(3, 1), rtol=1e-5)
        assert 1 / 1.6 <= powers.min() < 0.65
        assert 1.54 < powers.max() <= 1.6 + 1e-6
        assert abs(np.log(powers).mean()) < 5 * np.log(1.6) / np.sqrt(3 * len(powers))

    def test_faint_levels_stay_apart(self):
        """Eight bits would make one of the lowest levels, in which most of the sky lies."""
        squares = np.zeros((1, 8, 8, 3), np.uint8)
        squares[0, ..., 1] = np.arange(64).reshape(8, 8)
        settings = ViewSettings(size=8, gamma=1.6)
        for seed in range(8):
            view = views_of(squares, np.array([[0, 0, 8, 8]]), settings, seed, *PLAIN)
            assert (np.diff(view[0, 1].ravel()) > 1e-5).all()

    def test_grey_is_the_mean_of_what_was_brightened(self):
        colours = self.colours(gamma=1.6, grey=1.0)
        assert (colours == colours[:, :1]).all()
        plain = self.colours(gamma=1.6)
        np.testing.assert_allclose(colours[:, 0], plain.mean(axis=1), rtol=1e-5)

    @pytest.mark.parametrize("settings", [{}, {"gamma": 1.0, "aspect": 1.0}])
    def test_nothing_asked_for_nothing_done(self, settings):
        squares, boxes = noise(3, 16)
        views = views_of(squares, boxes, ViewSettings(size=16, **settings))
        np.testing.assert_allclose(views, normalised(squares), rtol=0, atol=1e-6)

    def test_the_surroundings_stay_neutral(self):
        """Black is black in every view, at the brim of a picture as well."""
        squares = np.zeros((200, 32, 32, 3), np.uint8)
        boxes = np.tile([0, 8, 32, 16], (200, 1))
        settings = ViewSettings(
            size=24, crop_area=(0.2, 1), aspect=1.3, gamma=1.6, grey=0.4, permute=0.3
        )
        black = normalised(np.zeros((1, 1, 1, 3)))[0]
        views = views_of(squares, boxes, settings)
        np.testing.assert_allclose(views, np.broadcast_to(black, views.shape), atol=1e-6)


EVERYTHING = ViewSettings(
    size=20,
    crop_area=(0.25, 1),
    quarter_turns=True,
    flips=True,
    aspect=1.33,
    gamma=1.6,
    grey=0.4,
    permute=0.3,
)


class TestChance:
    def test_parts_of_a_batch_are_parts_of_the_whole(self):
        squares, boxes = noise(12, 32)
        whole = views_of(squares, boxes, EVERYTHING, seed=5)
        parts = []
        for part in (slice(0, 6), slice(6, 12)):
            parameters = draw_views(12, EVERYTHING, np.random.default_rng(5))[part]
            assert len(parameters) == 6
            parts.append(apply_views(squares[part], boxes[part], parameters, 20, MEAN, STD))
        np.testing.assert_array_equal(torch.cat(parts), whole)

    def test_seeds(self):
        squares, boxes = noise(12, 32)
        first, again, other = (views_of(squares, boxes, EVERYTHING, seed) for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert (first != other).any(axis=(1, 2, 3)).all()

    def test_every_picture_has_a_draw_of_its_own(self):
        squares, boxes = noise(1, 32)
        views = views_of(squares.repeat(20, 0), boxes.repeat(20, 0), EVERYTHING)
        assert len({view.tobytes() for view in views}) == 20

    def test_a_switch_leaves_all_else_as_it_was(self):
        """Two runs that differ in one ingredient differ in nothing else."""
        squares, boxes = noise(12, 32)
        changes = {"gamma": 0.0, "grey": 0.0, "permute": 0.0}
        turned = ViewSettings(**vars(EVERYTHING) | changes)
        views = views_of(squares, boxes, turned)
        pale = views_of(squares, boxes, ViewSettings(**vars(turned) | {"grey": 0.5}))
        is_same = (views == pale).all(axis=(1, 2, 3))
        assert 0 < is_same.sum() < 12


class TestWholeViews:
    def test_of_their_own_size(self):
        squares, _ = noise(3, 20)
        views = whole_views(squares, 20, MEAN, STD)
        np.testing.assert_allclose(views, normalised(squares), rtol=0, atol=1e-6)

    @pytest.mark.parametrize("size", [16, 33])
    def test_of_another_size_they_are_letterboxed(self, size):
        squares, _ = noise(3, 20)
        wanted = np.stack([letterbox(Image.fromarray(square), size) for square in squares])
        views = whole_views(squares, size, MEAN, STD)
        np.testing.assert_allclose(views, normalised(wanted), rtol=0, atol=1e-6)

    def test_they_are_what_an_encoder_sees(self, compact):
        squares, _ = noise(2, compact.pixels.size)
        seen = []
        handle = compact._image_backbone.register_forward_pre_hook(
            lambda _, inputs: seen.append(inputs[0].float())
        )
        compact.image_features(squares)
        handle.remove()
        views = whole_views(squares, compact.pixels.size, compact.pixels.mean, compact.pixels.std)
        torch.testing.assert_close(views, torch.cat(seen), rtol=0, atol=1e-5)


def test_pixels_are_what_torch_likes():
    squares, boxes = noise(3, 32)
    parameters = draw_views(3, EVERYTHING, np.random.default_rng(0))
    out = np.empty((3, 20, 20, 3), np.float32)
    views = apply_views(squares, boxes, parameters, 20, MEAN, STD, out=out)
    for pixels in (views, whole_views(squares, 20, MEAN, STD)):
        assert pixels.shape == (3, 3, 20, 20)
        assert pixels.dtype == torch.float32
        assert pixels.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_array_equal(out.transpose(0, 3, 1, 2), views)


def test_pictures_are_left_alone():
    squares, boxes = noise(5, 20)
    before = squares.copy()
    views_of(squares, boxes, EVERYTHING)
    whole_views(squares, 20, MEAN, STD)
    np.testing.assert_array_equal(squares, before)


def test_no_pictures():
    squares, boxes = noise(0, 32)
    assert views_of(squares, boxes, EVERYTHING).shape == (0, 3, 20, 20)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 8, "whole": 1.5}, "whole 1.5 is not a share of the views"),
        ({"size": 0}, "Views of size 0"),
        ({"crop_area": (0, 1)}, r"crop_area \(0, 1\)"),
        ({"crop_area": (0.5, 0.2)}, r"crop_area \(0\.5, 0\.2\)"),
        ({"crop_area": (0.5, 1.1)}, r"crop_area \(0\.5, 1\.1\)"),
        ({"whole": 1.5}, "whole 1.5 is not a share of the views"),
        ({"aspect": 0.75}, r"aspect 0\.75 is no factor"),
        ({"gamma": -1.0}, r"gamma -1\.0 is no factor"),
        ({"gamma": float("nan")}, "gamma nan is no factor"),
        ({"aspect": float("inf")}, "aspect inf is no factor"),
        ({"grey": -0.1}, r"grey -0\.1 and permute"),
        ({"grey": 0.6, "permute": 0.5}, r"grey 0\.6 and permute 0\.5"),
    ],
)
def test_settings_without_sense(settings, message):
    with pytest.raises(TrainingError, match=message):
        ViewSettings(**{"size": 8} | settings)
