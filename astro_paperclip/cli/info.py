"""``astro-paperclip info``."""

import argparse

from astro_paperclip.cli.options import add_verb

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        subparsers,
        "info",
        run,
        summary="say what a collection holds",
        description=(
            "Say how many points a collection holds, which encoder made them, and whether the\n"
            "last indexing was finished. Loads no encoder."
        ),
        examples="  astro-paperclip info my-collection",
    )
    parser.add_argument(
        "collection", metavar="COLLECTION", help="directory or address of the collection"
    )


def run(args: argparse.Namespace) -> int:
    """Print the description of a collection, a line a fact."""
    from astro_paperclip.building import describe_collection

    facts = describe_collection(args.collection)
    print(f"{facts.pop('points')} points")
    width = max(map(len, facts), default=0) + 2
    for name, value in facts.items():
        print(f"{name + ':':<{width}}{value}")
    return 0
