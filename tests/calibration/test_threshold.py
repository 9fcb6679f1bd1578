import numpy as np
import pytest
from astropy import units as u

from astro_paperclip.calibration import checked_threshold, percentile_of
from astro_paperclip.exceptions import InvalidQueryError


@pytest.mark.parametrize("value", [0.25, np.float32(0.25), 1, -1.0, np.nextafter(np.float32(1), 2)])
def test_numbers_are_cosines(value):
    assert checked_threshold(value) == value
    assert isinstance(checked_threshold(value), float)
    assert percentile_of(checked_threshold(value)) is None


@pytest.mark.parametrize(
    "value", ["99.5%", " 99.5 %", "99.50%", 99.5 * u.percent, u.Quantity("99.5%")]
)
def test_percentiles(value):
    assert checked_threshold(value) == "99.5%"
    assert percentile_of(checked_threshold(value)) == 99.5


def test_no_threshold():
    assert checked_threshold(None) is None
    assert percentile_of(None) is None


@pytest.mark.parametrize(
    "value",
    [
        *("99", "99 percent", "101%", "-1%", "nan%", "%", "", "1e1%", b"99%"),
        *(101 * u.percent, -1 * u.percent, [99, 98] * u.percent, np.nan * u.percent),
        *(0.99 * u.dimensionless_unscaled, 3 * u.deg, np.nan, np.inf, True, 1j, [0.5]),
        # A percentile without its sign would find nothing.
        *(99, 1.5, -1.001),
    ],
    ids=repr,
)
def test_what_is_neither_is_refused(value):
    with pytest.raises(InvalidQueryError, match=r"^score_threshold must be .* or a percentile"):
        checked_threshold(value)
