"""Several views of one picture, whose vectors are averaged into one."""

import numpy as np

from astro_paperclip.exceptions import EncoderError

__all__ = ["VIEWS", "check_views", "make_views"]

#: How many vectors each named set of views averages.
VIEWS = {"whole": 1, "rotations": 4, "dihedral": 8}


def check_views(views: str) -> None:
    """Raise if a name of views is unknown.

    Parameters
    ----------
    views : str
        One of ``VIEWS``.

    Raises
    ------
    EncoderError
        If it is not.
    """
    if views not in VIEWS:
        raise EncoderError(f"Unknown views {views!r}: use one of {', '.join(VIEWS)}.")


def make_views(square: np.ndarray, views: str = "whole") -> np.ndarray:
    """Return the views of one square picture.

    The sky has no up and down, so a picture may be turned and mirrored freely.

    Parameters
    ----------
    square : `~numpy.ndarray`
        Shape (size, size, 3), uint8.
    views : str
        ``'whole'`` (the picture itself), ``'rotations'`` (its four quarter turns) or
        ``'dihedral'`` (those and their mirror images).

    Returns
    -------
    views : `~numpy.ndarray`
        Shape (n, size, size, 3), uint8, with n as in `VIEWS`.

    Raises
    ------
    EncoderError
        If the name is unknown.
    """
    check_views(views)
    turned = [np.rot90(square, turns) for turns in range(4 if VIEWS[views] > 1 else 1)]
    if views == "dihedral":
        turned += [picture[:, ::-1] for picture in turned]
    return np.stack(turned)
