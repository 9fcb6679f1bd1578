"""A summarizer that answers as it is told."""

import pytest

from astro_paperclip.language import Failure
from astro_paperclip.pairs.summarize import Summary


def summary_of(abstract):
    """Return a summary that says of which abstract it is."""
    return Summary(objects_and_phenomena=[abstract.split()[0]], science_use_cases=["testing"])


class Scripted:
    """Fail with some abstracts a few times, and note what was asked."""

    version = "1"

    def __init__(self, failing=None, name="scripted"):
        self.name = name
        self.failing = dict(failing or {})
        self.asked = []

    def attempt(self, abstracts, seed=0):
        self.asked.append((list(abstracts), seed))
        return [self._answer(abstract) for abstract in abstracts]

    def _answer(self, abstract):
        if self.failing.get(abstract, 0) > 0:
            self.failing[abstract] -= 1
            return Failure("the answer is garbled", may_pass=True)
        return summary_of(abstract)


@pytest.fixture
def scripted():
    return Scripted
