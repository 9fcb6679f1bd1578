"""What a training run leaves behind beside the weights."""

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from astropy.table import Table

from astro_paperclip import encoders
from astro_paperclip.encoders import Encoder
from astro_paperclip.encoders.towers import ProjectedModel
from astro_paperclip.pairs import write_pairs
from astro_paperclip.training.data import TrainingData
from astro_paperclip.training.model_card import model_card

__all__ = [
    "RECORD_FILE",
    "VALIDATION_FILE",
    "TrainingReport",
    "installed_versions",
    "pairs_hash",
    "write_run",
]

RECORD_FILE = "training.json"
"""All settings and counts of a run, in the encoder's folder."""

VALIDATION_FILE = "validation.csv"
"""The pairs that were held out, in the encoder's folder."""

_RECORDED_VERSIONS = ("astro_paperclip", "open_clip_torch", "timm", "torch", "transformers")


@dataclass(frozen=True)
class TrainingReport:
    """What a training run did.

    Parameters
    ----------
    output : `~pathlib.Path`
        The encoder's folder.
    record : dict
        What ``training.json`` in that folder holds.
    """

    output: Path
    record: dict

    def summary(self) -> str:
        """Return what happened, in a few lines."""
        outcome, training = self.record["outcome"], self.record["training"]
        validation = self.record["validation"]
        lines = [
            f"Trained on {training['pairs']} pairs of {training['groups']} groups: "
            f"{outcome['steps']} steps of {outcome['batch_size']} pairs, final loss "
            f"{outcome['loss']:.3f}, in-batch accuracy {outcome['accuracy']:.2f}.",
            f"The encoder is in {self.output}.",
        ]
        lines += [f"  skipped {row['image']}: {row['reason']}" for row in self.record["skipped"]]
        if validation["pairs"]:
            lines.append(
                f"{validation['pairs']} pairs of {validation['groups']} groups were kept back. "
                f"Evaluate on them with: astro-paperclip evaluate "
                f"--pairs {self.output / VALIDATION_FILE} --encoder {self.output} --output DIR"
            )
        return "\n".join(lines)


def write_run(folder: Path, trained: Encoder, record: dict[str, Any], data: TrainingData) -> None:
    """Write an encoder with its model card, the record of its run, and what was held out.

    Parameters
    ----------
    folder : `~pathlib.Path`
        An empty folder.
    trained : Encoder
        What came out.
    record : dict
        What is to stand in ``training.json``.
    data : TrainingData
        What went in.
    """
    card = model_card(record, plain=not isinstance(trained.model, ProjectedModel))
    encoders.write(trained, folder, card)
    (folder / RECORD_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    if len(data.held_out):
        write_pairs(data.pairs[data.held_out], folder / VALIDATION_FILE)


def pairs_hash(table: Table) -> str:
    """Return the SHA-256 of the pictures' names and captions.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Pairs.

    Returns
    -------
    digest : str
        Hexadecimal.
    """
    digest = hashlib.sha256()
    for image, text in zip(table["image"], table["text"], strict=True):
        digest.update(f"{image}\t{text}\n".encode())
    return digest.hexdigest()


def installed_versions() -> dict[str, str]:
    """Return the versions of what a run's outcome depends on."""
    return {name: _version(name) for name in _RECORDED_VERSIONS}


def _version(distribution: str) -> str:
    """Return what is installed; a source tree on the path is not."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"
