"""Held-out pairs, as a run sees them and as an encoder does."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from astro_paperclip.evaluation import in_batch_metrics
from astro_paperclip.pairs import read_pairs
from astro_paperclip.training.finetuning.pictures import PictureCache
from astro_paperclip.training.finetuning.texts import CaptionTexts
from astro_paperclip.training.finetuning.validation import HeldOut

SEED = 3


@pytest.fixture
def measure(pairs, tiny_clip, tmp_path):
    """Return a function that measures rows of pairs, and counts the texts that a tower reads."""
    table = read_pairs(pairs)

    def run(rows, images=tuple(table["image"])):
        cache = PictureCache(images, tiny_clip.pixels.size, tmp_path)
        texts = CaptionTexts.from_table(table, {"whole": 1}, tiny_clip)
        held_out = HeldOut(cache, rows, texts, tiny_clip, SEED)
        model = copy.deepcopy(tiny_clip.model)
        read = []
        model.token_embedding.register_forward_hook(lambda *args: read.append(len(args[2])))
        return held_out.measure(model, torch.device("cpu")), sum(read)

    return run


def by_the_encoder(encoder, table):
    metrics = in_batch_metrics(
        encoder.encode_images(list(table["image"])),
        encoder.encode_texts(list(table["text"])),
        logit_scale=float(encoder.model.logit_scale.exp()),
        seed=SEED,
    )
    found = metrics["text_to_image"]
    return [metrics["loss"], found["top_k"]["1"], found["top_percent"]["10"]]


def test_a_run_sees_what_an_encoder_does(measure, pairs, tiny_clip):
    table = read_pairs(pairs)
    rows = np.r_[5:36]
    values, n_texts = measure(rows)
    assert list(values) == ["loss", "top_1", "top_10_percent"]
    assert list(values.values()) == pytest.approx(by_the_encoder(tiny_clip, table[rows]), rel=1e-4)
    # Three pictures share a caption, which is read once.
    assert n_texts == len(set(table["text"][rows])) == 11


def test_pictures_that_cannot_be_read_are_left_out(measure, pairs, tiny_clip, tmp_path):
    table = read_pairs(pairs)
    broken = tmp_path / "broken.png"
    broken.write_bytes(Path(table["image"][2]).read_bytes()[:100])
    images = [str(broken) if row == 2 else image for row, image in enumerate(table["image"])]
    values, _ = measure(range(12), images)
    expected = by_the_encoder(tiny_clip, table[[row for row in range(12) if row != 2]])
    assert list(values.values()) == pytest.approx(expected, rel=1e-4)


def test_nothing_is_said_where_nothing_can_be_read(measure, tmp_path):
    values, _ = measure(range(3), [str(tmp_path / "none.png")] * 36)
    assert values == {}
