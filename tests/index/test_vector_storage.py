"""How the vectors of an index in a directory are kept: half precision, and a byte a component."""

import json
import warnings

import numpy as np
import pytest

from astro_paperclip.cli.main import main
from astro_paperclip.collection import Collection
from astro_paperclip.exceptions import (
    CollectionError,
    InvalidQueryError,
)
from astro_paperclip.index import (
    Profile,
    check_index,
    copy_collection,
    create_index,
    finish_index,
    open_store,
    point_id,
)

from .conftest import DIMENSION, assert_holds, make_points


@pytest.fixture
def location(copied):
    return copied


class TestStorage:
    @pytest.fixture
    def half(self):
        return Profile(name="half", datatype="float16")

    def test_half_precision(self, tmp_path, half):
        points = make_points(200)
        assert create_index(tmp_path, DIMENSION, encoder="abc", profile=half) is half
        with open_store(tmp_path, mode="w", encoder="abc") as store:
            store.upsert(points.ids, points.vectors, points.payloads)
        unit = points.vectors / np.linalg.norm(points.vectors, axis=1, keepdims=True)
        for build in (False, True):
            if build:
                finish_index(tmp_path, progress=False, force=True)
            with open_store(tmp_path) as store:
                assert store.info()["profile"] == half.as_content()
                stored = np.stack(
                    [record.vector for record in store.retrieve(points.ids, with_vectors=True)]
                )
                assert np.abs(stored - unit).max() < 2**-11
                assert not np.array_equal(stored, unit)
                hits = store.search(points.vectors[0], limit=10)
                ranking, scores = points.ranking(points.vectors[0])
                np.testing.assert_allclose([hit.score for hit in hits], scores[:10], atol=2**-10)
                assert len({hit.id for hit in hits} & set(ranking[:10])) >= 9

    def test_half_precision_takes_half_the_disk(self, tmp_path, half):
        sizes = {}
        vectors = np.random.default_rng(0).normal(size=(2000, 256))
        ids = [point_id(str(row)) for row in range(2000)]
        for profile in ("laptop", half):
            location = tmp_path / str(profile)[:6]
            create_index(location, 256, profile=profile)
            with open_store(location, mode="w") as store:
                store.upsert(ids, vectors, [{}] * 2000)
                store.finish(False, force=True)
            files = (location / "index").rglob("vector_storage-image/matrix.dat")
            sizes[profile] = sum(path.stat().st_size for path in files)
        assert sizes["laptop"] >= 2000 * 256 * 4
        assert sizes[half] == pytest.approx(sizes["laptop"] / 2, rel=0.01)

    def test_a_copy_with_a_byte_a_component_comes_with_the_graph(self, tmp_path):
        points = make_points(300)
        profile = Profile(name="bytes", quantization="int8", quantile=0.99, m=8, ef_construct=64)
        create_index(tmp_path, DIMENSION, profile=profile)
        with open_store(tmp_path, mode="w") as store:
            store.upsert(points.ids, points.vectors, points.payloads)
        assert list(tmp_path.rglob("quantized.data")) == []
        finish_index(tmp_path, progress=False, force=True)
        (copy,) = tmp_path.rglob("quantized.data")
        assert copy.stat().st_size >= 300 * DIMENSION
        (built,) = tmp_path.rglob("hnsw_config.json")
        built = json.loads(built.read_text())
        assert (built["m"], built["ef_construct"]) == (8, 64)
        with open_store(tmp_path) as store:
            assert_holds(store, points)

    @pytest.mark.parametrize("name", ["laptop", "workstation", "cluster"])
    def test_copies_are_compared(self, location, tmp_path, name):
        Collection.create(
            location, encoder_name="e", encoder_fingerprint="abc", dimension=DIMENSION, views="w"
        )
        target = tmp_path / "target"
        create_index(target, DIMENSION, profile=name)
        for _ in range(2):
            assert copy_collection(location, target, progress=False).n_compared == 400
            finish_index(target, progress=False, force=True)
        assert copy_collection(target, tmp_path / "back", progress=False).n_compared == 400
        assert check_index(target, progress=False).faults == ()

    def test_there_is_one_already(self, location, points):
        with pytest.raises(CollectionError, match=r"an index in .* already.*another directory"):
            create_index(location, DIMENSION, profile="cluster")
        with open_store(location) as store:
            assert_holds(store, points)

    def test_bad_input_makes_nothing(self, tmp_path):
        with pytest.raises(InvalidQueryError, match="whole number from 1"):
            create_index(tmp_path / "new", 0)
        with pytest.raises(InvalidQueryError, match="no profile 'none'"):
            create_index(tmp_path / "new", 4, profile="none")
        assert list(tmp_path.iterdir()) == []

    def test_an_index_that_was_made_without_a_profile(self, location, points):
        path = location / "index" / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "profile": {}}))
        finish_index(location, progress=False, force=True)
        with open_store(location) as store:
            assert store.info()["profile"]["name"] == "laptop"
            assert_holds(store, points)

    def test_command(self, tmp_path, capsys):
        (tmp_path / "half.toml").write_text('datatype = "float16"')
        place = str(tmp_path / "small")
        options = ["--profile", str(tmp_path / "half.toml"), "--dimension", "4"]
        assert main(["index", "create", place, *options]) == 0
        assert "for vectors of length 4" in capsys.readouterr().out
        with warnings.catch_warnings(), open_store(place) as store:
            assert store.info()["profile"]["datatype"] == "float16"
            assert store.search(np.ones(4)) == []
