"""Numbers and sizes of cells, against astropy_healpix."""

import numpy as np
import pytest
from astropy_healpix import boundaries_lonlat

from astro_paperclip.sky.healpix import (
    cell_centers,
    cell_radius,
    cells_of,
    nuniq,
    order_and_number,
    orders_with_numbers,
)
from astro_paperclip.sky.spherical import separations, unit_vectors

ORDERS = [0, 1, 2, 5, 10, 18, 24, 29]


@pytest.mark.parametrize("order", ORDERS)
def test_nuniq(order):
    numbers = np.array([0, 1, 12 * 4**order - 1])
    cells = nuniq(order, numbers)
    assert cells.tolist() == [4 * 4**order + number for number in numbers.tolist()]
    assert [part.tolist() for part in order_and_number(cells)] == [[order] * 3, numbers.tolist()]


@pytest.mark.parametrize("order", ORDERS)
def test_every_position_is_within_a_radius_of_its_cells_centre(order, everywhere):
    rng = np.random.default_rng(order)
    ra, dec = everywhere
    # The largest cells have their corners around sin(dec) = 2/3 and multiples of 45 deg.
    nearby = rng.normal(0, 100 / 2**order, (2, 50_000))
    wide = rng.integers(0, 8, 50_000) * 45 + nearby[0]
    steep = np.clip(rng.choice([-1, 1], 50_000) * np.degrees(np.arcsin(2 / 3)) + nearby[1], -90, 90)
    points = unit_vectors(np.r_[ra, wide], np.r_[dec, steep])
    away = separations(points, cell_centers(order, cells_of(points, order)))
    assert away.max() <= cell_radius(order)
    assert away.max() > 0.9 * cell_radius(order)


@pytest.mark.parametrize("order", range(6))
def test_the_radius_is_that_of_the_largest_cell(order):
    numbers = np.arange(12 * 4**order)
    longitude, latitude = boundaries_lonlat(numbers, 8, 2**order, order="nested")
    outline = unit_vectors(longitude.to_value("deg"), latitude.to_value("deg"))
    away = separations(outline, cell_centers(order, numbers)[:, None])
    assert away.max() == pytest.approx(cell_radius(order), rel=2e-6)


def test_cells_by_order():
    cells = nuniq(np.array([3, 0, 3]), np.array([7, 11, 5]))
    found = {order: numbers.tolist() for order, numbers in orders_with_numbers(cells)}
    assert found == {0: [11], 3: [7, 5]}
