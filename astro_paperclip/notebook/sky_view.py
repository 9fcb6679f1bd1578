"""Observations on a map of the sky that can be turned: Aladin Lite in a notebook."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Column, Table

from astro_paperclip.notebook.places import centre_of, enclosing_circle
from astro_paperclip.notebook.rows import cell_text
from astro_paperclip.sky import Shape, regions_of

if TYPE_CHECKING:
    from ipyaladin import Aladin

__all__ = ["SkyView"]

_ROW = "paperclip_row"
"""Column of the markers by which a selected one is found in the table again."""

_TOLD = ("rank", "score", "target_name", "obsid", "instrument_name", "filters", "proposal_id")
_MARGIN = 2.4
"""Width of the map, in radii of the circle that holds all observations."""

_NARROWEST, _WIDEST = 0.05, 180.0
"""Widths of maps [deg]."""


class SkyView:
    """Observations in Aladin Lite, from which some can be selected.

    The last line of a notebook's cell shows it. Draw a rectangle or a circle on the map
    (``widget.selection()``, or the tool of the map), and `selection` has the observations in it.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The observations.
    shapes : sequence of (Shape or None)
        Footprint of each.
    positions : `~astropy.coordinates.SkyCoord`
        Position of each; NaN where it is not known.
    color : str
        Colour of footprints and markers, as CSS has it.
    **options
        Options of ``ipyaladin.Aladin``, such as ``survey``, ``target``, ``fov`` and ``height``.

    Attributes
    ----------
    widget : ``ipyaladin.Aladin``
        The map itself, for whatever else ipyaladin can do.

    Raises
    ------
    ImportError
        If ipyaladin is not installed.
    InvalidQueryError
        If no observation has a footprint or a position.
    """

    def __init__(
        self,
        table: Table,
        shapes: Sequence[Shape | None],
        positions: SkyCoord,
        *,
        color: str = "#e69f00",
        **options: Any,
    ):
        aladin = _aladin()
        circle = enclosing_circle(shapes, positions)
        target = SkyCoord(circle.ra, circle.dec, unit="deg")
        field = float(np.clip(_MARGIN * circle.radius, _NARROWEST, _WIDEST))
        self._table = table
        self.widget: Aladin = aladin(**({"target": target, "fov": field} | options))
        known = (shape for shape in shapes if shape is not None)
        footprints = [region for shape in known for region in regions_of(shape)]
        if footprints:
            self.widget.add_graphic_overlay_from_region(footprints, name="footprints", color=color)
        markers = _markers(table, shapes, positions)
        self.widget.add_table(
            markers, name="observations", color=color, ra_field="ra", dec_field="dec"
        )

    def __repr__(self):
        return f"<SkyView of {len(self._table)} observations, {len(self.selection)} selected>"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self.widget._repr_mimebundle_(**kwargs)

    @property
    def selection(self) -> Table:
        """The observations that are selected on the map, in the order of the table.

        A table of the same kind, without rows while nothing is selected.
        """
        chosen = {
            row
            for objects in self.widget.selected_objects
            if _ROW in objects.colnames
            for row in map(_row_number, objects[_ROW].tolist())
            if row is not None and row < len(self._table)
        }
        return self._table[sorted(chosen)]

    def on_selection(self, function: Callable[[Table], None]) -> None:
        """Call a function with `selection` whenever something else is selected.

        Parameters
        ----------
        function : callable
            Takes the table of the selected observations.
        """
        # Listeners of ipyaladin are shared by all maps, and this trait belongs to one of them.
        self.widget.observe(lambda _: function(self.selection), names="_selected_objects")


def _aladin() -> "type[Aladin]":
    try:
        from ipyaladin import Aladin
    except ImportError as error:
        raise ImportError(
            "A map of the sky needs the package ipyaladin: pip install "
            "'astro_paperclip[notebook]', or pip install ipyaladin"
        ) from error
    return Aladin


def _markers(table: Table, shapes: Sequence[Shape | None], positions: SkyCoord) -> Table:
    """Return what is told of each observation that has a place on the sky."""
    degrees = zip(positions.icrs.ra.deg, positions.icrs.dec.deg, strict=True)
    places = [centre_of(shape, *place) for shape, place in zip(shapes, degrees, strict=True)]
    ra, dec = np.array(places, dtype=float).reshape(-1, 2).T
    (rows,) = np.nonzero(np.isfinite(ra))
    markers = Table({"ra": Column(ra[rows], unit="deg"), "dec": Column(dec[rows], unit="deg")})
    for name in _TOLD:
        if name in table.colnames:
            markers[name] = [cell_text(table[row], name) for row in rows.tolist()]
    markers[_ROW] = rows.astype(np.int32)
    return markers


def _row_number(value: Any) -> int | None:
    """Read a row's number, which JavaScript has as a number or as text."""
    try:
        number = int(float(value))
    except (TypeError, ValueError):
        return None
    return number if number >= 0 else None
