"""World coordinates in the comment of a JPEG."""

import pytest
from astropy.wcs import WCS
from PIL import Image

from astro_paperclip.exceptions import ImageError
from astro_paperclip.images import read_wcs, scaled_comment, shrink_picture

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


def test_read_wcs_agrees_with_the_header(picture):
    header = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 301.5, "CRPIX2": 120.0}
    header |= {"CRVAL1": 22.3783840072134, "CRVAL2": -73.554357379551}
    header |= {"CD1_1": -1.2e-5, "CD1_2": 7e-6, "CD2_1": 7e-6, "CD2_2": 1.2e-5}
    read = read_wcs(picture(comment=CARDS))
    expected = WCS(header).pixel_to_world(3, 4)
    assert read.pixel_to_world(3, 4).separation(expected).arcsec < 1e-9


@pytest.mark.parametrize(
    "matrix",
    [
        "CDELT1  = -0.002\nCDELT2  = 0.002\n",
        "CDELT1  = -0.002\nCDELT2  = 0.002\n"
        "PC1_1   = 0.8\nPC1_2   = -0.6\nPC2_1   = 0.6\nPC2_2   = 0.8\n",
        "CD1_1   = -0.002\nCD1_2   = 0.001\nCD2_1   = 0.0005\nCD2_2   = 0.0021\n",
    ],
    ids=["CDELT", "CDELT and PC", "CD"],
)
def test_every_form_of_a_linear_transformation_is_scaled(picture, matrix):
    cards = b"CTYPE1  = 'RA---TAN'\nCTYPE2  = 'DEC--TAN'\nCRVAL1  = 10\nCRVAL2  = 20\n"
    cards += b"CRPIX1  = 5\nCRPIX2  = 7\n" + matrix.encode()
    before = read_wcs(picture("before.jpg", comment=cards))
    after = read_wcs(picture("after.jpg", comment=scaled_comment(cards, (0.5, 0.25))))
    # The same place in a picture half as wide and a quarter as high.
    place = before.pixel_to_world(99.5, 199.5)
    assert place.separation(after.pixel_to_world(49.5, 49.5)).arcsec < 1e-6


@pytest.mark.parametrize(
    "comment", [b"", b"a galaxy", b"CTYPE1  = 'PIXEL'\n", b"CTYPE1  = 'RA---TAN'\nCRPIX1  = 'x\n"]
)
def test_a_picture_without_world_coordinates(picture, comment):
    path = picture(comment=comment)
    assert read_wcs(path) is None
    shrink_picture(path, 64)
    with Image.open(path) as image:
        assert image.info.get("comment", b"") == comment


def test_what_is_no_picture_has_no_coordinates(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_text("<html>")
    with pytest.raises(ImageError, match="not a JPEG"):
        read_wcs(path)
