"""A matplotlib figure that a notebook shows."""

import io

from matplotlib.figure import Figure

__all__ = ["ShownFigure"]


class ShownFigure(Figure):
    """A figure that the last line of a notebook's cell shows, whether pyplot is in use or not.

    Jupyter knows how to show figures only once pyplot has made one, and shows those of pyplot a
    second time when the cell ends.
    """

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.savefig(stream, format="png")
        return stream.getvalue()
