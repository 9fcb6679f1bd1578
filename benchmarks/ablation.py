"""What each ingredient of a training recipe brings, on held-out groups of real data.

    python benchmarks/ablation.py results.jsonl --images-seen 6400 --seeds 3
    python benchmarks/ablation.py results.jsonl --table

Trains `compact` on `jwst_proposals` and `space_captions` together (or on one of them, with
``--sets``), each arm with the same number of pictures seen and on the same grouped splits, and
evaluates each set on its own held-out groups. A line is added to the file for each run, so that
an interrupted benchmark goes on where it stopped. The data lies in the folder that the environment
variable ``PAPERCLIP_SHARED`` names (default ``../shared``).
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack

from astro_paperclip import encoders
from astro_paperclip.evaluation import evaluate
from astro_paperclip.pairs import read_pairs
from astro_paperclip.training import FineTuneRecipe, HeadRecipe, train
from astro_paperclip.training.data import divide_pairs

SETS = ("jwst_proposals", "space_captions")
VALIDATION_FRACTION = 0.2
COLUMNS = ("image", "text", "title", "group_id", "category", "target_name", "set")

#: Settings of `improved` that belong together: each makes an arm of its own, upon `paper`.
INGREDIENTS = {
    "one per group": ("one_per_group",),
    "multi-positive": ("positives",),
    "larger batch": ("batch_size",),
    "mixed captions": ("captions", "category_prefix"),
    "cosine, clipping": ("schedule", "clip_norm"),
    "rates by layer": ("learning_rate", "layer_decay"),
    "decay of matrices": ("weight_decay", "decay_all"),
    "temperature": ("temperature", "learn_temperature", "largest_scale"),
    "mean of weights": ("averaged_share",),
    "heads first": ("heads_first",),
    "heads first, halfway back": ("heads_first", "interpolation"),
    "wide views": ("picture_size", "crop_area", "aspect"),
    "whole views": ("whole",),
    "colours": ("gamma", "grey", "permute"),
}


def arms() -> dict[str, tuple[str, FineTuneRecipe | HeadRecipe | None]]:
    """Return method and recipe of each arm; no recipe: the encoder as it is."""
    paper, improved = (FineTuneRecipe.preset(name) for name in ("paper", "improved"))
    return {
        "zero-shot": ("none", None),
        "head": ("head", HeadRecipe()),
        "paper": ("full", paper),
        "improved": ("full", improved),
        "improved, shuffled": ("full", improved),
        "improved, scratch": ("scratch", improved),
    } | {
        f"paper + {name}": ("full", with_settings(paper, improved, settings))
        for name, settings in INGREDIENTS.items()
    }


def with_settings(recipe: FineTuneRecipe, other: FineTuneRecipe, names: tuple) -> FineTuneRecipe:
    """Return a recipe with some settings of another one."""
    theirs = other.as_dict()
    return changed(recipe, **{name: theirs[name] for name in names})


def changed(recipe, **changes):
    """Return a recipe with other settings."""
    return type(recipe)(**(recipe.as_dict() | changes))


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


def measure(name: str, pairs: Table, seed: int, images_seen: int, changes: dict) -> dict:
    """Train one arm with one seed, and return what its held-out groups say."""
    method, recipe = arms()[name]
    data = divide_pairs(pairs, None, validation_fraction=VALIDATION_FRACTION, seed=seed)
    held_out = pairs[data.held_out]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        if method == "none":
            encoder = encoders.load("compact")
        else:
            settings = {"images_seen": images_seen, "seed": seed}
            settings["validation_fraction"] = VALIDATION_FRACTION
            if getattr(recipe, "one_per_group", False):
                groups = len(np.unique(pairs["group_id"][data.training]))
                settings["batch_size"] = min(recipe.batch_size, groups)
            if method != "head":
                settings |= {"validations": 0} | changes
            output = Path(folder) / "encoder"
            train(
                pairs,
                "compact",
                output,
                method=method,
                recipe=changed(recipe, **settings),
                shuffle_pairs="shuffled" in name,
                progress=False,
            )
            encoder = encoders.load(output)
        seconds = time.monotonic() - began
        found = {}
        for part in np.unique(held_out["set"]):
            metrics = evaluate(held_out[held_out["set"] == part], encoder, folder)
            found[str(part)] = {
                protocol: {
                    "top_percent": metrics["protocols"][protocol]["image_to_text"]["top_percent"],
                    "auc": metrics["protocols"][protocol]["image_to_text"]["auc"],
                }
                for protocol in ("paper", "grouped")
            }
    return {"arm": name, "seed": seed, "seconds": round(seconds), "found": found}


def print_table(lines: list[dict]) -> None:
    """Print mean and standard error over the seeds, for each arm and each set."""
    for part in dict.fromkeys(part for line in lines for part in line["found"]):
        print(f"\n{part}: image to text, held-out groups, per cent")
        columns = [f"{p} {k} %" for p in ("paper", "grouped") for k in (1, 5, 10)]
        head = "".join(f"{c:>15s}" for c in [*columns, "grouped AUC"])
        print(f"{'':28s}{'runs':>5s}{head}")
        for arm in dict.fromkeys(line["arm"] for line in lines):
            rows = [line["found"][part] for line in lines if line["arm"] == arm]
            values = np.array(
                [
                    [
                        row[p]["top_percent"][str(k)]
                        for p in ("paper", "grouped")
                        for k in (1, 5, 10)
                    ]
                    + [row["grouped"]["auc"]]
                    for row in rows
                ]
            )
            spread = values.std(axis=0, ddof=1) if len(values) > 1 else np.full(7, np.nan)
            cells = zip(100 * values.mean(axis=0), 100 * spread / len(values) ** 0.5, strict=True)
            text = "".join(f"{f'{mean:.1f} +- {error:.1f}':>15s}" for mean, error in cells)
            print(f"{arm:28s}{len(rows):5d}{text}")


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path, help="file that a line is added to for each run")
    parser.add_argument("--images-seen", type=int, default=6400)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--arms", nargs="+", choices=list(arms()), default=list(arms()))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--table", action="store_true", help="only print what there is")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    lines = []
    if arguments.results.exists():
        lines = [json.loads(line) for line in arguments.results.read_text().splitlines()]
    if not arguments.table:
        changes = {name: json.loads(value) for name, value in (c.split("=") for c in arguments.set)}
        pairs = read_sets(arguments.sets)
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            for name in arguments.arms:
                if any(line["arm"] == name and line["seed"] == seed for line in lines):
                    continue
                lines.append(measure(name, pairs, seed, arguments.images_seen, changes))
                with arguments.results.open("a") as stream:
                    stream.write(json.dumps(lines[-1]) + "\n")
                print(f"{name}, seed {seed}: {lines[-1]['seconds']} s", flush=True)
    print_table(lines)


if __name__ == "__main__":
    main()
