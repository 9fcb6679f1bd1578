"""The examples in docstrings that need a collection, run in the folder of the pages' code."""

import doctest
import inspect

import pytest

from astro_paperclip import PaperclipMastClass
from astro_paperclip.results.exports import ResultExports
from astro_paperclip.results.holdings import ResultHoldings
from astro_paperclip.results.views import ResultViews

METHODS = [
    name
    for name, member in inspect.getmembers(PaperclipMastClass, callable)
    if not name.startswith("_") and member.__module__.startswith("astro_paperclip.")
]
WAYS_OUT = [
    (mixin, name)
    for mixin in (ResultExports, ResultHoldings, ResultViews)
    for name in vars(mixin)
    if not name.startswith("_")
]
ELSEWHERE = {"query_object", "broadcast_samp"}
"""What needs the network, or a program that listens."""


def examples(thing, name, **names):
    (test,) = doctest.DocTestFinder(recurse=False).find(thing, name, globs=names)
    return test


def test_methods_are_found():
    """Those of astroquery's own class are not among them."""
    assert {"query_text", "describe", "get_metadata", "get_urls", "close"} <= set(METHODS)
    assert "clear_cache" not in METHODS


@pytest.mark.parametrize("name", METHODS)
def test_examples_of_a_method(name, server):
    test = examples(getattr(PaperclipMastClass, name), name, server=server)
    is_run = [not example.options.get(doctest.SKIP) for example in test.examples]
    assert len(test.examples) > 1
    assert all(is_run) or name in ELSEWHERE
    assert run(test).failed == 0


@pytest.mark.parametrize(("mixin", "name"), WAYS_OUT)
def test_examples_of_a_way_out(mixin, name, server):
    test = examples(vars(mixin)[name], name, server=server)
    is_run = [not example.options.get(doctest.SKIP) for example in test.examples]
    assert len(test.examples) > 2
    assert all(is_run) or name in ELSEWHERE
    assert run(test).failed == 0


def test_examples_of_the_class():
    assert run(examples(PaperclipMastClass, "PaperclipMastClass")).failed == 0


def run(test):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.DocTestRunner(optionflags=flags).run(test)
