"""``astro-paperclip query``."""

import argparse
import errno
import shutil
from pathlib import Path

from astro_paperclip.cli.options import add_collection, add_device, add_verb, positive, whole
from astro_paperclip.files import written_whole

__all__ = ["add_parser", "run"]

_FORMATS = {
    ".ecsv": "ascii.ecsv",
    ".csv": "ascii.csv",
    ".vot": "votable",
    ".xml": "votable",
    ".fits": "fits",
    ".parquet": "pyarrow",
}

_WIDTH_OF_A_FILE = 120
"""Characters of a line where the output goes to no terminal."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        subparsers,
        "query",
        run,
        summary="search a collection by words or by a picture",
        description=(
            "Rank the pictures of a collection by how well they show what a text says, or by how\n"
            "much they look like a picture, and print the best. Quoted phrases with signs and\n"
            "weights are added and subtracted; any other text is taken as it stands. The file\n"
            "written by --output has every column that the collection holds; ECSV, VOTable and\n"
            "FITS add what was asked."
        ),
        examples=(
            "  astro-paperclip query my-collection 'edge-on galaxy with a dust lane'\n"
            "  astro-paperclip query my-collection 'protostellar outflow' --limit 20 \\\n"
            "      --output outflows.ecsv --gallery outflows.png\n"
            "  astro-paperclip query my-collection --image preview.jpg\n"
            '  astro-paperclip query my-collection \'"spiral galaxy" - 0.5 "dust lane"\'\n'
            "  astro-paperclip query my-collection 'interacting galaxies' \\\n"
            "      --rerank http://localhost:8000/v1"
        ),
    )
    add_collection(parser)
    parser.add_argument(
        "text",
        metavar="TEXT",
        nargs="?",
        help="what to look for, in quotes: a text, or phrases in double quotes with signs",
    )
    parser.add_argument("--image", metavar="FILE", help="a picture to look for, instead of TEXT")
    parser.add_argument("--limit", metavar="N", type=positive, default=10, help="rows (default 10)")
    parser.add_argument(
        "--offset", metavar="N", type=whole, default=0, help="best matches to pass over"
    )
    parser.add_argument(
        "--score-threshold",
        metavar="SCORE",
        type=_threshold,
        help="what matches must reach: a cosine similarity such as 0.25, or a percentile such as "
        "99%%",
    )
    parser.add_argument(
        "--max-per-proposal", metavar="N", type=positive, help="most rows of one proposal"
    )
    parser.add_argument(
        "--rerank",
        metavar="MODEL",
        help="put the rows into the order in which a language model rates how well they answer "
        "TEXT: a folder, a name on the Hugging Face Hub, or the address of a server",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=_output,
        help=f"write the table, in the format of the suffix: {' '.join(_FORMATS)}",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")
    parser.add_argument("--gallery", metavar="FILE", help="save a picture of what was found")
    parser.add_argument(
        "--encoder",
        metavar="NAME",
        help="encoder that the collection was indexed with, where it is not kept with it; or one "
        "that joined it, also by the name of its vectors",
    )
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Search, print the table, and write the files that were asked for."""
    if (args.text is None) == (args.image is None):
        args.parser.error("give either TEXT or --image FILE")
    if args.rerank is not None and args.text is None:
        args.parser.error("--rerank needs TEXT: a picture has no words to rate results by")
    for path in (args.output, args.gallery):
        if path is not None and not args.overwrite and Path(path).exists():
            raise FileExistsError(errno.EEXIST, "File exists; --overwrite replaces it", str(path))

    from astro_paperclip.core import PaperclipMast

    with PaperclipMast(
        collection=args.collection, encoder=args.encoder, device=args.device
    ) as paperclip:
        options = {
            "limit": args.limit,
            "offset": args.offset,
            "score_threshold": args.score_threshold,
            "max_per_proposal": args.max_per_proposal,
        }
        if args.image is None:
            result = paperclip.query_text(args.text, rerank=args.rerank, **options)
        else:
            result = paperclip.query_image(args.image, **options)
    width = shutil.get_terminal_size((_WIDTH_OF_A_FILE, 24)).columns
    print("\n".join(result.summary(width).pformat(max_lines=-1, max_width=-1)))
    if args.output is not None:
        _write(result, args.output)
    if args.gallery is not None:
        from astro_paperclip.notebook.gallery import save_gallery

        save_gallery(result, args.gallery)
    return 0


def _output(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in _FORMATS:
        raise argparse.ArgumentTypeError(f"{text!r} does not end with one of {' '.join(_FORMATS)}")
    return path


def _threshold(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        # What is neither a number nor a percentile is refused where all thresholds are checked.
        return text


def _write(result, path: Path) -> None:
    """Write the table whole or not at all."""
    form = _FORMATS[path.suffix.lower()]
    with written_whole(path) as draft:
        if form == "pyarrow":
            _write_parquet(result, draft)
        else:
            result.write(draft, format=form, overwrite=True)


def _write_parquet(result, path: Path) -> None:
    """Write plain columns with nulls; astropy's own writer adds a column for every mask."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    columns = {
        name: pa.array(np.asarray(result[name]), mask=np.ma.getmaskarray(result[name]))
        for name in result.colnames
    }
    parquet.write_table(pa.table(columns), path)
