"""Indexes that an earlier version made."""

from dataclasses import replace
from pathlib import Path

import pytest
import qdrant_edge
from qdrant_client import QdrantClient, models

from astro_paperclip.cli.main import main
from astro_paperclip.criteria import Within
from astro_paperclip.exceptions import CollectionError
from astro_paperclip.index import ServerAddress, is_address, open_store, upgrade_index, upgrading
from astro_paperclip.index.schema import CELLS_FIELD, FOOTPRINT_FIELD, INDEXED_FIELDS
from astro_paperclip.sky import Box

from .conftest import assert_holds, make_points

NEW_FIELDS = [CELLS_FIELD, FOOTPRINT_FIELD]
HERE = {"lon": 1.0, "lat": 2.0}


@pytest.fixture
def points():
    points = make_points(30)
    for number, row in enumerate(points.payloads):
        row.update(s_ra=10.0 * number, s_dec=5.0)
    return points


@pytest.fixture
def old(place, points):
    """An index as earlier versions made it: without cells, with an index of positions."""
    with open_store(place, mode="w") as store:
        store.upsert(points.ids, points.vectors, points.payloads)
        store.flush()
        if not is_address(place):
            operations = qdrant_edge.UpdateOperation
            everything = qdrant_edge.Filter(must=[])
            store._engine.call(
                "update", operations.delete_payload_by_filter(everything, NEW_FIELDS)
            )
            for field in NEW_FIELDS:
                store._engine.call("update", operations.delete_field_index(field))
            positions = operations.create_field_index("loc", qdrant_edge.GeoIndexParams())
            store._engine.call("update", positions)
            here = operations.set_payload_by_filter(everything, {"loc": HERE})
            store._engine.call("update", here)
        else:
            address = ServerAddress.parse(place)
            client = QdrantClient(url=address.url, check_compatibility=False)
            client.delete_payload(address.collection, NEW_FIELDS, models.Filter(must=[]))
            for field in NEW_FIELDS:
                client.delete_payload_index(address.collection, field)
            client.create_payload_index(
                address.collection, "loc", models.GeoIndexParams(type="geo")
            )
            client.set_payload(address.collection, {"loc": HERE}, models.Filter(must=[]))
            client.close()
        store._manifest = replace(store._manifest, schema_version=1)
        store.flush()
    return place


@pytest.mark.parametrize("mode", ["r", "w"])
def test_is_refused_with_the_way_out(old, mode):
    with pytest.raises(CollectionError, match=r"version 1.*astro-paperclip index upgrade"):
        open_store(old, mode=mode)


def test_upgrade(old, points):
    assert upgrade_index(old, progress=False) == 30
    with open_store(old) as store:
        assert_holds(store, points)
        assert store.info()["state"] == "complete"
        found = [record.payload["s_ra"] for record in store.scroll(Within(Box(15, 35, 0, 10)))]
        assert not any("loc" in record.payload for record in store.scroll())
    assert sorted(found) == [20, 30]
    assert indexed_fields(old) == set(INDEXED_FIELDS)
    assert upgrade_index(old, progress=False) == 0


def indexed_fields(place):
    """Ask the engine itself."""
    if is_address(place):
        address = ServerAddress.parse(place)
        client = QdrantClient(url=address.url, check_compatibility=False)
        found = client.get_collection(address.collection).payload_schema
        client.close()
        return set(found)
    shard = qdrant_edge.EdgeShard.load(str(Path(place) / "index" / "shard"))
    found = shard.info().payload_schema
    shard.close()
    return set(found)


def test_interrupted_upgrade(old, points, monkeypatch):
    with open_store(old, mode="w", oldest=1) as store:
        kind = type(store)
    upserts = []

    def upsert(self, *args):
        upserts.append(args)
        if len(upserts) == 2:
            raise KeyboardInterrupt
        true_upsert(self, *args)

    true_upsert = kind.upsert
    monkeypatch.setattr(upgrading, "_POINTS_PER_PAGE", 10)
    with monkeypatch.context() as patched:
        patched.setattr(kind, "upsert", upsert)
        with pytest.raises(KeyboardInterrupt):
            upgrade_index(old, progress=False)
    with pytest.raises(CollectionError, match="index upgrade"):
        open_store(old)
    assert upgrade_index(old, progress=False) == 30
    with open_store(old) as store:
        assert_holds(store, points)
        assert store.count(Within(Box(15, 35, 0, 10))) == 2


def test_command(old, capsys):
    assert main(["index", "upgrade", old, "--quiet"]) == 0
    assert capsys.readouterr().out == f"{old}: 30 points were stored again.\n"
    assert main(["index", "upgrade", old, "--quiet"]) == 0
    assert "up to date" in capsys.readouterr().out
