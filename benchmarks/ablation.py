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
import tempfile

import numpy as np
from arms import add_arguments, cells, changed, measure_arm, read_sets, run_missing
from astropy.table import Table

from astro_paperclip.encoders import Encoder
from astro_paperclip.evaluation import evaluate
from astro_paperclip.training import FineTuneRecipe, HeadRecipe

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


def measure(name: str, pairs: Table, seed: int, images_seen: int, changes: dict) -> dict:
    """Train one arm with one seed, and return what its held-out groups say."""
    options = {"images_seen": images_seen, "changes": changes, "shuffle_pairs": "shuffled" in name}
    return measure_arm(pairs, *arms()[name], accuracies, seed=seed, **options)


def accuracies(held_out: Table, encoder: Encoder) -> dict:
    """Return how well images find their captions, by each protocol."""
    with tempfile.TemporaryDirectory() as folder:
        protocols = evaluate(held_out, encoder, folder)["protocols"]
    return {
        protocol: {
            name: protocols[protocol]["image_to_text"][name] for name in ("top_percent", "auc")
        }
        for protocol in ("paper", "grouped")
    }


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
            text = cells(values.mean(axis=0), spread / len(values) ** 0.5)
            print(f"{arm:28s}{len(rows):5d}{text}")


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_arguments(parser, arms())
    arguments = parser.parse_args()
    pairs = None if arguments.table else read_sets(arguments.sets)
    lines = run_missing(
        arguments,
        lambda name, seed, changes: measure(name, pairs, seed, arguments.images_seen, changes),
    )
    print_table(lines)


if __name__ == "__main__":
    main()
