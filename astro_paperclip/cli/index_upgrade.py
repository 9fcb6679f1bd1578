"""``astro-paperclip index upgrade``."""

import argparse

from astro_paperclip.cli.options import add_collection, add_quiet, add_verb

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        subparsers,
        "index upgrade",
        run,
        summary="bring an index of an earlier version up to date",
        description=(
            "Store the rows of an index again in the form that this version searches; vectors\n"
            "stay as they are. An index that is up to date is left alone."
        ),
        examples="  astro-paperclip index upgrade my-collection",
        after_interrupt="Nothing was lost: the same command begins again.",
    )
    add_collection(parser)
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    """Upgrade, and say what was done."""
    from astro_paperclip.index import upgrade_index

    number = upgrade_index(args.collection, progress=not args.quiet)
    done = f"{number} points were stored again" if number else "it was up to date"
    print(f"{args.collection}: {done}.")
    return 0
