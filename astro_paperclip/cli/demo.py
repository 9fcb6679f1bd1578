"""``astro-paperclip demo``."""

import argparse

from astro_paperclip.cli.options import add_quiet, add_verb

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        subparsers,
        "demo",
        run,
        summary="try everything, offline, on a simulated archive",
        description=(
            "Make a small simulated archive, train an encoder on it, index its pictures, ask a\n"
            "few questions, print the answers, save a gallery picture, and report how well the\n"
            "encoder does on proposals that it was not trained on. Needs no network and takes\n"
            "a few minutes on two processor cores. The pictures are simulated: no real data."
        ),
        examples=(
            "  astro-paperclip demo\n"
            "  astro-paperclip demo --output /tmp/paperclip-demo\n"
            "  astro-paperclip query astro-paperclip-demo 'barred spiral galaxy'"
        ),
        after_interrupt="The same command starts anew.",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        default="astro-paperclip-demo",
        help="directory of all that the demo makes (default: astro-paperclip-demo)",
    )
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    """Run the demo, which tells its own story."""
    from astro_paperclip.demo import run_demo

    run_demo(args.output, say=print, progress=not args.quiet)
    return 0
