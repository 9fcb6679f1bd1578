"""The map of the sky: the real widget, without a browser. What JavaScript sends is set here."""

import io
import subprocess
import sys

import numpy as np
import pytest
from astropy.table import Table

from astro_paperclip import PaperclipResult
from astro_paperclip.exceptions import InvalidQueryError

ipyaladin = pytest.importorskip("ipyaladin")


def select(view, *rows, column="paperclip_row", as_text=False):
    """Do what the browser does when sources are selected."""
    data = [{column: str(row) if as_text else row, "target_name": "x"} for row in rows]
    sources = [{"ra": 0.0, "dec": 0.0, "data": one, "x": 1, "y": 1} for one in data]
    # A footprint that is selected as well has no data.
    view.widget._selected_objects = [sources, [{"ra": 1.0, "dec": 2.0}]]


@pytest.fixture
def queued(monkeypatch):
    """Return what is sent to the browser: tables by name, regions by name."""
    found = {}
    add_table = ipyaladin.Aladin.add_table
    add_regions = ipyaladin.Aladin.add_graphic_overlay_from_region

    def spy_table(self, table, **options):
        # The browser gets a VOTable.
        stream = io.BytesIO()
        table.write(stream, format="votable")
        stream.seek(0)
        found[options["name"]] = Table.read(stream, format="votable"), options
        return add_table(self, table, **options)

    def spy_regions(self, regions, **options):
        found[options["name"]] = regions, options
        return add_regions(self, regions, **options)

    monkeypatch.setattr(ipyaladin.Aladin, "add_table", spy_table)
    monkeypatch.setattr(ipyaladin.Aladin, "add_graphic_overlay_from_region", spy_regions)
    return found


def test_footprints_and_markers_are_drawn(make_result, queued):
    result = make_result(3)
    result.show_sky(color="#123456")
    regions, options = queued["footprints"]
    assert options["color"] == "#123456"
    assert [len(region.vertices) for region in regions] == [4] * 3
    np.testing.assert_allclose(regions[1].vertices.ra.deg.min(), 10.075)
    table, options = queued["observations"]
    np.testing.assert_allclose(table["ra"], result["s_ra"])
    np.testing.assert_allclose(table["dec"], result["s_dec"])
    assert (options["ra_field"], options["dec_field"]) == ("ra", "dec")
    assert table["obsid"].tolist() == result["obsid"].tolist()


def test_the_map_holds_all_observations(make_result):
    result = make_result(3)
    widget = result.show_sky().widget
    assert widget.target.separation(result.coords[1]).deg < 0.01
    assert 0.25 < widget.fov.deg < 0.5
    assert make_result(1).show_sky(fov=3).widget.fov.deg == 3


def test_what_is_selected_comes_back_as_a_result(make_result):
    result = make_result(4)
    view = result.show_sky()
    assert isinstance(view.selection, PaperclipResult)
    assert len(view.selection) == 0
    select(view, 3, 1)
    assert view.selection["obsid"].tolist() == result["obsid"][[1, 3]].tolist()
    assert view.selection.searches == result.searches
    select(view, 2, as_text=True)
    assert view.selection["rank"].tolist() == [3]
    select(view)
    assert len(view.selection) == 0


def test_rows_without_a_place_do_not_shift_the_selection(make_result, queued):
    result = make_result(4)
    result["s_ra"][0] = result["s_ra"][2] = np.nan
    result["s_region"][0] = result["s_region"][3] = "no region"
    view = result.show_sky()
    table, _ = queued["observations"]
    assert table["obsid"].tolist() == result["obsid"][1:].tolist()
    np.testing.assert_allclose(table["ra"], [10.1, 10.2, 10.3])
    select(view, *table["paperclip_row"].tolist()[:1])
    assert view.selection["obsid"].tolist() == ["2003738721"]


@pytest.mark.parametrize("rows", [[7], [-1], ["x"], [None], [float("nan")]])
def test_what_the_table_does_not_have_is_not_selected(make_result, rows):
    view = make_result(2).show_sky()
    select(view, *rows)
    assert len(view.selection) == 0


def test_sources_of_other_catalogues_are_not_taken_for_rows(make_result):
    view = make_result(2).show_sky()
    select(view, 1, column="row")
    assert len(view.selection) == 0


def test_a_function_is_called_with_each_selection(make_result):
    result = make_result(3)
    first, second = result.show_sky(), result.show_sky()
    calls = []
    first.on_selection(lambda table: calls.append(table["rank"].tolist()))
    select(first, 0, 2)
    select(second, 1)
    select(first, 1)
    assert calls == [[1, 3], [2]]


def test_a_notebook_shows_the_widget(make_result):
    view = make_result(1).show_sky()
    bundle = view._repr_mimebundle_()
    bundle = bundle[0] if isinstance(bundle, tuple) else bundle
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == view.widget.model_id
    assert repr(view) == "<SkyView of 1 observations, 0 selected>"


def test_nothing_to_show(make_result):
    with pytest.raises(InvalidQueryError, match="s_region"):
        make_result(2, s_region=None, s_ra=None, s_dec=None).show_sky()
    with pytest.raises(InvalidQueryError, match="s_region"):
        make_result(1)[:0].show_sky()


def test_without_ipyaladin_it_is_said_how_to_get_it():
    code = (
        "import sys; sys.modules['ipyaladin'] = None\n"
        "from astro_paperclip import PaperclipResult\n"
        "try:\n    PaperclipResult.from_hits([]).show_sky()\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'astro_paperclip[notebook]'" in done.stdout
