"""Lists of products: of whatever names observations, filtered, ranked, each file once."""

import json
import warnings
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, Table
from astroquery.exceptions import InputWarning
from urllib3.util import Retry

from astro_paperclip import PaperclipMast, PaperclipResult
from astro_paperclip.archive import Mast, filter_products, get_product_list, get_urls
from astro_paperclip.archive.obsids import obsid_text
from astro_paperclip.archive.products.columns import PRODUCT_COLUMNS, conformed
from astro_paperclip.exceptions import (
    ArchiveError,
    InvalidQueryError,
    MaxResultsWarning,
    NoResultsWarning,
)
from astro_paperclip.simulation import Holdings, serve

N = 7
FIRST = 2003000001
QUICK = Retry(8, backoff_factor=0.001)


@pytest.fixture(scope="module")
def holdings():
    names = [f"hst_{10000 + number // 4}_{number % 4:02d}_acs_wfc_total" for number in range(N)]
    observations = {
        "obsid": [str(FIRST + number) for number in range(N)],
        "obs_id": names,
        "obs_collection": ["HST"] * N,
        "target_name": ["M 31"] * N,
        "filters": ["F606W;F814W" if number % 2 else "F606W" for number in range(N)],
        "calib_level": [3] * N,
        "jpegURL": [f"mast:HST/product/{name}_drc.jpg" for name in names],
    }
    return Holdings(pa.table({"proposal_id": ["10000"]}), pa.table(observations))


@pytest.fixture
def server(holdings):
    with serve(holdings) as server:
        yield server


@pytest.fixture
def mast(server):
    mast = Mast(server.url, retry=QUICK, timeout=2)
    yield mast
    mast.session.close()
    mast.reply_session.close()


@pytest.fixture
def result(holdings):
    """Return a ranking of all observations, the last one first."""
    rows = holdings.observations.to_pylist()[::-1]
    hits = [
        SimpleNamespace(id=row["obsid"], score=1 - number / 10, payload=row)
        for number, row in enumerate(rows)
    ]
    return PaperclipResult.from_hits(hits)


class Replies:
    """Stands for a MAST whose portal gives these products, whatever is asked."""

    def __init__(self, rows, pagesize=50_000):
        self.asked = []
        self.rows = rows
        self.observations = self
        self._portal_api_connection = SimpleNamespace(PAGESIZE=pagesize)

    def attempt(self, function, *args):
        return function(*args)

    def get_product_list(self, obsids):
        self.asked.append(obsids)
        found = [row for row in self.rows if row.get("asked", obsids[0]) in obsids]
        return Table(rows=[{k: v for k, v in row.items() if k != "asked"} for row in found])


def product(uri="mast:HST/product/a.fits", **values):
    return {"dataURI": uri, "obsID": str(FIRST), "productFilename": uri.rpartition("/")[2]} | values


def test_a_result_gets_its_products_with_rank_and_score(mast, server, result):
    products = get_product_list(result, mast=mast, batch_size=3, progress=False)
    assert server.requests["portal"] == 3
    assert products.colnames == ["rank", "score", *PRODUCT_COLUMNS]
    rank_of = dict(zip(result["obsid"], result["rank"], strict=True))
    score_of = dict(zip(result["obsid"], result["score"], strict=True))
    assert set(products["parent_obsid"]) == set(result["obsid"])
    # Previews of single filters belong to observations of their own.
    assert set(products["obsID"]) > set(result["obsid"])
    assert products["rank"].tolist() == [rank_of[obsid] for obsid in products["parent_obsid"]]
    assert products["score"].tolist() == [score_of[obsid] for obsid in products["parent_obsid"]]
    assert products["rank"].tolist() == sorted(products["rank"])


def test_products_of_a_list_without_a_ranking_have_no_score(mast, result):
    result["score"] = MaskedColumn(result["score"], mask=[False] + [True] * (N - 1))
    products = get_product_list(result, mast=mast)
    assert products["score"].mask.tolist() == (products["rank"] > 1).tolist()
    with pytest.warns(NoResultsWarning):
        assert get_product_list(result[:0], mast=mast).colnames[:2] == ["rank", "score"]


def test_types_units_and_descriptions(mast, result):
    products = get_product_list(result[:1], mast=mast)
    assert products["size"].unit == u.byte
    assert products["size"].dtype == np.int64
    assert products["obsID"].dtype.kind == "U"
    assert all(products[name].description for name in products.colnames)


@pytest.mark.parametrize(
    "observations",
    [
        lambda result: result,
        lambda result: list(result),
        lambda result: result["obsid"],
        lambda result: result["obsid"].tolist(),
        lambda result: [int(obsid) for obsid in result["obsid"]],
        lambda result: np.array(result["obsid"], dtype=np.int64),
        lambda result: np.array(result["obsid"], dtype=np.float64),
        lambda result: [obsid.encode() for obsid in result["obsid"]],
        lambda result: Table({"obsid": np.array(result["obsid"], dtype=np.int64)}),
        lambda result: Table({"obsid": np.array(result["obsid"], dtype=np.float64)}),
        lambda result: (f"{obsid}.0" for obsid in result["obsid"]),
    ],
)
def test_whatever_names_the_observations(mast, result, observations):
    wanted = get_product_list(result, mast=mast)["dataURI"]
    found = get_product_list(observations(result), mast=mast)["dataURI"]
    assert set(found) == set(wanted)


@pytest.mark.parametrize(
    "one",
    [
        *(str(FIRST), np.str_(FIRST), str(FIRST).encode()),
        *(FIRST, np.int64(FIRST), np.array(FIRST), float(FIRST)),
    ],
)
def test_one_observation(mast, one):
    assert set(get_product_list(one, mast=mast)["parent_obsid"]) == {str(FIRST)}


def test_a_row_keeps_its_rank(mast, result):
    assert set(get_product_list(result[4], mast=mast)["rank"]) == {5}
    assert set(get_product_list(list(result[3:5]), mast=mast)["rank"]) == {4, 5}


@pytest.mark.parametrize("wrong", ["hst_10000_00_acs_wfc_total", 1.5, -5, True, "None", [[1, 2]]])
def test_what_is_no_obsid_is_named_before_anything_is_asked(mast, server, wrong):
    with pytest.raises(InvalidQueryError) as error:
        get_product_list([str(FIRST), wrong], mast=mast)
    assert repr(wrong) in str(error.value)
    assert sum(server.requests.values()) == 0


def test_an_obs_id_is_told_the_way_out(mast):
    with pytest.raises(InvalidQueryError, match=r"looks like an obs_id: query_criteria\(obs_id="):
        get_product_list("hst_10000_00_acs_wfc_total", mast=mast)


@pytest.mark.parametrize("wrong", [None, object(), Table({"a": [1]}), Table({"dataURI": ["a"]})])
def test_what_names_no_observations(mast, wrong):
    with pytest.raises(InvalidQueryError):
        get_product_list(wrong, mast=mast)


def test_unknown_obsids_are_left_out_aloud(mast, result):
    obsids = MaskedColumn([FIRST, FIRST + 1, FIRST + 2], mask=[True, False, False])
    with pytest.warns(InputWarning, match="1 of 3 observations have no obsid"):
        products = get_product_list(Table({"obsid": obsids}), mast=mast)
    assert set(products["parent_obsid"]) == {str(FIRST + 1), str(FIRST + 2)}


def test_full_frames_of_tess_are_left_out_as_astroquery_does(mast):
    table = Table({"obsid": [str(FIRST), "7"], "target_name": ["M 31", "TESS FFI"]})
    with pytest.warns(InputWarning, match="full frames of TESS"):
        products = get_product_list(table, mast=mast)
    assert set(products["parent_obsid"]) == {str(FIRST)}


@pytest.mark.parametrize("is_result", [True, False])
def test_nothing_in_nothing_out_and_nothing_asked(mast, server, result, is_result):
    with pytest.warns(NoResultsWarning, match="no observations"):
        products = get_product_list(result[:0] if is_result else [], mast=mast)
    assert len(products) == 0
    assert products.colnames == (["rank", "score"] if is_result else []) + [*PRODUCT_COLUMNS]
    assert sum(server.requests.values()) == 0


def test_filters_are_applied(mast, result):
    products = get_product_list(
        result, mast=mast, batch_size=2, progress=False, productType="SCIENCE", extension="FITS"
    )
    assert products["dataURI"].tolist() == [
        f"mast:HST/product/{name}_drc.fits" for name in result["obs_id"]
    ]


def test_filters_that_nothing_passes(mast, result):
    with pytest.warns(NoResultsWarning, match="None of .* products passes"):
        assert len(get_product_list(result, mast=mast, extension=".tar")) == 0


@pytest.mark.parametrize("filters", [{"productTyp": "SCIENCE"}, {"size": "large"}, {"size": None}])
def test_senseless_filters_fail_before_anything_is_asked(mast, server, result, filters):
    with pytest.raises(InvalidQueryError):
        get_product_list(result, mast=mast, **filters)
    assert sum(server.requests.values()) == 0


def test_a_filter_that_was_misspelt(mast):
    with pytest.raises(InvalidQueryError, match="Did you mean 'productType'"):
        get_product_list("1", mast=mast, producttype="SCIENCE")


@pytest.mark.parametrize("batch_size", [0, -1, 1.5, "all"])
def test_senseless_batches(mast, batch_size):
    with pytest.raises(InvalidQueryError, match="batch_size"):
        get_product_list("1", mast=mast, batch_size=batch_size)


def test_observations_without_products_are_named(mast):
    with pytest.warns(NoResultsWarning, match="no products of 1 of 2 observations: 17"):
        products = get_product_list([17, FIRST], mast=mast)
    assert set(products["parent_obsid"]) == {str(FIRST)}


@pytest.mark.parametrize("parent", [0, "0", "", None])
def test_an_unknown_parent_is_the_observation_itself(parent):
    replies = Replies([product(parent_obsid=parent)])
    table = Table({"obsid": [str(FIRST)], "rank": [3], "score": [0.5]})
    products = get_product_list(table, mast=replies)
    assert products["rank", "parent_obsid"].as_array().tolist() == [(3, str(FIRST))]


def test_a_product_of_nobody_has_no_rank():
    replies = Replies([product(obsID="5", parent_obsid="0"), product("mast:b", obsID=str(FIRST))])
    table = Table({"obsid": [str(FIRST)], "rank": [3], "score": [0.5]})
    products = get_product_list(table, mast=replies)
    assert products["rank"].tolist() == [3, None]


def test_a_file_of_several_observations_is_there_once_with_its_best_rank():
    rows = [product(obsID=key, parent_obsid=key, asked=key) for key in ("1", "2", "3")]
    table = Table({"obsid": ["1", "2", "3"], "rank": [8, 2, 5], "score": [0.1, 0.9, 0.5]})
    products = get_product_list(table, mast=Replies(rows), batch_size=1, progress=False)
    assert products["rank", "score", "parent_obsid"].as_array().tolist() == [(2, 0.9, "2")]


def test_a_full_page_is_asked_for_again_in_parts():
    keys = ["1", "2", "3", "4"]
    rows = [product(f"mast:{key}", obsID=key, asked=key) for key in keys]
    replies = Replies(rows, pagesize=4)
    assert len(get_product_list(keys, mast=replies)) == 4
    assert replies.asked == [keys, keys[:2], keys[2:]]
    with pytest.warns(MaxResultsWarning, match="observation 1"):
        get_product_list("1", mast=Replies(rows, pagesize=1))


def test_the_reply_of_mast_that_was_recorded(shared):
    path = shared / "data" / "mast_records" / "astroquery" / "products.json"
    rows = json.loads(path.read_text())["data"]
    products = get_product_list(rows[0]["obsID"], mast=Replies(rows))
    assert len(products) == len(rows) == 22
    assert set(products["parent_obsid"]) == {"2003738726"}
    assert sorted(products["size"]) == sorted(row["size"] for row in rows)
    recommended = filter_products(products, mrp_only=True)
    assert len(recommended) == sum(row["productGroupDescription"] is not None for row in rows)


@pytest.mark.parametrize(
    "fault",
    ["unavailable", "too_many_requests", "reset", "truncated", "html", "duplicate_products"],
)
@pytest.mark.filterwarnings("ignore:MAST lists no products")
def test_faults_leave_no_trace(holdings, mast, result, fault):
    wanted = get_product_list(result, mast=mast)
    with serve(holdings, fault_rate=0.4, faults=(fault,), seed=1, retry_after=0) as server:
        patient = Mast(server.url, retry=Retry(20, backoff_factor=0.001), timeout=2)
        found = get_product_list(result, mast=patient, batch_size=1, progress=False)
        patient.reply_session.close()
    assert server.injected[fault] > 0
    assert sorted(found["dataURI"]) == sorted(wanted["dataURI"])


def test_odd_obsids_are_made_even(holdings, mast, result):
    wanted = get_product_list(result, mast=mast)
    with serve(holdings, fault_rate=1, faults=("odd_obsids",)) as server:
        odd = Mast(server.url, retry=QUICK)
        found = get_product_list(result, mast=odd)
        odd.reply_session.close()
    assert server.injected["odd_obsids"] > 0
    for name in ("dataURI", "parent_obsid", "rank"):
        assert found[name].tolist() == wanted[name].tolist()


def test_an_empty_list_is_no_silence(holdings, result):
    with serve(holdings, fault_rate=1, faults=("no_products",)) as server:
        mast = Mast(server.url, retry=QUICK)
        with pytest.warns(NoResultsWarning, match=f"no products of {N} of {N} observations"):
            assert len(get_product_list(result, mast=mast)) == 0
        mast.reply_session.close()
        assert server.injected["no_products"] == 2


def test_an_empty_list_is_not_believed_at_once(mast, result, monkeypatch):
    expected = get_product_list(result, mast=mast)
    listed, replies = mast.observations.get_product_list, []

    def first_empty(obsids):
        replies.append(obsids)
        return listed(obsids)[: None if len(replies) > 1 else 0]

    monkeypatch.setattr(mast.observations, "get_product_list", first_empty)
    products = get_product_list(result, mast=mast)
    assert list(products["dataURI"]) == list(expected["dataURI"])
    assert dict(mast.traffic.faults) == {"empty": 1}


def test_a_mast_that_stays_away(holdings, result):
    with serve(holdings, fault_rate=1, faults=("unavailable",), retry_after=0) as server:
        mast = Mast(server.url, retry=Retry(2, backoff_factor=0.001))
        with pytest.raises(ArchiveError, match="MAST"):
            get_product_list(result, mast=mast)
        mast.reply_session.close()


def some_products():
    columns = {
        "productFilename": ["a_drc.fits", "B.FITS", "c.jpg", "d.txt"],
        "productType": ["SCIENCE", "science", "PREVIEW", ""],
        "productGroupDescription": ["Minimum Recommended Products", "", "", ""],
        "size": MaskedColumn([10, 200, 3000, 0], mask=[False, False, False, True]),
        "obsID": ["1", "1", "2", "3"],
    }
    return Table(columns, masked=True)


@pytest.mark.parametrize(
    ("filters", "rows"),
    [
        ({}, "0123"),
        ({"extension": "fits"}, "01"),
        ({"extension": ["JPG", ".txt"]}, "23"),
        ({"productType": "science"}, "01"),
        ({"productType": ("PREVIEW", "nothing")}, "2"),
        ({"productType": "!SCIENCE"}, "23"),
        ({"productType": np.array(["SCIENCE", "PREVIEW"])}, "012"),
        ({"mrp_only": True}, "0"),
        ({"size": "<1000"}, "01"),
        ({"size": ("<50", ">=3000")}, "02"),
        ({"size": "5..200"}, "01"),
        ({"size": 200}, "1"),
        ({"size": np.int64(200)}, "1"),
        ({"obsID": 1, "extension": "fits"}, "01"),
        ({"obsID": [2, "3"]}, "23"),
    ],
)
def test_filter_products(filters, rows):
    chosen = filter_products(some_products(), **filters)
    names = some_products()["productFilename"].tolist()
    assert chosen["productFilename"].tolist() == [names[int(row)] for row in rows]


def test_filter_products_takes_what_astroquery_takes(mast, result):
    products = get_product_list(result, mast=mast)
    filters = {"productType": ["SCIENCE", "PREVIEW"], "extension": "jpg", "size": "<5000"}
    ours = filter_products(products, **filters)
    theirs = mast.observations.filter_products(products, **filters)
    assert ours["dataURI"].tolist() == theirs["dataURI"].tolist() != []


def test_filter_products_takes_a_row():
    products = some_products()
    assert len(filter_products(products[0], extension="fits")) == 1
    assert len(filter_products(products[2], extension="fits")) == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0012", "12"),
        (12.0, "12"),
        (b"12", "12"),
        (None, ""),
        (np.ma.masked, ""),
        (0, ""),
        (" ", ""),
    ],
)
def test_obsid_text(value, text):
    assert obsid_text(value) == text


@pytest.mark.parametrize("value", [".", "1e3", "١٢", float("inf"), 2.0**60, [1]])
def test_obsid_text_of_something_else(value):
    with pytest.raises(ValueError):  # noqa: PT011  the value is all there is to say
        obsid_text(value)


def test_conformed_tables_have_all_columns():
    table = conformed(Table({"size": [np.nan, 5.0], "calib_level": [np.nan, 3.0]}))
    assert table.colnames == [*PRODUCT_COLUMNS]
    assert table["size"].tolist() == [0, 5]
    assert table["calib_level"].tolist() == [None, 3]


def test_get_urls_of_products_and_of_observations(mast, server, result):
    products = get_product_list(result, mast=mast, extension="fits")
    n_requests = sum(server.requests.values())
    urls = get_urls(products, mast=mast)
    assert sum(server.requests.values()) == n_requests
    assert urls.colnames == ["dataURI", "url"]
    assert urls["dataURI"].tolist() == products["dataURI"].tolist()
    start = f"{server.url}/api/v0.1/Download/file?uri="
    assert urls["url"].tolist() == [start + uri for uri in products["dataURI"]]
    assert get_urls(result, mast=mast, extension="fits")["url"].tolist() == urls["url"].tolist()
    for response in (mast.session.head(url) for url in urls["url"]):
        assert response.status_code == 200


def test_get_urls_in_the_cloud(mast, result, monkeypatch):
    products = get_product_list(result[:1], mast=mast, extension="fits")
    address = "https://s3.amazonaws.com/stpubdata/hst/public/a.fits"
    monkeypatch.setattr(
        "astro_paperclip.archive.products.urls.cloud_addresses",
        lambda uris, mast, progress: {uris[0]: address},
    )
    assert get_urls(products, cloud=True, mast=mast)["cloud_uri"].tolist() == [
        "s3://stpubdata/hst/public/a.fits"
    ]
    monkeypatch.setattr(
        "astro_paperclip.archive.products.urls.cloud_addresses", lambda uris, mast, progress: {}
    )
    assert get_urls(products, cloud=True, mast=mast)["cloud_uri"].tolist() == [None]


def test_an_address_that_is_none(mast):
    row = product("file:///etc/passwd", obs_collection="HST", obs_id="a")
    with pytest.raises(ArchiveError, match="file:///etc/passwd"):
        get_urls(Table(rows=[row]), mast=mast)


def test_a_product_table_that_lacks_columns(mast):
    with pytest.raises(InvalidQueryError, match="no column productFilename and no obs_collection"):
        get_urls(Table({"dataURI": ["mast:a"], "obs_id": ["a"]}), mast=mast)


def test_the_query_class_has_the_same_functions(mast, result):
    products = PaperclipMast.get_product_list(result[:1], mast=mast)
    chosen = PaperclipMast.filter_products(products, extension="fits")
    assert len(PaperclipMast.get_urls(chosen, mast=mast)) == 1


@pytest.mark.remote_data
def test_products_of_a_real_observation():
    products = get_product_list("2003738726", productType="SCIENCE", extension="fits")
    assert "mast:HST/product/u9o40504m_drz.fits" in products["dataURI"].tolist()
    assert set(products["parent_obsid"]) == {"2003738726"}
    assert (products["size"] > 0).all()
    assert all(url.startswith("https://mast.stsci.edu/") for url in get_urls(products)["url"])


def test_astroquery_stays_silent_about_batches(mast):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        get_product_list([17, FIRST], mast=mast, batch_size=1, progress=False)
    assert [str(warning.message) for warning in caught] == [
        "MAST lists no products of 1 of 2 observations: 17"
    ]
