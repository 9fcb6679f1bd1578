"""A result comes back from a file as it was, or the file says what it cannot hold."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits, votable
from astropy.table import MaskedColumn, Table, vstack
from astropy.utils.exceptions import AstropyUserWarning
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from astro_paperclip import PaperclipResult
from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.results.provenance import read_searches, written_searches

ROWS = [
    {"obsid": 2003585980, "obs_id": "U27XCS01T", "target_name": "LO-LAT", "obs_collection": "HST"}
    | {"s_ra": 23.118, "s_dec": -1.0, "t_exptime": 1500.0, "calib_level": 3, "mtFlag": True}
    | {"sequence_number": 999999, "filters": "F606W", "text": "a survey,\nin two lines", "n": 1}
    | {"frac_dark": 0.25},
    {"obsid": "7", "obs_id": "x", "s_ra": None, "mtFlag": None, "sequence_number": None},
    {"obsid": None, "obs_id": "y", "s_ra": 0.5, "s_dec": 9, "mtFlag": False}
    | {"sequence_number": -1, "n": 1},
]
FORMATS = {"fits": "fits", "vot": "votable", "ecsv": "ascii.ecsv"}


def origin_of(votable):
    """Return what astropy reads of the origin of a VOTable."""
    dataorigin = pytest.importorskip("astropy.io.votable.dataorigin", reason="astropy < 7.1")
    return dataorigin.extract_data_origin(votable)


def found(rows, **query):
    hits = [SimpleNamespace(id=str(n), score=-n, payload=row) for n, row in enumerate(rows)]
    return PaperclipResult.from_hits(hits, query=query or {"kind": "text", "text": "a galaxy"})


def assert_same(left, right):
    assert type(left) is type(right) is PaperclipResult
    assert left.colnames == right.colnames
    for name in left.colnames:
        one, other = left[name], right[name]
        masks = [np.ma.getmaskarray(column) for column in (one, other)]
        assert one.dtype == other.dtype, name
        assert one.unit == other.unit, name
        assert one.description == other.description, name
        assert dict(one.meta) == dict(other.meta), name
        assert (masks[0] == masks[1]).all(), name
        assert (np.asarray(one)[~masks[0]] == np.asarray(other)[~masks[0]]).all(), name
    assert left.searches == right.searches


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_result_comes_back(tmp_path, suffix):
    path = tmp_path / f"result.{suffix}"
    result = found(ROWS)
    result.write(path, format=FORMATS[suffix])
    back = PaperclipResult.read(path)
    assert_same(back, result)
    assert back["obsid"].tolist() == ["2003585980", "7", ""]
    assert not isinstance(back["obsid"], MaskedColumn)


@pytest.mark.parametrize("suffix", FORMATS)
def test_real_observations_come_back(recorded, tmp_path, suffix):
    path = tmp_path / f"result.{suffix}"
    recorded.write(path, format=FORMATS[suffix])
    assert_same(PaperclipResult.read(path), recorded)


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_empty_result_comes_back(tmp_path, suffix):
    path = tmp_path / f"result.{suffix}"
    empty = found([])
    empty.write(path, format=FORMATS[suffix])
    back = PaperclipResult.read(path)
    assert len(back) == 0
    assert back.colnames == empty.colnames
    assert back.searches == empty.searches


@pytest.mark.parametrize("suffix", ["fits", "vot"])
def test_all_searches_of_a_stacked_result_come_back(tmp_path, suffix):
    path = tmp_path / f"result.{suffix}"
    both = vstack([found(ROWS, text="one"), found(ROWS, text="two")])
    both.write(path, format=FORMATS[suffix])
    back = PaperclipResult.read(path)
    assert [search["query"]["text"] for search in back.searches] == ["one", "two"]


@pytest.mark.parametrize("suffix", ["fits", "vot"])
def test_a_part_of_a_result_comes_back(tmp_path, suffix):
    path = tmp_path / f"result.{suffix}"
    result = found(ROWS)
    part = result[result["rank"] > 1]["rank", "obsid", "filters"]
    part.write(path, format=FORMATS[suffix])
    back = PaperclipResult.read(path)
    assert back.colnames == ["rank", "obsid", "filters"]
    assert back["obsid"].tolist() == ["7", ""]
    assert back["filters"].mask.all()
    assert back.query == result.query


@pytest.mark.parametrize("suffix", FORMATS)
def test_plain_tables_read_the_same_files(tmp_path, suffix):
    path = tmp_path / f"result.{suffix}"
    found(ROWS).write(path, format=FORMATS[suffix])
    plain = Table.read(path)
    assert type(plain) is not PaperclipResult or suffix == "ecsv"
    assert plain["rank"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("suffix", ["fits", "vot"])
def test_files_of_others_are_read_as_tables_without_a_history(tmp_path, suffix):
    path = tmp_path / f"other.{suffix}"
    Table({"obsid": ["7"], "a": [1]}).write(path, format=FORMATS[suffix])
    back = PaperclipResult.read(path)
    assert back["obsid"].tolist() == ["7"]
    assert back.searches == []
    assert back.query is None


@pytest.mark.parametrize("suffix", ["fits", "vot"])
def test_a_file_is_replaced_only_if_that_is_asked_for(tmp_path, suffix):
    path = tmp_path / f"result.{suffix}"
    path.write_text("precious")
    with pytest.raises(OSError, match="overwrite=True"):
        found(ROWS).write(path, format=FORMATS[suffix])
    assert path.read_text() == "precious"
    found(ROWS).write(path, format=FORMATS[suffix], overwrite=True)
    assert len(PaperclipResult.read(path)) == 3


def test_nothing_is_left_where_writing_fails(tmp_path):
    result = found(ROWS)
    result["where"] = result.coords
    with pytest.raises(InvalidQueryError, match="column 'where', of SkyCoord"):
        result.write(tmp_path / "result.vot", format="votable")
    result["where"] = np.array([{}, 1, "a"], dtype=object)
    with pytest.raises(TypeError):
        result.write(tmp_path / "result.fits")
    assert list(tmp_path.iterdir()) == []


def test_positions_are_kept_in_fits(tmp_path):
    result = found(ROWS)
    result["where"] = result.coords
    result.write(tmp_path / "result.fits")
    back = PaperclipResult.read(tmp_path / "result.fits")
    assert back["where"][[0, 2]].ra.deg.tolist() == [23.118, 0.5]


@pytest.mark.parametrize("suffix", ["fits", "vot"])
def test_a_result_is_written_to_memory(suffix):
    memory, result = io.BytesIO(), found(ROWS)
    result.write(memory, format=FORMATS[suffix])
    memory.seek(0)
    assert_same(PaperclipResult.read(memory, format=FORMATS[suffix]), result)


def test_fits_says_which_letters_it_cannot_hold(tmp_path):
    rows = [{"target_name": "Barnard's", "proposal_pi": "Gómez Ångström"}]
    rows += [{"target_name": "α Cen", "proposal_pi": "Ito"}]
    path = tmp_path / "result.fits"
    with pytest.warns(AstropyUserWarning, match="in target_name, proposal_pi, accents"):
        found(rows).write(path)
    back = PaperclipResult.read(path)
    assert back["proposal_pi"].tolist() == ["Gomez Angstrom", "Ito"]
    assert back["target_name"].tolist() == ["Barnard's", "? Cen"]


def test_the_header_of_a_fits_file_holds_the_searches(tmp_path):
    path = tmp_path / "result.fits"
    found(ROWS).write(path)
    card = fits.getheader(path, 1)["SEARCHES"]
    assert read_searches(card)[0]["query"]["text"] == "a galaxy"


def test_a_votable_says_where_it_comes_from(recorded, tmp_path):
    path = tmp_path / "result.vot"
    recorded.write(path, format="votable")
    parsed = votable.parse(path, verify="exception")
    origin = origin_of(parsed)
    assert '"kind": "text"' in origin.query.query
    assert origin.query.request_date == recorded.searches[0]["date"]
    assert "astropy/" in origin.query.server_software
    assert origin.origin[0].resource_version == ['{"encoder": "compact"}']


text = st.text(st.characters(codec="utf-8"), max_size=200)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.dictionaries(text, text | st.integers() | st.none(), max_size=5))
@example({"text": "it's " + "'" * 200})
@example({"text": "&" * 200})
@example({"text": " " * 500 + "\\"})
def test_any_question_survives_a_fits_header(tmp_path, query):
    searches = [{"query": query, "index": {}, "software": {}, "date": ""}]
    path = tmp_path / "header.fits"
    header = fits.Header({"SEARCHES": written_searches(searches)})
    fits.PrimaryHDU(header=header).writeto(path, overwrite=True)
    assert read_searches(fits.getheader(path)["SEARCHES"]) == searches


@pytest.mark.parametrize("text", ["", "[", "7", '{"query": 1}', "[1]", None, 3.5])
def test_a_card_of_another_origin_is_no_history(text):
    assert read_searches(text) == []
