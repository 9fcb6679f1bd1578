"""Coverage maps, against mocpy and by hand."""

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.sky import Moc
from astro_paperclip.sky.healpix import MAX_ORDER

from .places import MOCS, rim

CELLS = st.integers(0, 4).flatmap(
    lambda order: st.tuples(st.just(order), st.integers(0, 12 * 4**order - 1))
)


def pixels(cells, order=5):
    """Return the cells of one order that lie in others."""
    return {
        number
        for level, first in cells
        for number in range(first << 2 * (order - level), (first + 1) << 2 * (order - level))
    }


@settings(max_examples=50)
@given(st.lists(CELLS, min_size=1, max_size=10))
def test_cells_are_the_fewest_for_their_sky(cells):
    moc = Moc(tuple(cells))
    assert pixels(moc.cells) == pixels(cells)
    assert sum(4 ** (5 - order) for order, _ in moc.cells) == len(pixels(cells))
    for order, number in moc.cells:
        siblings = {(order, number // 4 * 4 + child) for child in range(4)}
        assert order == 0 or not siblings <= set(moc.cells)
    assert list(moc.cells) == sorted(moc.cells)
    assert moc == Moc.from_ranges(moc.ranges) == Moc.from_nuniq(moc.nuniq[::-1])


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("5/12-14 6/101", ((5, 12), (5, 13), (5, 14), (6, 101))),
        ("5/12-14,16\n6/101 102 29/", ((5, 12), (5, 13), (5, 14), (5, 16), (6, 101), (6, 102))),
        ("s1/0-3 2/16", ((0, 0), (2, 16))),
        ("6/ 101", ((6, 101),)),
        ("0/0-11", tuple((0, number) for number in range(12))),
        (f"29/{12 * 4**29 - 1}", ((29, 12 * 4**29 - 1),)),
    ],
)
def test_text(text, cells):
    assert Moc.from_text(text).cells == cells


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5/",
        "12",
        "5/12-",
        "5/14-12",
        "30/1",
        "0/12",
        "5/a",
        "1e3/4",
        "-1/3",
        "t5/1",
        "9" * 50 + "/1",
        "5/" + "9" * 50,
    ],
)
def test_text_that_is_no_map(text):
    with pytest.raises(InvalidQueryError, match="MOC"):
        Moc.from_text(text)


@given(st.text(alphabet="0123456789/-, s", max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        moc = Moc.from_text(text)
    except InvalidQueryError:
        return
    again = " ".join(f"{order}/{number}" for order, number in moc.cells[:1000])
    assert len(moc.cells) > 1000 or Moc.from_text(again) == moc


@pytest.mark.parametrize(
    "cells",
    [
        (),
        ((30, 0),),
        ((-1, 0),),
        ((0, 12),),
        ((2, -1),),
        (5,),
        ((1, 2, 3),),
        "5/1",
        ((0, 10**30),),
        None,
    ],
)
def test_cells_that_do_not_exist(cells):
    with pytest.raises(InvalidQueryError, match=r"MOC|cell"):
        Moc(cells)


@pytest.mark.parametrize(
    "ranges", [[], [[5, 3]], [[-1, 3]], [[0, 12 * 4**29 + 1]], [[0.5, 1]], [1, 2], [[1, 1]]]
)
def test_ranges_that_do_not_exist(ranges):
    with pytest.raises(InvalidQueryError):
        Moc.from_ranges(ranges)


@pytest.mark.parametrize("cells", [[3], [], [4.5], [-1], [2**62]])
def test_nuniq_that_do_not_exist(cells):
    with pytest.raises(InvalidQueryError):
        Moc.from_nuniq(cells)


def test_ranges_of_the_deepest_order():
    start = np.array([0, 4**29 + 1, 5 * 4**27], dtype=np.uint64)
    moc = Moc.from_ranges(np.stack([start, start + 1], axis=1))
    assert moc.cells == tuple((MAX_ORDER, int(number)) for number in np.sort(start))


@pytest.mark.parametrize("name", MOCS)
def test_mocpy_contains_the_same(name, everywhere):
    mocpy = pytest.importorskip("mocpy")
    ours = MOCS[name]
    ra, dec = (np.concatenate(axis) for axis in zip(everywhere, rim(ours, 20_000), strict=True))
    theirs = mocpy.MOC.from_string(" ".join(f"{order}/{number}" for order, number in ours.cells))
    assert Moc.from_mocpy(theirs) == ours
    np.testing.assert_array_equal(ours.ranges, theirs.to_depth29_ranges)
    # On the line between cells, libraries number positions differently in the last bits.
    same = ours.contains(ra, dec) == theirs.contains_lonlat(ra * u.deg, dec * u.deg)
    off = 1e-11
    on_line = np.zeros(len(ra), dtype=bool)
    for shift in ((off, 0), (-off, 0), (0, off), (0, -off)):
        moved = (ra + shift[0]) % 360, np.clip(dec + shift[1], -90, 90)
        on_line |= ours.contains(*moved) != ours.contains(ra, dec)
    assert (same | on_line | (np.abs(dec) > 89.999999)).all()
    assert same.mean() > 0.999


def test_mocpy_files(tmp_path):
    mocpy = pytest.importorskip("mocpy")
    theirs = mocpy.MOC.from_polygon([359, 1, 1] * u.deg, [-5, -5, -3] * u.deg, max_depth=10)
    path = tmp_path / "triangle.fits"
    theirs.save(path, "fits")
    assert Moc.from_fits(path) == Moc.from_mocpy(theirs) == Moc.from_text(theirs.to_string())
    with pytest.raises(InvalidQueryError, match="no cells"):
        Moc.from_mocpy(mocpy.MOC.new_empty(10))


def write(path, columns, **cards):
    table = fits.BinTableHDU.from_columns(columns)
    table.header.update(cards)
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    return path


@pytest.mark.parametrize("form", ["K", "J"])
def test_files_of_nuniq(tmp_path, form):
    column = fits.Column("UNIQ", form, array=np.array([4 * 4**5 + 12, 4 * 4**6 + 101]))
    path = write(tmp_path / "moc.fits", [column], ORDERING="NUNIQ", COORDSYS="C")
    assert Moc.from_fits(path) == Moc.from_text("5/12 6/101")


def test_files_of_ranges(tmp_path):
    ranges = Moc.from_text("5/12 6/101").ranges
    column = fits.Column("RANGE", "K", array=ranges.ravel())
    path = write(tmp_path / "moc.fits", [column], ORDERING="RANGE", MOCDIM="SPACE", COORDSYS="C")
    assert Moc.from_fits(path) == Moc.from_text("5/12 6/101")


@pytest.mark.parametrize(
    ("cards", "count", "word"),
    [
        ({"MOCDIM": "TIME"}, 1, "TIME"),
        ({"COORDSYS": "G"}, 1, "'G'"),
        ({}, 2, "2 columns"),
        ({"ORDERING": "RANGE"}, 1, "ends of ranges"),
    ],
)
def test_files_of_something_else(tmp_path, cards, count, word):
    columns = [fits.Column(f"C{n}", "K", array=np.array([100, 101, 102])) for n in range(count)]
    with pytest.raises(InvalidQueryError, match=word):
        Moc.from_fits(write(tmp_path / "moc.fits", columns, **cards))


def test_files_that_are_none(tmp_path):
    path = tmp_path / "moc.fits"
    with pytest.raises(InvalidQueryError, match=r"moc\.fits"):
        Moc.from_fits(path)
    path.write_text("no FITS")
    with pytest.raises(InvalidQueryError, match=r"moc\.fits"):
        Moc.from_fits(path)
    fits.PrimaryHDU().writeto(path, overwrite=True)
    with pytest.raises(InvalidQueryError, match=r"moc\.fits"):
        Moc.from_fits(path)
