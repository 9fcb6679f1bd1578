"""``astro-paperclip summarize``."""

import argparse

from astro_paperclip.cli.options import add_quiet, add_verb, positive, whole

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        subparsers,
        "summarize",
        run,
        summary="say in a few words what each proposal observes, and what for",
        description=(
            "Summarize the abstracts of a collection's proposals: one to five objects and\n"
            "phenomena, and one to five use cases. The captions become the column 'summary' of\n"
            "proposals.parquet and pairs.parquet, from which 'train' can draw.\n\n"
            "Without --model, rules look up the concepts of a vocabulary in the abstracts: no\n"
            "language model, no network, a few seconds for thousands of them. With --model a\n"
            "language model reads them: a local one, or that of a server, which then gets the\n"
            "abstracts. A server's key is read from ASTRO_PAPERCLIP_API_KEY or the keyring."
        ),
        examples=(
            "  astro-paperclip summarize my-collection\n"
            "  astro-paperclip summarize my-collection --vocabulary UAT_list.json\n"
            "  astro-paperclip summarize my-collection --model Qwen/Qwen3-8B\n"
            "  astro-paperclip summarize my-collection --model http://localhost:8000/v1"
        ),
        after_interrupt="What was complete is kept: the same command goes on from there.",
    )
    parser.add_argument("collection", metavar="COLLECTION", help="directory of the collection")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--model",
        metavar="NAME|URL",
        help="language model: a folder, a name on the Hugging Face Hub, or a server's address "
        "https://HOST/v1, with #MODEL if it has several",
    )
    source.add_argument(
        "--vocabulary", metavar="FILE", help="concepts for the rules (default: the package's own)"
    )
    parser.add_argument(
        "--batch-size",
        metavar="N",
        type=positive,
        default=32,
        help="abstracts that are read at once (default 32)",
    )
    parser.add_argument(
        "--concurrency",
        metavar="N",
        type=positive,
        default=8,
        help="questions that are under way at a server at once (default 8), no more than a batch",
    )
    parser.add_argument(
        "--attempts",
        metavar="N",
        type=positive,
        default=4,
        help="how often an abstract is tried before that is a failure (default 4)",
    )
    parser.add_argument("--seed", metavar="N", type=whole, default=0, help="default 0")
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    """Summarize, and say what came out."""
    from astro_paperclip.building import summarize_collection

    report = summarize_collection(
        args.collection,
        _summarizer(args),
        attempts=args.attempts,
        batch_size=args.batch_size,
        seed=args.seed,
        progress=not args.quiet,
    )
    print(report.summary())
    return 0


def _summarizer(args: argparse.Namespace):
    """Return who makes the summaries."""
    from astro_paperclip.language import load_model
    from astro_paperclip.pairs.summarize import GuidedSummarizer, RuleSummarizer
    from astro_paperclip.vocabulary import Vocabulary

    if args.model:
        return GuidedSummarizer(load_model(args.model, concurrency=args.concurrency))
    return RuleSummarizer(Vocabulary.read(args.vocabulary) if args.vocabulary else None)
