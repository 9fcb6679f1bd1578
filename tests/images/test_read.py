"""Reading images of every kind."""

import gzip
import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import CCDData, NDData
from astropy.utils.masked import Masked
from PIL import Image

from astro_paperclip.config import conf
from astro_paperclip.exceptions import ImageError, InvalidQueryError
from astro_paperclip.images import read_image


@pytest.fixture
def picture():
    """Return a colour picture that differs in every direction and band, dark at its border."""
    y, x = np.mgrid[:40, :60]
    bands = [x * 3, y * 5, 200 - x - y]
    return Image.fromarray(np.stack(bands, axis=-1).astype(np.uint8))


def png_header(width, height):
    """Return a PNG file that says it is this large, and holds no pixels."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", ["png", "tiff", "bmp"])
def test_file_keeps_pixels(picture, tmp_path, suffix):
    path = tmp_path / f"picture.{suffix}"
    picture.save(path)
    for source in (path, str(path), path.read_bytes(), picture, np.asarray(picture)):
        read = read_image(source)
        assert read.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(read), np.asarray(picture))


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_lossy_file_is_close(picture, tmp_path, suffix):
    path = tmp_path / f"picture.{suffix}"
    picture.save(path, quality=95)
    difference = np.asarray(read_image(path), dtype=int) - np.asarray(picture, dtype=int)
    assert np.abs(difference).mean() < 4


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "CMYK", "RGBA", "YCbCr", "HSV"])
def test_modes_look_alike(picture, mode):
    converted = picture.convert(mode)
    expected = np.asarray(converted.convert("RGB"), dtype=int)
    assert np.abs(np.asarray(read_image(converted), dtype=int) - expected).max() <= 1


def test_transparent_pixels_become_background(picture):
    opacity = np.full((40, 60), 255, dtype=np.uint8)
    opacity[:, :20] = 0
    picture.putalpha(Image.fromarray(opacity))
    read = np.asarray(read_image(picture))
    assert (read[:, :20] == 0).all()
    np.testing.assert_array_equal(read[:, 20:], np.asarray(picture)[:, 20:, :3])


def test_transparent_palette_colour_becomes_background(tmp_path):
    pixels = np.repeat(np.array([[0, 1]], dtype=np.uint8), 8, axis=1).repeat(8, axis=0)
    indexed = Image.fromarray(pixels).convert("P")
    indexed.putpalette([255, 0, 0, 0, 200, 0])
    path = tmp_path / "palette.png"
    indexed.save(path, transparency=0)
    read = np.asarray(read_image(path))
    assert (read[:, :8] == 0).all()
    assert (read[:, 8:] == (0, 200, 0)).all()


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_deep_grey_is_stretched(mode):
    values = np.linspace(1000, 4000, 64 * 64).reshape(64, 64)
    dtype = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
    read = np.asarray(read_image(Image.fromarray(values.astype(dtype)))).astype(int)
    assert read.min() == 0
    assert read.max() == 255
    assert (np.diff(read[..., 0].ravel()) >= 0).all()


@pytest.mark.parametrize("at_least", [16, 100, 256, 1000])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_at_least(tmp_path, suffix, at_least):
    path = tmp_path / f"large.{suffix}"
    Image.fromarray(np.tile(np.linspace(0, 200, 700).astype(np.uint8), (300, 1))).save(path)
    width, height = read_image(path, at_least=at_least).size
    assert min(700, at_least) <= width < max(2 * at_least, 701)
    assert width / height == pytest.approx(700 / 300, rel=0.1)


def test_at_least_leaves_the_given_image_alone(tmp_path):
    path = tmp_path / "large.jpg"
    Image.new("RGB", (400, 400)).save(path)
    with Image.open(path) as given:
        assert read_image(given, at_least=50).size == (50, 50)
        assert given.size == (400, 400)


def test_array_like_objects_agree():
    values = np.random.default_rng(1).gamma(2, 100, (32, 48))
    expected = np.asarray(read_image(values))
    sources = [
        values * u.electron,
        NDData(values),
        CCDData(values, unit="adu"),
        values.astype(">f8"),
        np.ma.MaskedArray(values, mask=False),
        fits.PrimaryHDU(values[::-1]),
        fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(values[::-1])]),
        fits.ImageHDU(values[None, ::-1]),
    ]
    for source in sources:
        np.testing.assert_array_equal(np.asarray(read_image(source)), expected)


def test_masks_are_outside():
    values = np.random.default_rng(1).gamma(2, 100, (32, 48))
    mask = np.zeros(values.shape, dtype=bool)
    mask[:, 30:] = True
    unknown = np.where(mask, np.nan, values)
    expected = np.asarray(read_image(unknown))
    assert (expected[:, 30:] == 0).all()
    assert expected[:, :30].mean() > 50
    sources = [
        np.ma.MaskedArray(values, mask=mask),
        NDData(values, mask=mask),
        Masked(values, mask=mask),
        Masked(values * u.Jy, mask=mask),
    ]
    for source in sources:
        np.testing.assert_array_equal(np.asarray(read_image(source)), expected)


@pytest.mark.parametrize("name", ["image.fits", "image.fits.gz", "IMAGE.FIT"])
def test_fits_file_has_its_first_row_at_the_bottom(tmp_path, name):
    values = np.tile(np.linspace(0, 1, 20)[:, None], (1, 30)).astype(np.float32)
    fits.PrimaryHDU(values).writeto(tmp_path / name)
    read = np.asarray(read_image(tmp_path / name))
    assert read.shape == (20, 30, 3)
    assert read[0].mean() > read[-1].mean() + 200
    content = (tmp_path / name).read_bytes()
    np.testing.assert_array_equal(np.asarray(read_image(content)), read)


def test_fits_planes_become_colours(tmp_path):
    planes = np.zeros((3, 20, 30), dtype=np.uint8)
    planes[0, :10] = 200
    fits.PrimaryHDU(planes).writeto(tmp_path / "colours.fits")
    read = np.asarray(read_image(tmp_path / "colours.fits"))
    assert (read[10:] == (200, 0, 0)).all()
    assert (read[:10] == 0).all()


def test_fits_without_image(tmp_path):
    fits.PrimaryHDU().writeto(tmp_path / "empty.fits")
    with pytest.raises(ImageError, match=r"empty\.fits.*no HDU"):
        read_image(tmp_path / "empty.fits")


def test_truncated_fits(tmp_path):
    stream = io.BytesIO()
    fits.PrimaryHDU(np.ones((100, 100))).writeto(stream)
    (tmp_path / "cut.fits").write_bytes(stream.getvalue()[:20000])
    with pytest.raises(ImageError, match=r"cut\.fits"):
        read_image(tmp_path / "cut.fits")


def test_missing_file(tmp_path):
    with pytest.raises(ImageError, match=r"nowhere\.jpg.*no such file"):
        read_image(tmp_path / "nowhere.jpg")
    with pytest.raises(ImageError, match=r"nowhere\.fits.*no such file"):
        read_image(tmp_path / "nowhere.fits")


def test_folder_is_no_image(tmp_path):
    with pytest.raises(ImageError, match="Cannot read image"):
        read_image(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not an image at all", b"%!PS-Adobe-3.0 EPSF-3.0"])
def test_not_an_image(tmp_path, content):
    path = tmp_path / "text.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"text\.jpg"):
        read_image(path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "webp"])
@pytest.mark.parametrize("at_least", [None, 16])
def test_truncated_file(tmp_path, suffix, at_least):
    noise = np.random.default_rng(0).integers(0, 200, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / f"cut.{suffix}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError, match=rf"cut\.{suffix}"):
        read_image(path, at_least=at_least)


@pytest.mark.parametrize("size", [(1, 1), (100, 7)])
def test_too_small(tmp_path, size):
    path = tmp_path / "dot.png"
    Image.new("RGB", size).save(path)
    for source in (path, Image.new("RGB", size), np.zeros(size[::-1])):
        with pytest.raises(ImageError, match="too few"):
            read_image(source)


@pytest.mark.parametrize("at_least", [None, 256])
def test_bomb_is_refused_by_its_header(tmp_path, at_least):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(30_000, 30_000))
    with pytest.raises(ImageError, match=r"bomb\.png.*30000 x 30000.*200,000,000"):
        read_image(path, at_least=at_least)


def test_limit_is_the_configured_one(picture):
    with conf.set_temp("max_image_pixels", 1000), pytest.raises(ImageError, match="1,000"):
        read_image(picture)
    with pytest.raises(ImageError, match="limit of 2,399"):
        read_image(np.asarray(picture), max_pixels=2399)
    assert read_image(picture, max_pixels=2400).size == (60, 40)


def test_fits_limit_is_checked_before_data_are_read(tmp_path):
    header = fits.Header({"SIMPLE": True, "BITPIX": 8, "NAXIS": 2})
    header["NAXIS1"] = header["NAXIS2"] = 30_000
    (tmp_path / "bomb.fits").write_bytes(header.tostring().encode())
    with pytest.raises(ImageError, match="30000 x 30000"):
        read_image(tmp_path / "bomb.fits")


def test_pillow_limit_neither_warns_nor_refuses(monkeypatch, picture, tmp_path):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1500)
    path = tmp_path / "picture.png"
    picture.save(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(path).size == (60, 40)


@pytest.mark.parametrize("source", [None, 3, [1, 2], {"a": 1}, b"bytes"])
def test_other_objects(source):
    with pytest.raises(InvalidQueryError, match=type(source).__name__):
        read_image(source)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "of 0 bytes: the file is empty"),
        (b"no picture", "of 10 bytes: it is not a JPEG"),
        (png_header(30_000, 30_000), "30000 x 30000 pixels"),
        (b"SIMPLE  = no such thing", "of 23 bytes, it is damaged"),
        (gzip.compress(b"no FITS file"), "it is damaged"),
    ],
)
def test_content_that_cannot_be_read(content, message):
    with pytest.raises(ImageError, match=message):
        read_image(content)
