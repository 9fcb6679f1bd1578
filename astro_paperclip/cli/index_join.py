"""``astro-paperclip index join``."""

import argparse

from astro_paperclip.cli.options import add_collection, add_encoder, add_encoding, add_verb

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        subparsers,
        "index join",
        run,
        summary="encode the pictures of a collection with a second encoder, beside the first",
        description=(
            "Encode the pictures of a collection with another encoder and store its vectors\n"
            "beside those that are there. Nothing else in it is touched, and searches go on as\n"
            "before; 'query --encoder' searches with the other one. Points that were indexed\n"
            "since then get their vectors by the same command."
        ),
        examples="  astro-paperclip index join my-collection --encoder a-better-encoder",
        after_interrupt="What was stored is kept: the same command goes on from there.",
    )
    add_collection(parser)
    add_encoder(parser)
    parser.add_argument("--name", help="name of its vectors in the index (default: the encoder's)")
    add_encoding(parser, "views of a picture to average (default: those of the collection)")


def run(args: argparse.Namespace) -> int:
    """Encode, and print what was added."""
    from astro_paperclip.building import join_encoder

    report = join_encoder(
        args.collection,
        args.encoder,
        name=args.name,
        device=args.device,
        views=args.views,
        batch_size=args.batch_size,
        progress=not args.quiet,
    )
    print(report.summary())
    return 0
