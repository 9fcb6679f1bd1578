"""Write files so that no reader ever takes half a file for a whole one."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["check_free", "written_whole", "written_whole_folder"]


def check_free(path: str | os.PathLike, overwrite: bool) -> None:
    """Raise `OSError` if there is a file in the place of one to be written."""
    if Path(path).exists() and not overwrite:
        raise OSError(f"File {os.fspath(path)!r} exists: give overwrite=True to replace it.")


@contextmanager
def written_whole(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary name beside ``path`` and rename it to ``path`` when the block succeeds.

    Parameters
    ----------
    path : str or path-like
        The file to write; its folder is made where needed.

    Yields
    ------
    temporary : `~pathlib.Path`
        Where to write, with the suffix of ``path``. Removed if the block raises.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def written_whole_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary folder beside ``path`` and let it take the place of ``path``.

    Parameters
    ----------
    path : str or path-like
        The folder to write. One that stands there is replaced when the block succeeds.

    Yields
    ------
    temporary : `~pathlib.Path`
        An empty folder. Removed if the block raises.

    Raises
    ------
    NotADirectoryError
        If a file stands there; it is left alone.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    temporary.chmod(0o777 & ~_umask())
    try:
        yield temporary
        if path.exists():
            retired = temporary.with_name(f"{temporary.name}-old")
            path.rename(retired)
            try:
                temporary.rename(path)
            except BaseException:
                retired.rename(path)
                raise
            shutil.rmtree(retired)
        else:
            temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    """Return the process's file-creation mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
