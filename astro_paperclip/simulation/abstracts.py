"""Titles and abstracts of simulated proposals, from a grammar in ``vocabulary.toml``."""

import re
import tomllib
from functools import cache
from importlib.resources import files

__all__ = ["WORDS", "expand", "load_vocabulary", "write_abstract", "write_title"]

# Shortest and longest abstract [words].
WORDS = (90, 200)

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@cache
def load_vocabulary() -> dict:
    """Read the grammar: ``people``, ``common`` sentences, and those of every ``kind``."""
    text = files(__package__).joinpath("vocabulary.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def expand(template, rng, slots=None):
    """
    Word one sentence.

    Parameters
    ----------
    template : str
        Text with choices ``[one|another]``, which may be nested, and slots ``{name}``.
    rng : `numpy.random.Generator`
        Source of randomness.
    slots : dict, optional
        What is put into the slots.

    Returns
    -------
    str
        Begins with a capital.
    """
    count = 1
    while count:
        template, count = _CHOICE.subn(
            lambda match: str(rng.choice(match.group(1).split("|"))), template, count=1
        )
    sentence = template.format_map(slots or {})
    return sentence[:1].upper() + sentence[1:]


def _pick(rng, sentences, number):
    """Draw ``number`` different sentences."""
    order = rng.permutation(len(sentences))[:number]
    return [sentences[index] for index in order]


def write_title(kind, rng) -> str:
    """Word the title of a proposal about a kind of object."""
    return expand(str(rng.choice(load_vocabulary()["kind"][kind]["titles"])), rng)


def write_abstract(kind, rng, *, instrument, filters, targets, partner=None) -> str:
    """
    Word the abstract of a proposal: motivation, targets, method, expected results.

    Sentences that say nothing of the kind of object stand between those that do, and few of
    those call it by its usual name.

    Parameters
    ----------
    kind : str
        One of `~astro_paperclip.simulation.KINDS`.
    rng : `numpy.random.Generator`
        Source of randomness.
    instrument : str
        Name of the camera.
    filters : sequence of str
        Its filters.
    targets : int
        Number of targets.
    partner : str, optional
        A second kind of object that the proposal observes.

    Returns
    -------
    str
        Between 90 and 200 words.
    """
    vocabulary = load_vocabulary()
    common, own = vocabulary["common"], vocabulary["kind"][kind]
    slots = {
        "instrument": instrument,
        "filters": " and ".join([", ".join(filters[:-1]), filters[-1]] if filters[1:] else filters),
        "number": _NUMBERS[targets - 2] if 2 <= targets <= 10 else str(targets),
        "orbits": str(rng.integers(2, 30)),
    }
    # Each part of the abstract with its sentences in the order in which they are given up when
    # the text grows too long.
    parts = {
        "opening": _pick(rng, common["openings"], int(rng.integers(0, 2))),
        "motivation": _pick(rng, own["motivation"], 2),
        "distractor": _pick(rng, common["distractors"], 2),
        "targets": _pick(rng, own["targets"], 2),
        "method": _pick(rng, common["method"], 1),
        "analysis": _pick(rng, own["analysis"], 1),
        "partner": [],
        "results": _pick(rng, own["results"], 2),
        "closing": _pick(rng, common["closings"], int(rng.integers(0, 2))),
    }
    if partner:
        other = vocabulary["kind"][partner]
        parts["partner"] = [
            *_pick(rng, common["second_part"], 1),
            *_pick(rng, other["targets"], 1),
            *_pick(rng, other["results"], 1),
        ]
    worded = {
        part: [expand(sentence, rng, slots) for sentence in sentences]
        for part, sentences in parts.items()
    }
    longest = int(rng.integers(130, WORDS[1]))
    for part in ("closing", "opening", "distractor", "results", "distractor", "motivation"):
        if _count_words(worded) <= longest:
            break
        worded[part] = worded[part][:-1]
    return " ".join(sentence for sentences in worded.values() for sentence in sentences)


def _count_words(parts):
    return sum(len(sentence.split()) for sentences in parts.values() for sentence in sentences)
