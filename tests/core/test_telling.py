"""What queries log, and that they are quiet otherwise."""

import numpy as np
import pytest

from astro_paperclip import PaperclipMast
from astro_paperclip.calibration import Bank
from astro_paperclip.core.telling import told
from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.logger import log
from astro_paperclip.searching import indexed

pytest.importorskip("qdrant_edge")

from astro_paperclip.index import planning

from .stand_ins import Encoder, make_collection

N_POINTS = 12


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    path = tmp_path_factory.mktemp("telling") / "collection"
    rows = [
        {"obsid": str(1 + row), "instrument_name": ["ACS/WFC", "WFC3/IR"][row % 2]}
        | {"image": f"{row}.jpg", "s_ra": 10.0, "s_dec": 20.0}
        for row in range(N_POINTS)
    ]
    vectors = np.random.default_rng(1).normal(size=(N_POINTS, Encoder().dim))
    return make_collection(path, Encoder(), vectors, rows)


@pytest.fixture
def paperclip(collection, monkeypatch):
    monkeypatch.setattr(indexed, "text_bank", lambda encoder, folder: Bank(np.eye(encoder.dim)))
    with PaperclipMast(collection=collection, encoder=Encoder(context_length=100)) as made:
        yield made


def rows(found):
    """Return what was found in a form that can be compared."""
    return found if isinstance(found, int) else found["obsid"].tolist()


PICTURE = np.zeros((8, 8, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("verb", "arguments", "options", "expected"),
    [
        ("query_text", ["a comet"], {}, ['"a comet"', "exactly, about 12 points fit"]),
        ("query_text", ["a comet " * 20], {}, ["a comet a comet", "…"]),
        ("query_image", [PICTURE], {}, ["[image", "exactly"]),
        ("query_similar", ["3"], {}, ["[similar to 3]", "exactly, about "]),
        (
            "query_criteria",
            [],
            {"text": "a comet", "instrument_name": "WFC3/IR"},
            ['"a comet"', "instrument_name='WFC3/IR'", "exactly, about 6 points fit"],
        ),
        ("query_criteria", [], {"obsid": "3"}, ["obsid='3'", "listed"]),
        ("query_region", [], {"region": "CIRCLE ICRS 10 20 1"}, ["Circle(", "listed"]),
        ("query_criteria", [], {}, ["Searching all", "listed"]),
        ("query_criteria_count", [], {"obsid": "3"}, ["obsid='3'", "counted"]),
    ],
)
def test_what_is_searched_and_how_and_how_long(
    paperclip, collection, verb, arguments, options, expected
):
    ask = getattr(paperclip, verb)
    with log.log_to_list() as quiet:
        first = ask(*arguments, **options)
    with log.log_to_list() as messages:
        second = ask(*arguments, **options, verbose=True)
    assert quiet == []
    before, after = messages
    assert {message.levelname for message in messages} == {"INFO"}
    assert all(part in before.msg for part in [*expected, str(collection)])
    assert after.msg.startswith("The search took ")
    assert after.msg.endswith(" ms.")
    assert rows(first) == rows(second)


def test_the_graph_is_named(paperclip, monkeypatch):
    monkeypatch.setattr(planning, "MOST_COMPARED", 3)
    paperclip.query_text("a comet", limit=1)
    engine = next(iter(paperclip._searched.values())).store._engine
    monkeypatch.setattr(engine, "graph_size", lambda: N_POINTS, raising=False)
    with log.log_to_list() as messages:
        paperclip.query_text("a comet", limit=1, verbose=True)
    assert "through the graph, about 12 points fit" in messages[0].msg


@pytest.mark.parametrize("wrong", [1, "yes", None])
def test_verbose_is_yes_or_no(wrong):
    paperclip = PaperclipMast(collection="/absent")
    for ask in (
        lambda: paperclip.query_text("a comet", verbose=wrong),
        lambda: paperclip.query_criteria_count(verbose=wrong),
    ):
        with pytest.raises(InvalidQueryError, match=r"^verbose must be"):
            ask()


def test_a_search_that_fails_has_no_time():
    request = {"collection": "/here"}
    with (
        log.log_to_list() as messages,
        pytest.raises(KeyError),
        told(True, request, lambda: "exactly"),
    ):
        raise KeyError
    assert len(messages) == 1
