"""`Like`: a weighted sum of words, pictures and observations."""

import math
import numbers
from collections import Counter
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.expressions.contents import Content, Observations, Picture, Words
from astro_paperclip.expressions.text_form import read_terms

__all__ = ["Like", "Term"]


@dataclass(frozen=True)
class Term:
    """One part of an expression.

    Attributes
    ----------
    content : Words, Picture or Observations
        What is looked for.
    weight : float
        How much it counts; below 0 it is turned away from. Finite and not 0.
    """

    content: Content
    weight: float = 1.0

    def __post_init__(self):
        if not math.isfinite(self.weight) or self.weight == 0:
            raise InvalidQueryError(
                f"The weight {self.weight + 0:g} of {self.content} makes no sense: give a finite "
                "number other than 0."
            )

    def record(self) -> dict[str, Any]:
        """Return what provenance keeps: JSON-like values."""
        return {"weight": self.weight, **self.content.record()}


class Like:
    """What observations should be like: a text, a picture or other observations, or their sum.

    Expressions are added, subtracted, and multiplied with numbers; plain texts join in. Each
    part has a vector of unit length, several observations the direction of their mean. The
    vectors are multiplied with the weights and summed, and the direction of the sum is
    searched: the score of an observation is the cosine of its angle with that direction.

    An expression does not change once it is made. Pictures are read when it is made. Two are
    equal if they have the same parts with the same weights, in any order; pictures are compared
    by their content.

    Parameters
    ----------
    text : str, optional
        What observations should show, in plain English. It is taken literally: quotes and signs
        mean nothing here, but in `Like.parse`.
    image : str, `os.PathLike`, `PIL.Image.Image`, array_like, `~astropy.nddata.NDData` or HDU
        A picture: anything that `astro_paperclip.images.read_image` reads.
    similar_to : `~astropy.table.Table`, `~astropy.table.Row`, iterable, str or int, optional
        Results of another query, some of their rows, or obsids, of observations in the
        collection that is searched. They are not among the results, whatever their weight is.

    Raises
    ------
    InvalidQueryError
        If not exactly one of the three is given, it says nothing, or a weight is 0 or not finite.
    ImageError
        If the picture cannot be read.

    Examples
    --------
    >>> from astro_paperclip import Like
    >>> wanted = Like("spiral galaxy") - 0.5 * Like("dust lane") + Like(similar_to="24101632")
    >>> wanted
    Like('spiral galaxy') - 0.5 * Like('dust lane') + Like(similar_to='24101632')
    >>> Like("spiral galaxy") + "blue stars" == "blue stars" + Like("spiral galaxy")
    True
    >>> print(2 * (Like("spiral galaxy") - "dust lane"))
    2 "spiral galaxy" - 2 "dust lane"
    """

    __slots__ = ("_terms",)

    # NumPy's numbers leave the multiplication to this class.
    __array_ufunc__ = None

    def __init__(self, text: str | None = None, *, image: Any = None, similar_to: Any = None):
        given = [thing for thing in (text, image, similar_to) if thing is not None]
        if len(given) > 1:
            raise InvalidQueryError(
                "Give one of text, image and similar_to, and add what else is looked for: "
                "Like('TEXT') + Like(image=PICTURE)."
            )
        if image is not None:
            content = Picture.read(image)
        elif similar_to is not None:
            content = Observations.read(similar_to)
        else:
            content = Words.read(text)
        self._terms = (Term(content),)

    @classmethod
    def parse(cls, text: str) -> Self:
        r"""Read the text form of an expression, or take a text as it is.

        Parameters
        ----------
        text : str
            Quoted phrases, and nothing else but signs and weights before them, such as
            ``'"spiral galaxy" - 0.5 "dust lane" + 2 "blue stars"'``. A phrase without a sign is
            added. A weight stands apart from its phrase, or has a ``*`` behind it. In a phrase
            ``\"`` is a quote and ``\\`` a backslash. Every other text is one phrase as it
            stands, with all its quotes, hyphens and numbers.

        Returns
        -------
        Like

        Raises
        ------
        InvalidQueryError
            If the text says nothing, a weight is 0 or not finite, or the text is an expression
            up to a sign behind which a phrase is missing or does not end.

        Notes
        -----
        The text form of an expression of words, ``str(expression)``, gives that expression again.

        Examples
        --------
        >>> from astro_paperclip import Like
        >>> Like.parse('"spiral galaxy" - 0.5 "dust lane"')
        Like('spiral galaxy') - 0.5 * Like('dust lane')
        >>> Like.parse('ring of 5" around a "quoted" star')
        Like('ring of 5" around a "quoted" star')
        """
        if not isinstance(text, str):
            return cls(text)
        terms = read_terms(text)
        if terms is None:
            return cls(text)
        return cls._of(Term(Words.read(phrase), weight) for weight, phrase in terms)

    @classmethod
    def _of(cls, terms: Any) -> Self:
        made = cls.__new__(cls)
        made._terms = tuple(terms)
        return made

    @property
    def terms(self) -> tuple[Term, ...]:
        """The parts, in the order in which they were written."""
        return self._terms

    @property
    def text(self) -> str | None:
        """The words: the text if there is no more, else the text form of all words, or `None`."""
        spoken = [term for term in self._terms if isinstance(term.content, Words)]
        if len(spoken) == len(self._terms) == 1 and spoken[0].weight == 1:
            return spoken[0].content.text
        return _written(spoken) if spoken else None

    @property
    def cancels(self) -> bool:
        """Whether nothing is left, because parts stand there with opposite weights."""
        sums = Counter()
        for term in self._terms:
            sums[term.content] += term.weight
        return not any(sums.values())

    def record(self) -> list[dict[str, Any]]:
        """Return the parts as provenance keeps them.

        Returns
        -------
        list of dict
            For each part its ``weight``, and ``text``, ``image`` (the path or `None`) or
            ``similar_to`` (obsids); the first two with a ``sha256``.
        """
        return [term.record() for term in self._terms]

    def __add__(self, other: "Like | str") -> "Like":
        other = _joined(other)
        return NotImplemented if other is None else self._of(self._terms + other._terms)

    def __radd__(self, other: "str | int") -> "Like":
        # The built-in `sum` begins with 0.
        if isinstance(other, int) and other == 0:
            return self
        other = _joined(other)
        return NotImplemented if other is None else other + self

    def __sub__(self, other: "Like | str") -> "Like":
        other = _joined(other)
        return NotImplemented if other is None else self + -other

    def __rsub__(self, other: str) -> "Like":
        other = _joined(other)
        return NotImplemented if other is None else other + -self

    def __mul__(self, factor: float) -> "Like":
        if not isinstance(factor, numbers.Real) or isinstance(factor, bool | np.bool_):
            return NotImplemented
        factor = _as_float(factor)
        return self._of(Term(term.content, factor * term.weight) for term in self._terms)

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> "Like":
        if not isinstance(divisor, numbers.Real) or isinstance(divisor, bool | np.bool_):
            return NotImplemented
        if divisor == 0:
            raise InvalidQueryError(f"{self} cannot be divided by 0.")
        return self * (1 / _as_float(divisor))

    def __neg__(self) -> "Like":
        return -1 * self

    def __pos__(self) -> "Like":
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Like):
            return NotImplemented
        return Counter(self._terms) == Counter(other._terms)

    def __hash__(self) -> int:
        return hash(frozenset(Counter(self._terms).items()))

    def __str__(self) -> str:
        return _written(self._terms)

    def __repr__(self) -> str:
        return _signed(
            (term.weight, _factor(term.weight, " * ") + _constructor(term.content))
            for term in self._terms
        )


def _as_float(number: Any) -> float:
    """Return a real number as a float; as an infinite one where it is too large."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _joined(other: Any) -> Like | None:
    """Return what can be added to an expression as one, or `None`."""
    if isinstance(other, Like):
        return other
    return Like(other) if isinstance(other, str) else None


def _written(terms: Any) -> str:
    """Return terms in text form."""
    return _signed((term.weight, f"{_factor(term.weight, ' ')}{term.content}") for term in terms)


def _signed(parts: Any) -> str:
    """Join parts, each a number whose sign counts and a text, by their signs."""
    (first_weight, text), *others = parts
    signed = [f"{'-' if first_weight < 0 else ''}{text}"]
    signed += [f"{'-' if weight < 0 else '+'} {text}" for weight, text in others]
    return " ".join(signed)


def _factor(weight: float, sign: str) -> str:
    """Return the size of a weight and what stands behind it; nothing for 1."""
    size = repr(abs(weight)).removesuffix(".0")
    return "" if size == "1" else f"{size}{sign}"


def _constructor(content: Content) -> str:
    """Return the call that makes an expression of one content."""
    if isinstance(content, Words):
        return f"Like({content.text!r})"
    if isinstance(content, Observations):
        obsids = content.obsids
        return f"Like(similar_to={obsids[0] if len(obsids) == 1 else list(obsids)!r})"
    return f"Like(image={content.path!r})" if content.path else f"Like({content})"
