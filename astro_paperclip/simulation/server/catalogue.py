"""The proposals as STScI publishes Hubble's: one text file, records between lines of dashes."""

import textwrap

from astro_paperclip.simulation.server.holdings import Holdings

__all__ = ["write_catalogue"]

_FIELDS = {
    "Prop. Type": "proposal_type",
    "Category": "category",
    "ID": "proposal_id",
    "Cycle": "cycle",
    "Title": "title",
    "PI": "proposal_pi",
}

_RULE = "-" * 78


def write_catalogue(holdings: Holdings) -> str:
    """
    Write the proposals in the form of ``abstracts.cat``.

    Parameters
    ----------
    holdings : `Holdings`
        The archive.

    Returns
    -------
    str
        One record a proposal, long lines wrapped.
    """
    lines = [_RULE]
    for proposal in holdings.proposals.to_pylist():
        for label, name in _FIELDS.items():
            lines += _wrapped(f"{label}: {proposal[name]}".rstrip())
        lines += [*_wrapped(proposal["abstract"]), _RULE]
    return "\n".join(lines) + "\n"


def _wrapped(text):
    return textwrap.wrap(text, 78, break_long_words=False, break_on_hyphens=False)
