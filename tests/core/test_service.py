"""The query class before a collection that others search: without encoder, vectors or torch."""

import json
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from textwrap import dedent

import pytest
from astropy.table import Table
from astroquery.exceptions import InputWarning
from PIL import Image

from astro_paperclip import Like, PaperclipMastClass
from astro_paperclip.criteria import Match
from astro_paperclip.exceptions import InvalidQueryError, NoResultsWarning
from astro_paperclip.index import Hit
from astro_paperclip.searching import (
    Described,
    Found,
    IndexedCollection,
    SearchedCollection,
)

OBSERVATIONS = {
    "1": "a spiral galaxy with a dust lane",
    "2": "a spiral galaxy",
    "3": "a comet",
    "4": "a galaxy cluster",
}


@dataclass
class Service:
    """Scores by how many of the words a title has: what is done far away is its own affair."""

    asked: list = field(default_factory=list)
    is_open: bool = True

    def search(
        self, likes, where=None, *, limit, offset=0, score_threshold=None, max_per_proposal=None
    ):
        self.asked.append((list(likes), where, limit, offset, score_threshold, max_per_proposal))
        found = []
        for like in likes:
            scores = {
                obsid: sum(term.weight * (term.content.text in title) for term in like.terms)
                for obsid, title in OBSERVATIONS.items()
            }
            order = sorted(scores, key=lambda obsid: (-scores[obsid], obsid))
            if score_threshold is not None:
                order = [obsid for obsid in order if scores[obsid] >= score_threshold]
            hits = [self._hit(obsid, scores[obsid]) for obsid in order[offset : offset + limit]]
            notes = (InputWarning(f"{like} is long"),) if len(like.terms) > 1 else ()
            found.append(Found(hits, notes))
        return found

    def get(self, where=None, *, limit, offset=0, max_per_proposal=None, nearest_to=None):
        self.asked.append((where, limit, offset, max_per_proposal, nearest_to))
        return [self._hit(obsid, float("nan")) for obsid in list(OBSERVATIONS)[offset:][:limit]]

    def count(self, where=None):
        return len(OBSERVATIONS)

    def plan(self, where=None):
        return "far away"

    def describe(self, picture, vocabulary, n):
        rows = [(picture.path, label) for label in list(vocabulary)[:n]]
        table = Table(rows=rows, names=["image", "label"])
        return Described(table, (InputWarning("It is dark there."),))

    def info(self):
        return {"collection": "far away", "count": len(OBSERVATIONS)}

    def close(self):
        self.is_open = False

    @staticmethod
    def _hit(obsid, score):
        return Hit(obsid, score, {"obsid": obsid, "title": OBSERVATIONS[obsid]})


@pytest.fixture
def service():
    return Service()


@pytest.fixture
def paperclip(service, monkeypatch):
    with PaperclipMastClass("/far/away") as made:
        monkeypatch.setattr(made, "_opened", lambda location: service)
        yield made


def test_what_implements_the_interface(service):
    assert isinstance(service, SearchedCollection)
    assert issubclass(IndexedCollection, SearchedCollection)
    assert not isinstance(object(), SearchedCollection)


def test_it_gets_the_expression_and_the_filter(paperclip, service):
    like = Like("spiral galaxy") - 0.5 * Like("dust lane")
    with pytest.warns(InputWarning, match="is long") as caught:
        result = paperclip.query_criteria(
            text=like, instrument_name="ACS/WFC", limit=2, offset=1, max_per_proposal=3
        )
    assert caught[0].filename == __file__
    where = Match("instrument_name", ("ACS/WFC",))
    assert service.asked == [([like], where, 2, 1, None, 3)]
    assert result["obsid"].tolist() == ["1", "3"]
    assert result["score"].tolist() == [0.5, 0]
    assert result["rank"].tolist() == [2, 3]
    assert result.query["text"] == '"spiral galaxy" - 0.5 "dust lane"'
    assert result.index_info == {"collection": "far away", "count": 4}


def test_every_way_of_asking_in_words_is_one(paperclip, service):
    like = Like("spiral galaxy") + Like("comet")
    for text in (like, '"spiral galaxy" + "comet"'):
        with pytest.warns(InputWarning):
            paperclip.query_text(text, limit=3)
        with pytest.warns(InputWarning):
            paperclip.query_region(region="CIRCLE ICRS 1 2 3", text=text, limit=3)
    assert all(asked[0] == [like] for asked in service.asked)
    assert len(service.asked) == 4


def test_a_threshold_is_asked_for(paperclip):
    assert len(paperclip.query_text("galaxy", score_threshold=1, limit=3)) == 3
    with pytest.warns(NoResultsWarning, match="matched nothing in /far/away"):
        assert len(paperclip.query_text("nebula", score_threshold=1)) == 0


def test_what_a_picture_shows(paperclip, tmp_path):
    path = tmp_path / "dark.png"
    Image.new("RGB", (20, 20)).save(path)
    with pytest.warns(InputWarning, match="dark there") as caught:
        table = paperclip.describe(path, ["a comet", "a nebula", "a galaxy"], n=2)
    assert caught[0].filename == __file__
    assert len(table) == 2
    assert table["image"].tolist() == [str(path)] * 2


def test_a_list_is_one_request(paperclip, service):
    results = paperclip.query_text(["comet", "cluster"], limit=1)
    assert [result["obsid"][0] for result in results] == ["3", "4"]
    assert [result.query["text"] for result in results] == ["comet", "cluster"]
    assert len(service.asked) == 1


def test_listing_and_counting(paperclip, service):
    result = paperclip.query_criteria(offset=1, max_per_proposal=2)
    assert service.asked == [(None, 51, 1, 2, None)]
    assert result["obsid"].tolist() == ["2", "3", "4"]
    assert result["score"].mask.all()
    assert paperclip.query_criteria_count(obsid="1") == 4


def test_threads_open_it_once(service):
    opened, second = [], threading.Event()

    def open_slowly(location):
        opened.append(location)
        if len(opened) > 1:
            second.set()
        # As long as it takes a second thread to get here, if nothing keeps it.
        second.wait(0.2)
        return service

    with PaperclipMastClass("/far/away") as made, ThreadPoolExecutor(4) as pool:
        made._opened = open_slowly
        results = list(pool.map(made.query_text, ["comet"] * 4))
    assert opened == ["/far/away"]
    assert [len(result) for result in results] == [4] * 4


def test_all_are_closed_though_one_fails(service):
    class Failing(Service):
        def close(self):
            raise OSError("disk")

    made = PaperclipMastClass()
    made._opened = {"/first": Failing(), "/second": service, "/third": Failing()}.get
    for place in ("/first", "/second", "/third"):
        made.query_text("comet", collection=place)
    with pytest.raises(OSError, match="disk"):
        made.close()
    assert not service.is_open
    made.close()


def test_an_instance_can_be_sent_to_another_process():
    made = pickle.loads(pickle.dumps(PaperclipMastClass("/far/away", device="cpu")))
    payload = made.query_text("comet", get_query_payload=True)
    assert payload["collection"] == "/far/away"


def test_it_is_closed_with_the_class(paperclip, service):
    paperclip.query_text("comet")
    paperclip.close()
    assert not service.is_open


def test_parts_that_cancel_are_refused_before_any_work(paperclip, service):
    with pytest.raises(InvalidQueryError, match='"comet" - "comet" cancel out'):
        paperclip.query_text(Like("comet") - "comet")
    with pytest.raises(InvalidQueryError, match="cancel out"):
        paperclip.query_criteria(text=-Like(similar_to=3), similar_to=3)
    assert service.asked == []


def test_no_library_of_models_or_vectors_is_imported():
    code = """
        import json, sys
        from astro_paperclip import Like, PaperclipMastClass
        from astro_paperclip.index import Hit
        from astro_paperclip.searching import Found

        class Service:
            def search(self, likes, where=None, **options):
                return [Found([Hit("a", 0.5, {"obsid": "7"})]) for like in likes]

            def info(self):
                return {}

        class Remote(PaperclipMastClass):
            def _opened(self, location):
                return Service()

        expression = Like("spiral galaxy") - Like(similar_to=3)
        (result,) = Remote("/far").query_text([expression])
        assert result["obsid"].tolist() == ["7"]
        heavy = {"torch", "open_clip", "transformers", "qdrant_client", "qdrant_edge", "pydantic"}
        print(json.dumps(sorted(heavy & sys.modules.keys())))
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", dedent(code)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
