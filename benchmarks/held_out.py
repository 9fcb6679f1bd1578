"""Retrieval accuracy on held-out groups of real data, over several splits.

    python benchmarks/held_out.py --splits 5
    python benchmarks/held_out.py --splits 5 --set text_dropout=0 --set temperature=0.07

Trains ``head`` on the training groups of `jwst_proposals` and `space_captions` together, and
evaluates each on its own held-out groups. The data lies in the folder that the environment
variable ``PAPERCLIP_SHARED`` names (default ``../shared``).
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack

from astro_paperclip import encoders
from astro_paperclip.evaluation import evaluate
from astro_paperclip.pairs import read_pairs
from astro_paperclip.training import HeadRecipe, train

SETS = ("jwst_proposals", "space_captions")


def validation_part(output: Path, table: Table) -> Table:
    """Return the rows of one set that a training run kept for validation."""
    kept = set(read_pairs(output / "validation.csv")["image"])
    return table[[image in kept for image in table["image"]]]


def main() -> None:
    """Print grouped and paper top-10 % accuracy, and AUC, as mean and standard error."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--encoder", default="compact")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    changes = {name: float(value) for name, value in (item.split("=") for item in arguments.set)}
    changes = {name: int(v) if v == int(v) and v > 1 else v for name, v in changes.items()}
    shared = Path(os.environ.get("PAPERCLIP_SHARED", "../shared")).resolve()
    tables = {name: read_pairs(shared / "data" / name / "pairs.csv") for name in SETS}
    names = ("image", "text", "title", "group_id")
    pairs = vstack([table[names] for table in tables.values()], metadata_conflicts="silent")
    base = encoders.load(arguments.encoder)
    found = {name: [] for name in SETS}
    for seed in range(arguments.splits):
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "encoder"
            recipe = HeadRecipe(**({"validation_fraction": 0.2, "seed": seed} | changes))
            train(pairs, base, output, recipe=recipe, progress=arguments.verbose)
            trained = encoders.load(output)
            for name, table in tables.items():
                metrics = evaluate(validation_part(output, table), trained, folder)
                grouped = metrics["protocols"]["grouped"]["image_to_text"]
                found[name].append((grouped["top_percent"]["10"], grouped["auc"]))
    print(f"{arguments.encoder}, {arguments.splits} splits, {changes or 'default recipe'}")
    for name, values in found.items():
        mean = np.mean(values, axis=0)
        error = np.std(values, axis=0, ddof=1) / np.sqrt(len(values))
        print(
            f"{name:16s} grouped top-10% {mean[0]:.3f} +- {error[0]:.3f}, "
            f"AUC {mean[1]:.3f} +- {error[1]:.3f}"
        )


if __name__ == "__main__":
    main()
