"""What a query does, told to those who ask for it."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.logger import log

__all__ = ["checked_verbose", "told"]

_LONGEST_TEXT = 60
"""Characters of a text that a message repeats."""


def checked_verbose(verbose: Any) -> bool:
    """Return whether to tell, or raise if it is neither yes nor no."""
    if not isinstance(verbose, bool):
        raise InvalidQueryError(f"verbose must be True or False, not {verbose!r}.")
    return verbose


@contextmanager
def told(
    verbose: bool, request: dict, plan: Callable[[], Any], likes: Sequence[Any] = ()
) -> Iterator[None]:
    """Log what is searched, how, and how long the block took.

    Parameters
    ----------
    verbose : bool
        Whether to.
    request : dict
        What is asked, as plain values.
    plan : callable
        Says how it is searched; called only if that is told.
    likes : sequence of Like, optional
        What is looked for.
    """
    if not verbose:
        yield
        return
    log.info(f"Searching {_subject(request, likes)} in {request['collection']}: {plan()}.")
    start = time.perf_counter()
    yield
    log.info(f"The search took {1e3 * (time.perf_counter() - start):.1f} ms.")


def _subject(request: dict, likes: Sequence[Any]) -> str:
    """Return what is looked for, in a few words."""
    parts = [_shortened(str(like)) for like in likes]
    if request.get("region"):
        parts.append(request["region"])
    parts += [f"{name}={value!r}" for name, value in request.get("criteria", {}).items()]
    return ", ".join(parts) or "all"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"
