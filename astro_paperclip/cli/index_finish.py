"""``astro-paperclip index finish``."""

import argparse

from astro_paperclip.cli.options import add_quiet, add_verb

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        subparsers,
        "index finish",
        run,
        summary="end the loading of an index on a server",
        description=(
            "Let a Qdrant server build the graph of a collection that was made for a bulk load,\n"
            "and wait until it has done so. 'index copy' does this in the end. A directory that\n"
            "is called 'finish' is indexed as './finish'."
        ),
        examples="  astro-paperclip index finish https://vectors.example.org:6333/hubble",
        after_interrupt="The server goes on building: the same command waits for it again.",
    )
    parser.add_argument("address", metavar="ADDRESS", help="https://HOST:6333/NAME")
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    """Wait, and say what there is now."""
    from astro_paperclip.index import finish_index

    if finish_index(args.address, progress=not args.quiet):
        print(f"{args.address} has its graph.")
    else:
        print(f"{args.address} was not made for a bulk load: there is nothing to finish.")
    return 0
