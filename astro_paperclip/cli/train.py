"""``astro-paperclip train``."""

import argparse
import os
from dataclasses import fields

from astro_paperclip.cli.options import (
    add_device,
    add_encoder,
    add_pairs,
    add_quiet,
    add_verb,
    fraction,
    positive,
    setting,
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
            "processor cores. What the frozen towers say is computed once and kept.\n"
            "Method 'full' trains everything, 'scratch' everything from random weights. Their\n"
            "recipes are 'improved' (default) and 'paper', or a file; --set changes single\n"
            "settings. The folder 'run' in the output holds the recipe, the logs and a\n"
            "checkpoint: the same command goes on with a run that was stopped.\n\n"
            "Several GPUs or machines: start it with torchrun, which comes with torch."
        ),
        examples=(
            "  astro-paperclip train --pairs pairs.csv --encoder compact --output my-encoder\n"
            "  astro-paperclip train --pairs a.csv b.parquet --method full --preset paper \\\n"
            "      --encoder ViT-B-16-quickgelu/openai --output paper-encoder\n"
            "  astro-paperclip train --pairs pairs.csv --encoder compact --method full \\\n"
            "      --images-seen 16000 --set batch_size=32 --set layer_decay=1 --output mine\n"
            "  torchrun --nproc-per-node 4 --no-python astro-paperclip train --pairs pairs.csv \\\n"
            "      --encoder ViT-B-16/dfn2b --method full --output mine"
        ),
        after_interrupt="The same command goes on where this one stopped.",
    )
    add_pairs(parser)
    add_encoder(parser)
    parser.add_argument(
        "--method",
        choices=["head", "full", "scratch"],
        default="head",
        help="what is trained: 'head', projections on top of frozen towers (default); 'full', "
        "everything; 'scratch', everything from random weights",
    )
    parser.add_argument("--output", metavar="DIR", required=True, help="folder of the new encoder")
    settings = parser.add_mutually_exclusive_group()
    settings.add_argument(
        "--preset",
        choices=["improved", "paper"],
        help="recipe of methods 'full' and 'scratch' (default: improved)",
    )
    settings.add_argument(
        "--recipe", metavar="FILE", help="a recipe of your own: TOML, such as run/recipe.toml"
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        type=setting,
        dest="changes",
        help="change a setting of the recipe; the value as in TOML; may be repeated",
    )
    parser.add_argument(
        "--images-seen",
        metavar="N",
        type=positive,
        help="length of training: pictures shown, with repetition (default: by the recipe)",
    )
    parser.add_argument(
        "--validation",
        metavar="FILE",
        nargs="+",
        help="pairs to keep for validation, instead of a share of the groups",
    )
    parser.add_argument(
        "--validation-fraction",
        metavar="F",
        type=fraction,
        help="share of the groups kept back for 'evaluate' (default: 0.1)",
    )
    parser.add_argument(
        "--shuffle-pairs",
        action="store_true",
        help="train on wrong captions: the control that should find nothing",
    )
    parser.add_argument(
        "--seed", metavar="S", type=whole, help="seed of all that is random (default: 0)"
    )
    add_device(parser)
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    """Train, and print how it went."""
    from astro_paperclip.training import train

    report = train(
        args.pairs,
        args.encoder,
        args.output,
        method=args.method,
        recipe=_recipe(args),
        validation=args.validation,
        shuffle_pairs=args.shuffle_pairs,
        device=args.device,
        progress=not args.quiet,
    )
    if int(os.environ.get("RANK", "0")) == 0:  # once, of the processes that torchrun starts
        print(report.summary())
    return 0


def _recipe(args: argparse.Namespace):
    """Put the recipe together from a preset or a file and what is to differ from it."""
    from astro_paperclip.training import FineTuneRecipe, HeadRecipe

    options = {
        "images_seen": args.images_seen,
        "validation_fraction": args.validation_fraction,
        "seed": args.seed,
    }
    changes = dict(args.changes) | {k: v for k, v in options.items() if v is not None}
    if args.method != "head":
        if args.recipe:
            return FineTuneRecipe.read(args.recipe, **changes)
        return FineTuneRecipe.preset(args.preset or "improved", **changes)
    if args.preset or args.recipe:
        args.parser.error("--preset and --recipe are for --method full and scratch")
    names = [field.name for field in fields(HeadRecipe)]
    for name in changes:
        if name not in names:
            args.parser.error(f"method head has no setting {name!r}: use one of {', '.join(names)}")
    return HeadRecipe(**changes)
