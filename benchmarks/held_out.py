"""Retrieval accuracy on held-out groups of real data, over several splits.

    python benchmarks/held_out.py --splits 5
    python benchmarks/held_out.py --splits 5 --set text_dropout=0 --set temperature=0.07
    python benchmarks/held_out.py --splits 5 --plain

Trains ``head`` on the training groups of `jwst_proposals` and `space_captions` together, and
evaluates each on its own held-out groups; with ``--plain``, beside the plainest recipe for the
same frozen towers on the same splits. The data lies in the folder that the environment variable
``PAPERCLIP_SHARED`` names (default ``../shared``).
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from astropy.table import Table, vstack
from open_clip import ClipLoss
from torch import nn
from torch.nn.functional import normalize

from astro_paperclip import encoders
from astro_paperclip.evaluation import evaluate, retrieval_metrics
from astro_paperclip.pairs import Split, read_pairs, split_by_group
from astro_paperclip.training import HeadRecipe, train
from astro_paperclip.training.head.captions import CaptionMixture, caption_mixture
from astro_paperclip.training.head.features import image_features, text_features
from astro_paperclip.training.head.sampling import GroupSampler

SETS = ("jwst_proposals", "space_captions")
VALIDATION_FRACTION = 0.2
PLAIN_VIEWS = 6
PLAIN_STEPS = 250


def validation_part(output: Path, table: Table) -> Table:
    """Return the rows of one set that a training run kept for validation."""
    kept = set(read_pairs(output / "validation.csv")["image"])
    return table[[image in kept for image in table["image"]]]


def plain_metrics(pairs: Table, base: encoders.Encoder, seed: int) -> list[dict]:
    """Train the plainest projections, and return the metrics of each set's held-out groups.

    One of six views of a picture in training, the mean of the six in evaluation.
    """
    # The views of the real recipe are in the cache already: the first six of them.
    views, _ = image_features(base, list(pairs["image"]), HeadRecipe().views, progress=False)
    captions = caption_mixture(pairs, base)
    split = split_by_group(pairs, validation_fraction=VALIDATION_FRACTION, seed=seed)
    seen_texts = np.concatenate([captions.wholes[split.train], captions.titles[split.train]])
    images = torch.from_numpy(views[:, :PLAIN_VIEWS].astype(np.float32))
    texts = torch.from_numpy(text_features(base, captions.texts, progress=False).astype(np.float32))
    images = standardized(images, images[split.train].flatten(0, 1))
    texts = standardized(texts, texts[seen_texts])
    image_head, text_head = fit_plain_heads(images, texts, captions, split, seed)
    metrics = []
    for name in SETS:
        rows = split.validation[pairs["set"][split.validation] == name]
        with torch.no_grad():
            image_vectors = normalize(image_head(images[rows]), dim=-1).mean(1).numpy()
            text_vectors = text_head(texts[captions.wholes[rows]]).numpy()
        metrics.append(
            retrieval_metrics(image_vectors, text_vectors, pairs["text"][rows], split.groups[rows])
        )
    return metrics


def fit_plain_heads(
    images: torch.Tensor, texts: torch.Tensor, captions: CaptionMixture, split: Split, seed: int
) -> list[nn.Module]:
    """Train perceptrons with a learned temperature, on titles or captions at random."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    heads = [
        nn.Sequential(nn.Linear(width, 1024), nn.GELU(), nn.Linear(1024, 512))
        for width in (images.shape[-1], texts.shape[-1])
    ]
    log_scale = nn.Parameter(torch.tensor(1 / 0.07).log())
    optimizer = torch.optim.AdamW([*heads[0].parameters(), *heads[1].parameters(), log_scale], 1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, PLAIN_STEPS)
    batches = GroupSampler(split.groups[split.train], 64, seed)
    for _, batch in zip(range(PLAIN_STEPS), batches, strict=False):
        rows = split.train[batch]
        chosen = np.where(rng.random(len(rows)) < 0.5, captions.titles[rows], captions.wholes[rows])
        image_vectors = heads[0](images[rows, rng.integers(PLAIN_VIEWS, size=len(rows))])
        text_vectors = heads[1](texts[chosen])
        loss = ClipLoss()(normalize(image_vectors), normalize(text_vectors), log_scale.exp())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    return heads


def standardized(features: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Return features with the mean and the variance of known ones taken out."""
    scale = known.std(0)
    return (features - known.mean(0)) / scale.clamp(min=0.01 * scale.mean())


def grouped(metrics: dict) -> tuple[float, float]:
    """Return grouped top-10 % accuracy and AUC, image to text."""
    direction = metrics["protocols"]["grouped"]["image_to_text"]
    return direction["top_percent"]["10"], direction["auc"]


def report(label: str, values: list[tuple[float, float]]) -> None:
    """Print mean and standard error over the splits."""
    mean = np.mean(values, axis=0)
    error = np.std(values, axis=0, ddof=1) / np.sqrt(len(values))
    print(
        f"{label:28s} grouped top-10% {mean[0]:.3f} +- {error[0]:.3f}, "
        f"AUC {mean[1]:.3f} +- {error[1]:.3f}"
    )


def main() -> None:
    """Print grouped and paper top-10 % accuracy, and AUC, as mean and standard error."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--encoder", default="compact")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--plain", action="store_true", help="also train the plainest recipe")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    changes = {name: float(value) for name, value in (item.split("=") for item in arguments.set)}
    changes = {name: int(v) if v == int(v) and v > 1 else v for name, v in changes.items()}
    shared = Path(os.environ.get("PAPERCLIP_SHARED", "../shared")).resolve()
    tables = {name: read_pairs(shared / "data" / name / "pairs.csv") for name in SETS}
    for name, table in tables.items():
        table["set"] = name
    names = ("image", "text", "title", "group_id", "set")
    pairs = vstack([table[names] for table in tables.values()], metadata_conflicts="silent")
    base = encoders.load(arguments.encoder)
    found, plain = ({name: [] for name in SETS} for _ in range(2))
    for seed in range(arguments.splits):
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "encoder"
            recipe = HeadRecipe(
                **({"validation_fraction": VALIDATION_FRACTION, "seed": seed} | changes)
            )
            train(pairs, base, output, recipe=recipe, progress=arguments.verbose)
            trained = encoders.load(output)
            for name, table in tables.items():
                metrics = evaluate(validation_part(output, table), trained, folder)
                found[name].append(grouped(metrics))
        if arguments.plain:
            for name, metrics in zip(SETS, plain_metrics(pairs, base, seed), strict=True):
                plain[name].append(grouped(metrics))
    print(f"{arguments.encoder}, {arguments.splits} splits, {changes or 'default recipe'}")
    for name, values in found.items():
        report(name, values)
        if arguments.plain:
            report("  plainest recipe", plain[name])
            report("  difference", np.subtract(values, plain[name]))


if __name__ == "__main__":
    main()
