"""What training on summaries, abstracts, titles or all of them finds in held-out groups.

    python benchmarks/captions.py head.jsonl --method head --images-seen 16000 --seeds 10
    python benchmarks/captions.py full.jsonl --method full --images-seen 1280 --seeds 3
    python benchmarks/captions.py head.jsonl --table

Trains `compact`, its projections alone or everything by the improved recipe, each arm on one
kind of caption, or on two or three in turn, with the same pictures, the same number of them seen
and the same grouped splits. Every encoder is then asked about every kind of caption of the
held-out groups. Only pairs that have all three take part: an abstract (or, in `space_captions`, a
caption), a title, and a summary by rules. A line is added to the file for each run, so that an
interrupted benchmark goes on where it stopped.
"""

import argparse

import numpy as np
from arms import add_arguments, cells, measure_arm, read_sets, run_missing
from astropy.table import Table

from astro_paperclip.encoders import Encoder
from astro_paperclip.evaluation import retrieval_metrics
from astro_paperclip.pairs.summarize import RuleSummarizer
from astro_paperclip.training import FineTuneRecipe, HeadRecipe

#: How often each kind of caption is drawn in training; nothing: the encoder as it is.
ARMS = {
    "zero-shot": None,
    "summary": {"summary": 1.0},
    "abstract": {"chunk": 1.0},
    "title": {"title": 1.0},
    "no summary": {"chunk": 1.0, "title": 1.0},
    "mixture": {"summary": 1.0, "chunk": 1.0, "title": 1.0},
}
COLUMN_OF = {"abstract": "text", "summary": "summary", "title": "title"}
TOP_PERCENT = (1, 5, 10)
#: Arms that are compared on the same splits, which say more than their means.
COMPARED = (("mixture", "no summary"), ("summary", "abstract"))


def with_summaries(pairs: Table) -> Table:
    """Return the pairs that have an abstract, a title and a summary, with all of them."""
    texts = sorted(set(pairs["text"]))
    summaries = dict(zip(texts, RuleSummarizer()(texts), strict=True))
    captions = [summaries[text] and summaries[text].as_caption() for text in pairs["text"]]
    pairs["summary"] = [caption or "" for caption in captions]
    is_whole = (pairs["summary"] != "") & (pairs["title"] != "")
    if "text_kind" in pairs.colnames:
        is_whole &= pairs["text_kind"] != "title"
    return pairs[is_whole]


def measure(
    name: str, method: str, pairs: Table, seed: int, images_seen: int, changes: dict
) -> dict:
    """Train one arm with one seed, and return what it finds by each kind of caption."""
    shares, recipe = ARMS[name], None
    if shares is None:
        method = "none"
    elif method == "head":
        recipe = HeadRecipe(captions=shares)
    else:
        recipe = FineTuneRecipe.preset("improved", captions=shares)
    options = {"seed": seed, "images_seen": images_seen, "changes": changes}
    return measure_arm(pairs, method, recipe, accuracies, **options)


def accuracies(held_out: Table, encoder: Encoder) -> dict:
    """Return how well images find each kind of caption of theirs."""
    images = encoder.encode_images(list(held_out["image"]))
    return {
        kind: grouped_accuracy(images, held_out[column], held_out["group_id"], encoder)
        for kind, column in COLUMN_OF.items()
    }


def grouped_accuracy(
    images: np.ndarray, captions: np.ndarray, groups: np.ndarray, encoder: Encoder
) -> dict:
    """Return how well images find one kind of caption of theirs, and how many there are."""
    unique, of_row = np.unique(captions, return_inverse=True)
    texts = encoder.encode_texts(unique.tolist())[of_row]
    metrics = retrieval_metrics(images, texts, captions, groups)
    measured = metrics["protocols"]["grouped"]["image_to_text"]
    return {
        "n_images": metrics["n_images"],
        "n_captions": metrics["n_captions"],
        "top_percent": measured["top_percent"],
        "auc": measured["auc"],
    }


def print_table(lines: list[dict]) -> None:
    """Print mean and standard deviation over the splits: set, kind of caption, arm."""
    for part in dict.fromkeys(part for line in lines for part in line["found"]):
        for kind in COLUMN_OF:
            found = [(line["arm"], line["found"][part][kind]) for line in lines]
            print_kind(part, kind, found)
        print_differences(part, lines)


def print_kind(part: str, kind: str, found: list[tuple[str, dict]]) -> None:
    """Print what each arm finds by one kind of caption of one set."""
    candidates = [measured["n_captions"] for _, measured in found]
    print(f"\n{part}, images to {kind}: {min(candidates)} to {max(candidates)} captions held out")
    head = "".join(f"{f'grouped {k} %':>15s}" for k in TOP_PERCENT)
    print(f"{'trained on':12s}{'runs':>5s}{head}{'grouped AUC':>15s}")
    for arm in dict.fromkeys(arm for arm, _ in found):
        values = np.array(
            [
                [*(measured["top_percent"][str(k)] for k in TOP_PERCENT), measured["auc"]]
                for name, measured in found
                if name == arm
            ]
        )
        spread = values.std(axis=0, ddof=1) if len(values) > 1 else np.full(4, np.nan)
        print(f"{arm:12s}{len(values):5d}{cells(values.mean(axis=0), spread)}")


def print_differences(part: str, lines: list[dict]) -> None:
    """Print mean and standard deviation of what one arm finds more than another, on a split."""
    auc = {
        (line["arm"], kind, line["seed"]): line["found"][part][kind]["auc"]
        for line in lines
        for kind in COLUMN_OF
        if part in line["found"]
    }
    print(f"\n{part}, difference of the grouped AUC on the same split, images to")
    print(f"{'':25s}" + "".join(f"{kind:>15s}" for kind in COLUMN_OF))
    for arm, other in COMPARED:
        seeds = [
            seed
            for name, kind, seed in auc
            if (name, kind) == (arm, "abstract") and (other, kind, seed) in auc
        ]
        if len(seeds) > 1:
            values = np.array(
                [[auc[arm, kind, s] - auc[other, kind, s] for kind in COLUMN_OF] for s in seeds]
            )
            print(
                f"{f'{arm} - {other}':25s}{cells(values.mean(axis=0), values.std(axis=0, ddof=1))}"
            )


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_arguments(parser, ARMS)
    parser.add_argument("--method", choices=["head", "full"], default="full")
    arguments = parser.parse_args()
    pairs = None if arguments.table else with_summaries(read_sets(arguments.sets))
    lines = run_missing(
        arguments,
        lambda name, seed, changes: measure(
            name, arguments.method, pairs, seed, arguments.images_seen, changes
        ),
    )
    print_table(lines)


if __name__ == "__main__":
    main()
