"""The text form of expressions: quoted phrases with signs and weights."""

import re

from astro_paperclip.exceptions import InvalidQueryError

__all__ = ["read_terms"]

# No repetition gives back what it took: long texts would be read again for each part of them.
_NUMBER = r"(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:e[+-]?[0-9]++)?+|nan|inf(?:inity)?+"

# A number that touches a quote is no weight but a length in inches.
_BEFORE_PHRASE = rf"(?:(?P<weight>{_NUMBER})(?:\s*+\*\s*+|\s++))?"

_TERM = re.compile(
    rf'\s*+(?P<sign>[+-])?+\s*+{_BEFORE_PHRASE}"(?P<phrase>(?:[^"\\]|\\.)*+)"', re.I | re.S
)

_BROKEN_OFF = re.compile(
    rf'\s*+[+-]\s*+(?:(?:{_NUMBER})(?:\s*+\*)?+\s*+|{_BEFORE_PHRASE}"(?:[^"\\]|\\.)*+\\?)?',
    re.I | re.S,
)
"""A sign, and a term behind it that lacks its end, up to all but the sign."""


def read_terms(text: str) -> list[tuple[float, str]] | None:
    r"""Read weights and phrases.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    list of (float, str) or None
        Weights, which may be 0 or not finite, and phrases, which may be empty; `None` if the text
        is no expression.

    Raises
    ------
    InvalidQueryError
        If the text is an expression that breaks off: behind a sign no phrase comes, or one
        without its closing quote.
    """
    terms, place = [], 0
    while match := _TERM.match(text, place):
        weight = float(match["weight"] or 1)
        phrase = re.sub(r'\\(["\\])', r"\1", match["phrase"])
        terms.append((-weight if match["sign"] == "-" else weight, phrase))
        place = match.end()
    rest = text[place:].rstrip()
    if terms and not rest:
        return terms
    if terms and _BROKEN_OFF.fullmatch(rest):
        raise InvalidQueryError(
            f"The expression {text!r} breaks off at {rest.strip()!r}: a sign needs a phrase in "
            "double quotes behind it. To search the text as it stands, give Like(text)."
        )
    return None
