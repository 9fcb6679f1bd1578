import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from PIL import Image

from astro_paperclip import PaperclipMast, PaperclipResult
from astro_paperclip.exceptions import InvalidQueryError

pytest.importorskip("matplotlib")

from astro_paperclip.notebook import save_gallery
from astro_paperclip.notebook.gallery import make_gallery

COLOURS = [(200, 30, 40), (30, 160, 60), (40, 60, 190), (210, 180, 30), (120, 30, 150)]


@pytest.fixture
def result(tmp_path):
    """Return a result whose pictures are of one colour each, wide, tall and square."""
    sizes = [(60, 60), (90, 50), (40, 80), (64, 64), (20, 25)]
    for n, (size, colour) in enumerate(zip(sizes, COLOURS, strict=True)):
        Image.new("RGB", size, colour).save(tmp_path / f"{n}.png")
    return Table(
        {
            "rank": [1, 2, 3, 4, 5],
            "score": [0.91, 0.82, 0.73, 0.64, 0.555],
            "target_name": ["M 51", "M 101", "", "A" * 60, "NGC 1"],
            "title": ["", "", "The third title", "", ""],
            "instrument_name": ["ACS/WFC", "WFC3", "WFPC2", "STIS", "NICMOS"],
            "image": [str(tmp_path / f"{n}.png") for n in range(5)],
        }
    )


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def centres(figure, path):
    """Return the colour of the saved drawing in the middle of each tile."""
    drawing = pixels(path)
    height, width = drawing.shape[:2]
    boxes = [axes.get_position() for axes in figure.axes]
    places = [((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2) for box in boxes]
    return [drawing[int((1 - y) * height), int(x * width)] for x, y in places]


def texts(figure):
    """Return all that is written."""
    below = [[axes.get_xlabel(), *(text.get_text() for text in axes.texts)] for axes in figure.axes]
    return [text.get_text() for text in figure.texts], below


def test_tiles_show_the_pictures_in_their_order(result, tmp_path):
    path = save_gallery(result, tmp_path / "gallery.png")
    assert path == tmp_path / "gallery.png"
    shown = centres(make_gallery(result), path)
    np.testing.assert_allclose(shown, COLOURS, atol=4)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_pictures_are_letterboxed(result, tmp_path):
    """The second is wider than high: above and below it, the tile is empty."""
    path = save_gallery(result, tmp_path / "gallery.png")
    box = make_gallery(result).axes[1].get_position()
    drawing = pixels(path)
    height, width = drawing.shape[:2]
    column = int(width * (box.x0 + box.x1) / 2)
    rows = (1 - (box.y0 + np.array([0.1, 0.3, 0.5, 0.7, 0.9]) * box.height)) * height
    expected = [(0, 0, 0), COLOURS[1], COLOURS[1], COLOURS[1], (0, 0, 0)]
    np.testing.assert_allclose(drawing[rows.astype(int), column], expected, atol=4)


def test_what_is_written(result):
    headings, below = texts(make_gallery(result, footer="Simulated."))
    assert headings == ["Results", "Simulated."]
    assert below[0] == ["1   M 51", "0.91   ACS/WFC"]
    assert below[2] == ["3   The third title", "0.73   WFPC2"]
    assert below[3][0].startswith("4   AAAA")
    assert below[3][0].endswith("A…")
    assert len(below[3][0]) < 40


def test_masked_and_missing_columns(result):
    result["target_name"] = MaskedColumn(result["target_name"], mask=[True] * 5)
    del result["title"], result["instrument_name"]
    _, below = texts(make_gallery(result))
    # Nothing but the file's name is known.
    assert below[0][0].startswith("1   ")
    assert "--" not in below[0][0]
    assert below[0][1].strip() == "0.91"


def test_number_of_pictures(result, tmp_path):
    assert len(make_gallery(result, per_query=2).axes) == 2
    assert len(make_gallery(result, per_query=20).axes) == 5
    sizes = [
        pixels(save_gallery(result, tmp_path / "gallery.png", per_query=n)).shape for n in (1, 2, 4)
    ]
    assert sizes[0][0] == sizes[1][0] == sizes[2][0]
    # As wide again for each further picture.
    assert sizes[2][1] - sizes[1][1] == pytest.approx(2 * (sizes[1][1] - sizes[0][1]), abs=2)


def test_several_results(result, tmp_path):
    both = {"galaxies": result[:3], "clusters of stars": result[3:]}
    path = save_gallery(both, tmp_path / "both.png")
    figure = make_gallery(both)
    headings, below = texts(figure)
    assert headings == ["galaxies", "clusters of stars"]
    assert [label[0].split()[0] for label in below] == ["1", "2", "3", "4", "5"]
    np.testing.assert_allclose(centres(figure, path), COLOURS, atol=4)
    tops = [axes.get_position().y1 for axes in figure.axes]
    assert min(tops[:3]) > max(tops[3:])
    one = pixels(save_gallery(result[:3], tmp_path / "one.png"))
    drawing = pixels(path)
    assert drawing.shape[1] == one.shape[1]
    assert 1.7 * one.shape[0] < drawing.shape[0] < 2 * one.shape[0]


@pytest.mark.parametrize(
    ("ask", "heading"),
    [
        (lambda paperclip, _: paperclip.query_text("a comet", get_query_payload=True), "a comet"),
        (
            lambda paperclip, folder: paperclip.query_image(
                folder / "0.png", get_query_payload=True
            ),
            "{folder}/0.png",
        ),
        (
            lambda paperclip, _: paperclip.query_image(np.ones((9, 9)), get_query_payload=True),
            "Results",
        ),
        (
            lambda paperclip, _: paperclip.query_similar(5, get_query_payload=True),
            "similar to 5",
        ),
        (
            lambda paperclip, folder: paperclip.query_criteria(
                text="a comet", image=folder / "0.png", similar_to=[5, 6], get_query_payload=True
            ),
            '"a comet", {folder}/0.png, similar to 2 observations',
        ),
        (lambda paperclip, _: paperclip.query_criteria(get_query_payload=True), "Results"),
    ],
)
def test_the_heading_says_what_was_asked(result, tmp_path, ask, heading):
    query = ask(PaperclipMast(collection="/absent"), tmp_path)
    meta = PaperclipResult.from_hits([], query=query).meta
    found = PaperclipResult(result, meta=meta)
    assert texts(make_gallery(found))[0] == [heading.format(folder=tmp_path)]


def test_observations_without_a_ranking(result):
    result["score"] = MaskedColumn(result["score"], mask=True)
    _, below = texts(make_gallery(result))
    assert below[0] == ["1   M 51", "ACS/WFC"]
    del result["rank"], result["score"]
    _, below = texts(make_gallery(result))
    assert below[0] == ["M 51", "ACS/WFC"]


@pytest.mark.parametrize("number", [0, -1, 2.0, True, None])
def test_numbers_of_pictures_that_make_no_sense(result, tmp_path, number):
    with pytest.raises(InvalidQueryError, match="per_query must be a whole number above 0"):
        save_gallery(result, tmp_path / "gallery.png", per_query=number)


@pytest.mark.parametrize("spoil", ["missing", "broken", "no column", "masked"])
def test_a_picture_that_is_gone_leaves_an_empty_tile(result, tmp_path, spoil):
    if spoil == "missing":
        (tmp_path / "1.png").unlink()
    elif spoil == "broken":
        (tmp_path / "1.png").write_bytes(b"no picture")
    elif spoil == "masked":
        result["image"] = MaskedColumn(result["image"], mask=[False, True, False, False, False])
    else:
        del result["image"]
    path = save_gallery(result, tmp_path / "gallery.png")
    shown = centres(make_gallery(result), path)
    assert not any(np.allclose(shown[1], colour, atol=30) for colour in COLOURS)
    if spoil == "no column":
        assert len({tuple(colour) for colour in shown}) == 1
    else:
        np.testing.assert_allclose(shown[2], COLOURS[2], atol=4)


@pytest.mark.parametrize("given", [lambda t: t[:0], lambda _: {}, lambda t: {"none": t[:0]}])
def test_nothing_to_show(result, tmp_path, given):
    with pytest.raises(InvalidQueryError, match="no picture to show"):
        save_gallery(given(result), tmp_path / "gallery.png")
    assert not (tmp_path / "gallery.png").exists()


def test_one_of_two_results_may_be_empty(result):
    headings, below = texts(make_gallery({"a": result[:0], "b": result}))
    assert headings == ["a", "b"]
    assert len(below) == 5


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("gallery.pdf", b"%PDF"),
        ("gallery.jpg", b"\xff\xd8\xff"),
        ("gallery.SVG", b"<?xml"),
        ("gallery", b"\x89PNG"),
        ("a/new/folder/gallery.png", b"\x89PNG"),
    ],
)
def test_formats(result, tmp_path, name, start):
    before = set(tmp_path.rglob("*"))
    path = save_gallery(result[:1], tmp_path / name)
    assert path.read_bytes().startswith(start)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} - before == {path}


def test_an_unknown_format(result, tmp_path):
    with pytest.raises(InvalidQueryError, match=r"gallery\.docx.*\.pdf.*\.png"):
        save_gallery(result, tmp_path / "gallery.docx")


def test_dollars_are_no_formulas(result, tmp_path):
    r"""A title such as "z$\sim$6 galaxies" is common, and half of one is no formula."""
    result["target_name"] = r"$\notaformula$"
    result["instrument_name"] = r"$\frac$"
    save_gallery({r"the $\price of $5": result}, tmp_path / "a.png", footer=r"$\sim\ $")
    assert (tmp_path / "a.png").stat().st_size > 1000
