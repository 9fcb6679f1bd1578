"""Names that an archive gives, made into paths that stay where they belong."""

from pathlib import Path

from astro_paperclip.exceptions import ArchiveError

__all__ = ["safe_path"]

_LONGEST_NAME = 255
"""Bytes that a file name may have on every common file system."""


def safe_path(root: Path, *names: str) -> Path:
    """Return the path of ``names`` below ``root``, or raise.

    Parameters
    ----------
    root : `~pathlib.Path`
        The folder that must not be left.
    *names : str
        A plain name for each level, as an archive gave it.

    Returns
    -------
    path : `~pathlib.Path`

    Raises
    ------
    ArchiveError
        If a name is empty, hidden, too long, or holds a separator, a drive or a control
        character.
    """
    for name in names:
        plain = (
            name.isprintable()
            and not name.startswith(".")
            and name == name.strip()
            and 0 < len(name.encode("utf-8", "replace")) <= _LONGEST_NAME
            and not set(name) & set('/\\:*?"<>|')
        )
        if not plain:
            raise ArchiveError(f"{name!r} cannot be the name of a file: it was left out.")
    return root.joinpath(*names)
