"""Judges: who says whether what was found answers a query."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Protocol, runtime_checkable

from astro_paperclip.vocabulary.words import plain_words

__all__ = ["SYNONYMS", "Judge", "KeywordJudge"]

SYNONYMS: dict[str, tuple[str, ...]] = {
    "globular cluster": ("globulars", "47 Tuc", "47 Tucanae", "omega Cen", "omega Centauri"),
    "dwarf galaxy": (
        "dwarf irregular",
        "dwarf spheroidal",
        "dwarf elliptical",
        "dwarf starburst",
        "dwarf satellite",
        "ultra-faint dwarf",
        "compact dwarf",
        "dSph",
        "dIrr",
    ),
    "SN1987A": ("SN 1987A", "supernova 1987A"),
    "strong lensing": (
        "strong lens",
        "strongly lensed",
        "gravitational lens",
        "gravitationally lensed",
        "lensed galaxy",
        "lensed quasar",
        "lensed QSO",
        "lensed source",
        "lensed image",
        "lensed arc",
        "lensing cluster",
        "cluster lens",
        "lens model",
        "multiply imaged",
        "giant arc",
        "Einstein ring",
        "Einstein cross",
        "Einstein radius",
    ),
    "galaxy cluster": (
        "galaxy protocluster",
        "intracluster",
        "lensing cluster",
        "X-ray cluster",
        "X-ray luminous cluster",
        "brightest cluster galaxy",
        "MACS cluster",
        "Abell",
    ),
    "interstellar medium": (
        "ISM",
        "interstellar gas",
        "interstellar dust",
        "interstellar cloud",
        "interstellar matter",
        "interstellar material",
        "molecular cloud",
    ),
    "dark matter": ("dark halo",),
    "spiral galaxy": ("spiral arm", "barred spiral", "spiral structure", "grand design spiral"),
    "lyman alpha": ("Ly alpha", "Lyα", "Lya", "LAE"),
    "comet": ("cometary nucleus", "cometary coma", "cometary dust", "cometary activity"),
}
"""Other names of what the paper's ten queries ask for, of our own choice; keys and values are
compared as `KeywordJudge` compares words."""


@runtime_checkable
class Judge(Protocol):
    """Whatever can say whether a text, or the image that it belongs to, answers a query.

    A function with these arguments is one, and so is an object that asks a language model. It
    may have a ``name`` (str), which is then written beside its judgements, and say that it
    does not look at images by ``sees_images = False``; it is then asked once for each text.
    """

    def __call__(self, query: str, text: str, image_path: str | None = None) -> bool:
        """Judge one image that was found.

        Parameters
        ----------
        query : str
            What was asked for.
        text : str
            The caption of the image.
        image_path : str, optional
            The image itself, for judges that look at it.

        Returns
        -------
        bool
            Whether it is relevant.
        """
        ...


class KeywordJudge:
    """Judge by words: always the same, free, and blind to the image.

    A text is relevant if it names what the query names, or one of its synonyms. A name of
    several words is named where its words follow one another with at most ``gap`` other words
    between two of them ("strong gravitational lensing" names "strong lensing"), and one of two
    words also the other way round with "of" between ("clusters of distant galaxies" names
    "galaxy clusters").

    Words are compared in lower case and without accents; the plural of a noun is its singular
    ("galaxies", "galaxy"; "nebulae", "nebula"); hyphens separate words; Greek letters are
    spelled out; and letters are separated from the digits that follow them, so that "SN1987A",
    "SN 1987A" and "SN-1987A" are the same.

    Parameters
    ----------
    synonyms : mapping of str to iterable of str, optional
        Other names of what a query asks for, by the query.
    gap : int, optional
        How many other words may stand between two words of a name.

    Notes
    -----
    The rules are ours, made to be read and to be repeated: they know nothing of negation, nor
    of what a proposal mentions without observing it. The paper [1]_ asks a language model
    whether the abstract is relevant to the query, which takes a wider view.

    References
    ----------
    .. [1] Mishra-Sharma, S., Song, Y., & Thaler, J. 2024, arXiv:2403.08851, appendix A.3
    """

    name = "keywords"
    sees_images = False

    def __init__(self, synonyms: Mapping[str, Iterable[str]] = SYNONYMS, *, gap: int = 1) -> None:
        if gap < 0:
            raise ValueError(f"The number of words in a gap cannot be negative: {gap}.")
        self._synonyms = {plain_words(query): tuple(names) for query, names in synonyms.items()}
        self._gap = gap
        self._patterns: dict[str, re.Pattern] = {}

    def __call__(self, query: str, text: str, image_path: str | None = None) -> bool:  # noqa: ARG002
        """Judge one text.

        Parameters
        ----------
        query : str
            What was asked for; it must hold a word.
        text : str
            The caption.
        image_path : str, optional
            Not looked at.

        Returns
        -------
        bool
            Whether the text names what the query asks for.
        """
        if query not in self._patterns:
            self._patterns[query] = self._pattern(query)
        return self._patterns[query].search(_normal_form(text)) is not None

    def _pattern(self, query: str) -> re.Pattern:
        """Return an expression that finds a name in words that are joined by spaces."""
        words = plain_words(query)
        if not words:
            raise ValueError(f"The query {query!r} holds no word to look for.")
        any_words = rf"(?:\S+ ){{0,{self._gap}}}"
        # "clusters of the Galaxy" are not clusters of galaxies
        other_words = rf"(?:(?!the |our )\S+ ){{0,{self._gap}}}"
        names = []
        for name in (words, *map(plain_words, self._synonyms.get(words, ()))):
            parts = [f"{re.escape(word)} " for word in name]
            names.append(any_words.join(parts))
            if len(parts) == 2:
                names.append(f"{parts[1]}of {other_words}{parts[0]}")
        return re.compile(f" (?:{'|'.join(names)})")


@lru_cache(maxsize=1024)
def _normal_form(text: str) -> str:
    """Return the words of a text between spaces; several queries ask for the same texts."""
    return f" {' '.join(plain_words(text))} "
