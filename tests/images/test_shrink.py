"""A preview on disk: checked, made small, its world coordinates with it."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from astro_paperclip.config import conf
from astro_paperclip.exceptions import ImageError
from astro_paperclip.images import read_wcs, shrink_picture

CARDS = b"""\
CTYPE1  = 'RA---TAN'
CTYPE2  = 'DEC--TAN'
CRPIX1  = 301.5
CRPIX2  = 120.
CRVAL1  = 22.3783840072134
CRVAL2  = -73.554357379551
CD1_1   = -1.2E-05
CD1_2   = 7D-06
CD2_1   = 7e-06
CD2_2   = .000012
COMMENT Created by somebody with CRPIX1 = 3
"""


def corners(wcs, size):
    """Return the places of a picture's corners on the sky [deg]."""
    width, height = size
    return wcs.pixel_to_world(
        [-0.5, width - 0.5, -0.5, width - 0.5], [-0.5, -0.5, height - 0.5, height - 0.5]
    )


def mean_colour(path):
    with Image.open(path) as image:
        return np.asarray(image, dtype=float).mean(axis=(0, 1))


def test_corners_keep_their_place_on_the_sky(picture):
    path = picture(comment=CARDS)
    before = corners(read_wcs(path), (900, 500))
    assert shrink_picture(path, 512) == (512, 284)
    with Image.open(path) as image:
        assert image.size == (512, 284)
        assert image.mode == "L"
        assert image.info["comment"].endswith(b"COMMENT Created by somebody with CRPIX1 = 3\n")
    wcs = read_wcs(path)
    assert wcs.pixel_shape == (512, 284)
    pixel = np.hypot(1.2e-5, 7e-6) * 900 / 512
    assert np.all(before.separation(corners(wcs, (512, 284))).deg < 0.01 * pixel)


def test_the_real_preview(shared, tmp_path):
    source = next((shared / "data" / "hst_preview").glob("*.jpg"))
    path = tmp_path / source.name
    path.write_bytes(source.read_bytes())
    before = read_wcs(source)
    old = before.pixel_shape
    assert old == (4543, 4423)
    # The scale and the reference pixel that MAST wrote, 0.05 arcsec a pixel.
    assert before.proj_plane_pixel_scales()[0].to_value("arcsec") == pytest.approx(0.05)
    assert before.world_to_pixel_values(22.3783840072134, -73.554357379551) == pytest.approx(
        (2270.46782376769, 2211.43385122792)
    )
    new = shrink_picture(path, 512)
    assert max(new) == 512
    assert path.stat().st_size < 200_000
    shift = corners(before, old).separation(corners(read_wcs(path), new)).deg
    assert np.all(shift < 0.1 * 1.3888888888888e-05 * old[0] / 512)


def test_a_small_jpeg_stays_as_it_is(picture):
    path = picture(size=(400, 200), comment=CARDS)
    content = path.read_bytes()
    assert shrink_picture(path, 512) == (400, 200)
    assert path.read_bytes() == content
    path = picture()
    content = path.read_bytes()
    assert shrink_picture(path) == (900, 500)
    assert path.read_bytes() == content


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA"])
def test_other_formats_become_jpegs(picture, mode):
    path = picture("a.png", size=(300, 200), mode=mode)
    assert shrink_picture(path, 512) == (300, 200)
    with Image.open(path) as image:
        assert image.format == "JPEG"
        assert image.size == (300, 200)
        image.load()


def test_exif_is_kept(picture):
    exif = Image.Exif()
    exif[0x010E] = "a nebula"
    path = picture(exif=exif)
    shrink_picture(path, 100)
    with Image.open(path) as image:
        assert image.size == (100, 56)
        assert image.getexif()[0x010E] == "a nebula"


def test_colours_survive(picture):
    path = picture(mode="RGB")
    before = mean_colour(path)
    shrink_picture(path, 100)
    assert mean_colour(path) == pytest.approx(before, abs=1)


@pytest.mark.parametrize("cut", [1, 2, 100, 10_000])
@pytest.mark.parametrize("max_side", [None, 64, 2000])
def test_a_truncated_picture_is_refused(picture, cut, max_side):
    path = picture()
    content = path.read_bytes()[:-cut]
    path.write_bytes(content)
    with pytest.raises(ImageError, match="damaged or incomplete"):
        shrink_picture(path, max_side)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"<html></html>", "not a JPEG"), (b"\xff\xd8\xff" + b"x" * 999, "damaged")],
)
def test_what_is_no_picture_is_refused(tmp_path, content, message):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=message):
        shrink_picture(path, 64)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path):
    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(10_000_000), 9)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels)
    path = tmp_path / "a.png"
    path.write_bytes(content + chunk(b"IEND", b""))
    with pytest.raises(ImageError, match="more than the limit"):
        shrink_picture(path, 512)


def test_limits_of_size(picture):
    with (
        conf.set_temp("max_image_pixels", 449_999),
        pytest.raises(ImageError, match="900 x 500 pixels are more"),
    ):
        shrink_picture(picture(), 512)
    with pytest.raises(ImageError, match="64 x 2 pixels are too few"):
        shrink_picture(picture(size=(640, 20)), 64)
