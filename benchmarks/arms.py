"""Arms of a training benchmark: the same splits, a line of a file for each run, and one table.

What `ablation.py` and `captions.py` share. The data lies in the folder that the environment
variable ``PAPERCLIP_SHARED`` names (default ``../shared``).
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack

from astro_paperclip import encoders
from astro_paperclip.pairs import read_pairs
from astro_paperclip.training import FineTuneRecipe, HeadRecipe, train
from astro_paperclip.training.data import divide_pairs

SETS = ("jwst_proposals", "space_captions")
VALIDATION_FRACTION = 0.2
#: Options that all runs of one file share.
SETTINGS = ("method", "images_seen", "sets", "set")
COLUMNS = ("image", "text", "title", "group_id", "category", "target_name", "text_kind", "set")


def read_sets(names: list[str]) -> Table:
    """Return the pairs of some sets, each row with the name of its set."""
    shared = Path(os.environ.get("PAPERCLIP_SHARED", "../shared")).resolve()
    tables = []
    for name in names:
        table = read_pairs(shared / "data" / name / "pairs.csv")
        table["set"] = name
        tables.append(table[[column for column in COLUMNS if column in table.colnames]])
    stacked = vstack(tables, metadata_conflicts="silent")
    for column in stacked.colnames:
        if stacked[column].dtype.kind == "U" and hasattr(stacked[column], "filled"):
            stacked[column] = stacked[column].filled("")
    return stacked


def changed(recipe: FineTuneRecipe | HeadRecipe, **changes) -> FineTuneRecipe | HeadRecipe:
    """Return a recipe with other settings."""
    return type(recipe)(**(recipe.as_dict() | changes))


def measure_arm(
    pairs: Table,
    method: str,
    recipe: FineTuneRecipe | HeadRecipe | None,
    measure: Callable[[Table, encoders.Encoder], dict],
    *,
    seed: int,
    **options,
) -> dict:
    """Train one arm with one seed, and measure each set's pairs that it was not trained on."""
    data = divide_pairs(pairs, None, validation_fraction=VALIDATION_FRACTION, seed=seed)
    held_out = pairs[data.held_out]
    with tempfile.TemporaryDirectory() as folder:
        encoder, seconds = trained_encoder(
            pairs, method, recipe, Path(folder), seed=seed, **options
        )
        found = {
            str(part): measure(held_out[held_out["set"] == part], encoder)
            for part in np.unique(held_out["set"])
        }
    return {"seconds": seconds, "found": found}


def trained_encoder(
    pairs: Table,
    method: str,
    recipe: FineTuneRecipe | HeadRecipe | None,
    folder: Path,
    *,
    seed: int,
    images_seen: int,
    changes: dict,
    shuffle_pairs: bool = False,
) -> tuple[encoders.Encoder, int]:
    """Train `compact` on all but the held-out pairs; return it, and the seconds that it took."""
    began = time.monotonic()
    if method == "none":
        return encoders.load("compact"), 0
    settings = {"images_seen": images_seen, "seed": seed}
    settings["validation_fraction"] = VALIDATION_FRACTION
    if getattr(recipe, "one_per_group", False):
        data = divide_pairs(pairs, None, validation_fraction=VALIDATION_FRACTION, seed=seed)
        settings["batch_size"] = min(recipe.batch_size, len(np.unique(data.groups)))
    if method != "head":
        settings |= {"validations": 0} | changes
    output = folder / "encoder"
    train(
        pairs,
        "compact",
        output,
        method=method,
        recipe=changed(recipe, **settings),
        shuffle_pairs=shuffle_pairs,
        progress=False,
    )
    return encoders.load(output), round(time.monotonic() - began)


def add_arguments(parser: argparse.ArgumentParser, arms: Iterable[str]) -> None:
    """Add the options that all of these benchmarks have."""
    parser.add_argument("results", type=Path, help="file that a line is added to for each run")
    parser.add_argument("--images-seen", type=int, default=6400)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--arms", nargs="+", choices=list(arms), default=list(arms))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--table", action="store_true", help="only print what there is")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")


def run_missing(
    arguments: argparse.Namespace, measure: Callable[[str, int, dict], dict]
) -> list[dict]:
    """Measure each arm with each seed that the file has no line of, and return all its lines.

    ``measure`` takes the name of an arm, a seed and changes of the recipe. Runs of other settings
    belong in another file.
    """
    lines = []
    if arguments.results.exists():
        lines = [json.loads(line) for line in arguments.results.read_text().splitlines()]
    if arguments.table:
        return lines
    settings = {name: value for name, value in vars(arguments).items() if name in SETTINGS}
    for line in lines:
        if line.get("settings", settings) != settings:
            raise SystemExit(
                f"{arguments.results} has runs of {line['settings']}, not {settings}: give another "
                "file."
            )
    changes = {name: json.loads(value) for name, value in (c.split("=") for c in arguments.set)}
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        for name in arguments.arms:
            if any(line["arm"] == name and line["seed"] == seed for line in lines):
                continue
            run = {"arm": name, "seed": seed, "settings": settings}
            lines.append(run | measure(name, seed, changes))
            with arguments.results.open("a") as stream:
                stream.write(json.dumps(lines[-1]) + "\n")
            print(f"{name}, seed {seed}: {lines[-1]['seconds']} s", flush=True)
    return lines


def cells(values: np.ndarray, spread: np.ndarray) -> str:
    """Return fractions, shape (k,), and how much they vary as a row of a table, in per cent."""
    pairs = zip(100 * values, 100 * spread, strict=True)
    return "".join(f"{f'{mean:.1f} +- {error:.1f}':>15s}" for mean, error in pairs)
