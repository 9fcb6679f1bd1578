"""``astro-paperclip simulate``."""

import argparse
import signal
import threading
from pathlib import Path

from astro_paperclip.cli.options import add_quiet, add_verb, fraction, number, positive, whole

__all__ = ["add_parser", "run"]

_HINT = """\
This is a simulated MAST. Build a collection from it with
  astro-paperclip build my-collection --mast-server {url}
or ask it with astroquery, after
  from astropy.config import get_config
  get_config("astroquery.mast", rootname="astroquery")["server"] = "{url}"
  from astroquery.mast import Observations
Its TAP service is {url}/vo-tap/api/v0.1/caom
Stop it with Ctrl-C."""

# Longest time until a signal is noticed where waiting cannot be interrupted [s].
_PAUSE = 0.5


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        subparsers,
        "simulate",
        run,
        summary="write a simulated archive, and serve it as MAST does",
        description=(
            "Write a small archive of simulated observations: previews of many kinds of object,\n"
            "abstracts of the proposals they come from, and metadata as MAST has them, in a\n"
            "pairs.csv for 'train' and 'index'. All of it is invented.\n\n"
            "With --serve, an archive that is there already is taken as it is. It is served on\n"
            "this machine only, in MAST's own form, until Ctrl-C."
        ),
        examples=(
            "  astro-paperclip simulate sky\n"
            "  astro-paperclip simulate sky --proposals 200 --seed 7\n"
            "  astro-paperclip train --pairs sky/pairs.csv --encoder compact --output my-encoder\n"
            "  astro-paperclip simulate sky --serve --port 8000 --fault-rate 0.1\n"
            "  astro-paperclip build collection --mast-server http://127.0.0.1:8000"
        ),
    )
    parser.add_argument("directory", metavar="DIR", help="directory of the archive")
    parser.add_argument(
        "--proposals",
        metavar="N",
        type=positive,
        default=60,
        help="number of proposals, each with a few observations (default: 60)",
    )
    parser.add_argument(
        "--seed", metavar="S", type=whole, default=0, help="seed of all that is random (default: 0)"
    )
    _add_serving(parser.add_argument_group("serving"))
    add_quiet(parser)


def _add_serving(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--serve", action="store_true", help="serve the archive, and print the address first"
    )
    group.add_argument(
        "--port", metavar="P", type=whole, default=0, help="where to (default: any that is free)"
    )
    group.add_argument(
        "--latency", metavar="MS", type=number, default=0.0, help="time before each answer, in ms"
    )
    group.add_argument(
        "--fault-rate",
        metavar="R",
        type=fraction,
        default=0.0,
        help="share of the requests at which something goes wrong (default: 0)",
    )


def run(args: argparse.Namespace) -> int:
    """Write the archive, and print where its pairs file is; or serve it."""
    from astro_paperclip.simulation import write_archive

    if not args.serve:
        print(_write(write_archive, args))
        return 0
    from astro_paperclip.simulation.archive import MARKER

    if not Path(args.directory, MARKER).is_file():
        _write(write_archive, args)
    return _serve(args)


def _write(write_archive, args: argparse.Namespace) -> Path:
    return write_archive(
        args.directory, proposals=args.proposals, seed=args.seed, progress=not args.quiet
    )


def _serve(args: argparse.Namespace) -> int:
    """Serve the archive until a signal comes, which is how it is meant to end."""
    from astro_paperclip.simulation import serve

    stop = threading.Event()
    with serve(
        args.directory,
        port=args.port,
        latency=args.latency / 1000,
        fault_rate=args.fault_rate,
        seed=args.seed,
    ) as server:
        former = {
            number: signal.signal(number, lambda *_: stop.set())
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            print(server.url, flush=True)
            print(_HINT.format(url=server.url), flush=True)
            while not stop.wait(_PAUSE):
                continue
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)
    return 0
