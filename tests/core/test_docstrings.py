"""Docstrings of queries are whole, though what they share is written once."""

import inspect
import re

import pytest

from astro_paperclip import PaperclipMastClass
from astro_paperclip.core.docstrings import with_shared_parameters

QUERIES = [
    name for name in dir(PaperclipMastClass) if re.fullmatch("query_(?!.*_async)[a-z_]+", name)
]


def documented(function):
    """Return the names that stand in the section Parameters, as help() shows it."""
    (section,) = re.findall(
        r"Parameters\n-+\n(.*?)\n\n\S[^\n]*\n--", inspect.getdoc(function), re.DOTALL
    )
    heads = [line.split(" : ")[0] for line in section.splitlines() if not line.startswith(" ")]
    return [name.strip(" *") for head in heads for name in head.split(",")]


@pytest.mark.parametrize("name", QUERIES)
def test_every_parameter_is_described_once(name):
    function = getattr(PaperclipMastClass, name)
    names = documented(function)
    assert sorted(names) == sorted(set(inspect.signature(function).parameters) - {"self"})


def test_queries_are_found():
    assert {"query_text", "query_image", "query_criteria_count"} <= set(QUERIES)


def test_own_descriptions_stay_and_stars_come_last():
    @with_shared_parameters
    def query(a, limit, offset=0, **criteria):
        """Ask.

        Parameters
        ----------
        a, limit
            Both.
        **criteria
            Values.

        Returns
        -------
        int
            A number.
        """

    lines = query.__doc__.splitlines()
    assert documented(query) == ["a", "limit", "offset", "criteria"]
    assert lines[lines.index("a, limit") + 1] == "    Both."
    assert lines[-4:] == ["Returns", "-------", "int", "    A number."]


def test_a_parameter_that_nobody_describes_is_an_error():
    def query(radius):
        """Ask.

        Parameters
        ----------
        others
            Not there.
        """

    with pytest.raises(KeyError, match="radius"):
        with_shared_parameters(query)


def test_python_without_docstrings():
    def query(limit): ...

    assert with_shared_parameters(query).__doc__ is None
