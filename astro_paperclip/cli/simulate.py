"""``astro-paperclip simulate``."""

import argparse

from astro_paperclip.cli.options import add_quiet, add_verb, positive, whole

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        subparsers,
        "simulate",
        run,
        summary="write a simulated archive: pairs.csv and previews",
        description=(
            "Write a small archive of simulated observations: previews of many kinds of object,\n"
            "abstracts of the proposals they come from, and metadata as MAST has them, in a\n"
            "pairs.csv for 'train' and 'index'. All of it is invented."
        ),
        examples=(
            "  astro-paperclip simulate sky\n"
            "  astro-paperclip simulate sky --proposals 200 --seed 7\n"
            "  astro-paperclip train --pairs sky/pairs.csv --encoder compact --output my-encoder"
        ),
    )
    parser.add_argument("directory", metavar="DIR", help="directory to write")
    parser.add_argument(
        "--proposals",
        metavar="N",
        type=positive,
        default=60,
        help="number of proposals, each with a few observations (default: 60)",
    )
    parser.add_argument(
        "--seed", metavar="S", type=whole, default=0, help="seed of all that is random (default: 0)"
    )
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    """Write the archive, and print where its pairs file is."""
    from astro_paperclip.simulation import write_archive

    pairs = write_archive(
        args.directory, proposals=args.proposals, seed=args.seed, progress=not args.quiet
    )
    print(pairs)
    return 0
