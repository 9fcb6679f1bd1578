"""VOTables that validators and readers of others accept."""

import io

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io.votable import parse, validate
from astropy.table import Table, vstack

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.vo import make_votable


def origin_of(votable):
    """Return what astropy reads of the origin of a VOTable."""
    dataorigin = pytest.importorskip("astropy.io.votable.dataorigin", reason="astropy < 7.1")
    return dataorigin.extract_data_origin(votable)


@pytest.mark.parametrize(
    "make",
    [
        lambda result: result.to_votable(),
        lambda result: result[:0].to_votable(),
        lambda result: vstack([result, result[1:]]).to_votable(),
        lambda result: result.to_dal().votable,
        lambda result: result[:0].to_dal().votable,
        lambda result: make_votable(Table({"a": [1, 2], "b": ["x", "ü"]})),
    ],
    ids=["result", "empty", "stacked", "obscore", "empty obscore", "plain"],
)
def test_no_complaint(result, make, tmp_path):
    path = tmp_path / "table.vot"
    make(result).to_xml(str(path))
    report = io.StringIO()
    assert validate(path, output=report), report.getvalue()
    parse(path, verify="exception")


def test_the_reply_says_that_it_is_whole(result):
    votable = result.to_votable()
    (resource,) = votable.resources
    assert resource.type == "results"
    assert [info.value for info in resource.infos if info.name == "QUERY_STATUS"] == ["OK"]


def test_fields_say_what_they_are(result):
    fields = {field.name: field for field in result.to_votable().get_first_table().fields}
    assert fields["t_exptime"].unit == "s"
    assert fields["em_min"].unit == "nm"
    assert fields["s_ra"].ucd == "pos.eq.ra;meta.main"
    assert fields["target_name"].utype == "obscore:Target.name"
    assert fields["score"].description.startswith("Cosine similarity")


def test_its_origin_is_told(result):
    origin = origin_of(result.to_votable())
    assert '"text": "spiral arms & dust"' in origin.query.query
    assert origin.query.publisher == "astro_paperclip"
    assert origin.query.request_date == result.searches[0]["date"]
    assert origin.origin[0].resource_version == ['{"encoder": "compact"}']


def test_several_searches_have_one_origin(result):
    other = type(result).from_hits([], query={"kind": "image", "sha256": "00"})
    origin = origin_of(vstack([result, other]).to_votable())
    assert '"kind": "text"' in origin.query.query
    assert '"kind": "image"' in origin.query.query


def test_a_table_without_a_search_has_no_origin():
    votable = make_votable(Table({"a": [1]}))
    assert origin_of(votable).query.query is None
    assert votable.infos == []


def test_the_table_itself_is_left_alone(result):
    before = dict(result.meta)
    votable = result.to_votable()
    votable.get_first_table().array["rank"][0] = 77
    assert result.meta == before
    assert result["rank"].tolist() == [1, 2, 3]


def test_what_no_votable_holds_is_named():
    table = Table({"where": SkyCoord([1, 2], [3, 4], unit="deg"), "n": np.arange(2)})
    with pytest.raises(InvalidQueryError, match="'where', of SkyCoord"):
        make_votable(table)
