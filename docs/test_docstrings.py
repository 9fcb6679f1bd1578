"""The examples in the docstrings of the query class, run in the folder of the pages' code."""

import doctest
import inspect

import pytest

from astro_paperclip import PaperclipMastClass

VERBS = [
    name
    for name, member in inspect.getmembers(PaperclipMastClass, callable)
    if name.startswith(("query_", "describe", "list_", "get_metadata"))
]
OVER_THE_NETWORK = {"query_object"}


def examples(thing, name):
    (test,) = doctest.DocTestFinder(recurse=False).find(thing, name, globs={})
    return test


@pytest.mark.parametrize("name", VERBS)
def test_examples_of_a_query(name):
    test = examples(getattr(PaperclipMastClass, name), name)
    is_run = [not example.options.get(doctest.SKIP) for example in test.examples]
    assert len(test.examples) > 1
    assert all(is_run) or name in OVER_THE_NETWORK
    assert run(test).failed == 0


def test_examples_of_the_class():
    assert run(examples(PaperclipMastClass, "PaperclipMastClass")).failed == 0


def run(test):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.DocTestRunner(optionflags=flags).run(test)
