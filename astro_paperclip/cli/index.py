"""``astro-paperclip index``."""

import argparse

from astro_paperclip.cli.options import (
    add_device,
    add_encoder,
    add_pairs,
    add_quiet,
    add_verb,
    positive,
)

__all__ = ["VIEWS", "add_parser", "run"]

VIEWS = ("whole", "rotations", "dihedral")
"""Names of `astro_paperclip.encoders.views.VIEWS`, which only torch can import."""


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
    parser.add_argument(
        "--views",
        choices=VIEWS,
        help="views of a picture to average: more are slower and find better",
    )
    parser.add_argument(
        "--batch-size",
        metavar="N",
        type=positive,
        help="pictures encoded together (default: the configuration item 'batch_size')",
    )
    add_device(parser)
    add_quiet(parser)


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
