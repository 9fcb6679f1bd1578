"""Entry point of the command: parser, warnings, errors, exit status.

Exit status: 0 success, 1 failure (the reason is one line on stderr), 2 wrong usage,
130 interrupted, 141 the reader of a pipe went away.
"""

import argparse
import gc
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from astro_paperclip.cli import (
    build,
    demo,
    describe,
    evaluate,
    index,
    index_check,
    index_copy,
    index_create,
    index_finish,
    index_join,
    index_upgrade,
    info,
    query,
    simulate,
    summarize,
    train,
)

__all__ = ["build_parser", "command", "main"]

_PROGRAM = "astro-paperclip"
_FAILURE = 1
_INTERRUPTED = 130
_BROKEN_PIPE = 141
_OBJECTS_BETWEEN_COLLECTIONS = 200_000
_EXTRAS = {
    "matplotlib": "evaluation",
    "openai": "summaries",
    "outlines": "summaries",
    "sklearn": "evaluation",
}

_VERBS = (
    *(demo, simulate, build, summarize, train, evaluate, describe),
    *(index, index_create, index_join, index_copy, index_finish, index_check, index_upgrade),
    *(query, info),
)
_TWO_WORDS = {
    ("index", second) for second in ("check", "copy", "create", "finish", "join", "upgrade")
}

_DESCRIPTION = """\
Find Hubble observations by what they show.

Start with 'astro-paperclip demo': it makes a small simulated archive, trains an encoder,
builds a collection and searches it, with no network, in a few minutes.

  build    make a collection of real observations from MAST

Your own images take three steps:
  train    teach an encoder which pictures go with which texts
  index    encode pictures into a collection that can be searched
  query    search a collection by words or by a picture
"""


class _Version(argparse.Action):
    """Print the version; looked up only when asked for."""

    def __call__(self, parser, *_):
        from importlib.metadata import version

        print(f"{_PROGRAM} {version('astro_paperclip')}")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command.

    Returns
    -------
    `argparse.ArgumentParser`
        Parsed arguments have ``run``, a function of them that returns the exit status.
    """
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description=_DESCRIPTION,
        epilog=f"'{_PROGRAM} VERB --help' explains a verb, with examples.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb in _VERBS:
        verb.add_parser(verbs)
    return parser


def command() -> NoReturn:
    """Run `main` as a process of its own, with its exit status."""
    # Libraries make a million objects as they are imported, and all of them stay: looking
    # through them for rubbish every few hundred takes a quarter of the time to a first answer.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    status = main()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # Everything is written and closed: taking torch's modules apart again would only take time.
    os._exit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name. Default: those of the process.

    Returns
    -------
    int
        The exit status. Wrong usage and ``--help`` raise `SystemExit`, as argparse does.
    """
    args = build_parser().parse_args(_with_whole_verb(sys.argv[1:] if argv is None else argv))
    try:
        with _warnings_as_lines(args.debug):
            status = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        _say(f"interrupted. {args.after_interrupt}".rstrip())
        return _INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more at exit, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except Exception as error:
        reason = _explained(error)
        if args.debug or reason is None:
            raise
        _say(f"error: {reason}")
        return _FAILURE
    return status


def _with_whole_verb(argv: Sequence[str]) -> list[str]:
    """Return arguments in which a verb of two words is one of them."""
    first, others = tuple(argv[:2]), list(argv[2:])
    return [" ".join(first), *others] if first in _TWO_WORDS else list(argv)


@contextmanager
def _warnings_as_lines(debug: bool) -> Iterator[None]:
    """Show warnings for the user, one line each, and no others."""
    # astropy's loggers take over the display of warnings when they are first imported.
    from astropy.utils.exceptions import AstropyWarning

    import astro_paperclip.exceptions
    import astro_paperclip.logger  # noqa: F401

    with warnings.catch_warnings():
        if not debug:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", AstropyWarning)
            warnings.showwarning = _show_warning
        yield


def _show_warning(message: Warning | str, *_) -> None:
    _say(f"warning: {_one_line(message)}")


def _explained(error: Exception) -> str | None:
    """Return what to tell the user, or `None` for an error that is not of their making."""
    from astro_paperclip.exceptions import ArchiveError, InvalidQueryError

    if isinstance(error, InvalidQueryError | ArchiveError):
        return str(error)  # one line, or a list of faults with a line each
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith(
        "astro_paperclip"
    ):
        library = error.name.partition(".")[0] if error.name else error
        extra = _EXTRAS.get(library, "local")
        return (
            f"{library} is not installed: python -m pip install 'astro_paperclip[{extra}]' "
            "installs all that this needs."
        )
    if isinstance(error, OSError):
        place = f": {error.filename}" if error.filename else ""
        return _one_line(f"{error.strerror or error}{place}")
    return None


def _one_line(message: object) -> str:
    return " ".join(str(message).split())


def _say(message: str) -> None:
    print(f"{_PROGRAM}: {message}", file=sys.stderr)


if __name__ == "__main__":
    command()
