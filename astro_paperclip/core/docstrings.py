"""Descriptions of parameters that several queries share, written once."""

import inspect
import re
from collections.abc import Callable
from typing import TypeVar

__all__ = ["with_shared_parameters"]

Function = TypeVar("Function", bound=Callable)

SHARED = {
    "limit": """int, optional
    Largest number of rows. Default: ``conf.row_limit``.""",
    "offset": """int, optional
    Number of rows to pass over, the best or the first ones; ranks go on from there.""",
    "select_cols": """str or list of str, optional
    Columns to return, besides those that MAST's functions ask for. One of MAST's that no row
    has is masked. Default: all.""",
    "score_threshold": """float, str or `~astropy.units.Quantity`, optional
    What a match must reach: a number is a cosine similarity between -1 and 1; ``"99%"`` or
    ``99 * u.percent`` is a percentile, as in the column ``score_percentile``. Default: no
    limit.""",
    "max_per_proposal": """int, optional
    Largest number of rows of one proposal, of which the best or the first are kept; ``limit``
    and ``offset`` count what is left. Default: no limit.""",
    "rerank": """str, LanguageModel, outlines model or callable, optional
    A language model that rates how well what is known of each of the first 50 rows answers the
    words of the query, and puts the best in front, with their ``rating``; named as for
    `astro_paperclip.language.load_model`. See `astro_paperclip.language.rerank`. Default: the
    order is that of the score.""",
    "collection": """str or `os.PathLike`, optional
    Another collection than the one of this instance.""",
    "get_query_payload": """bool, optional
    Return what would be searched, as a `dict`, and search nothing.""",
    "verbose": """bool, optional
    Log what is searched, how, and how long it takes.""",
}
"""Type and description of each parameter, as numpydoc has them."""


def with_shared_parameters(function: Function) -> Function:
    """Put descriptions of shared parameters into a docstring.

    The section ``Parameters`` gets those parameters of the signature that it lacks, at its end
    but for ``**`` parameters, in the order of the signature.

    Parameters
    ----------
    function : callable
        With a docstring in numpydoc's form that has a section ``Parameters``.

    Returns
    -------
    callable
        The same function.

    Raises
    ------
    KeyError
        If a parameter is described neither there nor in the shared ones.
    """
    if function.__doc__ is None:
        # Python drops docstrings when it is told to (-OO).
        return function
    text = inspect.cleandoc(function.__doc__)
    head, sections = text.split("Parameters\n----------\n", 1)
    own, *others = re.split(r"\n\n(?=\S[^\n]*\n-{3,}\n)", sections, maxsplit=1)
    heads = [line.partition(" : ")[0] for line in own.splitlines() if line[:1].strip()]
    known = {"self", *(name.strip("* ") for head in heads for name in head.split(","))}
    lacking = [name for name in inspect.signature(function).parameters if name not in known]
    entries = [f"{name} : {SHARED[name]}" for name in lacking]
    own, stars, keywords = own.partition("\n**")
    parameters = "\n".join([own, *entries]) + stars + keywords
    function.__doc__ = "\n\n".join([f"{head}Parameters\n----------\n{parameters}", *others])
    return function
