"""Collections that are made with a profile, on a server that holds to Qdrant's contract."""

import json

import numpy as np
import pytest

from astro_paperclip.building import describe_collection
from astro_paperclip.cli.main import main
from astro_paperclip.collection import Collection
from astro_paperclip.exceptions import (
    CollectionError,
    CollectionServerError,
    IndexMismatchError,
    InvalidQueryError,
)
from astro_paperclip.index import (
    PROFILES,
    Profile,
    copy_collection,
    create_index,
    finish_index,
    open_store,
)
from astro_paperclip.index.schema import INDEXED_FIELDS
from astro_paperclip.index.server import connection, finishing

from .conftest import DIMENSION, assert_holds, make_points
from .loopback import APPLIED_THEN_CUT, Fault, LoopbackServer, Reply, at, refused

LINKED = {"instrument_name", "filters", "proposal_id", "t_min"}


@pytest.fixture
def address(loopback):
    return f"{loopback.url}/sky"


@pytest.fixture
def pauses(monkeypatch):
    """Make pauses short, and return those that were made."""
    made = []
    monkeypatch.setattr(connection.time, "sleep", made.append)
    monkeypatch.setattr(finishing.time, "sleep", made.append)
    return made


@pytest.fixture
def slow_builder(openapi_document):
    """A server that takes its time to build a graph."""
    with LoopbackServer(openapi_document, yellow_answers=4) as server:
        yield server
    assert server.violations == []
    assert server.own_faults == []


@pytest.fixture
def directory(tmp_path):
    home = tmp_path / "hubble"
    points = make_points(30)
    Collection.create(
        home, encoder_name="encoder", encoder_fingerprint="abc", dimension=DIMENSION, views="whole"
    )
    with open_store(home, mode="w", encoder="abc") as store:
        store.upsert(points.ids, points.vectors, points.payloads)
    return home


def bodies(server, method, ending):
    return [
        request.body
        for request in server.requests
        if request.method == method and request.path.endswith(ending)
    ]


def settings(changes):
    """Return the bodies of changes without those that only change the record."""
    return [body for body in changes if set(body) != {"metadata"}]


def answered(loopback, status, optimizer_status="ok"):
    """Return a fault: an answer about a collection in another state than it is in."""
    client = loopback.client()
    content = json.loads(client.get_collection("sky").model_dump_json())
    content |= {"status": status, "optimizer_status": optimizer_status}
    body = json.dumps({"result": content, "status": "ok", "time": 0}).encode()
    return Fault(is_applied=False, reply=Reply(200, "application/json", body))


class TestCreating:
    def test_cluster(self, loopback, address):
        profile = create_index(address, 512, encoder="abc", profile="cluster")
        assert profile == Profile.named("cluster")
        (made,) = bodies(loopback, "PUT", "/collections/sky")
        metadata = made.pop("metadata")["astro_paperclip"]
        assert made == {
            "sparse_vectors": {"words": {"modifier": "idf"}},
            "vectors": {
                "image": {
                    "size": 512,
                    "distance": "Cosine",
                    "datatype": "float16",
                    "on_disk": True,
                }
            },
            "shard_number": 12,
            "replication_factor": 2,
            "write_consistency_factor": 1,
            "on_disk_payload": True,
            "hnsw_config": {"m": 0, "payload_m": 0, "ef_construct": 128},
            "optimizers_config": {"max_segment_size": 5_000_000, "default_segment_number": 2},
            "quantization_config": {
                "scalar": {"type": "int8", "quantile": pytest.approx(0.99), "always_ram": True}
            },
        }
        assert metadata["profile"] == profile.as_content()
        assert (metadata["dimension"], metadata["encoder"]) == (512, "abc")

    def test_indexes_of_cluster_have_links_where_they_help(self, loopback, address):
        create_index(address, 4, profile="cluster")
        asked = {body["field_name"]: body["field_schema"] for body in bodies(loopback, "PUT", "ex")}
        assert asked.keys() == INDEXED_FIELDS.keys()
        assert {name for name, schema in asked.items() if schema["enable_hnsw"]} == LINKED

    def test_laptop_is_what_opening_makes(self, loopback, address):
        create_index(address, 4)
        open_store(f"{loopback.url}/other", mode="w", dimension=4).close()
        (one,) = bodies(loopback, "PUT", "/collections/sky")
        (other,) = bodies(loopback, "PUT", "/collections/other")
        assert one == other
        assert one["hnsw_config"] == {"m": 0, "payload_m": 0, "ef_construct": 100}
        assert not {"quantization_config", "optimizers_config"} & one.keys()
        assert all(
            "enable_hnsw" not in body["field_schema"] for body in bodies(loopback, "PUT", "ex")
        )

    @pytest.mark.parametrize("name", PROFILES)
    def test_the_same_is_found_with_each_profile(self, address, name, pauses):
        points = make_points(40)
        create_index(address, DIMENSION, profile=name)
        with open_store(address, mode="w", encoder="abc") as store:
            store.upsert(points.ids, points.vectors, points.payloads)
        finish_index(address, progress=False)
        with open_store(address, encoder="abc") as store:
            hits = store.search(points.vectors[0])
            assert [hit.id for hit in hits] == points.ranking(points.vectors[0])[0][:10]
            assert store.info()["profile"] == Profile.named(name).as_content()

    def test_of_ones_own(self, loopback, address, tmp_path):
        (tmp_path / "mine.toml").write_text("shard_number = 3")
        create_index(address, 4, profile=tmp_path / "mine.toml")
        assert bodies(loopback, "PUT", "/collections/sky")[0]["shard_number"] == 3

    def test_there_is_one_already(self, loopback, address):
        open_store(address, mode="w", dimension=4).close()
        with pytest.raises(CollectionError, match=r"a collection .*/sky already.*another name"):
            create_index(address, 4)
        assert len(bodies(loopback, "PUT", "/collections/sky")) == 1

    def test_an_answer_that_is_lost(self, loopback, address, pauses):
        loopback.faults = at("PUT", "/collections/sky", {1: APPLIED_THEN_CUT})
        create_index(address, 4, profile="cluster")
        with open_store(address) as store:
            assert store.info()["profile"]["name"] == "cluster"

    def test_another_was_first(self, loopback, address, monkeypatch):
        open_store(address, mode="w", dimension=4).close()
        honest = connection.Connection.call
        asked = []

        def late(self, method, *args, **options):
            asked.append(method)
            if asked.count("collection_exists") == 1 and method == "collection_exists":
                return False
            return honest(self, method, *args, **options)

        monkeypatch.setattr(connection.Connection, "call", late)
        with pytest.raises(CollectionError, match="already"):
            create_index(address, 4, profile="workstation")

    @pytest.mark.parametrize("dimension", [0, -1, 1.5, "4", None])
    def test_no_length(self, loopback, address, dimension):
        with pytest.raises(InvalidQueryError, match="whole number from 1"):
            create_index(address, dimension)
        assert loopback.requests == []

    def test_encoder_is_that_of_the_first_writer(self, address):
        create_index(address, 4)
        open_store(address, mode="w", encoder="abc").close()
        with pytest.raises(IndexMismatchError, match="fingerprint abc, not def"):
            open_store(address, mode="w", encoder="def")

    def test_nothing_is_found_in_an_empty_one(self, address):
        create_index(address, 4)
        with open_store(address) as store:
            assert store.search(np.ones(4)) == []


class TestFinishing:
    def test_settings_that_end_a_bulk_load(self, slow_builder, pauses):
        address = f"{slow_builder.url}/sky"
        create_index(address, 4, profile="cluster")
        with open_store(address) as store:
            assert store.info()["is_loading"]
        assert finish_index(address, progress=False)
        (sent,) = settings(bodies(slow_builder, "PATCH", "/sky"))
        assert sent == {
            "hnsw_config": {"m": 16, "payload_m": 16, "ef_construct": 128},
            "params": {"write_consistency_factor": 2},
        }
        assert len(pauses) == 4 + 2  # four answers are yellow, and the third green one ends it
        with open_store(address) as store:
            assert not store.info()["is_loading"]

    def test_again(self, loopback, address, pauses):
        create_index(address, 4, profile="workstation")
        finish_index(address, progress=False)
        assert finish_index(address, progress=False)
        assert len(settings(bodies(loopback, "PATCH", "/sky"))) == 1

    def test_laptop_has_nothing_to_finish(self, loopback, address, pauses):
        create_index(address, 4)
        assert not finish_index(address)
        assert settings(bodies(loopback, "PATCH", "/sky")) == []
        assert pauses == []

    def test_shows_what_is_in_the_graph(self, address, pauses, capsys):
        create_index(address, 4, profile="workstation")
        finish_index(address)
        assert "building the graph" in capsys.readouterr().err

    def test_absent(self, loopback, address):
        with pytest.raises(CollectionError, match="no collection 'sky'"):
            finish_index(address)

    def test_interrupted_and_waited_for_again(self, slow_builder, monkeypatch):
        address = f"{slow_builder.url}/sky"
        create_index(address, 4, profile="workstation")

        def interrupt(seconds):
            raise KeyboardInterrupt

        monkeypatch.setattr(finishing.time, "sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            finish_index(address, progress=False)
        monkeypatch.setattr(finishing.time, "sleep", lambda seconds: None)
        assert finish_index(address, progress=False)
        assert len(settings(bodies(slow_builder, "PATCH", "/sky"))) == 1
        with open_store(address) as store:
            assert store.info()["state"] == "complete"

    def test_a_server_that_was_started_again_is_told_to_go_on(self, loopback, address, pauses):
        create_index(address, 4, profile="workstation")
        finish_index(address, progress=False)
        grey, seen = answered(loopback, "grey"), []

        def plan(method, path, number):
            if (method, path) != ("GET", "/collections/sky"):
                return None
            seen.append(number)
            return grey if len(seen) == 3 else None

        loopback.faults = plan
        finish_index(address, progress=False)
        assert settings(bodies(loopback, "PATCH", "/sky"))[1:] == [{"optimizers_config": {}}]

    @pytest.mark.parametrize(
        ("status", "optimizers", "message"),
        [
            ("yellow", {"error": "no space left on device"}, "no space left on device"),
            ("red", "ok", "status red"),
        ],
    )
    def test_failed(self, loopback, address, pauses, status, optimizers, message):
        create_index(address, 4, profile="workstation")
        failed = answered(loopback, status, optimizers)
        loopback.faults = lambda method, path, number: (
            failed if method == "GET" and path.endswith("/sky") else None
        )
        with pytest.raises(CollectionServerError, match=rf"{message}.*index finish http"):
            finish_index(address, progress=False)

    def test_while_the_server_is_away(self, loopback, address, pauses):
        create_index(address, 4, profile="workstation")
        loopback.faults = lambda method, path, number: (
            refused(503) if path.endswith("/sky") and number % 2 else None
        )
        assert finish_index(address, progress=False)


class TestCopying:
    @pytest.mark.parametrize("name", ["workstation", "cluster"])
    def test_a_copy_ends_the_bulk_load(self, directory, loopback, address, name, pauses, tmp_path):
        create_index(address, DIMENSION, profile=name)
        report = copy_collection(directory, address, progress=False)
        assert (report.n_copied, report.n_compared) == (30, 30)
        sent = [request for request in loopback.requests if request.body]
        (built,) = [row for row, request in enumerate(sent) if "hnsw_config" in request.body][1:]
        stored = [row for row, request in enumerate(sent) if "points" in request.body]
        assert built > max(stored)
        with open_store(address, encoder="abc") as store:
            assert store.info()["state"] == "complete"
            assert not store.info()["is_loading"]
        # What a server keeps in half precision comes back so, and is accepted as equal.
        assert copy_collection(address, tmp_path / "back", progress=False).n_compared == 30

    def test_a_plain_copy_waits_for_nothing(self, directory, loopback, address, pauses):
        copy_collection(directory, address, progress=False)
        assert settings(bodies(loopback, "PATCH", "/sky")) == []
        assert pauses == []
        with open_store(address) as store:
            assert_holds(store, make_points(30))


class TestCommand:
    def test_create_then_info(self, loopback, address, capsys):
        arguments = ["--profile", "cluster", "--dimension", "4"]
        assert main(["index", "create", address, *arguments]) == 0
        assert "made with the profile cluster, for vectors of length 4" in capsys.readouterr().out
        assert main(["info", address]) == 0
        shown = capsys.readouterr().out
        assert shown.startswith("0 points\n")
        assert f"cluster, without its graph until: astro-paperclip index finish {address}" in shown

    def test_finish(self, address, capsys, pauses):
        create_index(address, 4, profile="cluster")
        assert main(["index", "finish", address, "--quiet"]) == 0
        assert capsys.readouterr() == (f"{address} has its graph.\n", "")
        assert describe_collection(address)["profile"] == "cluster"

    def test_nothing_to_finish(self, address, capsys):
        create_index(address, 4)
        assert main(["index", "finish", address]) == 0
        assert "nothing to finish" in capsys.readouterr().out

    def test_info_after_copying(self, directory, address, pauses):
        create_index(address, DIMENSION, profile="workstation")
        copy_collection(directory, address, progress=False)
        facts = describe_collection(address)
        assert (facts["points"], facts["encoder"], facts["profile"]) == (
            30,
            "encoder",
            "workstation",
        )

    def test_show_sends_nothing_and_can_be_used(self, loopback, address, capsys, tmp_path):
        assert main(["index", "create", address, "--profile", "cluster", "--show"]) == 0
        assert loopback.requests == []
        shown = capsys.readouterr().out
        (tmp_path / "mine.toml").write_text(shown.replace("shard_number = 12", "shard_number = 6"))
        mine = Profile.named(tmp_path / "mine.toml").as_content()
        theirs = Profile.named("cluster").as_content()
        assert {name for name in mine if mine[name] != theirs[name]} == {"name", "shard_number"}
