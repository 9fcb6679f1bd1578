"""Evaluating an encoder on pairs files."""

import json

import numpy as np
import pytest
from astropy.table import Table
from PIL import Image

from astro_paperclip.evaluation import evaluate, format_report, retrieval_metrics
from astro_paperclip.exceptions import ImageError, PairsError, SkippedImageWarning
from astro_paperclip.images import read_image
from astro_paperclip.pairs import read_pairs, write_pairs


class ColourEncoder:
    """Encode a picture as its mean colour, and a text as the colours that it names."""

    name = "colours"
    fingerprint = "c0ffee" * 10
    dim = 3

    def __init__(self):
        self.paths, self.texts = [], []

    def encode_texts(self, texts):
        self.texts += texts
        named = [[colour in text for colour in ("red", "green", "blue")] for text in texts]
        return np.array(named, dtype=np.float32)

    def encode_image_files(self, paths, skip_broken=False, progress=False):
        assert skip_broken
        self.paths += paths
        for start in range(0, len(paths), 2):
            positions, vectors, broken = [], [], []
            for position in range(start, min(start + 2, len(paths))):
                try:
                    colour = np.asarray(read_image(paths[position])).mean(axis=(0, 1))
                except ImageError as error:
                    broken.append((position, str(error)))
                else:
                    positions.append(position)
                    vectors.append(colour / np.linalg.norm(colour))
            yield np.array(positions, int), np.array(vectors, "f4").reshape(-1, 3), broken


@pytest.fixture
def pairs(tmp_path):
    """Return a pairs file with two pictures of each of three colours."""
    rows = []
    for place, colour in enumerate(("red", "green", "blue")):
        for copy in range(2):
            pixels = np.full((16, 16, 3), 10 * copy, dtype=np.uint8)
            pixels[..., place] = 200
            Image.fromarray(pixels).save(tmp_path / f"{colour}{copy}.png")
            rows.append((str(tmp_path / f"{colour}{copy}.png"), f"a {colour} square", colour))
    path = tmp_path / "pairs.csv"
    write_pairs(Table(rows=rows, names=("image", "text", "group_id")), path)
    return path


def test_metrics_are_written_and_returned(pairs, tmp_path):
    encoder = ColourEncoder()
    output = tmp_path / "some/where"
    metrics = evaluate(str(pairs), encoder, output)
    assert json.loads((output / "metrics.json").read_text(encoding="utf-8")) == metrics
    assert [entry.name for entry in output.iterdir()] == ["metrics.json"]
    assert metrics["encoder"] == {"name": "colours", "fingerprint": "c0ffee" * 10}
    assert metrics["pairs"] == [str(pairs)]
    assert metrics["skipped"] == []
    assert (metrics["n_images"], metrics["n_captions"], metrics["n_groups"]) == (6, 3, 3)
    for direction in metrics["protocols"]["grouped"].values():
        assert direction["top_k"]["1"] == 1


def test_same_as_from_vectors(pairs, tmp_path):
    table = read_pairs([pairs])[[5, 0, 3, 1, 4, 2]]
    encoder = ColourEncoder()
    images = np.concatenate(
        [batch[1] for batch in encoder.encode_image_files(list(table["image"]), skip_broken=True)]
    )
    texts = encoder.encode_texts(list(table["text"]))
    expected = retrieval_metrics(images, texts, list(table["text"]), list(table["group_id"]))
    metrics = evaluate(table, ColourEncoder(), tmp_path)
    assert {key: metrics[key] for key in expected} == expected
    assert metrics["pairs"] == []


def test_each_caption_and_image_is_encoded_once(pairs, tmp_path):
    table = read_pairs(pairs)
    encoder = ColourEncoder()
    evaluate(table[[0, 1, 2, 3, 0, 1]], encoder, tmp_path)
    assert sorted(encoder.paths) == sorted(table["image"][:4])
    assert sorted(encoder.texts) == ["a green square", "a red square"]


def test_broken_images_do_not_count(pairs, tmp_path):
    broken = tmp_path / "green1.png"
    broken.write_bytes(broken.read_bytes()[:60])
    with pytest.warns(SkippedImageWarning, match=r"1 of the images.*green1\.png") as caught:
        metrics = evaluate([pairs], ColourEncoder(), tmp_path / "out")
    assert caught[0].filename == __file__
    assert metrics["n_images"] == 5
    assert [entry["image"] for entry in metrics["skipped"]] == [str(broken)]
    assert "green1.png" in metrics["skipped"][0]["reason"]
    keep = [0, 1, 2, 4, 5]
    expected = evaluate(read_pairs(pairs)[keep], ColourEncoder(), tmp_path / "less")
    assert metrics["protocols"] == expected["protocols"]
    assert "cannot be read: 1" in format_report(metrics)


def test_no_image_can_be_read(pairs, tmp_path):
    for image in tmp_path.glob("*.png"):
        image.write_bytes(b"")
    with pytest.raises(PairsError, match="None of the 6 images"):
        evaluate(pairs, ColourEncoder(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_faulty_pairs(tmp_path):
    with pytest.raises(PairsError, match="no such pairs file"):
        evaluate(tmp_path / "none.csv", ColourEncoder(), tmp_path)


def test_report(pairs, tmp_path):
    metrics = evaluate(pairs, ColourEncoder(), tmp_path)
    report = format_report(metrics)
    lines = report.splitlines()
    assert lines[0] == "6 images, 3 different captions, 3 groups"
    assert "colours" in lines[1]
    rows = {line[:24].strip(): line[24:].split() for line in lines}
    assert rows["grouped, image to text"][:6] == ["100.0"] * 6
    assert rows["grouped, image to text"][-3:] == ["1", "of", "3"]
    assert rows["paper, image to text"][:6] == ["0.0"] * 4 + ["20.0", "100.0"]
    assert rows["at most"][-1] == "100.0"
    assert rows["chance, about"] == ["1.0", "2.0", "5.0", "10.0", "20.0", "50.0"]
    assert max(map(len, lines)) < 80
    for line in lines:
        assert line == line.rstrip()


def test_report_of_bare_metrics():
    metrics = retrieval_metrics(np.ones((1, 4)), np.ones((1, 4)), ["a"], ["g"])
    assert "shuffled" not in format_report(metrics)
