"""What is asked, checked before any work is done, and written down as plain values."""

import numbers
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from astro_paperclip.calibration import checked_threshold
from astro_paperclip.config import conf
from astro_paperclip.core.telling import checked_verbose
from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.expressions import Like, Term, Words

__all__ = [
    "check_that_it_says_something",
    "checked_options",
    "in_words",
    "plain_criteria",
    "read_image",
    "read_images",
    "read_similar",
    "read_texts",
]

_LARGEST = 2**53
"""Largest number of rows: up to it, every whole number is the same in JSON."""


def checked_options(
    limit: Any,
    offset: Any,
    score_threshold: Any,
    max_per_proposal: Any,
    select_cols: Any,
    verbose: Any,
) -> dict[str, Any]:
    """Check the options that all queries share, and put defaults in their place.

    Returns
    -------
    dict
        JSON-like values by their names, without what changes no result.

    Raises
    ------
    InvalidQueryError
        If one of them makes no sense.
    """
    checked_verbose(verbose)
    limit = conf.row_limit if limit is None else limit
    if not _is_whole(limit) or not 1 <= limit <= _LARGEST:
        raise InvalidQueryError(
            f"limit must be a positive whole number, {_LARGEST} at most, not {limit!r}."
        )
    if not _is_whole(offset) or not 0 <= offset <= _LARGEST:
        raise InvalidQueryError(
            f"offset must be a whole number from 0 to {_LARGEST}, not {offset!r}."
        )
    score_threshold = checked_threshold(score_threshold)
    if max_per_proposal is not None and not (_is_whole(max_per_proposal) and max_per_proposal >= 1):
        raise InvalidQueryError(
            f"max_per_proposal must be a positive whole number, not {max_per_proposal!r}."
        )
    return {
        "limit": int(limit),
        "offset": int(offset),
        "score_threshold": score_threshold,
        "max_per_proposal": None if max_per_proposal is None else int(max_per_proposal),
        "select_cols": _column_names(select_cols),
    }


def read_texts(text: Any) -> tuple[list[Like], bool]:
    """Return what a text, an expression or a list of them asks for, and whether it is a list.

    Raises
    ------
    InvalidQueryError
        If one of them says nothing; of a list, with its place.
    """
    if isinstance(text, np.ndarray) and text.ndim:
        text = text.tolist()
    return _read_each("text", text, _read_text, is_batch=isinstance(text, list | tuple))


def _read_text(text: Any) -> Like:
    return text if isinstance(text, Like) else Like.parse(text)


def read_images(image: Any) -> tuple[list[Like], bool]:
    """Read a picture or a list of them, and return whether it is a list.

    Raises
    ------
    ImageError
        If one of them cannot be read; of a list, with its place.
    """
    # A list of HDUs is one picture: the content of a FITS file.
    is_batch = isinstance(image, list | tuple) and not (
        image and all(hasattr(hdu, "is_image") for hdu in image)
    )
    return _read_each("image", image, read_image, is_batch)


def read_image(image: Any) -> Like:
    """Return what a picture asks for."""
    return Like(image=_given("image", image))


def read_similar(observations: Any) -> Like:
    """Return what observations ask for."""
    return Like(similar_to=_given("observations", observations))


def _given(name: str, value: Any) -> Any:
    if value is None:
        raise InvalidQueryError(f"{name} must say what to look for, not None.")
    return value


def _read_each(
    name: str, things: Any, read: Callable[[Any], Like], is_batch: bool
) -> tuple[list[Like], bool]:
    if not is_batch:
        return [read(things)], False
    if not things:
        raise InvalidQueryError(f"{name} must say what to look for, not {things!r}.")
    likes = []
    for place, thing in enumerate(things):
        try:
            likes.append(read(thing))
        except InvalidQueryError as error:
            raise type(error)(f"{name}[{place}]: {error}") from error
    return likes, True


def check_that_it_says_something(like: Like, rerank: Any) -> None:
    """Raise if the parts of an expression cancel out, or a language model has no words to go by.

    Raises
    ------
    InvalidQueryError
        If so.
    """
    if like.cancels:
        raise InvalidQueryError(f"The parts of {like} cancel out: nothing is left to look for.")
    if rerank is not None and like.text is None:
        raise InvalidQueryError(
            f"rerank needs words that results can be rated by, which {like} has not: add a text."
        )


def in_words(like: Like) -> str:
    """Return what the texts of an expression say, in words that a language model can follow."""
    wanted = [term.content.text for term in _spoken(like) if term.weight > 0]
    unwanted = [f"not {term.content.text}" for term in _spoken(like) if term.weight < 0]
    return ", ".join(wanted + unwanted)


def _spoken(like: Like) -> list[Term]:
    return [term for term in like.terms if isinstance(term.content, Words)]


def plain_criteria(criteria: Mapping[str, Any]) -> dict[str, Any]:
    """Return criteria as values that provenance can hold: what is no JSON as its text."""
    return {name: _plain(value) for name, value in criteria.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic) and not hasattr(value, "unit"):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return str(value)


def _column_names(select_cols: Any) -> list[str] | None:
    if select_cols is None:
        return None
    names = [select_cols] if isinstance(select_cols, str) else select_cols
    try:
        names = list(names)
    except TypeError:
        names = [None]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise InvalidQueryError(f"select_cols must be names of columns, not {select_cols!r}.")
    return names


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool | np.bool_)
