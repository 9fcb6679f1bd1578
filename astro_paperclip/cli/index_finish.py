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
        summary="pack an index and build its graph, which ends its loading",
        description=(
            "In a directory more than 50,000 new points are packed, a form that opens and filters\n"
            "faster; more than 300,000 get a graph, too, by which many are searched fast. That\n"
            "takes about 22 minutes for a million, and both take twice the disk meanwhile; with\n"
            "--force the graph is built for fewer, too. Points that are added later are found\n"
            "all the same; they join the graph when this is done again. A Qdrant server builds\n"
            "the graph of a collection that was made for a bulk load; this waits until it has\n"
            "done so, and 'index copy' does that in the end. A directory that is called 'finish'\n"
            "is indexed as './finish'."
        ),
        examples=(
            "  astro-paperclip index finish hubble\n"
            "  astro-paperclip index finish https://vectors.example.org:6333/hubble"
        ),
        after_interrupt=(
            "Nothing is lost: the same command builds again. A server goes on building, and the\n"
            "same command waits for it again."
        ),
    )
    parser.add_argument(
        "location", metavar="LOCATION", help="a directory, or https://HOST:6333/NAME"
    )
    parser.add_argument(
        "--force", action="store_true", help="build the graph of few points in a directory, too"
    )
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    """Build or wait, and say what there is now."""
    from astro_paperclip.index import finish_index
    from astro_paperclip.index.address import is_address

    if finish_index(args.location, progress=not args.quiet, force=args.force):
        print(f"{args.location} has its graph.")
    elif is_address(args.location):
        print(f"{args.location} was not made for a bulk load: there is nothing to finish.")
    else:
        print(
            f"{args.location} got no graph: its points are compared one by one, which takes "
            "milliseconds up to 300,000, and misses none. With --force it is built all the same, "
            "if there are points."
        )
    return 0
