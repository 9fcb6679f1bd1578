"""The form in which the words of a name and of a text are compared."""

import re
import unicodedata
from functools import lru_cache

__all__ = ["plain_words"]

_LETTERS_THEN_DIGITS = re.compile(r"(?<=[^\W\d_])(?=\d)")
_WORD = re.compile(r"[^\W_]+")
_POSSESSIVE = re.compile(r"['’]s?\b")
_GREEK = {"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "λ": "lambda", "ω": "omega"}
_IRREGULAR = {
    "lens": "lens",
    "lenses": "lens",
    "mars": "mars",
    "nebulae": "nebula",
    "novae": "nova",
    "nuclei": "nucleus",
    "supernovae": "supernova",
    "haloes": "halo",
    "dwarves": "dwarf",
}
_PLURAL_ES = ("sses", "xes", "ches", "shes")
_NO_PLURAL = ("ss", "us", "is")


def plain_words(text: str) -> tuple[str, ...]:
    """Return the words of a text in the form in which they are compared.

    Neither case, accents, hyphens, possessives nor the plural counts, and letters are parted
    from the digits that follow them.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    tuple of str
        The words.

    Examples
    --------
    >>> from astro_paperclip.vocabulary.words import plain_words
    >>> plain_words("Star-forming galaxies' haloes in SN1987A")
    ('star', 'forming', 'galaxy', 'halo', 'in', 'sn', '1987a')
    """
    for letter, name in _GREEK.items():
        text = text.replace(letter, name)
    text = unicodedata.normalize("NFKD", text).casefold()
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    text = _LETTERS_THEN_DIGITS.sub(" ", _POSSESSIVE.sub("", text))
    return tuple(map(_singular, _WORD.findall(text)))


@lru_cache(maxsize=2**16)
def _singular(word: str) -> str:
    """Return the singular of an English noun, by rule."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if word.endswith(_PLURAL_ES):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(_NO_PLURAL):
        return word[:-1]
    return word
