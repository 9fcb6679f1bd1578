"""Fit captions into the context of a text encoder without cutting sentences apart."""

import re
from collections.abc import Callable, Iterator

__all__ = ["chunk_sentences", "cut_to_context", "split_sentences"]

_END = re.compile(r"[.!?][\"')\]]*(?=\s+[\"'(\[]*[A-Z0-9])")
_PARAGRAPH = re.compile(r"\n\s*\n")
# fmt: off
_ABBREVIATIONS = {
    "al", "approx", "ca", "cf", "dr", "e.g", "eq", "eqs", "fig", "figs", "i.e", "mr", "mrs",
    "ms", "no", "nos", "prof", "ref", "refs", "resp", "sec", "sect", "sects", "st", "tab",
    "viz", "vs",
}
# fmt: on


def split_sentences(text: str) -> list[str]:
    """Split a text into sentences.

    A sentence ends with a full stop, question mark or exclamation mark that a capital
    letter or a digit follows, and at an empty line. Initials and the abbreviations of
    astronomical prose ("et al.", "i.e.", "Fig.") end none.

    Parameters
    ----------
    text : str
        Any prose.

    Returns
    -------
    list of str
        The sentences, with single spaces inside; joined by spaces they give the whole text
        again.
    """
    sentences = []
    for paragraph in _PARAGRAPH.split(text):
        paragraph = " ".join(paragraph.split())
        start = 0
        for end in _END.finditer(paragraph):
            if not _is_abbreviation(paragraph[start : end.start()]):
                sentences.append(paragraph[start : end.end()])
                start = end.end() + 1
        if paragraph[start:]:
            sentences.append(paragraph[start:])
    return sentences


def cut_to_context(text: str, count_tokens: Callable[[str], int], limit: int) -> str:
    """Keep as many whole sentences from the start of a text as fit.

    Parameters
    ----------
    text : str
        A caption of any length.
    count_tokens : callable
        Takes a str and returns the number of tokens that an encoder makes of it.
    limit : int
        Largest number of tokens.

    Returns
    -------
    str
        Whole sentences within the limit. If the first sentence alone is too long, as many of
        its words as fit; if the first word is, as many of its characters.
    """
    return next(_chunks(text, count_tokens, limit), "")


def chunk_sentences(text: str, count_tokens: Callable[[str], int], limit: int) -> list[str]:
    """Cover a text with consecutive chunks of whole sentences that each fit.

    Parameters
    ----------
    text, count_tokens, limit
        As for `cut_to_context`.

    Returns
    -------
    list of str
        As few chunks as whole sentences in their order allow. Only a sentence that does not
        fit alone is cut, between words.
    """
    return list(_chunks(text, count_tokens, limit))


def _is_abbreviation(before: str) -> bool:
    """Tell whether the full stop after `before` belongs to its last word."""
    word = before.rsplit(" ", 1)[-1].lstrip("\"'([").lower()
    return word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha())


def _chunks(text: str, count_tokens, limit: int) -> Iterator[str]:
    remaining = split_sentences(text)
    while remaining:
        fitting = _fitting(remaining, " ", count_tokens, limit)
        if fitting:
            yield " ".join(remaining[:fitting])
            remaining = remaining[fitting:]
            continue
        words = remaining[0].split(" ")
        fitting = _fitting(words, " ", count_tokens, limit)
        if fitting:
            yield " ".join(words[:fitting])
            remaining[0] = " ".join(words[fitting:])
            continue
        fitting = max(1, _fitting(words[0], "", count_tokens, limit))
        yield words[0][:fitting]
        rest = remaining[0][fitting:].lstrip()
        remaining[:1] = [rest] if rest else []


def _fitting(parts, joint: str, count_tokens, limit: int) -> int:
    """Return how many of the first parts, joined, have at most `limit` tokens."""
    low, high = 0, len(parts)
    while low < high:
        middle = (low + high + 1) // 2
        if count_tokens(joint.join(parts[:middle])) <= limit:
            low = middle
        else:
            high = middle - 1
    return low
