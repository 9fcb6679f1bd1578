"""A result leads on: to the sky, to the Virtual Observatory, and to the files."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable, join, vstack
from regions import CircleSkyRegion, PolygonSkyRegion, Regions

from astro_paperclip import PaperclipResult
from astro_paperclip.archive import Mast, get_product_list
from astro_paperclip.exceptions import InvalidQueryError, NoResultsWarning
from astro_paperclip.simulation import serve, write_archive
from astro_paperclip.sky import parse_footprint

TWO_CHIPS = (
    "POLYGON J2000 10 0 10.02 0 10.02 0.02 10 0.02 10 0 POLYGON J2000 10.03 0 10.05 0 10.05 0.02"
)
ROWS = [
    {"obsid": "1", "target_name": "NGC 1", "s_ra": 10.01, "s_dec": 0.01, "s_region": TWO_CHIPS},
    {"obsid": "2", "target_name": "A;{B}#", "ra": 20.0, "dec": -5.0, "s_region": None},
    {"obsid": "3", "target_name": "", "s_region": "CIRCLE ICRS 30 40 0.1", "s_ra": None},
    {"obsid": "4", "target_name": "LOST", "s_region": "no region", "s_ra": np.nan, "s_dec": 1.0},
]


def found(rows, **query):
    hits = [SimpleNamespace(id=str(n), score=-n, payload=row) for n, row in enumerate(rows)]
    return PaperclipResult.from_hits(hits, query=query)


@pytest.fixture
def result():
    return found(ROWS)


def test_positions_are_those_of_mast_else_those_of_the_pairs(result):
    assert isinstance(result.coords, SkyCoord)
    assert result.coords.frame.name == "icrs"
    np.testing.assert_array_equal(result.coords.ra.deg, [10.01, 20.0, np.nan, np.nan])
    np.testing.assert_array_equal(result.coords.dec.deg, [0.01, -5.0, np.nan, np.nan])


def test_a_result_without_positions_has_none():
    assert np.isnan(found([{"obsid": "1"}, {"obsid": "2"}]).coords.ra).all()
    assert len(found([]).coords) == 0


def test_each_row_has_its_footprint(result):
    footprints = result.footprints()
    assert all(isinstance(footprint, Regions) for footprint in footprints)
    assert [len(footprint) for footprint in footprints] == [2, 0, 1, 0]
    assert all(isinstance(region, PolygonSkyRegion) for region in footprints[0])
    (circle,) = footprints[2]
    assert isinstance(circle, CircleSkyRegion)
    assert circle.radius == 0.1 * u.deg


def test_footprints_without_any(result):
    assert [len(f) for f in found([{"obsid": "1"}]).footprints()] == [0]
    assert found([]).footprints() == []


def test_the_moc_is_that_of_the_footprints(result):
    mocpy = pytest.importorskip("mocpy")
    moc = result.to_moc(max_depth=16)
    assert moc.max_order == 16
    inside = SkyCoord([10.01, 10.045, 30, 10.025, 20], [0.01, 0.01, 40.09, 0.01, -5], unit="deg")
    assert moc.contains_skycoords(inside).tolist() == [True, True, True, False, False]
    circle = mocpy.MOC.from_stcs("CIRCLE ICRS 30 40 0.1", max_depth=16)
    assert circle.difference(moc).empty()
    assert found([]).to_moc().empty()


@pytest.mark.parametrize("depth", [-1, 30, 2.5, "12", True, None])
def test_a_moc_of_no_depth_is_refused(result, depth):
    with pytest.raises(InvalidQueryError, match=r"max_depth must be .* from 0 to 29"):
        result.to_moc(max_depth=depth)


def test_without_mocpy_the_way_out_is_named(result, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mocpy", None)
    with pytest.raises(ImportError, match=r"pip install 'astro_paperclip\[vo\]'"):
        result.to_moc()


def test_a_region_file_says_what_is_what(result, tmp_path):
    path = tmp_path / "footprints.reg"
    result.to_ds9(path)
    regions = Regions.read(path, format="ds9")
    labels = [str(region.meta["text"]) for region in regions]
    assert labels == ["1 NGC 1", "1 NGC 1", "2 A B", "3"]
    names = [type(region).__name__ for region in regions]
    assert names == ["PolygonSkyRegion"] * 2 + ["PointSkyRegion", "CircleSkyRegion"]
    assert regions[2].center.separation(SkyCoord(20, -5, unit="deg")) < 1e-3 * u.arcsec


def test_a_region_file_is_replaced_only_if_that_is_asked_for(result, tmp_path):
    path = tmp_path / "footprints.reg"
    path.write_text("precious")
    with pytest.raises(OSError, match="overwrite=True"):
        result.to_ds9(path)
    with pytest.raises(InvalidQueryError, match="nothing to draw"):
        found([{"obsid": "1"}]).to_ds9(path, overwrite=True)
    assert path.read_text() == "precious"
    result.to_ds9(path, overwrite=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["footprints.reg"]
    assert len(Regions.read(path, format="ds9")) == 4


def test_real_footprints_are_those_of_mocpy(recorded):
    mocpy = pytest.importorskip("mocpy")
    for row, regions in zip(recorded, recorded.footprints(), strict=True):
        words = row["s_region"].upper().split()
        text = " ".join(word for word in words if word not in ("J2000", "GSC1", "ICRS"))
        truth = mocpy.MOC.from_stcs(text, max_depth=16)
        ours = mocpy.MOC.from_astropy_regions(regions[0], max_depth=16)
        assert ours.sky_fraction == pytest.approx(truth.sky_fraction, rel=1e-3)
        assert recorded[row.index : row.index + 1].to_moc(16) == truth


def test_real_footprints_are_written_and_read(recorded, tmp_path):
    path = tmp_path / "footprints.reg"
    recorded.to_ds9(path)
    back = Regions.read(path, format="ds9")
    assert [region.meta["text"].split()[0] for region in back] == [
        str(rank) for rank in recorded["rank"]
    ]
    for region, text in zip(back, recorded["s_region"], strict=True):
        shape = parse_footprint(text)
        if hasattr(shape, "vertices"):
            written = {(round(v.ra.deg, 6), round(v.dec.deg, 6)) for v in region.vertices}
            assert written == {(round(ra, 6), round(dec, 6)) for ra, dec in shape.vertices}


# -- Tables, after all that is done to tables ---------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r[::2],
        lambda r: r[r["score"] < 0],
        lambda r: r[np.argsort(r["obsid"])],
        lambda r: vstack([r[:1], r[2:]]),
        lambda r: join(r, r["obsid", "rank"], keys="obsid", join_type="inner"),
        lambda r: r.group_by("obs_collection").groups[0],
        lambda r: r["obsid", "target_name", "obs_id", "obs_collection"],
    ],
    ids=["slice", "mask", "sort", "vstack", "join", "group", "columns"],
)
def test_what_is_left_of_a_result_still_names_observations(recorded, change):
    part = change(recorded)
    assert isinstance(part, PaperclipResult)
    assert part["obsid"].dtype.kind == "U"
    assert not hasattr(part["obsid"], "mask")
    assert all(obsid.isascii() and obsid.isdigit() for obsid in part["obsid"])
    assert set(part["obsid"]) <= set(recorded["obsid"])
    assert part.query == recorded.query


def test_sorting_in_place_keeps_rows_together(recorded):
    before = dict(zip(recorded["obsid"], recorded["obs_id"], strict=True))
    recorded.sort("t_exptime")
    assert dict(zip(recorded["obsid"], recorded["obs_id"], strict=True)) == before
    assert (np.diff(recorded["t_exptime"]) >= 0).all()


def test_wavelengths_of_a_qtable_are_quantities(recorded):
    wavelength = QTable(recorded[:1])["em_min"][0]
    assert float(wavelength.to_value("um")) == pytest.approx(0.71351)


# -- Files of the observations ------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Return the observations of a small archive, and the address where it is served."""
    import pyarrow.parquet as pq

    folder = tmp_path_factory.mktemp("archive")
    write_archive(folder, proposals=3, images_per_proposal=(2, 2), size=64, progress=False)
    with serve(folder) as server:
        yield pq.read_table(folder / "observations.parquet").to_pylist(), server.url


def test_products_of_a_result_are_those_of_the_archive(served):
    rows, url = served
    result, mast = found(rows[::-1]), Mast(url)
    products = result.get_product_list(mast=mast, progress=False, productType="PREVIEW")
    expected = get_product_list(result, mast=mast, progress=False, productType="PREVIEW")
    assert products["dataURI"].tolist() == expected["dataURI"].tolist()
    assert products["rank"][0] == 1
    assert set(products["parent_obsid"]) == set(result["obsid"])
    urls = result.get_urls(mast=mast, progress=False, productType="PREVIEW")
    assert all(address.startswith(url) for address in urls["url"])


def test_files_of_a_result_are_downloaded(served, tmp_path):
    rows, url = served
    manifest = found(rows[:2]).download_products(
        download_dir=tmp_path, mast=Mast(url), progress=False, productType="PREVIEW"
    )
    assert set(manifest["Status"]) == {"COMPLETE"}
    assert set(manifest["obsid"]) == {row["obsid"] for row in rows[:2]}
    assert sorted(manifest["Local Path"]) == sorted(map(str, tmp_path.rglob("*.jpg")))


def test_sizes_of_files_come_from_their_products(served):
    rows, url = served
    result = found(rows)
    products = result.get_product_list(mast=Mast(url), progress=False)
    known = dict(zip(products["dataURI"], products["size"], strict=True))
    table = result.to_obscore(products)
    assert table["access_estsize"].unit == u.kbyte
    for row, size in zip(rows, table["access_estsize"], strict=True):
        uri = row["dataURL"] or row["jpegURL"]
        assert size == max(1, round(known[uri] / 1000))
    assert result.to_obscore()["access_estsize"].mask.all()


def test_previews_of_a_result_come_by_rank(served, tmp_path):
    rows, url = served
    result = found(rows[::-1])
    previews = result.get_previews(tmp_path, mast=Mast(url), progress=False)
    assert previews["rank"].tolist() == list(range(1, len(rows) + 1))
    assert previews["obsid"].tolist() == result["obsid"].tolist()
    assert previews["preview"].tolist() == result["jpegURL"].tolist()
    assert previews.colnames[:2] == ["rank", "score"]
    for path in previews["image"]:
        assert (tmp_path / path).read_bytes()[:2] == b"\xff\xd8"


def test_the_picture_that_was_found_goes_before_the_one_that_mast_names(served, tmp_path):
    rows, url = served
    first, second = rows[0], rows[1]
    row = {**first, "preview": second["jpegURL"]}
    local = {**second, "preview": "pictures/mine.jpg"}
    previews = found([row]).get_previews(tmp_path / "a", mast=Mast(url), progress=False)
    assert previews["preview"].tolist() == [second["jpegURL"]]
    previews = found([local]).get_previews(tmp_path / "b", mast=Mast(url), progress=False)
    assert previews["preview"].tolist() == [second["jpegURL"]]


def test_rows_without_a_picture_are_counted(served, tmp_path):
    rows, url = served
    result = found([rows[0], {**rows[1], "jpegURL": None}])
    with pytest.warns(NoResultsWarning, match="1 observations without a preview"):
        previews = result.get_previews(tmp_path, mast=Mast(url), progress=False)
    assert previews["rank"].tolist() == [1]


def test_pictures_of_nothing(served, tmp_path):
    rows, url = served
    for nothing in (found([]), found(rows)[:0]):
        with pytest.warns(NoResultsWarning, match="no observations to fetch the pictures of"):
            previews = nothing.get_previews(tmp_path, mast=Mast(url), progress=False)
        assert len(previews) == 0
        assert previews.colnames[:2] == ["rank", "score"]


def test_a_result_without_proposals_has_no_place_for_pictures(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InvalidQueryError, match="column proposal_id"):
            found([{"obsid": "1", "jpegURL": "mast:HST/a.jpg"}]).get_previews(tmp_path / "x")
    assert not (tmp_path / "x").exists()
