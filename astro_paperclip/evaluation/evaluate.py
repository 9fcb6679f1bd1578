"""Evaluate an encoder on pairs files."""

import json
import os
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from astro_paperclip.evaluation.answers import best_images
from astro_paperclip.evaluation.in_batch import LOGIT_SCALE
from astro_paperclip.evaluation.judges import Judge
from astro_paperclip.evaluation.relevance import PAPER_QUERIES, query_relevance
from astro_paperclip.evaluation.retrieval import retrieval_metrics
from astro_paperclip.exceptions import PairsError, SkippedImageWarning
from astro_paperclip.files import written_whole
from astro_paperclip.pairs import read_pairs

if TYPE_CHECKING:
    from astro_paperclip.encoders import Encoder

__all__ = ["METRICS_FILE", "evaluate"]

METRICS_FILE = "metrics.json"
"""Name of the file that `evaluate` writes."""


def evaluate(
    pairs: Table | str | os.PathLike | Iterable[str | os.PathLike],
    encoder: "Encoder",
    output: str | os.PathLike,
    *,
    queries: Sequence[str] = PAPER_QUERIES,
    judge: Judge | None = None,
    baseline: bool = True,
    seed: int = 0,
    progress: bool = False,
) -> dict:
    """Measure retrieval accuracy and relevance on pairs, and write them to ``metrics.json``.

    Parameters
    ----------
    pairs : `~astropy.table.Table`, path or paths
        What `~astro_paperclip.pairs.read_pairs` returns, or takes.
    encoder : `~astro_paperclip.encoders.Encoder`
        A loaded encoder. Each different image and caption is encoded once.
    output : str or `os.PathLike`
        Folder for ``metrics.json``; made if it is not there.
    queries : sequence of str, optional
        Queries whose answers are judged; none, and nothing is.
    judge : Judge, optional
        Says whether an answer is relevant. Default: a
        `~astro_paperclip.evaluation.KeywordJudge`.
    baseline : bool, optional
        Whether to compare relevance with a text search and with chance; the latter asks the
        judge about every caption.
    seed : int, optional
        Of the random numbers behind the intervals, the order in which pairs are put into
        batches, and that of answers of equal score.
    progress : bool, optional
        Whether to show a progress bar while images are encoded.

    Returns
    -------
    dict
        What `~astro_paperclip.evaluation.retrieval_metrics` returns; ``relevance``, what
        `~astro_paperclip.evaluation.query_relevance` returns, the ``group_id`` of a pair being
        taken for its proposal, and ``answers``, by query the ten best images with ``image``,
        ``group_id``, ``caption`` and ``score`` (both absent without queries); and
        ``encoder`` (its ``name`` and ``fingerprint``), ``pairs`` (the files; empty for a table)
        and ``skipped`` (``image`` and ``reason`` of each image that could not be read; its rows
        do not count).

    Raises
    ------
    PairsError
        If the pairs have faults, or none of the images can be read.

    Warns
    -----
    SkippedImageWarning
        If an image could not be read.
    """
    if isinstance(pairs, (str, os.PathLike)):
        pairs = [pairs]
    if isinstance(pairs, Table):
        files, table = [], pairs
    else:
        files = [os.fspath(path) for path in pairs]
        table = read_pairs(files)
    image_vectors, readable, skipped = _encode_images(table, encoder, progress)
    if skipped:
        warnings.warn(
            f"{len(skipped)} of the images cannot be read and do not count, the first: "
            f"{skipped[0]['reason']}",
            SkippedImageWarning,
            stacklevel=2,
        )
    table, image_vectors = table[readable], image_vectors[readable]
    captions, groups = (np.asarray(table[name], dtype=object) for name in ("text", "group_id"))
    metrics = retrieval_metrics(
        image_vectors,
        _encode_captions(captions, encoder),
        captions,
        groups,
        seed=seed,
        logit_scale=getattr(encoder, "logit_scale", LOGIT_SCALE),
    )
    if len(queries):
        query_vectors = encoder.encode_texts(list(queries))
        metrics["answers"] = best_images(image_vectors, table, query_vectors, queries)
        metrics["relevance"] = query_relevance(
            image_vectors,
            captions,
            groups,
            query_vectors,
            queries=queries,
            judge=judge,
            image_paths=np.asarray(table["image"]).tolist(),
            baseline=baseline,
            seed=seed,
        )
    metrics |= {
        "encoder": {"name": encoder.name, "fingerprint": encoder.fingerprint},
        "pairs": files,
        "skipped": skipped,
    }
    with written_whole(Path(output) / METRICS_FILE) as temporary:
        content = json.dumps(metrics, indent=2, allow_nan=False)
        temporary.write_text(f"{content}\n", encoding="utf-8")
    return metrics


def _encode_images(
    table: Table, encoder: "Encoder", progress: bool
) -> tuple[np.ndarray, np.ndarray, list[dict]]:
    """Return a vector for each row, whether it has one, and the images that have none."""
    paths, of_row = np.unique(np.asarray(table["image"]).astype(str), return_inverse=True)
    paths = paths.tolist()
    vectors = np.zeros((len(paths), encoder.dim), dtype=np.float32)
    is_encoded = np.zeros(len(paths), dtype=bool)
    skipped = []
    batches = encoder.encode_image_files(paths, skip_broken=True, progress=progress)
    for positions, batch, broken in batches:
        vectors[positions] = batch
        is_encoded[positions] = True
        skipped += [{"image": paths[place], "reason": reason} for place, reason in broken]
    if not is_encoded.any():
        reason = f"; the first: {skipped[0]['reason']}" if skipped else ""
        raise PairsError(f"None of the {len(paths)} images can be read{reason}")
    return vectors[of_row], is_encoded[of_row], skipped


def _encode_captions(captions: np.ndarray, encoder: "Encoder") -> np.ndarray:
    """Return a vector for each caption; equal captions are encoded once."""
    unique, of_row = np.unique(captions, return_inverse=True)
    return encoder.encode_texts(unique.tolist())[of_row]
