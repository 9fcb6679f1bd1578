"""``astro-paperclip index create``."""

import argparse

from astro_paperclip.cli.options import add_device, add_verb, positive

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        subparsers,
        "index create",
        run,
        summary="make an empty index, with settings for its scale",
        description=(
            "Make an empty index in a directory or on a Qdrant server, with the settings of a\n"
            "profile and the indexes of its columns. 'index copy' then fills it. Without this,\n"
            "'index copy' makes one with the profile 'laptop'. There must be no index there. In a\n"
            "directory a profile's datatype counts, and, when 'index finish' builds the graph,\n"
            "its quantization, quantile, m and ef_construct. A directory that is called 'create'\n"
            "is indexed as './create'."
        ),
        examples=(
            "  astro-paperclip index create small --profile half.toml --encoder my-encoder\n"
            "  astro-paperclip index create https://vectors.example.org:6333/hubble \\\n"
            "      --profile cluster --encoder my-encoder\n"
            "  astro-paperclip index create https://vectors.example.org:6333/hubble \\\n"
            "      --profile workstation --show > mine.toml"
        ),
    )
    parser.add_argument(
        "location", metavar="LOCATION", help="a directory, or https://HOST:6333/NAME"
    )
    parser.add_argument(
        "--profile",
        metavar="PROFILE",
        default="laptop",
        help="laptop, workstation, cluster, or a TOML file with settings (default: %(default)s)",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--dimension", metavar="N", type=positive, help="length of a vector")
    length.add_argument("--encoder", metavar="NAME", help="encoder whose vectors it is to hold")
    parser.add_argument(
        "--show", action="store_true", help="print the settings, as TOML, and do nothing else"
    )
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Make the index, or print its settings."""
    if args.show:
        _show(args.profile)
        return 0
    if args.dimension is None and args.encoder is None:
        args.parser.error("give --dimension N or --encoder NAME")

    from astro_paperclip.index import create_index

    dimension, fingerprint = args.dimension, None
    if args.encoder is not None:
        from astro_paperclip import encoders

        encoder = encoders.load(args.encoder, device=args.device)
        dimension, fingerprint = encoder.dim, encoder.fingerprint
    profile = create_index(args.location, dimension, encoder=fingerprint, profile=args.profile)
    print(
        f"{args.location} was made with the profile {profile.name}, for vectors of length "
        f"{dimension}. Fill it with: astro-paperclip index copy COLLECTION {args.location}"
    )
    return 0


def _show(name: str) -> None:
    import tomli_w

    from astro_paperclip.index import Profile

    content = Profile.named(name).as_content()
    print(f"# {content.pop('name')}\n{tomli_w.dumps(content)}", end="")
