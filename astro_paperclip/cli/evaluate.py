"""``astro-paperclip evaluate``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from astro_paperclip.cli.options import add_device, add_encoder, add_pairs, add_quiet, add_verb

if TYPE_CHECKING:
    from astro_paperclip.encoders import Encoder

__all__ = ["add_parser", "run"]

_RUN_FOLDER = "run"  # of an encoder's folder, where training leaves its logs


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        subparsers,
        "evaluate",
        run,
        summary="measure how well an encoder finds the right picture for a text",
        description=(
            "Measure retrieval accuracy: how often the true text of a picture, and the true\n"
            "picture of a text, is among the best k percent. Ask queries, and judge what they\n"
            "find. Writes metrics.json into the output folder and prints a table.\n\n"
            "'paper' is the protocol of arXiv:2403.08851; 'grouped' counts every row with the\n"
            "same text as right. Use pairs that the encoder was not trained on.\n\n"
            "--report also writes report.html, one file to look at and to pass on: figures,\n"
            "tables, the pictures that queries find, what the protocols mean and, where the\n"
            "encoder was fine-tuned here, how its training went."
        ),
        examples=(
            "  astro-paperclip evaluate --pairs unseen.csv --encoder my-encoder --output metrics\n"
            "  astro-paperclip evaluate --pairs unseen.csv --encoder my-encoder --output tuned \\\n"
            "      --report --compare base --queries my-queries.txt"
        ),
    )
    add_pairs(parser)
    add_encoder(parser)
    parser.add_argument("--output", metavar="DIR", required=True, help="folder of metrics.json")
    parser.add_argument(
        "--queries",
        metavar="FILE",
        help="a query a line, whose answers are judged and shown (default: the paper's ten)",
    )
    report = parser.add_argument_group("the report")
    report.add_argument(
        "--report", action="store_true", help="write report.html beside metrics.json"
    )
    report.add_argument(
        "--compare",
        metavar="DIR",
        nargs="+",
        default=[],
        help="folders of other evaluations of the same pairs, shown beside this one",
    )
    report.add_argument(
        "--reference",
        metavar="DIR",
        help="folder with curves of the paper, shown in grey: retrieval_curves.csv, "
        "val_top10_curves.csv or both",
    )
    add_device(parser)
    add_quiet(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the table, and write the report if one was asked for."""
    if not args.report and (args.compare or args.reference):
        args.parser.error("--compare and --reference are for --report")

    from astro_paperclip import evaluation

    # Whatever may be wrong with the files is found out before anything is encoded.
    queries = _queries(args.queries) if args.queries else evaluation.PAPER_QUERIES
    if args.report:
        import astro_paperclip.evaluation.figures  # noqa: F401  # is matplotlib there?

        others = [evaluation.read_metrics(folder) for folder in args.compare]
        reference = evaluation.read_paper_curves(args.reference) if args.reference else None

    from astro_paperclip.encoders import load

    encoder = load(args.encoder, device=args.device)
    metrics = evaluation.evaluate(
        args.pairs, encoder, args.output, queries=queries, progress=not args.quiet
    )
    print(evaluation.format_report(metrics))
    if args.report:
        labels = [metrics["encoder"]["name"], *args.compare]
        path = evaluation.write_report(
            Path(args.output) / evaluation.REPORT_FILE,
            dict(zip(_labels(labels), [metrics, *others], strict=True)),
            runs=_runs(encoder),
            reference=reference,
        )
        print(f"\nThe report is {path}.")
    return 0


def _queries(path: str) -> list[str]:
    """Read one query a line, each once."""
    from astro_paperclip.exceptions import InvalidQueryError

    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidQueryError(f"{path}: the queries are no text in UTF-8: {error}") from error
    queries = list(dict.fromkeys(" ".join(line.split()) for line in lines if line.strip()))
    if not queries:
        raise InvalidQueryError(f"{path}: there is no query: write one a line.")
    for query in queries:
        if not any(letter.isalnum() for letter in query):
            raise InvalidQueryError(f"{path}: the query {query!r} holds no word to look for.")
    return queries


def _labels(names: list[str]) -> list[str]:
    """Return short names of what is compared: the ends of paths, where these differ."""
    ends = [Path(name).resolve().name if Path(name).is_dir() else name for name in names]
    if len(set(ends)) == len(ends):
        return ends
    return [f"{name} ({place})" for place, name in enumerate(names, start=1)]


def _runs(encoder: "Encoder") -> dict[str, Path]:
    """Return the folder of an encoder that has the logs of its training."""
    folder = encoder.folder
    has_logs = folder is not None and any((folder / _RUN_FOLDER).glob("*.csv"))
    return {folder.name: folder} if has_logs else {}
