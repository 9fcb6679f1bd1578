"""``astro-paperclip train``."""

import argparse

from astro_paperclip.cli.options import (
    add_device,
    add_encoder,
    add_pairs,
    add_quiet,
    add_verb,
    fraction,
    positive,
    whole,
)

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        subparsers,
        "train",
        run,
        summary="teach an encoder which pictures go with which texts",
        description=(
            "Train an encoder on pairs of a picture and a text, and write it as an open_clip\n"
            "model folder, which 'index', 'evaluate' and 'query' take as encoder.\n\n"
            "Method 'head' keeps both towers frozen and trains their projections: minutes on two\n"
            "processor cores. What the frozen towers say is computed once and kept."
        ),
        examples=(
            "  astro-paperclip train --pairs pairs.csv --encoder compact --output my-encoder\n"
            "  astro-paperclip train --pairs a.csv b.parquet --encoder compact \\\n"
            "      --images-seen 100000 --seed 1 --output my-encoder"
        ),
        after_interrupt="No encoder was written; features computed so far are used again.",
    )
    add_pairs(parser)
    add_encoder(parser)
    parser.add_argument(
        "--method",
        choices=["head"],
        default="head",
        help="what is trained: 'head', projections on top of frozen towers (default)",
    )
    parser.add_argument("--output", metavar="DIR", required=True, help="folder of the new encoder")
    parser.add_argument(
        "--images-seen",
        metavar="N",
        type=positive,
        help="length of training: pictures shown, with repetition (default: by the method)",
    )
    parser.add_argument(
        "--validation-fraction",
        metavar="F",
        type=fraction,
        default=0.1,
        help="share of the groups kept back for 'evaluate' (default: 0.1)",
    )
    parser.add_argument(
        "--seed", metavar="S", type=whole, default=0, help="seed of all that is random (default: 0)"
    )
    add_device(parser)
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    """Train, and print how it went."""
    from astro_paperclip.training import train
    from astro_paperclip.training.recipe import HeadRecipe

    recipe = HeadRecipe(
        images_seen=args.images_seen,
        validation_fraction=args.validation_fraction,
        seed=args.seed,
    )
    report = train(
        args.pairs,
        args.encoder,
        args.output,
        method=args.method,
        recipe=recipe,
        device=args.device,
        progress=not args.quiet,
    )
    print(report.summary())
    return 0
