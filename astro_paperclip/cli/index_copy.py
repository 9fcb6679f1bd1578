"""``astro-paperclip index copy``."""

import argparse

from astro_paperclip.cli.options import add_quiet, add_verb, positive

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        subparsers,
        "index copy",
        run,
        summary="copy a collection's index to a server, or from one",
        description=(
            "Copy the points of a collection from a directory to a Qdrant server, from there to a\n"
            "directory, or between two of a kind; then compare both. What the target has already\n"
            "is left alone. Pictures are not copied. A server's key is read from the environment\n"
            "variable QDRANT_API_KEY. A directory that is called 'copy' is indexed as './copy'."
        ),
        examples=(
            "  astro-paperclip index copy hubble https://vectors.example.org:6333/hubble\n"
            "  astro-paperclip index copy https://vectors.example.org:6333/hubble hubble"
        ),
        after_interrupt="What was copied is kept: the same command goes on from there.",
    )
    parser.add_argument("source", metavar="SOURCE", help="directory or address of a collection")
    parser.add_argument("target", metavar="TARGET", help="directory or address to copy it to")
    parser.add_argument(
        "--compare",
        metavar="N",
        type=positive,
        default=1000,
        help="points, drawn by chance, that are compared in the end (default: %(default)s)",
    )
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    """Copy, and print what was done."""
    from astro_paperclip.index import copy_collection

    report = copy_collection(
        args.source, args.target, n_compared=args.compare, progress=not args.quiet
    )
    print(report.summary())
    return 0
