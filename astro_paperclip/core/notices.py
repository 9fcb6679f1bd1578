"""Warnings that point at the line of the user."""

import sys
import warnings

__all__ = ["warn_user"]

_ROOM = __name__.rpartition(".")[0]


def warn_user(notice: Warning) -> None:
    """Issue a warning for the line that called the query class, however deep it arose.

    Parameters
    ----------
    notice : Warning
        What to say.
    """
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_ROOM):
        level, frame = level + 1, frame.f_back
    warnings.warn(notice, stacklevel=level)
