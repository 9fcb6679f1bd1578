"""How a result is printed where not all of it fits."""

from types import SimpleNamespace

import pytest
from astropy.table import Table

from astro_paperclip import PaperclipResult

ROW = {
    "obsid": "2003738720",
    "obs_id": "hst_9405_00_acs_wfc_total",
    "target_name": "NGC 891",
    "obs_collection": "HST",
    "instrument_name": "ACS/WFC",
    "filters": "F606W;F814W",
    "proposal_id": "9405",
    "proposal_pi": "Hubble",
    "t_exptime": 1250.5,
    "s_region": "POLYGON J2000 " + "10.123456 20.123456 " * 5,
    "title": "The edge-on galaxy NGC 891,\nand what is around it in a much wider field",
    "category": "",
    "dataURL": None,
}


def make(number):
    hits = [
        SimpleNamespace(
            id=str(n), score=0.9876543 - n / 1000, payload=ROW | {"target_name": f"N{n}"}
        )
        for n in range(number)
    ]
    return PaperclipResult.from_hits(hits)


@pytest.fixture
def result():
    return make(3)


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 140, 200, 250])
@pytest.mark.parametrize("show_dtype", [False, True])
def test_lines_fit_and_every_column_is_shown_or_named(result, width, show_dtype):
    lines = result.pformat(max_width=width, show_dtype=show_dtype)
    assert max(map(len, lines)) <= width
    shown = lines[0].split()
    assert shown[:2] == ["rank", "score"]
    number = int(lines[-1].split()[0])
    assert lines[-1].split()[1:4] == ["columns" if number > 1 else "column", "not", "shown:"]
    assert number + len(shown) == len(result.colnames)
    named = lines[-1].partition(": ")[2].rstrip("…").split(", ")
    assert not set(named[:-1]) & set(shown)
    assert set(named[:-1]) <= set(result.colnames)


def test_what_matters_comes_first(result):
    shown = result.pformat(max_width=140)[0].split()
    expected = ["rank", "score", "obsid", "target_name", "instrument_name", "filters"]
    assert shown[:9] == [*expected, "t_exptime", "proposal_id", "title"]


def test_units_stay(result):
    lines = result.pformat(max_width=140)
    place = lines[0].index("t_exptime")
    assert lines[1][place : place + 9].split() == ["s"]


def test_long_texts_are_cut_and_stay_in_one_line(result):
    lines = result.pformat(max_width=120)
    (line,) = (line for line in lines if "N1" in line)
    assert "The edge-on galaxy NGC 891, and" in line
    assert line.rstrip().endswith("…")


def test_the_table_itself_stays_as_it_is(result):
    before = result.copy()
    str(result), repr(result)
    assert result.colnames == before.colnames
    assert [result[n].info.format for n in result.colnames] == [None] * len(result.colnames)
    assert result["title"][0] == ROW["title"]


def test_a_format_of_the_users_own_goes_first(result):
    result["score"].info.format = ".5f"
    assert "0.98765" in result.pformat(max_width=80)[3]


def test_without_a_limit_astropy_prints_all_columns_in_their_order(result):
    assert result.pformat(max_width=-1) == Table(result).pformat(max_width=-1)


def test_what_fits_is_printed_as_astropy_does(result):
    part = result["target_name", "score", "rank"]
    assert part.pformat(max_width=80) == Table(part).pformat(max_width=80)


def test_chosen_columns_are_printed_as_astropy_does(result):
    result.pprint_include_names = ["obs_id", "s_region"]
    lines = result.pformat(max_width=80)
    assert lines[0].split() == ["obs_id", "..."]


def test_rows_are_counted_where_not_all_are_printed(capsys):
    result = make(50)
    result.pprint(max_lines=12, max_width=80)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "Length = 50 rows"
    assert "columns not shown" in lines[-2]
    assert any(line.split()[0] == "..." for line in lines)
    assert len(lines) == 12 + 1


@pytest.mark.usefixtures("capsys")
def test_repr_has_types_and_the_note(result, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    first, *lines = repr(result).splitlines()
    assert first == "<PaperclipResult length=3>"
    assert lines[2].split()[:2] == ["int64", "float64"]
    assert "columns not shown" in lines[-1]


def test_display_columns_say_what_comes_first(result):
    result.display_columns = ["filters", "absent", "rank"]
    assert result.pformat(max_width=20)[0].split() == ["filters", "rank"]


def test_empty_and_repeated_columns_give_their_place_to_others():
    result = make(2)
    result["obs_title"] = result["title"]
    shown = result.pformat(max_width=300)[0].split()
    assert "category" not in shown[:9]
    assert "obs_title" not in shown[:9]
    assert shown[8] == "title"


def test_a_result_without_rows_is_printed_with_its_columns():
    empty = make(1)[:0]
    shown = ["rank", "score", "score_percentile", "obsid", "target_name", "instrument_name"]
    assert empty.pformat(max_width=80)[0].split() == [*shown, "filters", "t_exptime"]


def test_masked_texts_are_marked():
    payloads = [ROW | {"filters": None}, ROW]
    hits = [SimpleNamespace(id=str(n), score=-n, payload=row) for n, row in enumerate(payloads)]
    assert "--" in PaperclipResult.from_hits(hits).pformat(max_width=100)[3].split()
