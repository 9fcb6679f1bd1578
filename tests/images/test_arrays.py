"""Making pictures of arrays."""

import numpy as np
import pytest
from astropy.visualization import ZScaleInterval

from astro_paperclip.exceptions import ImageError
from astro_paperclip.images.arrays import STRETCHES, picture_from_array


def ramp(low, high, shape=(50, 40)):
    return np.linspace(low, high, shape[0] * shape[1]).reshape(shape)


@pytest.mark.parametrize("stretch", STRETCHES)
@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "u2", "i8"])
def test_brightness_follows_values(stretch, dtype):
    picture = np.asarray(picture_from_array(ramp(10, 30000).astype(dtype), stretch=stretch))
    assert picture.dtype == np.uint8
    assert (np.diff(picture.ravel().astype(int)) >= 0).all()
    assert picture[0, 0] == 0
    assert picture[-1, -1] == 255


@pytest.mark.parametrize("stretch", STRETCHES)
def test_scale_and_offset_do_not_matter(stretch):
    values = np.random.default_rng(0).gamma(2, 1, (60, 60))
    first = np.asarray(picture_from_array(values, stretch=stretch), dtype=int)
    second = np.asarray(picture_from_array(values * 1e-18 + 3e-18, stretch=stretch), dtype=int)
    assert np.abs(first - second).max() <= 1


def test_linear_stretch_is_exact():
    picture = np.asarray(
        picture_from_array(np.arange(256.0).reshape(16, 16) - 99.5, stretch="linear")
    )
    np.testing.assert_array_equal(picture.ravel(), np.arange(256))


def test_zscale_limits_are_those_of_astropy():
    values = np.random.default_rng(0).normal(100, 5, (60, 60))
    low, high = ZScaleInterval().get_limits(values)
    expected = np.clip((values - low) / (high - low), 0, 1) * 255
    picture = np.asarray(picture_from_array(values, stretch="zscale"))
    np.testing.assert_allclose(picture, expected, atol=0.51)


def test_asinh_shows_faint_beside_bright():
    values = np.zeros((100, 100)) + 1
    values[20:40, 20:40] = 5
    values[60:63, 60:63] = 1000
    faint = np.asarray(picture_from_array(values, stretch="asinh"))[30, 30]
    linear = np.asarray(picture_from_array(values, stretch="linear"))[30, 30]
    assert faint > linear


def test_values_that_are_not_finite_do_not_change_the_rest():
    values = np.random.default_rng(0).gamma(2, 1, (60, 60))
    values[:, :10] = np.nan
    values[0, 20], values[0, 21] = np.inf, -np.inf
    picture = np.asarray(picture_from_array(values))
    assert (picture[~np.isfinite(values)] == 0).all()
    np.testing.assert_array_equal(picture[1:, 10:], np.asarray(picture_from_array(values))[1:, 10:])
    assert picture[:, 10:].std() > 20


@pytest.mark.parametrize("fill", [np.nan, np.inf])
def test_nothing_finite(fill):
    with pytest.raises(ImageError, match="No value is finite"):
        picture_from_array(np.full((20, 20), fill))


def test_everything_masked():
    with pytest.raises(ImageError, match="masked"):
        picture_from_array(np.ma.MaskedArray(np.ones((20, 20)), mask=True))


@pytest.mark.parametrize("value", [0.0, 7.5, -3])
def test_constant_is_black(value):
    assert not np.asarray(picture_from_array(np.full((20, 20), value))).any()


def test_eight_bits_and_truth_values_stay():
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(np.asarray(picture_from_array(pixels)), pixels)
    np.testing.assert_array_equal(np.asarray(picture_from_array(pixels > 9)), (pixels > 9) * 255)


def test_colours_between_zero_and_one_stay():
    colours = np.random.default_rng(0).uniform(0.2, 0.6, (20, 20, 3))
    np.testing.assert_allclose(np.asarray(picture_from_array(colours)), colours * 255, atol=0.51)


def test_colours_are_stretched_together():
    colours = np.random.default_rng(0).uniform(100, 200, (30, 30, 3))
    colours[..., 2] /= 10
    picture = np.asarray(picture_from_array(colours, stretch="linear")).mean(axis=(0, 1))
    assert picture[0] == pytest.approx(picture[1], rel=0.1)
    assert picture[2] < picture[0] / 5


def test_fourth_plane_is_opacity():
    colours = np.full((20, 20, 4), 0.5)
    colours[:10, :, 3] = 0
    picture = picture_from_array(colours)
    assert picture.mode == "RGBA"
    assert set(np.unique(np.asarray(picture)[:10, :, 3])) == {0}


@pytest.mark.parametrize("shape", [(20,), (20, 20, 2), (3, 20, 20), (2, 20, 20, 3)])
def test_wrong_shape(shape):
    with pytest.raises(ImageError, match="shape"):
        picture_from_array(np.zeros(shape))


@pytest.mark.parametrize("dtype", [complex, object, "U3"])
def test_wrong_dtype(dtype):
    with pytest.raises(ImageError, match="dtype"):
        picture_from_array(np.zeros((20, 20)).astype(dtype))


def test_unknown_stretch():
    with pytest.raises(ImageError, match=r"'log'.*asinh"):
        picture_from_array(np.zeros((20, 20)), stretch="log")
