"""The text form of expressions, and texts that look like it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astro_paperclip import Like
from astro_paperclip.exceptions import InvalidQueryError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '"spiral galaxy" - 0.5 "dust lane" + 2 "blue stars"',
            Like("spiral galaxy") - 0.5 * Like("dust lane") + 2 * Like("blue stars"),
        ),
        ('"spiral galaxy"', Like("spiral galaxy")),
        ('  - "a"-"b"  ', -Like("a") - "b"),
        ('"a" "b"', Like("a") + "b"),
        ('+.5 "a"\n- 1e-3 * "b"', 0.5 * Like("a") - 0.001 * Like("b")),
        ('2*"a"', 2 * Like("a")),
        ('" a " + "b - c"', Like("a") + "b - c"),
        (r'"5\" ring" - "back\\slash \alpha"', Like('5" ring') - "back\\slash \\alpha"),
        ('"a" + "a"', Like("a") + "a"),
    ],
)
def test_expressions(text, expected):
    assert Like.parse(text) == expected
    assert [term.content for term in Like.parse(text).terms] == [
        term.content for term in expected.terms
    ]


@pytest.mark.parametrize(
    "text",
    [
        "edge-on galaxy - face-on spiral",
        '5" ring',
        'ring of 5"',
        '5" ring and 3" disk',
        '5" ring 3"',
        '7"x9"',
        '"quoted" word',
        'a "quoted" word',
        '"Antennae" - merging galaxies',
        '"Antennae" - the "merger"',
        '"Antennae" - 5" from the centre',
        '"a", "b"',
        '"a" -- "b"',
        '"a" - x "b"',
        '"no end',
        '"',
        "2 galaxies",
        "- 0.5",
        "nan",
        "2 * 3",
        "'a' - 'b'",
        "“a” - “b”",
    ],
)
def test_any_other_text_is_taken_as_it_stands(text):
    assert Like.parse(text) == Like(text)
    assert Like.parse(text).text == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"a" - 0.5 "dust lane', r"breaks off at '- 0\.5 \"dust lane'.*Like\(text\)"),
        ('"a" + "b" -', "breaks off at '-'"),
        ('"a" - 0.5', r"breaks off at '- 0\.5'"),
        ('"a" - 0.5 *', "breaks off"),
        ('"a" - "', "breaks off"),
        ('"a" - "b\\', "breaks off"),
        ('"a" - nan "b"', "weight nan"),
        ('"a" - inf * "b"', "weight -inf"),
        ('1e999 "a"', "weight inf"),
        ('"a" - 0 "b"', 'weight 0 of "b"'),
        ('"a" - ""', "text must say"),
        ('" "', "text must say"),
    ],
)
def test_an_expression_that_makes_no_sense_is_refused(text, message):
    with pytest.raises(InvalidQueryError, match=message):
        Like.parse(text)


@pytest.mark.parametrize(
    "end",
    [
        *(" " * 300_000 + "x", " - 5" + " " * 300_000 + "x", " - " + "1" * 300_000 + "x"),
        " + .5" + "0" * 300_000 + "e" + "1" * 300_000 + "x",
        ' - "' + "\\\\" * 300_000 + '" x',
    ],
    ids=["blanks", "blanks behind a number", "digits", "exponent", "backslashes"],
)
def test_the_time_for_a_long_text_does_not_grow_with_its_square(end):
    """Else one of these would take hours, and the time limit of all tests ends it."""
    assert Like.parse(f'"a"{end}') == Like(f'"a"{end}')


@pytest.mark.parametrize("nothing", ["", " ", None, 5, b'"a"'])
def test_what_is_no_text(nothing):
    with pytest.raises(InvalidQueryError, match="text must say"):
        Like.parse(nothing)


texts = (st.text(min_size=1) | st.text('\\"+- 5na*', min_size=1)).filter(str.strip)
weights = st.floats(allow_nan=False, allow_infinity=False).filter(bool)


@settings(deadline=None)
@given(st.lists(st.tuples(weights, texts), min_size=1, max_size=4))
def test_the_text_form_gives_the_expression_again(terms):
    like = sum(weight * Like(text) for weight, text in terms)
    again = Like.parse(str(like))
    assert again == like
    assert again.terms == like.terms


@settings(deadline=None)
@given(st.text() | st.text('"\\+-*. 05naif', max_size=30))
def test_every_text_is_an_expression_or_itself_or_refused(text):
    try:
        like = Like.parse(text)
    except InvalidQueryError:
        assert '"' in text or not text.strip()
        return
    if like != Like(text):
        outside = str(like)
        assert outside.count('"') >= 2
        assert text.strip()[-1] == '"'
