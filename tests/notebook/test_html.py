"""Tables and grids as pages: what is in them, and what never is."""

import base64
import io
from html.parser import HTMLParser
from urllib.parse import urlsplit

import numpy as np
import pytest
from astropy.table import Table
from astropy.utils.exceptions import AstropyDeprecationWarning
from PIL import Image

from astro_paperclip import PaperclipResult, conf
from astro_paperclip.exceptions import InvalidQueryError

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'>&amp;</td></table>"
TAGS = {"a", "b", "body", "details", "div", "head", "html", "i", "img", "li", "main", "meta", "p"}
TAGS |= {"small", "style", "summary", "table", "tbody", "td", "th", "thead", "title", "tr", "ul"}


class Page(HTMLParser):
    """What a browser makes of HTML: its elements, and the texts in them."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts, self._inside = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside.append(tag)

    def handle_endtag(self, tag):
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data):
        if data.strip() and "style" not in self._inside:
            self.texts.append(data.strip())

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    def pictures(self):
        sources = [attrs["src"] for attrs in self.all("img")]
        prefix = "data:image/jpeg;base64,"
        return [
            Image.open(io.BytesIO(base64.b64decode(source.removeprefix(prefix), validate=True)))
            for source in sources
            if source.startswith(prefix)
        ]


VIEWS = {
    "table": lambda result, **options: result.show_table(**options),
    "grid": lambda result, **options: result.show_grid(**options),
}


@pytest.fixture(params=VIEWS)
def show(request):
    """Return a function that shows a result, as a table or as a grid."""
    return VIEWS[request.param]


def test_pictures_are_small_copies_of_the_files_in_their_order(make_result, show):
    result = make_result(3, size=(400, 200))
    pictures = Page(show(result, side=64).html).pictures()
    assert [picture.size for picture in pictures] == [(64, 32)] * 3
    for n, picture in enumerate(pictures):
        red, _, blue = np.asarray(picture.convert("RGB")).mean(axis=(0, 1))
        assert red == pytest.approx(40 * n, abs=4)
        assert blue == pytest.approx(255 - 40 * n, abs=4)


def test_sizes_in_the_page_are_those_of_the_pictures(make_result, show):
    page = Page(show(make_result(2), side=48).html)
    sizes = [(int(img["width"]), int(img["height"])) for img in page.all("img")]
    assert sizes == [picture.size for picture in page.pictures()]


def test_alternative_texts_say_what_is_seen(make_result, show):
    alternatives = [img["alt"] for img in Page(show(make_result(2)).html).all("img")]
    assert alternatives == [f"Preview of NGC {n}, ACS/WFC, F606W" for n in range(2)]


def test_links_lead_to_mast_and_to_the_proposal(make_result, show):
    links = {a["href"] for a in Page(show(make_result(1)).html).all("a")}
    assert "https://www.stsci.edu/hst-program-info/program/?program=9405" in links
    file = "https://mast.stsci.edu/api/v0.1/Download/file?uri=mast:HST/product/hst_9405_00_drz.jpg"
    assert file in links
    assert any("/portal/" in link and "2003738720" in link for link in links)
    assert len(links) == 3


def test_hostile_texts_stay_texts(make_result, show):
    names = ["target_name", "title", "instrument_name", "filters", "proposal_id", "obs_id"]
    hostile = dict.fromkeys([*names, "category", "obs_collection", "preview", HOSTILE], HOSTILE)
    result = make_result(2, jpegURL="javascript:alert(3)", **hostile)
    # A name of a column may be anything, too; one that repeats another is not shown.
    result[HOSTILE] = [f"{HOSTILE}{n}" for n in range(2)]
    result.display_columns = [*result.display_columns, HOSTILE]
    result.meta["searches"][0]["query"]["text"] = HOSTILE
    result["target_name"].info.description = HOSTILE
    result["t_exptime"].info.unit = None
    page = Page(show(result, remote=True).html)
    assert {tag for tag, _ in page.elements} <= TAGS
    assert any(HOSTILE in text for text in page.texts)
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("href", "src"):
            address = urlsplit(attributes.get(name, "https://mast.stsci.edu"))
            is_embedded = address.scheme == "data" and name == "src"
            assert is_embedded or (address.scheme, address.netloc) == ("https", "mast.stsci.edu")


def test_hostile_texts_stay_texts_in_a_page(make_result, show, tmp_path):
    result = make_result(1, target_name=HOSTILE, title=HOSTILE)
    result.meta["searches"][0]["query"]["text"] = f"</title>{HOSTILE}"
    show(result).write(tmp_path / "page.html")
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert {tag for tag, _ in page.elements} <= TAGS
    policies = [m["content"] for m in page.all("meta") if "http-equiv" in m]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_a_page_is_not_written_over_another(make_result, show, tmp_path):
    path = tmp_path / "page.html"
    path.write_text("mine")
    view = show(make_result(1))
    with pytest.raises(OSError, match="overwrite=True"):
        view.write(path)
    assert path.read_text() == "mine"
    view.write(path, overwrite=True)
    assert view.html in path.read_text(encoding="utf-8")


def test_nothing_is_loaded_unless_asked_for(make_result, show):
    result = make_result(3)
    result["image"][1:] = "/nowhere/gone.png"
    assert len(Page(show(result).html).all("img")) == 1
    page = Page(show(result, remote=True).html)
    sources = [img["src"] for img in page.all("img")]
    assert sources[0].startswith("data:")
    for n in (1, 2):
        assert sources[n].startswith("https://mast.stsci.edu/api/v0.1/Download/file?uri=mast:HST/")
        assert sources[n].endswith(f"hst_9405_{n:02}_drz.jpg")


def test_pictures_are_loaded_from_the_configured_archive_only(make_result, tmp_path):
    result = make_result(2, jpegURL="https://evil.example/track.gif", preview=None)
    result["image"][:] = ""
    with pytest.raises(InvalidQueryError, match="no picture to show"):
        result.show_table(remote=True)
    with conf.set_temp("mast_server", "https://evil.example"):
        view = result.show_table(remote=True)
        view.write(tmp_path / "page.html")
    assert {img["src"] for img in Page(view.html).all("img")} == {"https://evil.example/track.gif"}
    policy = "img-src data: https://evil.example;"
    assert policy in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_number_of_pictures_is_bounded_and_the_rest_is_said(make_result):
    page = Page(make_result(5).show_table(pictures=2).html)
    assert len(page.all("img")) == 2
    assert len(page.all("tr")) == 1 + 5
    assert any(text.startswith("3 more pictures") for text in page.texts)
    page = Page(make_result(5).show_grid(pictures=2).html)
    assert len(page.all("li")) == 2
    assert "2 of 5 observations." in page.texts


def test_the_number_of_rows_is_bounded_and_the_rest_is_said(make_result):
    page = Page(make_result(5).show_table(rows=2).html)
    assert len(page.all("tr")) == 1 + 2
    assert any(text.startswith("3 more rows") for text in page.texts)


def test_the_size_of_all_pictures_is_bounded(make_result, tmp_path):
    from astro_paperclip.notebook.rows import PictureLimits, pictures_of

    result = make_result(6)
    noise = np.random.default_rng(1).integers(0, 255, (500, 500, 3), dtype=np.uint8)
    for n in range(6):
        Image.fromarray(noise).save(tmp_path / f"{n}.png")
    pictures, left_out = pictures_of(result, PictureLimits(side=400, pictures=6, total=300_000))
    shown = [picture for picture in pictures if picture is not None]
    assert 0 < len(shown) < 6
    assert len(shown) + left_out == 6
    assert sum(len(picture.source) for picture in shown) <= 300_000
    assert pictures[: len(shown)] == shown


def test_a_notebook_shows_the_table_with_pictures(make_result):
    result = make_result(2)
    page = Page(result._repr_html_())
    assert len(page.pictures()) == 2
    assert "PaperclipResult length=2" in page.texts
    header = [text for text in page.texts if text in result.colnames]
    expected = ["rank", "score", "obsid", "target_name", "instrument_name", "filters"]
    assert header == [*expected, "t_exptime", "proposal_id", "title"]
    hidden = [name for name in result.colnames if name not in header]
    place = page.texts.index(f"{len(hidden)} columns not shown")
    assert page.texts[place + 1] == ", ".join(hidden)


def test_a_changed_file_is_shown_as_it_is_now(make_result, tmp_path):
    result = make_result(1)
    before = Page(result._repr_html_()).pictures()[0]
    Image.new("RGB", (90, 90), (250, 250, 10)).save(tmp_path / "0.png")
    after = Page(result._repr_html_()).pictures()[0]
    assert before.size != after.size
    np.testing.assert_allclose(np.asarray(after.convert("RGB"))[45, 45], (250, 250, 10), atol=6)


@pytest.mark.parametrize(
    "spoil", ["no column", "gone", "broken", "a folder", "masked", "null byte"]
)
def test_a_table_without_pictures_looks_as_astropys(make_result, tmp_path, spoil):
    result = make_result(2)
    if spoil == "no column":
        result.remove_column("image")
    elif spoil == "gone":
        (tmp_path / "0.png").unlink()
        (tmp_path / "1.png").unlink()
    elif spoil == "broken":
        (tmp_path / "0.png").write_bytes(b"no picture")
        (tmp_path / "1.png").write_bytes(b"")
    elif spoil == "a folder":
        result["image"][:] = str(tmp_path)
    elif spoil == "null byte":
        result["image"][:] = "a\0b"
    else:
        result["image"] = np.ma.MaskedArray(result["image"], mask=True)
    plain = Table(result, copy=True)
    plain.meta.clear()
    expected = plain._repr_html_().replace("<i>Table", "<i>PaperclipResult")
    texts = Page(expected).texts
    assert Page(result._repr_html_()).texts == texts
    with pytest.raises(InvalidQueryError, match="get_previews"):
        result.show_table()


def test_an_empty_result_looks_as_astropys(make_result):
    empty = make_result(2)[:0]
    assert "length=0" in empty._repr_html_()
    with pytest.raises(InvalidQueryError, match="empty"):
        empty.show_grid()


@pytest.mark.parametrize(
    ("option", "match"),
    [
        ({"side": 4}, "side.*from 8 to 1024.*4"),
        ({"side": 64.0}, "side"),
        ({"pictures": -1}, "pictures"),
        ({"pictures": True}, "pictures"),
    ],
)
def test_numbers_that_make_no_sense(make_result, show, option, match):
    with pytest.raises(InvalidQueryError, match=match):
        show(make_result(1), **option)


def test_rows_that_make_no_sense(make_result):
    with pytest.raises(InvalidQueryError, match="rows"):
        make_result(1).show_table(rows=0)


def test_a_view_says_in_a_terminal_what_to_do_with_it(make_result, show):
    text = repr(show(make_result(1)))
    assert "write(path)" in text
    assert "kB" in text


def test_missing_values_are_blanks(make_result):
    result = PaperclipResult(make_result(2), masked=True)
    result["filters"].mask = [True, False]
    result["t_exptime"][0] = np.nan
    page = Page(result._repr_html_())
    assert page.texts.count("F606W") == 1
    assert not {"--", "nan", "masked", "None"} & set(page.texts)
    assert page.all("img")[0]["alt"] == "Preview of NGC 0, ACS/WFC"


def test_astropys_own_view_of_a_notebook_still_works(make_result):
    pytest.importorskip("IPython")
    result = make_result(2)
    with pytest.warns(AstropyDeprecationWarning, match="classic"):
        shown = result.show_in_notebook(backend="classic").data
    assert all(name in shown for name in result.colnames)
    assert "NGC 1" in shown
