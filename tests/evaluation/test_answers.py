"""The images nearest to queries."""

import json

import numpy as np
from astropy.table import MaskedColumn, Table

from astro_paperclip.evaluation.answers import best_images

VECTORS = np.array([[1, 0], [0, 2], [3, 3], [0, 1]])
WANTED = np.array([[0, 5.0], [1, 0]])


def make_table(**columns):
    names = ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    return Table({"image": names, "text": ["w " * 200] * 4, "group_id": list("ghgi")} | columns)


def test_best_first_and_equal_ones_in_order():
    answers = best_images(VECTORS, make_table(), WANTED, ["up", "right"], n=3)
    assert {query: [one["image"][0] for one in found] for query, found in answers.items()} == {
        "up": ["b", "d", "c"],
        "right": ["a", "c", "b"],
    }
    np.testing.assert_allclose([one["score"] for one in answers["up"]], [1, 1, 0.5**0.5])
    assert [one["group_id"] for one in answers["up"]] == ["h", "i", "g"]
    assert json.loads(json.dumps(answers)) == answers


def test_all_where_there_are_fewer():
    assert len(best_images(VECTORS, make_table(), WANTED, ["up", "right"], n=9)["up"]) == 4


def test_captions_are_titles_or_how_texts_begin():
    titles = MaskedColumn(["A title", " ", "", "none"], mask=[False, False, False, True])
    found = best_images(VECTORS, make_table(title=titles), WANTED[1:], ["right"])["right"]
    captions = {one["image"]: one["caption"] for one in found}
    assert captions["a.jpg"] == "A title"
    for name in ("b.jpg", "c.jpg", "d.jpg"):
        assert captions[name].startswith("w w w")
        assert captions[name].endswith(" …")
        assert len(captions[name]) <= 160
