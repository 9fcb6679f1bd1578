"""``astro-paperclip build``."""

import argparse

from astro_paperclip.cli.options import add_device, add_quiet, add_verb, number, positive

__all__ = ["RECIPES", "STAGES", "add_parser", "run"]

RECIPES = ("default", "paper")
"""Names of `astro_paperclip.building.RECIPES`, which only torch can import."""

STAGES = ("proposals", "observations", "previews", "pairs", "encoder", "index")
"""Names of `astro_paperclip.building.STAGES`, in their order."""

_SETTINGS = (
    "mission",
    "proposals",
    "proposal_id",
    "cycle",
    "coordinates",
    "radius",
    "region",
    "previews",
    "per_proposal",
    "caption",
    "sky_radius",
    "encoder",
    "train",
    "seed",
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        subparsers,
        "build",
        run,
        summary="build a collection from MAST, ready to be searched",
        description=(
            "Build a collection of observations from MAST: find proposals and their observations,\n"
            "fetch a preview of each, pair it with the proposal's abstract, train an encoder or\n"
            "load one, and index. Each of these stages is skipped when its output is current.\n\n"
            "Stop it at any moment; 'astro-paperclip build COLLECTION' goes on from there."
        ),
        examples=(
            "  astro-paperclip build cycle29 --cycle 29\n"
            "  astro-paperclip build cycle29\n"
            "  astro-paperclip build orion --coordinates '83.82 -5.39' --radius 0.5\n"
            "  astro-paperclip build paper --cycle 28 29 30 --recipe paper --stage proposals\n"
            "  astro-paperclip build infrared --cycle 29 --criteria 'instrument_name=WFC3/IR'"
        ),
        after_interrupt="What was complete is kept: the same command goes on from there.",
    )
    parser.add_argument("collection", metavar="COLLECTION", help="directory of the collection")
    _add_what(parser.add_argument_group("what the collection is to hold"))
    _add_how(parser.add_argument_group("what is made of it"))
    _add_where(parser.add_argument_group("where and how it is asked for"))
    add_device(parser)
    add_quiet(parser)


def _add_what(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--proposal", dest="proposal_id", nargs="+", metavar="ID", help="proposals")
    group.add_argument("--cycle", nargs="+", metavar="N", help="observing cycles")
    group.add_argument("--coordinates", metavar="POSITION", help="centre, such as '83.82 -5.39'")
    group.add_argument(
        "--radius", metavar="DEG", type=number, help="around the coordinates, in deg (default: 0.2)"
    )
    group.add_argument("--region", metavar="STC-S", help="region that footprints overlap")
    group.add_argument("--mission", metavar="NAME", help="MAST's obs_collection (default: HST)")
    group.add_argument(
        "--criteria",
        metavar="COLUMN=VALUE",
        action="append",
        default=[],
        help="a further criterion on MAST's columns; several values with commas between them, "
        "none to lift one of the default criteria (public calibrated science images)",
    )
    group.add_argument(
        "--recipe", choices=RECIPES, help="named settings; 'paper': the data set of PAPERCLIP"
    )


def _add_how(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--previews",
        metavar="RULE",
        help="rule that chooses previews: 'jpegURL' (default), the observation's own; 'paper', at "
        "most 20 'total' products a proposal",
    )
    group.add_argument(
        "--per-proposal",
        metavar="N",
        type=positive,
        help="most previews of a proposal, for 'paper'",
    )
    group.add_argument(
        "--caption", metavar="KIND", help="'abstract' (default), 'title', or 'paper'"
    )
    group.add_argument(
        "--sky-radius",
        metavar="ARCMIN",
        type=number,
        help="proposals that look at places nearer than this are one group",
    )
    group.add_argument(
        "--encoder",
        metavar="NAME",
        help="encoder, or a folder that 'train' wrote (default: compact)",
    )
    group.add_argument(
        "--train",
        choices=("auto", "yes", "no"),
        help="train the encoder on the pairs; 'auto' (default): if it was never trained",
    )
    group.add_argument(
        "--seed", metavar="S", type=int, help="seed of all that is random (default: 0)"
    )


def _add_where(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--mast-server", metavar="URL", help="address of MAST or of 'simulate --serve'"
    )
    group.add_argument(
        "--proposals", metavar="FILE", help="proposal catalogue: file or address (default: STScI's)"
    )
    group.add_argument(
        "--route",
        choices=("auto", "portal", "tap"),
        default="auto",
        help="service that is asked for observations (default: by the size of the question)",
    )
    group.add_argument(
        "--cloud", action="store_true", help="fetch previews from MAST's public bucket"
    )
    group.add_argument("--offline", action="store_true", help="use no network")
    group.add_argument(
        "--stage",
        metavar="STAGE",
        nargs="+",
        choices=STAGES,
        help=f"run these stages only, of {', '.join(STAGES)} (default: all)",
    )


def run(args: argparse.Namespace) -> int:
    """Build, and print what each stage did."""
    from astro_paperclip.building import build

    changes = {name: getattr(args, name) for name in _SETTINGS}
    report = build(
        args.collection,
        recipe=args.recipe,
        mast=args.mast_server,
        stages=args.stage,
        route=args.route,
        cloud=args.cloud,
        offline=args.offline,
        device=args.device,
        progress=not args.quiet,
        criteria=_criteria(args.criteria),
        **changes,
    )
    print(report.summary())
    return 0


def _criteria(items: list[str]) -> dict | None:
    """Read ``COLUMN=VALUE``; values that look like numbers are numbers."""
    criteria = {}
    for item in items:
        name, equals, text = item.partition("=")
        if not equals or not name.strip():
            from astro_paperclip.exceptions import InvalidQueryError

            raise InvalidQueryError(f"--criteria {item!r}: write COLUMN=VALUE.")
        values = [_value(part) for part in text.split(",") if part.strip()]
        criteria[name.strip()] = values[0] if len(values) == 1 else values or None
    return criteria or None


def _value(text: str) -> str | int | float:
    text = text.strip()
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
