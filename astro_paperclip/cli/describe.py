"""``astro-paperclip describe``."""

import argparse
import errno
from pathlib import Path
from typing import TYPE_CHECKING

from astro_paperclip.cli.options import add_device, add_encoder, add_quiet, add_verb, positive
from astro_paperclip.files import written_whole

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["add_parser", "run"]

_SUFFIX = ".ecsv"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        subparsers,
        "describe",
        run,
        summary="name what pictures show, in words of a vocabulary",
        description=(
            "Compare pictures with every label of a vocabulary and print the nearest ones, with\n"
            "their scores (cosine similarities: they order the labels of one picture, and are no\n"
            "probabilities) and the broader concepts that they belong to.\n\n"
            "Without --vocabulary the words are the package's own, some 370 objects and\n"
            "phenomena of astronomy. FILE may be a text with one label a line, a CSV file with a\n"
            "column 'label', a JSON list, a TOML file like the package's, or UAT_list.json, the\n"
            "list of the Unified Astronomy Thesaurus (https://astrothesaurus.org)."
        ),
        examples=(
            "  astro-paperclip describe preview.jpg --encoder my-encoder\n"
            "  astro-paperclip describe *.jpg --encoder my-encoder --number 3 \\\n"
            "      --vocabulary UAT_list.json --output descriptions.ecsv"
        ),
    )
    parser.add_argument("image", metavar="IMAGE", nargs="+", help="pictures: JPEG, PNG, FITS, ...")
    add_encoder(parser)
    parser.add_argument("--vocabulary", metavar="FILE", help="labels to choose from")
    parser.add_argument(
        "-n",
        "--number",
        metavar="N",
        type=positive,
        default=5,
        help="labels for each picture (default 5)",
    )
    parser.add_argument(
        "--output", metavar="FILE", type=_output, help=f"write the table, as {_SUFFIX}"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")
    add_device(parser)
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    """Describe, print the table, and write the file that was asked for."""
    if args.output is not None and not args.overwrite and args.output.exists():
        raise FileExistsError(errno.EEXIST, "File exists; --overwrite replaces it", args.output)

    from astro_paperclip.encoders import load
    from astro_paperclip.evaluation import describe
    from astro_paperclip.vocabulary import Vocabulary

    # A vocabulary with a mistake in it is found out before an encoder is loaded.
    vocabulary = Vocabulary.read(args.vocabulary) if args.vocabulary else Vocabulary.default()
    encoder = load(args.encoder, device=args.device)
    table = describe(encoder, args.image, vocabulary, n=args.number, progress=not args.quiet)
    if args.output is not None:
        with written_whole(args.output) as draft:
            table.write(draft, format="ascii.ecsv", overwrite=True)
    _show(table)
    return 0


def _show(table: "Table") -> None:
    """Print the labels of each picture below its name."""
    shown = table["rank", "score", "label", "broader"]
    shown["score"].format = ".3f"
    lines = shown.pformat(max_lines=-1, max_width=-1, show_name=False, align=[">", ">", "<", "<"])
    for row, line in zip(table, lines, strict=True):
        if row["rank"] == 1:
            print(row["image"])
        print(f"  {line.rstrip()}")


def _output(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() != _SUFFIX:
        raise argparse.ArgumentTypeError(f"{text!r} does not end with {_SUFFIX}")
    return path
