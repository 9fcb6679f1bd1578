"""Expressions: sums of words, pictures and observations with weights."""

import copy
import pickle
from fractions import Fraction

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from astro_paperclip import Like
from astro_paperclip.exceptions import ImageError, InvalidQueryError
from astro_paperclip.expressions import Observations, Picture, Words


def parts(like):
    return [(term.weight, term.content) for term in like.terms]


def test_arithmetic():
    like = 2 * (Like(" spiral galaxy ") - "dust lane") / 4 + Like(similar_to=24101632)
    assert parts(like) == [
        (0.5, Words("spiral galaxy")),
        (-0.5, Words("dust lane")),
        (1, Observations(("24101632",))),
    ]
    assert parts("stars" - like)[:2] == [(1, Words("stars")), (-0.5, Words("spiral galaxy"))]
    assert sum([Like("a"), Like("b")]) == Like("a") + "b" == +("a" + Like("b"))
    assert -Like("a") == -1 * Like("a") == Like("a") * -1


@pytest.mark.parametrize("number", [2, 2.0, np.float32(2), np.int64(2), Fraction(2)])
def test_weights_are_any_real_number(number):
    for product in (number * Like("a"), Like("a") * number, Like("a") / (1 / number)):
        assert isinstance(product, Like)
        assert [type(term.weight) for term in product.terms] == [float]
        assert product == Like("a") * 2


@pytest.mark.parametrize("weight", [0, -0.0, np.nan, np.inf, 1e-400])
def test_weights_that_make_no_sense(weight):
    with pytest.raises(InvalidQueryError, match=r'weight .* of "a" makes no sense'):
        weight * Like("a")


def test_a_weight_that_gets_too_large():
    with pytest.raises(InvalidQueryError, match="weight inf"):
        1e200 * (1e200 * Like("a"))
    with pytest.raises(InvalidQueryError, match="weight -inf"):
        Like("a") * -(10**400)
    with pytest.raises(InvalidQueryError, match="weight 0"):
        Like("a") / 10**400
    with pytest.raises(InvalidQueryError, match="divided by 0"):
        Like("a") / 0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Like("a") + 1,
        lambda: 1 - Like("a"),
        lambda: Like("a") - None,
        lambda: Like("a") * "b",
        lambda: Like("a") * True,
        lambda: Like("a") * Like("b"),
        lambda: Like("a") / "b",
        lambda: Like("a") * 1j,
    ],
)
def test_what_cannot_be_joined(wrong):
    with pytest.raises(TypeError):
        wrong()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "text must say"),
        ({"text": " "}, "text must say"),
        ({"text": 5}, "text must say"),
        ({"text": "\ud800"}, "no valid Unicode"),
        ({"text": "a", "similar_to": 5}, "Give one of"),
        ({"similar_to": []}, "No observation was given"),
        ({"similar_to": "J8BA0101"}, "looks like an obs_id"),
    ],
)
def test_wrong_contents(wrong, message):
    with pytest.raises(InvalidQueryError, match=message):
        Like(**wrong)


def test_pictures_are_read_at_once(picture, tmp_path):
    like = Like(image=picture)
    before = picture.read_bytes()
    picture.write_bytes(b"something else")
    assert like.terms[0].content.source == before
    with pytest.raises(ImageError, match=r"m51\.png"):
        Like(image=picture)
    with pytest.raises(ImageError, match="no such file"):
        Like(image=tmp_path / "absent.jpg")
    (tmp_path / "cut.png").write_bytes(before[: len(before) // 2])
    with pytest.raises(ImageError, match=r"cut\.png"):
        Like(image=tmp_path / "cut.png")


def test_pictures_are_compared_by_their_content(picture, tmp_path):
    copied = tmp_path / "copy.png"
    copied.write_bytes(picture.read_bytes())
    by_path = Like(image=str(picture))
    assert by_path == Like(image=copied) == Like(image=picture.read_bytes())
    assert len({by_path, Like(image=copied)}) == 1
    pixels = np.asarray(Image.open(picture))
    assert Like(image=pixels) == Like(image=Image.open(picture))
    assert Like(image=pixels) != Like(image=pixels[::-1])


def test_measured_images(tmp_path):
    path = tmp_path / "image.fits"
    hdu = fits.PrimaryHDU(np.random.default_rng(2).normal(size=(20, 20)))
    hdu.writeto(path)
    assert Like(image=path) == Like(image=path.read_bytes())
    assert isinstance(Like(image=hdu).terms[0].content, Picture)


def test_observations_of_a_table():
    table = Table({"obsid": ["7", "9", "7"]})
    assert Like(similar_to=table) == Like(similar_to=[7, 9])
    assert Like(similar_to=table[1]) == Like(similar_to="9")


def test_equal_is_what_asks_for_the_same():
    assert Like("a") + "b" == "b" + Like("a")
    assert hash(Like("a") + "b") == hash("b" + Like("a"))
    assert Like("a") != Like("b")
    assert Like("a") != 2 * Like("a")
    assert Like("a") != "a"
    assert Like("5") != Like(similar_to="5")


def test_expressions_do_not_change():
    like = Like("a")
    for change in (
        lambda: setattr(like, "terms", ()),
        lambda: setattr(like, "weight", 2),
        lambda: setattr(like.terms[0], "weight", 2),
        lambda: setattr(like.terms[0].content, "text", "b"),
    ):
        with pytest.raises(AttributeError):
            change()
    added = like
    added += "b"
    assert like == Like("a") != added


def test_pickles_need_no_file(picture):
    like = Like("a") - 0.5 * Like(image=picture) + Like(similar_to=[3, 4])
    written = pickle.dumps(like)
    picture.unlink()
    again = pickle.loads(written)
    assert again == like == copy.deepcopy(like)
    assert parts(again) == parts(like)
    assert again.terms[1].content.source == like.terms[1].content.source
    in_memory = Like(image=Image.new("RGB", (9, 9), "red"))
    assert pickle.loads(pickle.dumps(in_memory)) == in_memory


def test_how_it_is_shown(picture):
    like = Like("it's") - 0.5 * Like(image=picture) + Like(similar_to=3) + Like(similar_to=[3, 4])
    assert repr(like) == (
        f"""Like("it's") - 0.5 * Like(image={str(picture)!r}) + Like(similar_to='3') """
        "+ Like(similar_to=['3', '4'])"
    )
    assert str(like) == f'"it\'s" - 0.5 [image {picture}] + [similar to 3] + [similar to 3, 4]'
    assert repr(-Like("a")) == "-Like('a')"
    shown = repr(Like(image=Image.open(picture)))
    assert shown.startswith("Like([image ")


texts = st.text(min_size=1).filter(str.strip)
obsids = st.lists(st.integers(1, 2**62), min_size=1, max_size=3)
weights = st.floats(allow_nan=False, allow_infinity=False).filter(bool)


@settings(deadline=None)
@given(st.lists(st.tuples(weights, texts | obsids), min_size=1, max_size=4))
def test_what_is_shown_gives_the_expression_again(terms):
    like = sum(
        weight * (Like(wanted) if isinstance(wanted, str) else Like(similar_to=wanted))
        for weight, wanted in terms
    )
    assert eval(repr(like), {"Like": Like}) == like


def test_words():
    assert Like("a").text == "a"
    assert (2 * Like("a")).text == '2 "a"'
    assert (Like("a") - "b" + Like(similar_to=3)).text == '"a" - "b"'
    assert Like(similar_to=3).text is None


def test_parts_that_cancel():
    assert (Like("a") - "a").cancels
    assert (Like("a") + 0.5 * Like("b") - "a" - "b" + 0.5 * Like("b")).cancels
    assert not (Like("a") - "b").cancels
    assert not (Like("a") - 0.5 * Like("a")).cancels


def test_record(picture):
    like = Like("a") - 0.5 * Like(image=picture) + 2 * Like(similar_to=[3, 4])
    text, image, similar = like.record()
    assert text == {
        "weight": 1,
        "text": "a",
        "sha256": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
    }
    assert (image["weight"], image["image"], len(image["sha256"])) == (-0.5, str(picture), 64)
    assert similar == {"weight": 2, "similar_to": ["3", "4"]}
