"""``astro-paperclip evaluate``."""

import argparse

from astro_paperclip.cli.options import add_device, add_encoder, add_pairs, add_quiet, add_verb

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        subparsers,
        "evaluate",
        run,
        summary="measure how well an encoder finds the right picture for a text",
        description=(
            "Measure retrieval accuracy: how often the true text of a picture, and the true\n"
            "picture of a text, is among the best k percent. Writes metrics.json into the\n"
            "output folder and prints a table.\n\n"
            "'paper' is the protocol of arXiv:2403.08851; 'grouped' counts every row with the\n"
            "same text as right. Use pairs that the encoder was not trained on."
        ),
        examples=(
            "  astro-paperclip evaluate --pairs unseen.csv --encoder my-encoder --output metrics"
        ),
    )
    add_pairs(parser)
    add_encoder(parser)
    parser.add_argument("--output", metavar="DIR", required=True, help="folder of metrics.json")
    add_device(parser)
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate, and print the table."""
    from astro_paperclip.encoders import load
    from astro_paperclip.evaluation import evaluate, format_report

    encoder = load(args.encoder, device=args.device)
    print(format_report(evaluate(args.pairs, encoder, args.output, progress=not args.quiet)))
    return 0
