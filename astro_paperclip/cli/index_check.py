"""``astro-paperclip index check``."""

import argparse

from astro_paperclip.cli.options import add_collection, add_quiet, add_verb

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        subparsers,
        "index check",
        run,
        summary="find out whether an index is whole",
        description=(
            "Look at every row and every vector of an index, and at its record of what it should\n"
            "hold. Prints what is wrong and what to do about it; the exit status is 1 then."
        ),
        examples="  astro-paperclip index check my-collection",
    )
    add_collection(parser)
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    """Check, and print what was found."""
    from astro_paperclip.index import check_index

    found = check_index(args.collection, progress=not args.quiet)
    print(found.summary())
    return 1 if found.faults else 0
