"""Cells by which a database preselects: nothing may be lost."""

import numpy as np
import pytest
from astropy import units as u
from astropy_healpix import HEALPix, lonlat_to_healpix

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.sky import (
    Box,
    Circle,
    Moc,
    Polygon,
    Union,
    ancestors,
    cover,
    footprint_cells,
    many_footprint_cells,
    overlaps,
    query_cells,
)
from astro_paperclip.sky.healpix import cell_radius, order_and_number
from astro_paperclip.sky.spherical import separations, unit_vectors
from astro_paperclip.sky.tangent import rectangle

from .places import SHAPES, regular, rim


def test_ancestors_are_those_of_astropy_healpix(everywhere):
    ra, dec = everywhere
    cells = ancestors(ra, dec, 12)
    assert cells.shape == (len(ra), 7)
    assert cells.dtype == np.int64
    for column, order in enumerate(range(0, 13, 2)):
        healpix = HEALPix(2**order, order="nested")
        centers = healpix.healpix_to_lonlat(cells[:, column] - 4 * 4**order)
        points = [axis.to_value("deg") for axis in centers]
        away = separations(unit_vectors(*points), unit_vectors(ra, dec))
        assert (away <= cell_radius(order)).all()
    expected = lonlat_to_healpix(ra * u.deg, dec * u.deg, 2**12, order="nested")
    assert np.mean(cells[:, -1] - 4 * 4**12 == expected) > 0.99


def test_ancestors_at_the_deepest_order():
    (cells,) = ancestors(266.4168, -29.0078, 29)
    order, number = order_and_number(cells)
    assert order.tolist() == list(range(1, 30, 2))
    assert (number[1:] // 16 == number[:-1]).all()


def meets(cells, wanted):
    return np.isin(cells, wanted).any(axis=1)


@pytest.mark.parametrize(
    ("order", "most"), [(4, 100_000), (10, 2000), (11, 2000), (20, 500), (29, 100)]
)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_cover_is_never_wrong(shape, order, most, everywhere):
    inside, boundary = cover(shape, order, most)
    assert len(inside) + len(boundary) <= most
    near = rim(shape, 20_000)
    ra, dec = (np.concatenate(axis) for axis in zip(everywhere, near, strict=True))
    cells = ancestors(ra, dec, order)
    contained = shape.contains(ra, dec)
    surely = meets(cells, inside)
    assert contained[surely].all()
    assert (surely | meets(cells, boundary))[contained].all()


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_cover_is_cells_apart(shape):
    inside, boundary = cover(shape, 9)
    ranges = []
    for order, number in zip(*order_and_number(np.r_[inside, boundary]), strict=True):
        ranges.append((number << 2 * (29 - order), number + 1 << 2 * (29 - order)))
    ranges = np.array(sorted(ranges))
    assert (ranges[1:, 0] >= ranges[:-1, 1]).all()
    assert len(set(order_and_number(boundary)[0].tolist())) <= 1
    assert (np.diff(inside) > 0).all()


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        (Circle(0.1, -5, 1), 2 * np.pi * (1 - np.cos(np.radians(1)))),
        (Box(350, 20, 60, 90), np.radians(30) * (1 - np.sin(np.radians(60)))),
        (Polygon(((0, 0), (90, 0), (0, 90))), np.pi / 2),
    ],
)
def test_a_cover_closes_in_on_the_area(shape, area):
    def size(cells):
        order, _ = order_and_number(cells)
        return (4 * np.pi / (12 * 4.0**order)).sum()

    inside, boundary = cover(shape, 12, 100_000)
    assert size(inside) < area < size(inside) + size(boundary)
    assert size(boundary) < 0.1 * area


def test_a_cover_of_a_moc_is_its_cells():
    moc = Moc.from_text("3/5 5/12-14 9/3000000")
    inside, boundary = cover(moc, 9)
    assert Moc.from_nuniq(inside) == moc
    assert not len(boundary)
    inside, boundary = cover(moc, 5)
    assert boundary.tolist() == [4 * 4**5 + (3000000 >> 8)]


@pytest.mark.parametrize("order", [4, 9])
def test_the_cells_of_a_moc_hold_it(order, everywhere):
    """Whatever the parity of its orders, and where it is deeper or coarser than asked for."""
    moc = Moc.from_text("0/3 2/60 3/5 6/800-802 11/30000000")
    found = footprint_cells(moc, order)
    leaves = [-cell for cell in found if cell < 0]
    leaves += [cell for cell in found if cell >= 4 * 4**order]
    ra, dec = everywhere
    cells = ancestors(ra, dec, order)
    assert moc.contains(ra, dec).sum() > 100
    assert meets(cells, leaves)[moc.contains(ra, dec)].all()


FIELDS = [(10, 0), (0, 60), (180, -45), (40, 89.97), (200, -90), (45, np.degrees(np.arcsin(2 / 3)))]


def footprints(rng, count):
    """Yield footprints of many sizes and kinds around places where cells are odd."""
    for _ in range(count):
        ra, dec = FIELDS[rng.integers(len(FIELDS))]
        ra, dec = ra + rng.normal(0, 0.1), np.clip(dec + rng.normal(0, 0.1), -90, 90)
        size = 10 ** rng.uniform(-4, 1.5)
        kind = rng.integers(5)
        if kind == 0:
            yield Circle(ra, dec, size)
        elif kind == 1:
            top = min(90, dec + size)
            yield Box(ra - size, ra + size, max(-90, top - size), top)
        elif kind == 2:
            sides = size, size * 10 ** rng.uniform(-2, 0)
            yield Polygon(tuple(rectangle(ra, dec, *sides, rng.uniform(0, 360))))
        elif kind == 3:
            star = regular(ra, dec, size, 7)
            yield Polygon(star[::2] + star[1::2])
        else:
            chips = [Circle(ra, dec, size), Polygon(regular(ra + 3 * size, dec * 0.9, size, 3))]
            yield Union(tuple(chips))


@pytest.mark.parametrize("order", [4, 7, 8, 10])
def test_what_overlaps_shares_a_cell(order):
    rng = np.random.default_rng(order)
    shapes = list(footprints(rng, 120))
    cells = [set(found) for found in many_footprint_cells(shapes, order)]
    n_overlaps = n_found = 0
    for region in [*footprints(rng, 40), *(SHAPES[name] for name in list(SHAPES)[::4])]:
        wanted = set(query_cells(region, order, 500))
        for shape, found in zip(shapes, cells, strict=True):
            does_overlap = overlaps(region, shape)
            n_overlaps += does_overlap
            n_found += bool(wanted & found)
            assert not does_overlap or wanted & found
    assert n_overlaps > 500
    assert n_found < 2 * n_overlaps


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_cells_of_a_footprint_hold_it(shape, everywhere):
    order = 8
    found = footprint_cells(shape, order)
    assert found == sorted(set(found))
    leaves = [-cell for cell in found if cell < 0]
    leaves += [cell for cell in found if cell >= 4 * 4**order]
    assert Moc.from_nuniq(leaves)
    near = rim(shape, 20_000)
    ra, dec = (np.concatenate(axis) for axis in zip(everywhere, near, strict=True))
    contained = shape.contains(ra, dec)
    assert meets(ancestors(ra[contained], dec[contained], order), leaves).all()
    for cell in leaves:
        level, number = (part.item() for part in order_and_number(np.array(cell)))
        around = range(0, level + 1, 2)
        assert {4 * 4**k + (number >> 2 * (level - k)) for k in around} <= set(found)


def test_few_cells_for_a_footprint():
    camera = Polygon(tuple(rectangle(150.1, 2.2, 0.05, 0.05, 30)))
    assert len(footprint_cells(camera, 10)) < 30
    assert min(footprint_cells(camera, 10)) > 0
    assert len(footprint_cells(Circle(10, 20, 60), 10)) < 40
    assert footprint_cells(Circle(10, 20, 180), 10) == sorted([*range(4, 16), *range(-15, -3)])


def test_few_cells_besides_those_that_overlap():
    rng = np.random.default_rng(3)
    shapes = []
    for _ in range(400):
        place = 30 + rng.normal(0, 0.5), 10 + rng.normal(0, 0.5)
        shapes.append(Polygon(tuple(rectangle(*place, 0.05, 0.05, rng.uniform(0, 360)))))
    region = Circle(30, 10, 0.3)
    wanted = set(query_cells(region, 12))
    found = [bool(wanted & set(cells)) for cells in many_footprint_cells(shapes, 12)]
    expected = [overlaps(region, shape) for shape in shapes]
    assert sum(expected) <= sum(found) < 1.5 * sum(expected)


def test_many_footprints_are_as_each_of_them():
    shapes = list(footprints(np.random.default_rng(9), 40))
    shapes += [Moc.from_text("3/5 12/7"), SHAPES["union: mixed"]]
    assert many_footprint_cells(shapes, 9) == [footprint_cells(shape, 9) for shape in shapes]
    assert many_footprint_cells([], 9) == []


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: cover(Circle(1, 2, 3), 30), "order 30"),
        (lambda: cover(Circle(1, 2, 3), -1), "order -1"),
        (lambda: cover(Circle(1, 2, 3), 4, 11), "11"),
        (lambda: cover(Circle(1, 2, 3), 5, 47), "47"),
        (lambda: cover("CIRCLE 1 2 3", 5), "CIRCLE 1 2 3"),
        (lambda: footprint_cells(Circle(1, 2, 3), 2.5), "order 2.5"),
        (lambda: footprint_cells("CIRCLE 1 2 3", 5), "CIRCLE 1 2 3"),
        (lambda: ancestors([1, np.nan], [2, 2], 5), "row 1"),
        (lambda: ancestors([1, 2], [2, 91], 5), "row 1"),
        (lambda: ancestors(1, 2, 31), "order 31"),
    ],
)
def test_errors(call, word):
    with pytest.raises(InvalidQueryError, match=word):
        call()
