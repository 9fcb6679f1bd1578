"""What galleries and charts look like, beside pictures of how they should.

Words are left out: each version of matplotlib and FreeType draws them a little differently, and
other tests read them. After a change that is meant: ``pytest tests/notebook/test_figures.py
--mpl-generate-path=tests/notebook/baseline``, and look at the new pictures.
"""

import io

import numpy as np
import pytest
from astropy.visualization.wcsaxes import WCSAxes
from matplotlib.text import Text
from PIL import Image

# Pictures are resampled a little differently by each version, too. Both limits are half of what a
# picture in another's place and a footprint 0.01 deg away from its own come to.
picture = pytest.mark.mpl_image_compare(tolerance=10, style="default", savefig_kwargs={"dpi": 80})
chart = pytest.mark.mpl_image_compare(tolerance=5, style="default", savefig_kwargs={"dpi": 80})


def without_words(figure):
    for text in figure.findobj(Text):
        text.set_visible(False)
    for axes in figure.axes:
        if isinstance(axes, WCSAxes):
            for coordinate in axes.coords:
                coordinate.set_ticklabel_visible(False)
    return figure


@picture
def test_gallery(make_result):
    return without_words(make_result(5).show_gallery(pictures=4, per_row=3, footer="A footer"))


@chart
def test_chart_of_a_field(make_result):
    return without_words(make_result(3).plot_footprints().figure)


@chart
def test_chart_of_all_the_sky(make_result):
    result = make_result(3)
    result["s_ra"], result["s_dec"] = [20.0, 150.0, 300.0], [-70.0, 10.0, 45.0]
    result["s_region"] = ""
    return without_words(result.plot_footprints().figure)


@pytest.mark.parametrize(
    "draw",
    [lambda result: result.show_gallery(), lambda result: result.plot_footprints().figure],
    ids=["gallery", "chart"],
)
def test_a_notebook_shows_figures(make_result, draw):
    formatters = pytest.importorskip("IPython.core.formatters")
    figure = draw(make_result(2))
    data, _ = formatters.DisplayFormatter().format(figure)
    picture = Image.open(io.BytesIO(data["image/png"]))
    assert picture.size == pytest.approx(figure.get_size_inches() * figure.dpi, abs=1)
    assert np.asarray(picture.convert("L")).std() > 1
