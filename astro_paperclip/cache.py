"""Where the package keeps what it can compute again."""

from pathlib import Path

from astropy.config import paths

from astro_paperclip.config import conf

__all__ = ["cache_directory"]


def cache_directory(name: str) -> Path:
    """Return a folder of this package's cache; it need not exist yet.

    Parameters
    ----------
    name : str
        What the folder holds, such as ``'features'``.

    Returns
    -------
    path : `~pathlib.Path`
        The folder, below the configuration item ``cache_dir`` where that is set.
    """
    if conf.cache_dir:
        return Path(conf.cache_dir).expanduser() / name
    return Path(paths.get_cache_dir("astro_paperclip")) / name
