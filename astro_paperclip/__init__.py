"""Find Hubble observations by what they show.

Type what you are looking for, or hand in a picture, and get an astropy table of
observations, ranked, every row linked to its products in MAST.

Importing this package is cheap: its parts, and the libraries behind them, are loaded
when they are first used.
"""

from importlib import import_module

__all__ = ["Conf", "Like", "PaperclipMast", "PaperclipMastClass", "PaperclipResult", "conf"]

_HOMES = {
    "Conf": "config",
    "Like": "expressions",
    "PaperclipMast": "core",
    "PaperclipMastClass": "core",
    "PaperclipResult": "results",
    "__version__": "version",
    "conf": "config",
}


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_HOMES})
