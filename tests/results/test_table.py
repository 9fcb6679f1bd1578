import json
import pickle
from dataclasses import dataclass, field

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import votable
from astropy.table import MaskedColumn, QTable, Table, vstack
from astropy.time import Time

from astro_paperclip import PaperclipResult
from astro_paperclip.columns import COLUMNS, CONTRACT_COLUMNS, RANKING_COLUMNS


@dataclass
class Hit:
    id: str
    score: float
    payload: dict = field(default_factory=dict)


PAYLOAD = {
    "obsid": 2003585980,
    "obs_id": "U27XCS01T",
    "target_name": "LO-LAT",
    "obs_collection": "HST",
    "s_ra": 23.118,
    "t_exptime": 1500,
    "calib_level": 3,
    "mtFlag": False,
    "em_min": 713.5,
    "text": 'A survey,\nin "two" lines.',
    "frac_dark": 0.25,
    "files": "a.fits",
    "year": 2021,
}


@pytest.fixture
def result():
    hits = [
        Hit("b", 0.5, PAYLOAD),
        Hit("a", 0.9, {"obsid": "7", "obs_id": "x", "s_ra": None, "files": None}),
        Hit("c", 0.1, {**PAYLOAD, "obsid": None, "frac_dark": float("nan")}),
    ]
    return PaperclipResult.from_hits(
        hits, query={"kind": "text", "text": "a galaxy"}, index_info={"count": 3}
    )


def assert_same(left, right):
    assert type(left) is type(right) is PaperclipResult
    assert left.colnames == right.colnames
    for name in left.colnames:
        assert left[name].dtype == right[name].dtype, name
        assert left[name].unit == right[name].unit, name
        assert left[name].description == right[name].description, name
        assert dict(left[name].meta) == dict(right[name].meta), name
        masks = [np.ma.getmaskarray(table[name]) for table in (left, right)]
        assert (masks[0] == masks[1]).all(), name
        assert (np.asarray(left[name])[~masks[0]] == np.asarray(right[name])[~masks[0]]).all()
    assert left.searches == right.searches


def test_columns_and_their_order(result):
    assert result.colnames == [
        *CONTRACT_COLUMNS,
        *("s_ra", "t_exptime", "em_min", "calib_level", "mtFlag", "text"),
        *("files", "frac_dark", "year"),
    ]


def test_rows_are_ranked(result):
    assert list(result["rank"]) == [1, 2, 3]
    assert list(result["score"]) == [0.9, 0.5, 0.1]
    assert list(result["obsid"]) == ["7", "2003585980", ""]


def test_contract_columns_are_text_without_missing_values(result):
    for name in CONTRACT_COLUMNS[len(RANKING_COLUMNS) :]:
        assert result[name].dtype.kind == "U"
        assert not isinstance(result[name], MaskedColumn)
    assert list(result["target_name"]) == ["", "LO-LAT", "LO-LAT"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2003585980, "2003585980"),
        (2003585980.0, "2003585980"),
        (" 2003585980 ", "2003585980"),
        (np.nan, ""),
        (None, ""),
        ("", ""),
        (0, ""),
        (-5, ""),
        (2.5, ""),
        ("U27XCS01T", ""),
        ("²", ""),
        (True, ""),
    ],
)
def test_obsid_is_digits_or_empty(value, expected):
    result = PaperclipResult.from_hits([Hit("a", 0.1, {"obsid": value})])
    assert list(result["obsid"]) == [expected]


def test_types_units_and_descriptions_come_from_the_columns(result):
    for name in result.colnames:
        if name in COLUMNS:
            info = COLUMNS[name]
            assert result[name].dtype.kind == {"str": "U"}.get(
                info.dtype, np.dtype(info.dtype if info.dtype != "str" else "U").kind
            )
            assert result[name].unit == (info.unit and u.Unit(info.unit))
            assert result[name].description == info.description
            assert result[name].info.meta.get("ucd") == info.ucd
            assert result[name].info.meta.get("utype") == info.utype


def test_missing_values_are_masked(result):
    assert list(result["s_ra"].mask) == [True, False, False]
    assert list(result["files"].mask) == [True, False, False]
    assert list(result["frac_dark"].mask) == [True, False, True]
    assert result["frac_dark"].dtype == np.float64
    assert result["files"].dtype.kind == "U"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, None], "i"),
        ([1, 2.5], "f"),
        ([1.0, 2.0], "f"),
        ([True, False], "b"),
        ([True, 2], "U"),
        (["a", 2], "U"),
        ([2**70, 1], "U"),
        ([None, None], "U"),
        ([["a", "b"], "c"], "U"),
        ([{"lon": 1}, None], "U"),
    ],
)
def test_unknown_columns_are_typed_by_their_values(values, kind):
    hits = [Hit(str(i), -float(i), {"own": value}) for i, value in enumerate(values)]
    column = PaperclipResult.from_hits(hits)["own"]
    assert column.dtype.kind == kind
    assert list(np.ma.getmaskarray(column)) == [value is None for value in values]
    assert column.unit is None


def test_several_values_of_a_cell_are_joined_as_mast_does():
    result = PaperclipResult.from_hits([Hit("a", 0.1, {"filters": ["F606W", "F814W"]})])
    assert result["filters"][0] == "F606W;F814W"


def test_numbers_of_a_text_column_become_text():
    hits = [Hit("a", 0.2, {"proposal_id": 1073}), Hit("b", 0.1, {"proposal_id": 5371.0})]
    assert list(PaperclipResult.from_hits(hits)["proposal_id"]) == ["1073", "5371"]


def test_a_known_column_with_other_values_keeps_them_and_claims_no_unit():
    column = PaperclipResult.from_hits([Hit("a", 0.2, {"ra": "12:30:49"})])["ra"]
    assert column[0] == "12:30:49"
    assert column.unit is None


def test_equal_scores_are_ordered_by_obsid_then_id():
    hits = [Hit(i, 0.5, {"obsid": o}) for i, o in [("z", "2"), ("y", "1"), ("b", "2"), ("a", "3")]]
    expected = ["1", "2", "2", "3"]
    for order in (hits, hits[::-1]):
        result = PaperclipResult.from_hits([*order, Hit("top", 0.6)])
        assert list(result["obsid"]) == ["", *expected]
    named = [Hit(h.id, h.score, {**h.payload, "own": h.id}) for h in hits]
    assert list(PaperclipResult.from_hits(named)["own"]) == ["y", "b", "z", "a"]


def test_ranks_go_on_after_an_offset():
    result = PaperclipResult.from_hits([Hit("a", 0.2), Hit("b", 0.1)], query={"offset": 20})
    assert list(result["rank"]) == [21, 22]


def test_empty_result_has_the_contract_columns():
    result = PaperclipResult.from_hits([], query={"text": "x"})
    assert len(result) == 0
    assert tuple(result.colnames) == CONTRACT_COLUMNS
    assert [result[name].dtype.kind for name in CONTRACT_COLUMNS] == list("iffUUUU")
    assert result["score"].description == COLUMNS["score"].description
    assert result.query == {"text": "x"}


def test_provenance(result):
    assert result.query == {"kind": "text", "text": "a galaxy"}
    assert result.index_info == {"count": 3}
    (search,) = result.searches
    assert set(search) == {"query", "index", "software", "date"}
    assert {"astropy", "numpy"} <= set(search["software"])
    assert search["date"].endswith("+00:00")
    json.dumps(result.meta["searches"])


@pytest.mark.parametrize(
    "part",
    [
        lambda r: r[1:],
        lambda r: r[r["score"] > 0.3],
        lambda r: r[[0, 2]],
        lambda r: r["rank", "score", "obsid"],
        lambda r: r.copy(),
        lambda r: vstack([r[:1], r[1:]]),
        lambda r: pickle.loads(pickle.dumps(r)),
    ],
    ids=["slice", "mask", "fancy", "columns", "copy", "vstack", "pickle"],
)
def test_type_descriptions_and_provenance_survive(result, part):
    taken = part(result)
    assert isinstance(taken, PaperclipResult)
    assert taken.query == result.query
    assert taken.searches == result.searches
    for name in taken.colnames:
        assert taken[name].description == result[name].description
        assert taken[name].unit == result[name].unit
        assert taken[name].info.meta == result[name].info.meta


def test_stacked_searches_are_all_remembered(result):
    other = PaperclipResult.from_hits(
        [Hit("q", 0.4, PAYLOAD)], query={"kind": "image", "sha256": "00"}
    )
    both = vstack([result, other, result[:1]])
    assert [search["query"]["kind"] for search in both.searches] == ["text", "image"]
    assert both.query is None
    assert both.index_info is None


def test_ecsv_round_trip(result, tmp_path):
    path = tmp_path / "result.ecsv"
    result.display_columns = ["rank", "text"]
    result.write(path)
    back = PaperclipResult.read(path)
    assert_same(back, result)
    assert back.display_columns == ["rank", "text"]


def test_ecsv_round_trip_without_any_obsid(tmp_path):
    path = tmp_path / "result.ecsv"
    result = PaperclipResult.from_hits([Hit("a", 0.1, {"text": "x"}), Hit("b", 0.2)])
    result.write(path)
    assert_same(PaperclipResult.read(path), result)


def test_ecsv_round_trip_of_an_empty_result(tmp_path):
    path = tmp_path / "result.ecsv"
    empty = PaperclipResult.from_hits([], query={"text": "x"})
    empty.write(path)
    back = PaperclipResult.read(path)
    assert back.colnames == empty.colnames
    assert len(back) == 0
    assert back.query == {"text": "x"}


def test_votable_has_ucds_utypes_and_units(result, tmp_path):
    path = tmp_path / "result.vot"
    result.write(path, format="votable")
    fields = {f.name: f for f in votable.parse_single_table(path).fields}
    assert fields["s_ra"].ucd == "pos.eq.ra;meta.main"
    assert fields["s_ra"].unit == u.deg
    assert fields["t_exptime"].utype == "obscore:Char.TimeAxis.Coverage.Support.Extent"
    assert fields["score"].description == COLUMNS["score"].description


def test_a_qtable_has_quantities(result):
    assert QTable(result[1:])["t_exptime"][0] == 1500 * u.s


def test_summary_of_columns_of_any_kind(result):
    result["where"] = SkyCoord([10, 20, 30], [-5, 0, 5], unit="deg")
    result["when"] = Time(["2010-01-01"] * 3)
    result["shape"] = np.arange(6.0).reshape(3, 2)
    result.display_columns = ["rank", "where", "when", "shape"]
    short = result.summary()
    assert short["where"].tolist() == ["10.0,-5.0", "20.0,0.0", "30.0,5.0"]
    assert short["when"][0].startswith("2010-01-01")
    assert short["shape"][1] == "2.0 .. 3.0"


def test_summary_shows_what_says_something(result):
    short = result.summary()
    assert type(short) is Table
    assert short.colnames == ["rank", "score", "obsid", "target_name", "t_exptime"]
    assert list(short["t_exptime"]) == ["", "1500", "1500"]
    assert short["score"].info.format == ".3f"
    assert list(short["score"]) == list(result["score"])


def test_summary_names_images_that_nothing_else_is_known_of():
    hits = [Hit("a", 0.2, {"image": "/data/one.jpg"}), Hit("b", 0.1, {"image": "/data/two.jpg"})]
    short = PaperclipResult.from_hits(hits).summary()
    assert short.colnames == ["rank", "score", "image"]
    assert list(short["image"]) == ["one.jpg", "two.jpg"]


def test_summary_leaves_out_repetition_and_joins_lines():
    hits = [Hit("a", 0.1, {"title": "A  title", "obs_title": "A title", "text": "x\ny"})]
    result = PaperclipResult.from_hits(hits)
    assert result.summary().colnames == ["rank", "score", "title"]
    result.display_columns = ["text", "absent"]
    assert result.summary()["text"][0] == "x y"
    assert result.summary().colnames == ["text"]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_summary_fits_the_width(width):
    long = {
        "obsid": 2003585980,
        "target_name": "T" * 40,
        "instrument_name": "WFPC2/WFC",
        "category": "Galaxies",
        "title": "t " * 90,
    }
    short = PaperclipResult.from_hits([Hit("a", 0.1, long), Hit("b", 0.2)]).summary(width)
    lines = short.pformat(max_width=-1, max_lines=-1)
    assert max(map(len, lines)) <= width
    assert short.colnames[:3] == ["rank", "score", "obsid"]
    if width == 200:
        assert short["target_name"][1] == "T" * 40
        assert short["title"][1].endswith("…")


def test_summary_of_an_empty_result():
    assert PaperclipResult.from_hits([]).summary(80).colnames == ["rank", "score"]
