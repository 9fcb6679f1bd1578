"""What the verbs of the command have in common. Imports nothing heavy: ``--help`` is quick."""

import argparse
import tomllib
from collections.abc import Callable

__all__ = [
    "VIEWS",
    "add_collection",
    "add_device",
    "add_encoder",
    "add_encoding",
    "add_pairs",
    "add_quiet",
    "add_verb",
    "fraction",
    "number",
    "positive",
    "setting",
    "whole",
]

VIEWS = ("whole", "rotations", "dihedral")
"""Names of `astro_paperclip.encoders.views.VIEWS`, which only torch can import."""


def add_verb(
    subparsers: argparse._SubParsersAction,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    summary: str,
    description: str,
    examples: str,
    after_interrupt: str = "",
) -> argparse.ArgumentParser:
    """Add a verb with the options that every verb has.

    Parameters
    ----------
    subparsers : object
        What `argparse.ArgumentParser.add_subparsers` gave.
    name : str
        The verb.
    run : callable
        Takes the parsed arguments and returns the exit status.
    summary : str
        One line for the list of verbs.
    description : str
        What the verb does and what it leaves behind.
    examples : str
        Command lines to copy.
    after_interrupt : str, optional
        What to do after Ctrl-C.

    Returns
    -------
    `argparse.ArgumentParser`
        The parser of the verb, for its own arguments.
    """
    parser = subparsers.add_parser(
        name,
        help=summary,
        description=description,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=run, parser=parser, after_interrupt=after_interrupt)
    return parser


def add_collection(parser: argparse.ArgumentParser) -> None:
    """Add ``COLLECTION``, which may lie on a server."""
    parser.add_argument(
        "collection",
        metavar="COLLECTION",
        help="directory of the collection, or its address https://HOST:6333/NAME on a server",
    )


def add_pairs(parser: argparse.ArgumentParser) -> None:
    """Add ``--pairs``, one or more files."""
    parser.add_argument(
        "--pairs",
        metavar="FILE",
        nargs="+",
        required=True,
        help="pairs files (CSV, ECSV or Parquet) with columns image, text and group_id",
    )


def add_encoder(parser: argparse.ArgumentParser) -> None:
    """Add ``--encoder``."""
    parser.add_argument(
        "--encoder",
        metavar="NAME",
        required=True,
        help="'compact', MODEL/PRETRAINED as in open_clip, 'hf-hub:...', or a folder that "
        "'train' wrote",
    )


def add_encoding(parser: argparse.ArgumentParser, views: str) -> None:
    """Add how pictures are encoded: ``--views``, ``--batch-size``, ``--device``, ``--quiet``."""
    parser.add_argument("--views", choices=VIEWS, help=views)
    parser.add_argument(
        "--batch-size",
        metavar="N",
        type=positive,
        help="pictures encoded together (default: the configuration item 'batch_size')",
    )
    add_device(parser)
    add_quiet(parser)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``."""
    parser.add_argument(
        "--device",
        metavar="DEVICE",
        help="auto, cpu, cuda or mps (default: the configuration item 'device', auto at first)",
    )


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """Add ``--quiet``."""
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def positive(text: str) -> int:
    """Read a whole number from 1."""
    return _checked(int, text, lambda value: value >= 1, "a whole number from 1")


def whole(text: str) -> int:
    """Read a whole number from 0."""
    return _checked(int, text, lambda value: value >= 0, "a whole number from 0")


def number(text: str) -> float:
    """Read a number that is not negative."""
    return _checked(float, text, lambda value: 0 <= value < float("inf"), "a number from 0")


def fraction(text: str) -> float:
    """Read a number from 0 that is below 1."""
    return _checked(float, text, lambda value: 0 <= value < 1, "a number from 0 and below 1")


def setting(text: str) -> tuple[str, object]:
    """Read NAME=VALUE, the value as in TOML; a word without quotes is text."""
    name, equals, value = text.partition("=")
    if not name.strip() or not equals or not value.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        if value.strip().isidentifier():
            return name.strip(), value.strip()
        raise argparse.ArgumentTypeError(
            f"{value!r} is no value as TOML has them: 0.1, true, 'text', ['a', 'b'], {{title = 1}}"
        ) from None


def _checked(kind: type, text: str, is_right: Callable, wanted: str):
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not is_right(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    return value
