"""Metrics to report on, made of random vectors."""

import numpy as np
import pytest
from astropy.table import Table
from PIL import Image

from astro_paperclip.evaluation import query_relevance, retrieval_metrics
from astro_paperclip.evaluation.answers import best_images

QUERIES = ["spiral galaxy", "comet"]
TEXTS = ("A spiral galaxy, seen face-on", "The nucleus of a comet", "Dust in the dark")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Return the paths of twelve small pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"{number}.png" for number in range(12)]
    for number, path in enumerate(paths):
        Image.new("RGB", (30, 20), (20 * number, 100, 50)).save(path)
    return [str(path) for path in paths]


@pytest.fixture(scope="session")
def make_metrics(pictures):
    """Return a function that makes metrics as `evaluate` does, without an encoder."""

    def make(noise=1.0, name="an-encoder", images=12, queries=QUERIES):
        rng = np.random.default_rng(round(100 * noise))
        table = Table(
            {
                "image": pictures[:images],
                "text": [f"{TEXTS[row % 3]} ({row % 6})" for row in range(images)],
                "group_id": [f"group{row % 6}" for row in range(images)],
            }
        )
        texts = rng.normal(size=(6, 8))[np.arange(images) % 6]
        vectors = texts + noise * rng.normal(size=texts.shape)
        captions, groups = list(table["text"]), list(table["group_id"])
        wanted = rng.normal(size=(len(queries), 8))
        metrics = retrieval_metrics(vectors, texts, captions, groups)
        metrics["relevance"] = query_relevance(vectors, captions, groups, wanted, queries=queries)
        metrics["answers"] = best_images(vectors, table, wanted, queries)
        about = {"encoder": {"name": name, "fingerprint": "f1" * 32}, "pairs": ["pairs.csv"]}
        return metrics | about | {"skipped": []}

    return make


@pytest.fixture(scope="session")
def metrics(make_metrics):
    """Return the metrics of one evaluation; tests only read them."""
    return make_metrics()


@pytest.fixture
def run_folder(tmp_path):
    """Return the folder of an encoder with the logs of its training."""
    folder = tmp_path / "tuned"
    (folder / "run").mkdir(parents=True)
    steps = "".join(f"{step},{32 * step},{4 - step / 200},0.1\n" for step in range(1, 301))
    (folder / "run/log.csv").write_text(f"step,images_seen,loss,accuracy\n{steps}")
    (folder / "run/validation_log.csv").write_text(
        "step,images_seen,loss,top_1,top_10_percent\n"
        "100,3200,4.1,0.02,0.2\n200,6400,3.9,0.03,0.35\n300,9600,3.8,0.03,0.4\n"
    )
    return folder
