import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import NDData
from astroquery.exceptions import InputWarning
from astroquery.query import BaseQuery
from PIL import Image

from astro_paperclip import (
    PaperclipMast,
    PaperclipMastClass,
    PaperclipResult,
    conf,
)
from astro_paperclip.calibration import Bank
from astro_paperclip.collection import Collection
from astro_paperclip.columns import CONTRACT_COLUMNS
from astro_paperclip.exceptions import (
    CollectionError,
    ImageError,
    IndexMismatchError,
    InvalidQueryError,
    MaxResultsWarning,
    NoResultsWarning,
    UntrainedEncoderWarning,
)
from astro_paperclip.index import Record, point_id
from astro_paperclip.searching import directions, indexed

from .stand_ins import Encoder, direction, make_collection

N_POINTS = 30
ENCODER = Encoder(views="rotations")


class FakeStore:
    """Ranks by brute force."""

    def __init__(self, vectors):
        self.vectors = vectors
        self.is_open = True

    def search(
        self, vector, where=None, limit=10, offset=0, exact=None, using=None, *, max_per_group=None
    ):
        assert self.is_open
        assert using is None
        scores = self.vectors @ vector
        order = np.argsort(-scores, kind="stable")
        if max_per_group is not None:
            seen = Counter()
            order = [i for i in order if not seen.update([i % 3]) and seen[i % 3] <= max_per_group]
        order = order[offset : offset + limit]
        return [
            SimpleNamespace(
                id=f"id{i}", score=float(scores[i]), payload={"obsid": 1000 + int(i), "s_ra": 1.5}
            )
            for i in order
        ]

    def scroll(self, where=None, with_vectors=False, *, with_payload=True):
        assert with_vectors
        for i in sorted(range(len(self.vectors)), key="id{}".format):
            yield Record(f"id{i}", vector=self.vectors[i])

    def retrieve(self, ids, with_vectors=False, *, with_payload=True):
        found = {record.id: record for record in self.scroll(with_vectors=with_vectors)}
        return [found[point] for point in ids]

    def vector_of(self, encoder):
        return None

    def count(self, where=None):
        return len(self.vectors)

    def close(self):
        self.is_open = False


@pytest.fixture(scope="module")
def vectors():
    vectors = np.random.default_rng(1).normal(size=(N_POINTS, ENCODER.dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def opened(monkeypatch, vectors):
    """Put stand-ins in the place of collections and stores; return the stores that get opened."""
    stores = {}

    def open_collection(path):
        about = {"encoder_name": ENCODER.name, "encoder_fingerprint": ENCODER.fingerprint}
        return Collection(path=Path(path), dimension=ENCODER.dim, views=ENCODER.views, **about)

    def open_store(path, mode="r", encoder=None):
        assert (mode, encoder) == ("r", ENCODER.fingerprint)
        assert path not in stores or not stores[path].is_open
        stores[path] = FakeStore(vectors)
        return stores[path]

    monkeypatch.setattr(indexed, "Collection", SimpleNamespace(open=open_collection))
    monkeypatch.setattr(indexed, "open_store", open_store)
    # Else each encoder that counts what it is asked would be asked for the whole bank.
    monkeypatch.setattr(indexed, "text_bank", lambda encoder, folder: Bank(vectors[::-1]))
    return stores


@pytest.fixture
def encoder():
    return Encoder(views="rotations")


@pytest.fixture
def paperclip(opened, encoder):
    with PaperclipMast(collection="/here", encoder=encoder) as paperclip:
        yield paperclip


@pytest.fixture
def refusing(monkeypatch):
    """Give an instance that must not open anything."""

    def refuse(*args, **kwargs):
        raise AssertionError("something was opened")

    monkeypatch.setattr(indexed, "Collection", SimpleNamespace(open=refuse))
    monkeypatch.setattr(indexed, "open_store", refuse)
    return PaperclipMast(collection="/here")


def test_it_is_an_astroquery_class():
    assert isinstance(PaperclipMast, PaperclipMastClass)
    assert isinstance(PaperclipMast, BaseQuery)
    assert PaperclipMast.name == "PaperclipMast"
    fresh = PaperclipMast(collection="/there")
    assert type(fresh) is PaperclipMastClass
    assert fresh is not PaperclipMast


def test_ranking_is_that_of_the_cosine(paperclip, vectors):
    result = paperclip.query_text("a galaxy", limit=7)
    scores = vectors @ direction(b"a galaxy")
    best = np.argsort(-scores)[:7]
    assert isinstance(result, PaperclipResult)
    assert list(result["rank"]) == [1, 2, 3, 4, 5, 6, 7]
    assert list(result["obsid"]) == [str(1000 + i) for i in best]
    np.testing.assert_allclose(result["score"], scores[best], rtol=1e-6)
    assert str(result["s_ra"].unit) == "deg"


def test_offset_goes_on_where_the_limit_ended(paperclip):
    whole = paperclip.query_text("a galaxy", limit=9)
    parts = [paperclip.query_text("a galaxy", limit=3, offset=k) for k in (0, 3, 6)]
    assert [n for part in parts for n in part["obsid"]] == list(whole["obsid"])
    assert [n for part in parts for n in part["rank"]] == list(range(1, 10))


def test_limit_comes_from_the_configuration(paperclip):
    with conf.set_temp("row_limit", 4):
        assert len(paperclip.query_text("a galaxy")) == 4
    assert len(paperclip.query_text("a galaxy", limit=np.int64(5))) == 5


def test_a_full_table_is_no_reason_to_warn(paperclip):
    assert len(paperclip.query_text("a galaxy", limit=3)) == 3


def test_at_most_so_many_of_a_proposal(paperclip):
    every = paperclip.query_text("a galaxy", limit=N_POINTS)["obsid"].tolist()
    kept = [
        obsid
        for place, obsid in enumerate(every)
        if sum(int(other) % 3 == int(obsid) % 3 for other in every[:place]) < 2
    ]
    result = paperclip.query_text("a galaxy", limit=4, offset=1, max_per_proposal=2)
    assert result["obsid"].tolist() == kept[1:5]
    assert result["rank"].tolist() == [2, 3, 4, 5]
    assert result.query["max_per_proposal"] == 2


def test_score_threshold(paperclip, vectors):
    scores = vectors @ direction(b"a galaxy")
    enough = int((scores >= 0.2).sum())
    assert 3 < enough < N_POINTS
    result = paperclip.query_text("a galaxy", score_threshold=0.2, limit=enough)
    assert len(result) == enough
    assert min(result["score"]) >= 0.2
    with pytest.warns(MaxResultsWarning, match=f"More than {enough - 1} observations"):
        result = paperclip.query_text("a galaxy", score_threshold=0.2, limit=enough - 1)
    assert len(result) == enough - 1


@pytest.mark.parametrize("left", [0, 2])
def test_points_that_are_deleted_during_the_search_have_no_percentile(paperclip, monkeypatch, left):
    retrieve = FakeStore.retrieve
    monkeypatch.setattr(
        FakeStore, "retrieve", lambda self, ids, **options: retrieve(self, ids[:left], **options)
    )
    result = paperclip.query_text("a galaxy", limit=5)
    assert result["score_percentile"].mask.tolist() == [False] * left + [True] * (5 - left)
    assert np.isfinite(result["score"]).all()


def test_a_server_that_names_no_encoder_is_let_go(monkeypatch, vectors):
    store = FakeStore(vectors)
    monkeypatch.setattr(store, "info", lambda: {"collection": {}}, raising=False)
    monkeypatch.setattr(indexed, "open_store", lambda location: store)
    with pytest.raises(CollectionError, match="does not say which encoder"):
        PaperclipMast.query_text("a galaxy", collection="http://localhost:6333/sky")
    assert not store.is_open


@pytest.mark.parametrize("options", [{"score_threshold": 1.0}, {"offset": N_POINTS}])
def test_nothing_found_is_an_empty_table_and_a_warning(paperclip, options):
    with pytest.warns(NoResultsWarning, match="matched nothing in /here") as caught:
        result = paperclip.query_text("a galaxy", **options)
    assert caught[0].filename == __file__
    assert len(result) == 0
    assert tuple(result.colnames) == CONTRACT_COLUMNS


@pytest.mark.parametrize("text", ["", "  \n", None, 5, b"galaxy", [], [" "], ["a", 5]])
def test_text_must_say_something(refusing, text):
    with pytest.raises(InvalidQueryError, match="text must say what to look for"):
        refusing.query_text(text)


@pytest.mark.parametrize("method", ["query_text", "query_image"])
@pytest.mark.parametrize(
    "wrong",
    [
        *({"limit": value} for value in (0, -1, 2.0, True, "5", np.nan, 2**64)),
        *({"offset": value} for value in (-1, 0.0, False, None, "5", 10**30)),
        *({"max_per_proposal": value} for value in (0, -1, 1.0, True, "5")),
        *({"score_threshold": value} for value in ("0.5", 99, np.nan, np.inf, True, 1j)),
        *({"collection": value} for value in ("", 5, b"")),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_before_any_work(refusing, method, wrong):
    (name,) = wrong
    with pytest.raises(InvalidQueryError, match=f"^{name} must be"):
        getattr(refusing, method)("/no/such/picture.jpg", **wrong)


def test_options_are_keyword_only(refusing):
    with pytest.raises(TypeError):
        refusing.query_text("a galaxy", 5)


def test_collection_must_be_given_somewhere():
    with pytest.raises(InvalidQueryError, match=r"conf\.collection"):
        PaperclipMast.query_text("a galaxy")


def test_collection_of_the_query_goes_before_that_of_the_instance_and_the_configured_one(
    opened, encoder, monkeypatch, tmp_path
):
    monkeypatch.setenv("HOME", str(tmp_path))
    with conf.set_temp("collection", "/configured"):
        plain = PaperclipMast(encoder=encoder)
        own = PaperclipMast(collection="/own", encoder=encoder)
        found = [
            plain.query_text("a galaxy", limit=1),
            own.query_text("a galaxy", limit=1),
            own.query_text("a galaxy", limit=1, collection="~/given"),
        ]
    expected = ["/configured", "/own", str(tmp_path / "given")]
    assert [result.query["collection"] for result in found] == expected
    assert list(opened) == expected


def test_payload_is_what_would_be_searched(refusing, picture):
    payload = refusing.query_text(" a galaxy ", limit=3, get_query_payload=True)
    assert payload == {
        "kind": "text",
        "text": "a galaxy",
        "terms": [
            {
                "weight": 1.0,
                "text": "a galaxy",
                "sha256": hashlib.sha256(b"a galaxy").hexdigest(),
            }
        ],
        "collection": "/here",
        "limit": 3,
        "offset": 0,
        "score_threshold": None,
        "max_per_proposal": None,
        "select_cols": None,
    }
    payload = refusing.query_image(picture, get_query_payload=True)
    (term,) = payload["terms"]
    assert term["image"] == str(picture)
    assert term["sha256"] == hashlib.sha256(picture.read_bytes()).hexdigest()


def test_provenance_of_a_result(paperclip):
    options = {"limit": N_POINTS, "score_threshold": -1}
    result = paperclip.query_text("a galaxy", **options)
    assert result.query == paperclip.query_text("a galaxy", **options, get_query_payload=True)
    assert result.index_info == {
        "collection": "/here",
        "encoder": "fake",
        "fingerprint": ENCODER.fingerprint,
        "count": N_POINTS,
    }
    json.dumps(result.meta["searches"])


def test_image_is_ranked_by_its_own_vector(paperclip, picture, vectors):
    result = paperclip.query_image(str(picture), limit=2)
    pixels = np.asarray(Image.open(picture))
    best = np.argsort(-(vectors @ direction(pixels.tobytes())))[:2]
    assert list(result["obsid"]) == [str(1000 + i) for i in best]
    assert result.query["kind"] == "image"


def test_images_in_memory_are_the_same_query(paperclip, picture):
    pixels = np.asarray(Image.open(picture))
    in_memory = [Image.open(picture), pixels, Image.fromarray(pixels)]
    digests = {
        paperclip.query_image(image, get_query_payload=True)["terms"][0]["sha256"]
        for image in in_memory
    }
    assert len(digests) == 1
    (other,) = paperclip.query_image(pixels[::-1], get_query_payload=True)["terms"]
    assert other["sha256"] not in digests
    assert other["image"] is None


@pytest.mark.parametrize("kind", [lambda a: a, NDData, fits.PrimaryHDU])
def test_kinds_of_image(paperclip, kind):
    data = np.random.default_rng(3).normal(size=(20, 30))
    assert len(paperclip.query_image(kind(data), limit=2)) == 2


def test_broken_images_are_named(paperclip, tmp_path, encoder):
    with pytest.raises(ImageError, match=r"absent\.jpg.*no such file"):
        paperclip.query_image(tmp_path / "absent.jpg")
    with pytest.raises(ImageError, match=r"directory"):
        paperclip.query_image(tmp_path)
    with pytest.raises(ImageError):
        paperclip.query_image(np.full((20, 20), np.nan))
    with pytest.raises(ImageError):
        paperclip.query_image(5)
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(ImageError, match=r"text\.jpg"):
        paperclip.query_image(tmp_path / "text.jpg")
    assert len(paperclip.query_text("still of use", limit=1)) == 1


def test_repeated_queries_are_encoded_once(paperclip, encoder, picture):
    for _ in range(2):
        paperclip.query_text("a galaxy", limit=1)
        paperclip.query_text("a galaxy ", limit=5)
        paperclip.query_image(picture, limit=1)
    assert encoder.encoded == ["a galaxy", picture.read_bytes()]


def test_only_recent_vectors_are_kept(paperclip, encoder, monkeypatch):
    monkeypatch.setattr(directions, "_REMEMBERED", 2)
    for text in ("a", "b", "a", "c", "a", "b"):
        paperclip.query_text(text, limit=1)
    assert encoder.encoded == ["a", "b", "c", "b"]


def test_long_text_is_said_to_be_cut(paperclip):
    paperclip.query_text("one two three four five six seven eight", limit=1)
    with pytest.warns(InputWarning, match="11 tokens.*only 10") as caught:
        paperclip.query_text("one two three four five six seven eight nine", limit=1)
    assert caught[0].filename == __file__


def test_untrained_encoder_is_pointed_out_for_texts(paperclip, encoder, picture):
    encoder.trained = False
    with pytest.warns(UntrainedEncoderWarning, match="fake"):
        paperclip.query_text("a galaxy", limit=1)
    paperclip.query_image(picture, limit=1)


def test_another_encoder_is_refused(opened, encoder):
    encoder.fingerprint = "0" * 64
    with pytest.raises(IndexMismatchError, match="fake"):
        PaperclipMast(collection="/here", encoder=encoder).query_text("a galaxy")


def test_encoder_is_loaded_by_name_once(opened, encoder, monkeypatch):
    pytest.importorskip("torch")
    from astro_paperclip import encoders

    asked = []

    def load(name, device=None):
        asked.append((name, device))
        return encoder

    monkeypatch.setattr(encoders, "load", load)
    paperclip = PaperclipMast(device="cpu")
    for path in ("/here", "/there", "/here"):
        paperclip.query_text("a galaxy", limit=1, collection=path)
    assert asked == [("fake", "cpu")]
    PaperclipMast(encoder="other").query_text("a galaxy", limit=1, collection="/elsewhere")
    assert asked[1:] == [("other", None)]
    with conf.set_temp("encoder", "configured"):
        PaperclipMast().query_text("a galaxy", limit=1, collection="/anywhere")
        PaperclipMast(encoder="given").query_text("a galaxy", limit=1, collection="/far")
    assert asked[2:] == [("configured", None), ("given", None)]


def test_a_collection_with_an_encoder_of_its_own_is_searched_with_that(
    opened, encoder, monkeypatch, tmp_path
):
    pytest.importorskip("torch")
    from astro_paperclip import encoders

    asked = []
    monkeypatch.setattr(encoders, "load", lambda name, device: asked.append(name) or encoder)
    (tmp_path / "encoder").mkdir()
    PaperclipMast.query_text("a galaxy", limit=1, collection=tmp_path)
    PaperclipMast.close()
    assert asked == [str(tmp_path / "encoder")]


def test_close_lets_go_and_the_next_query_opens_again(opened, encoder):
    with PaperclipMast(collection="/here", encoder=encoder) as paperclip:
        first = paperclip.query_text("a galaxy", limit=3)
        assert opened["/here"].is_open
    assert not opened["/here"].is_open
    paperclip.close()
    again = paperclip.query_text("a galaxy", limit=3)
    assert list(again["obsid"]) == list(first["obsid"])
    paperclip.close()


def test_a_directory_without_a_collection(tmp_path):
    with pytest.raises(CollectionError, match=str(tmp_path)):
        PaperclipMast.query_text("a galaxy", collection=tmp_path)
    with pytest.raises(CollectionError, match="absent"):
        PaperclipMast.query_text("a galaxy", collection=tmp_path / "absent")


@pytest.fixture(scope="module")
def template(tmp_path_factory, vectors):
    """Return a real collection of the vectors, with rows as a pairs file has them."""
    pytest.importorskip("qdrant_edge")
    path = tmp_path_factory.mktemp("core") / "collection"
    rows = [
        {
            "image": f"previews/{i}.jpg",
            "obsid": str(2003585980 + i),
            "obs_id": f"U27XCS{i:02d}T",
            "target_name": "LO-LAT",
            "obs_collection": "HST",
            "s_ra": 23.118171293945 + i,
            "s_dec": 60.64213575852,
            "t_exptime": 1500.0,
            "calib_level": 3,
            "mtFlag": i % 2 == 0,
            "proposal_id": "5371",
            "ours": i,
        }
        for i in range(N_POINTS)
    ]
    del rows[4]["s_ra"], rows[4]["obsid"]
    return make_collection(path, ENCODER, vectors, rows)


@pytest.fixture
def stored(template, tmp_path):
    """Return a collection of one's own: building one takes seconds."""
    return Path(shutil.copytree(template, tmp_path / "collection"))


class TestStoredCollection:
    """Queries of a collection on disk, with the real index."""

    def test_ranking_and_columns(self, stored, encoder, vectors):
        with PaperclipMast(collection=stored, encoder=encoder) as paperclip:
            result = paperclip.query_text("a galaxy", limit=N_POINTS)
        scores = vectors @ direction(b"a galaxy")
        order = np.argsort(-scores)
        assert list(result["ours"]) == list(order)
        np.testing.assert_allclose(result["score"], scores[order], atol=1e-5)
        place = list(order).index(4)
        assert list(np.flatnonzero(result["s_ra"].mask)) == [place]
        assert result["obsid"][place] == ""
        assert result.colnames[-1] == "ours"
        assert result["s_ra"].info.meta["ucd"] == "pos.eq.ra;meta.main"
        assert [result[name].dtype.kind for name in ("mtFlag", "calib_level", "ours")] == list(
            "bii"
        )
        assert result.index_info["count"] == N_POINTS

    def test_images_and_paging(self, stored, encoder, picture):
        with PaperclipMast(collection=stored, encoder=encoder) as paperclip:
            whole = paperclip.query_image(picture, limit=12)
            pages = [paperclip.query_image(picture, limit=4, offset=k) for k in (0, 4, 8)]
            with pytest.warns(NoResultsWarning):
                assert len(paperclip.query_image(picture, offset=N_POINTS)) == 0
        assert [n for page in pages for n in page["ours"]] == list(whole["ours"])

    def test_round_trip_through_a_file(self, stored, encoder, tmp_path):
        with PaperclipMast(collection=stored, encoder=encoder) as paperclip:
            result = paperclip.query_text("a galaxy", limit=N_POINTS)
        result.write(tmp_path / "result.ecsv")
        back = PaperclipResult.read(tmp_path / "result.ecsv")
        assert back.searches == result.searches
        assert back.pformat(max_lines=-1) == result.pformat(max_lines=-1)

    def test_another_encoder_is_refused(self, stored, encoder):
        encoder.fingerprint = "0" * 64
        with (
            PaperclipMast(collection=stored, encoder=encoder) as paperclip,
            pytest.raises(IndexMismatchError, match="index join"),
        ):
            paperclip.query_text("a galaxy")

    def test_collection_can_be_written_after_close(self, stored, encoder, vectors):
        paperclip = PaperclipMast(collection=stored, encoder=encoder)
        paperclip.query_text("a galaxy", limit=1)
        paperclip.close()
        with indexed.open_store(
            stored, mode="w", dimension=ENCODER.dim, encoder=ENCODER.fingerprint
        ) as store:
            store.upsert([point_id("new.jpg")], encoder.encode_texts(["a galaxy"]), [{"ours": 99}])
        assert paperclip.query_text("a galaxy", limit=1)["ours"][0] == 99
        paperclip.close()


class TestMast:
    """A result goes through astroquery's own functions."""

    @pytest.fixture
    def asked(self, monkeypatch):
        """Return what MAST is asked for instead of asking it."""
        from astroquery.mast import Observations

        asked = []

        def request(service, params, *args, **kwargs):
            asked.append(params)
            return [SimpleNamespace(raise_for_status=lambda: None)]

        monkeypatch.setattr(Observations._portal_api_connection, "service_request_async", request)
        return asked

    def test_table_row_and_mask(self, paperclip, asked):
        from astroquery.mast import Observations

        result = paperclip.query_text("a galaxy", limit=3)
        for rows, count in ((result, 3), (result[result["score"] > -2], 3), (result[:2], 2)):
            Observations.get_product_list_async(rows)
            assert asked.pop() == {"obsid": ",".join(result["obsid"][:count])}
        Observations.get_product_list_async(result[1])
        assert asked == [{"obsid": result["obsid"][1]}]

    def test_table_read_from_a_file_asks_for_known_observations_only(self, asked, tmp_path):
        from astroquery.mast import Observations

        hits = [
            SimpleNamespace(id="a", score=0.9, payload={"obsid": 2003585980}),
            SimpleNamespace(id="b", score=0.8, payload={"target_name": "M 31"}),
            SimpleNamespace(id="c", score=0.7, payload={"obsid": 2003586264.0}),
        ]
        path = tmp_path / "result.ecsv"
        PaperclipResult.from_hits(hits).write(path)
        Observations.get_product_list_async(PaperclipResult.read(path))
        assert asked == [{"obsid": "2003585980,2003586264"}]
