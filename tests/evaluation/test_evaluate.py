"""Evaluating an encoder on pairs files."""

import json

import numpy as np
import pytest
from astropy.table import Table
from PIL import Image

from astro_paperclip.evaluation import (
    evaluate,
    format_report,
    query_relevance,
    retrieval_metrics,
)
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


QUERIES = ["red square", "blue square"]


def test_relevance(pairs, tmp_path):
    encoder = ColourEncoder()
    metrics = evaluate(pairs, encoder, tmp_path, queries=QUERIES)
    table = read_pairs(pairs)
    assert set(QUERIES) <= set(encoder.texts)
    expected = query_relevance(
        np.eye(3)[[0, 0, 1, 1, 2, 2]],
        list(table["text"]),
        list(table["group_id"]),
        np.array([[1, 0, 0], [0, 0, 1]]),
        queries=QUERIES,
    )
    assert metrics["relevance"]["chance"] == expected["chance"]
    assert metrics["relevance"]["model"] == expected["model"]
    assert metrics["relevance"]["model"]["by_query"]["red square"]["images"] == pytest.approx(1 / 3)


def test_a_judge_that_looks_at_images(pairs, tmp_path):
    asked = []

    def sees_blue(query, text, image_path=None):
        asked.append((query, image_path))
        return np.asarray(read_image(image_path))[0, 0, 2] == 200

    metrics = evaluate(
        pairs, ColourEncoder(), tmp_path, queries=QUERIES, judge=sees_blue, baseline=False
    )
    assert metrics["relevance"]["judge"] == "function"
    assert metrics["relevance"]["model"]["images"] == pytest.approx(1 / 3)
    assert set(metrics["relevance"]) == {"k", "judge", "queries", "model"}
    assert {path for _, path in asked} == set(read_pairs(pairs)["image"])


def test_without_queries(pairs, tmp_path):
    assert "relevance" not in evaluate(pairs, ColourEncoder(), tmp_path, queries=())


def test_loss_is_that_of_the_encoders_own_temperature(pairs, tmp_path, tiny_clip):
    metrics = evaluate(pairs, tiny_clip, tmp_path, queries=())
    expected = float(tiny_clip.model.logit_scale.exp())
    assert metrics["in_batch"]["logit_scale"] == pytest.approx(expected)
    assert evaluate(pairs, ColourEncoder(), tmp_path)["in_batch"]["logit_scale"] == 100


def test_each_caption_and_image_is_encoded_once(pairs, tmp_path):
    table = read_pairs(pairs)
    encoder = ColourEncoder()
    evaluate(table[[0, 1, 2, 3, 0, 1]], encoder, tmp_path, queries=())
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
    assert rows["ties by position"][:6] == ["50.0"] * 4 + ["60.0", "100.0"]
    assert rows["at most"][-1] == "100.0"
    assert rows["chance, about"] == ["1.0", "2.0", "5.0", "10.0", "20.0", "50.0"]
    assert "in batches of 6, text to image: 50.0 % among the best 10 %, loss 0.6" in report
    assert rows["the encoder"] == ["0.0", "0.0"]
    assert rows["chance"] == ["0.0", "0.0"]
    assert max(map(len, lines)) < 80
    for line in lines:
        assert line == line.rstrip()


def test_report_of_bare_metrics():
    metrics = retrieval_metrics(np.ones((1, 4)), np.ones((1, 4)), ["a"], ["g"])
    report = format_report(metrics)
    assert "shuffled" not in report
    assert "relevant" not in report


def test_report_of_relevance(pairs, tmp_path):
    metrics = evaluate(pairs, ColourEncoder(), tmp_path, queries=QUERIES)
    metrics["relevance"]["tfidf"] = {"skipped": "scikit-learn is not installed"}
    lines = format_report(metrics).splitlines()
    rows = {line[:30].strip(): line[30:].strip() for line in lines}
    assert rows["the encoder"].split() == ["33.3", "33.3"]
    assert rows["words in captions (TF-IDF)"] == "scikit-learn is not installed"
    assert rows["chance"].split() == ["33.3", "33.3"]
    assert rows["best possible"].split() == ["33.3", "33.3"]
    assert "relevant answers to 2 queries, judged by keywords:" in lines
    assert max(map(len, lines)) < 80
