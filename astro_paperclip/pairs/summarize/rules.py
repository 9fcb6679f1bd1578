"""`RuleSummarizer`: summaries by rules over a vocabulary, with no language model."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple

from astro_paperclip.language import Failure
from astro_paperclip.pairs.summarize.schema import MOST_STRINGS, Summary
from astro_paperclip.vocabulary import Concept, Vocabulary
from astro_paperclip.vocabulary.words import plain_words

__all__ = ["RuleSummarizer"]

_RULES = 1
"""Version of the rules below."""

_LONGEST_OBJECT, _LONGEST_USE = 40, 60
_OTHER_CHARACTERS = re.compile(r"[^A-Za-z0-9 ()'/.+-]+")
_GENERIC = {("star",), ("galaxy",), ("sun",)}
"""Names that say nothing beside others."""

_YARDSTICKS = {"Sun", "planets of the solar system"}
"""What planets and stars elsewhere are measured by: these concepts, and those below them."""

_HOME, _FAR = "solar system", "exoplanets"
_ENOUGH = 3
"""Concepts that are named again, beside which those that are named once do not count."""

_NO_MATCH = "no concept of the vocabulary is named"


class RuleSummarizer:
    """Summarize abstracts by the concepts that they name: always the same, free, and quick.

    Labels and synonyms of the vocabulary are looked up in the abstract, the longest first;
    case, hyphens and plurals do not count. Concepts that are broader than others of the same
    abstract are left out. The rest are ordered by how often they are named, then by where they
    are first named, and the first five are kept: those that are objects or phenomena as such,
    and for each what it is good for, by the vocabulary. Topics, such as photometry, only add
    their own uses; they stand for objects where nothing else is named.

    Parameters
    ----------
    vocabulary : Vocabulary, optional
        The concepts. Default: `Vocabulary.default <astro_paperclip.vocabulary.Vocabulary>`,
        those of this package. Of one that says neither kinds nor uses, such as the Unified
        Astronomy Thesaurus's own file, a concept is taken for what the package's vocabulary
        says of it, or of the nearest broader concept that it knows.

    Attributes
    ----------
    name, version : str
        Name of the vocabulary, and a hash of it and of the rules.

    Notes
    -----
    The rules know nothing of negation, nor of what an abstract names without observing it.

    Examples
    --------
    >>> from astro_paperclip.pairs.summarize import RuleSummarizer
    >>> summarize = RuleSummarizer()
    >>> known, unknown = summarize(["A comet and its nucleus.", "We look at something."])
    >>> known.as_caption()
    'comets; ices that are as old as the solar system'
    >>> unknown is None
    True
    """

    def __init__(self, vocabulary: Vocabulary | None = None) -> None:
        self.vocabulary = Vocabulary.default() if vocabulary is None else vocabulary
        contents = repr([astuple(concept) for concept in self.vocabulary]).encode()
        self.name = f"rules with {self.vocabulary.name}"
        self.version = f"{_RULES}-{hashlib.sha256(contents).hexdigest()[:12]}"
        self._names = _names(self.vocabulary)
        self._meanings = _meanings(self.vocabulary)
        self._above: dict[str, frozenset[str]] = {}

    def __call__(self, abstracts: Sequence[str]) -> list[Summary | None]:
        """Summarize abstracts.

        Parameters
        ----------
        abstracts : sequence of str
            Plain texts.

        Returns
        -------
        list of Summary or None
            One for each abstract; `None` where it names no concept of the vocabulary. No
            summary says less than a wrong or an empty one would.
        """
        summaries = self.attempt(abstracts)
        return [None if isinstance(summary, Failure) else summary for summary in summaries]

    def attempt(self, abstracts: Sequence[str], seed: int = 0) -> list[Summary | Failure]:  # noqa: ARG002
        """Summarize abstracts, and say why where there is no summary.

        Parameters
        ----------
        abstracts : sequence of str
            Plain texts.
        seed : int, optional
            Not looked at: there is no chance in it.

        Returns
        -------
        list of Summary or Failure
            One for each abstract.
        """
        if isinstance(abstracts, str):
            raise TypeError("Several abstracts are needed: put a single one into a list.")
        return [self._summary(abstract) for abstract in abstracts]

    def concepts(self, text: str) -> list[Concept]:
        """Return the concepts that a text is about.

        Parameters
        ----------
        text : str
            An abstract.

        Returns
        -------
        list of Concept
            The most special ones that it names: the most often named first, and of those
            named equally often the first.
        """
        named = Counter(_named(plain_words(text), self._names))
        broader = frozenset().union(*map(self._broader, named))
        labels = [label for label, _ in named.most_common() if label not in broader]
        if self._is_elsewhere(named):
            labels = _unless_all(labels, self._is_yardstick)
        labels = _unless_all(labels, lambda label: plain_words(label) in _GENERIC)
        if sum(named[label] > 1 for label in labels) >= _ENOUGH:
            labels = [label for label in labels if named[label] > 1]
        return [self.vocabulary[label] for label in labels]

    def _is_elsewhere(self, named: Counter[str]) -> bool:
        """Say whether no more is named in the solar system than elsewhere.

        What there is here and there, such as hazes, does not count.
        """
        here = elsewhere = 0
        for label, number in named.items():
            if not self._is_below(label, {_HOME}):
                elsewhere += number * (self._meanings[label][0] != "topic")
            elif not self._is_below(label, {_FAR}):
                here += number
        return here <= elsewhere

    def _is_yardstick(self, label: str) -> bool:
        return self._is_below(label, _YARDSTICKS)

    def _is_below(self, label: str, others: set[str]) -> bool:
        """Say whether a concept is one of others, or below one."""
        return not others.isdisjoint(self._broader(label) | {label})

    def _summary(self, abstract: str) -> Summary | Failure:
        concepts = self.concepts(abstract)
        things = [concept for concept in concepts if self._meanings[concept.label][0] != "topic"]
        topics = [concept for concept in concepts if concept not in things]
        chosen = things[:MOST_STRINGS] or topics[:MOST_STRINGS]
        objects = _strings((concept.label for concept in chosen), _LONGEST_OBJECT)
        uses = [self._meanings[concept.label][1] for concept in chosen]
        uses += [concept.use for concept in topics]
        uses = _strings(uses, _LONGEST_USE)
        if not (objects and uses):
            return Failure(_NO_MATCH)
        return Summary(objects_and_phenomena=objects, science_use_cases=uses)

    def _broader(self, label: str) -> frozenset[str]:
        """Return the labels of all concepts above one."""
        if label not in self._above:
            parents = self.vocabulary[label].broader
            self._above[label] = frozenset(parents).union(*map(self._broader, parents))
        return self._above[label]


def _unless_all(labels: list[str], is_left_out: Callable[[str], bool]) -> list[str]:
    """Return the labels without those to be left out, or all where none would be left."""
    return [label for label in labels if not is_left_out(label)] or labels


_Names = dict[str, list[tuple[tuple[str, ...], str]]]


def _names(vocabulary: Vocabulary) -> _Names:
    """Return the words and the label of each name by its first word, the longest first."""
    labels: dict[tuple[str, ...], str] = {}
    for concept in vocabulary:
        labels.setdefault(plain_words(concept.label), concept.label)
    for concept in vocabulary:
        for synonym in concept.synonyms:
            # What is the label of one concept is not taken for a synonym of another.
            labels.setdefault(plain_words(synonym), concept.label)
    names: _Names = {}
    for words in sorted(filter(None, labels), key=len, reverse=True):
        names.setdefault(words[0], []).append((words, labels[words]))
    return names


def _named(words: Sequence[str], names: _Names) -> Iterator[str]:
    """Yield the label of each name among the words; names do not overlap."""
    start = 0
    while start < len(words):
        for name, label in names.get(words[start], ()):
            if tuple(words[start : start + len(name)]) == name:
                yield label
                start += len(name)
                break
        else:
            start += 1


def _meanings(vocabulary: Vocabulary) -> dict[str, tuple[str, str]]:
    """Return the kind and the use of each concept by its label.

    What it does not say itself, a broader concept says, or the package's vocabulary.
    """
    known = Vocabulary.default()
    names = {} if vocabulary is known else dict(_every_name(known))

    def sources(concept: Concept) -> Iterator[Concept]:
        """Yield the concept and those above, nearest first, each as both vocabularies have it."""
        level, seen = [concept], set()
        while level:
            for one in level:
                yield one
                if label := names.get(plain_words(one.label)):
                    yield from _upwards(known, label)
            seen.update(one.label for one in level)
            parents = dict.fromkeys(label for one in level for label in one.broader)
            level = [vocabulary[label] for label in parents if label not in seen]

    def meaning(concept: Concept) -> tuple[str, str]:
        use = next((one.use for one in sources(concept) if one.use), "")
        kind = next((one.kind for one in sources(concept) if one.kind), "object" if use else "")
        # Of what nobody says what it is good for: telescopes, for example, in the thesaurus.
        return kind or "topic", use

    return {concept.label: meaning(concept) for concept in vocabulary}


def _upwards(vocabulary: Vocabulary, label: str) -> Iterator[Concept]:
    """Yield a concept and all above it, nearest first."""
    level = [label]
    while level:
        yield from (vocabulary[one] for one in level)
        level = list(dict.fromkeys(up for one in level for up in vocabulary[one].broader))


def _every_name(vocabulary: Vocabulary) -> Iterator[tuple[tuple[str, ...], str]]:
    for candidates in _names(vocabulary).values():
        yield from candidates


def _strings(texts: Iterable[str], longest: int) -> list[str]:
    """Return the first texts in the letters of the schema, each once, leaving out long ones."""
    strings = {}
    for text in texts:
        plain = unicodedata.normalize("NFKD", text.replace("’", "'"))
        plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
        plain = " ".join(_OTHER_CHARACTERS.sub(" ", plain).split())
        if 2 <= len(plain) <= longest:
            strings[plain] = None
    return list(strings)[:MOST_STRINGS]
