"""``astro-paperclip index``."""

import argparse

from astro_paperclip.cli.options import add_encoder, add_encoding, add_pairs, add_verb

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        subparsers,
        "index",
        run,
        summary="encode pictures into a collection that can be searched",
        description=(
            "Encode the pictures of pairs files and store them, with all columns of their rows,\n"
            "in a collection directory. A collection that exists gets what it lacks, and nothing\n"
            "else in it is touched; its encoder must be the same."
        ),
        examples=(
            "  astro-paperclip index my-collection --pairs pairs.csv --encoder my-encoder\n"
            "  astro-paperclip index my-collection --pairs new.csv --encoder my-encoder"
        ),
        after_interrupt="What was indexed is kept: the same command goes on from there.",
    )
    parser.add_argument("collection", metavar="COLLECTION", help="directory of the collection")
    add_pairs(parser)
    add_encoder(parser)
    add_encoding(parser, "views of a picture to average: more are slower and find better")


def run(args: argparse.Namespace) -> int:
    """Index, and print what was added."""
    from astro_paperclip.building import index_pairs

    report = index_pairs(
        args.collection,
        args.pairs,
        args.encoder,
        device=args.device,
        views=args.views,
        batch_size=args.batch_size,
        progress=not args.quiet,
    )
    print(report.summary())
    return 0
