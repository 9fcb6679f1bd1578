"""Summarize many abstracts: in batches, resumable, each failure told by its name."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tqdm import tqdm

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.language import Failure
from astro_paperclip.pairs.summarize.cache import SummaryCache
from astro_paperclip.pairs.summarize.schema import Summary
from astro_paperclip.pairs.summarize.summarizer import Summarizer

__all__ = ["SummaryReport", "summarize_texts"]

_LISTED = 20
"""Failures that a report lists at most."""


@dataclass(frozen=True)
class SummaryReport:
    """What came out of a run.

    Parameters
    ----------
    summarizer : str
        What made the summaries, and its version.
    summaries : dict of str to Summary
        By the names of the texts, in their order; those that failed are missing.
    failures : dict of str to str
        Why there is no summary, by the names of the texts.
    n_made : int
        Abstracts that were summarized now; the others had been before.
    seconds : float
        How long that took (s).
    """

    summarizer: str
    summaries: dict[str, Summary]
    failures: dict[str, str] = field(default_factory=dict)
    n_made: int = 0
    seconds: float = 0.0

    def summary(self) -> str:
        """Return the report as lines of text."""
        n_texts = len(self.summaries) + len(self.failures)
        lines = [
            f"{len(self.summaries)} of {n_texts} proposals have a summary ({self.summarizer})."
        ]
        if self.n_made:
            rate = self.n_made / max(self.seconds, 1e-9)
            lines.append(
                f"{self.n_made} different abstracts were read in {self.seconds:.1f} s, "
                f"{rate:.3g} a second; the others had been before."
            )
        for reason, number in Counter(self.failures.values()).most_common():
            names = [name for name, why in self.failures.items() if why == reason]
            more = f" and {number - _LISTED} more" if number > _LISTED else ""
            lines.append(f"No summary, {reason}: {', '.join(names[:_LISTED])}{more}.")
        return "\n".join(lines)


def summarize_texts(
    texts: Mapping[str, str],
    summarizer: Summarizer,
    cache: SummaryCache,
    *,
    attempts: int = 4,
    batch_size: int = 32,
    seed: int = 0,
    progress: bool = True,
) -> SummaryReport:
    """Summarize abstracts, each different one once.

    Parameters
    ----------
    texts : mapping of str to str
        Abstracts by names: the numbers of proposals.
    summarizer : Summarizer
        Who makes the summaries.
    cache : SummaryCache
        What was made before, and where results are kept as they come. Stop at any moment: the
        same call goes on where it was.
    attempts : int, optional
        How often an abstract is tried, each time with another seed, before that is a failure.
    batch_size : int, optional
        Abstracts that are handed over at once.
    seed : int, optional
        Seed of the first attempt.
    progress : bool, optional
        Whether to show a progress bar.

    Returns
    -------
    SummaryReport
        Summaries and failures by name.

    Raises
    ------
    InvalidQueryError
        If a number is below 1.
    LanguageModelError
        If the summarizer asks a model that fails for good; what was complete is kept.
    """
    for name, value in {"attempts": attempts, "batch_size": batch_size}.items():
        if value < 1:
            raise InvalidQueryError(f"{name} must be a whole number from 1, not {value!r}.")
    abstracts = {name: " ".join(text.split()) for name, text in texts.items()}
    results: dict[str, Summary | Failure] = {"": Failure("the abstract is empty")}
    pending = []
    for abstract in dict.fromkeys(filter(None, abstracts.values())):
        if known := cache.get(summarizer, abstract):
            results[abstract] = known
        else:
            pending.append(abstract)
    n_made, start = len(pending), time.monotonic()
    with tqdm(total=n_made, desc="summaries", unit="abstract", disable=not progress) as bar:
        for attempt in range(attempts):
            failed = []
            for batch in _batches(pending, batch_size):
                answers = summarizer.attempt(batch, seed + attempt)
                answered = dict(zip(batch, answers, strict=True))
                results |= answered
                if attempt + 1 < attempts:
                    again = [abstract for abstract in batch if _may_pass(answered[abstract])]
                    answered = {key: answered[key] for key in batch if key not in again}
                    failed += again
                cache.add(summarizer, answered)
                bar.update(len(answered))
            pending = failed
    found = {name: results[abstract] for name, abstract in abstracts.items()}
    return SummaryReport(
        f"{summarizer.name}, version {summarizer.version}",
        {name: result for name, result in found.items() if isinstance(result, Summary)},
        {name: result.reason for name, result in found.items() if isinstance(result, Failure)},
        n_made,
        time.monotonic() - start,
    )


def _may_pass(result: Summary | Failure) -> bool:
    return isinstance(result, Failure) and result.may_pass


def _batches(items: Sequence[str], size: int) -> list[Sequence[str]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
