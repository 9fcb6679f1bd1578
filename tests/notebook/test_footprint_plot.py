import numpy as np
import pytest
from astropy.wcs import WCS
from matplotlib.figure import Figure

from astro_paperclip.exceptions import InvalidQueryError


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_footprints_lie_where_they_are(make_result):
    ax = make_result(3).plot_footprints()
    assert len(ax.patches) == 3
    for n, patch in enumerate(ax.patches):
        ra, dec = patch.get_xy().T
        assert ra.min() == pytest.approx(10 + 0.1 * n - 0.025)
        assert dec.max() == pytest.approx(0.05)
    assert texts(ax) == ["1", "2", "3"]


def test_new_axes_hold_everything_with_east_to_the_left(make_result):
    result = make_result(3)
    ax = result.plot_footprints()
    x, y = ax.wcs.world_to_pixel(result.coords)
    assert (np.diff(x) < 0).all()
    for patch in ax.patches:
        x, y = ax.wcs.world_to_pixel_values(*patch.get_xy().T)
        assert ax.get_xlim()[0] < x.min() < x.max() < ax.get_xlim()[1]
        assert ax.get_ylim()[0] < y.min() < y.max() < ax.get_ylim()[1]


def test_positions_are_points_where_there_is_no_footprint(make_result):
    ax = make_result(2, s_region=None).plot_footprints()
    assert len(ax.patches) == 0
    assert len(ax.lines) == 2
    assert [line.get_xdata()[0] for line in ax.lines] == pytest.approx([10.0, 10.1])


def test_circles_are_drawn(make_result):
    (patch,) = make_result(1, s_region="CIRCLE ICRS 10 60 0.1").plot_footprints().patches
    ra, dec = patch.get_xy().T
    assert np.ptp(dec) == pytest.approx(0.2, rel=0.01)
    assert np.ptp(ra) == pytest.approx(0.4, rel=0.01)


def test_what_is_far_apart_is_on_a_chart_of_all_the_sky(make_result):
    result = make_result(2)
    result["s_region"] = ["CIRCLE ICRS 10 0 0.1", "CIRCLE ICRS 190 -60 0.1"]
    result["s_ra"], result["s_dec"] = [10.0, 190.0], [0.0, -60.0]
    ax = result.plot_footprints()
    assert ax.wcs.wcs.ctype[0] == "RA---AIT"
    # All the sky is in the picture, from pole to pole.
    for position in [(0.001, 0), (359.999, 0), (180, 90), (180, -90)]:
        x, y = ax.wcs.world_to_pixel_values(*position)
        assert -1 < x < 1000
        assert -1 < y < 500
    assert len(ax.lines) == 2


def test_labels_of_the_same_place_are_put_together(make_result):
    result = make_result(3)
    result["s_ra"][1] = result["s_ra"][0]
    assert texts(result.plot_footprints()) == ["1, 2", "3"]


def test_axes_of_the_users_own_keep_their_limits(make_result):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [10, 0]
    wcs.wcs.cdelt = [-0.01, 0.01]
    ax = Figure().add_subplot(projection=wcs)
    ax.set(xlim=(-5, 5), ylim=(-6, 6))
    assert make_result(2).plot_footprints(ax) is ax
    assert ax.get_xlim() == (-5, 5)
    assert ax.get_ylim() == (-6, 6)
    assert len(ax.patches) == 2


def test_axes_that_do_not_know_the_sky(make_result):
    with pytest.raises(InvalidQueryError, match=r"WCSAxes.*not Axes"):
        make_result(1).plot_footprints(Figure().add_subplot())


def test_nothing_to_draw(make_result):
    with pytest.raises(InvalidQueryError, match="s_region"):
        make_result(2, s_region=None, s_ra=None, s_dec=None).plot_footprints()
    with pytest.raises(InvalidQueryError, match="s_region"):
        make_result(1)[:0].plot_footprints()
