"""Regions of the sky in filters: exact, by way of HEALPix cells that every engine can look up.

A stored point lists the cells around its position, and those that its footprint may touch. A
region is divided into cells wholly inside, whose points are certain, and cells on its boundary,
whose few points are fetched and looked at one by one.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from astro_paperclip.criteria import And, Cone, Filter, Not, Or, Overlaps, Within, replaced
from astro_paperclip.index.engine import Engine
from astro_paperclip.index.filters import HasId, InCells, json_path, translated
from astro_paperclip.index.schema import (
    CELLS_FIELD,
    FOOTPRINT_FIELD,
    POSITION_COLUMNS,
    position_of,
)
from astro_paperclip.index.store import Record

__all__ = ["add_cells", "located"]

_POSITION_ORDER = 12
"""Deepest order of the cells of a position: 0.9 arcmin wide."""

_FOOTPRINT_ORDER = 10
"""Deepest order of the cells of a footprint: 3.4 arcmin wide, about a field of Hubble's."""

_DEEPER_CELLS = 4 * 4 ** (_FOOTPRINT_ORDER + 1)
"""The first cell (NUNIQ) that is deeper than those of a footprint."""

_KEPT_REGIONS = 64
"""Regions whose cells are kept: working them out takes longer than a search."""

_FOOTPRINT_COLUMN = "s_region"
_POSITION_IN_FOOTPRINT = 1
"""Among the cells of a row whose position lies in its footprint, or that has none besides it.

Numbers of cells (NUNIQ) begin with 4. One more of them takes less room, and less time to open an
index, than an entry in a list of texts.
"""


def add_cells(payloads: Sequence[dict[str, Any]]) -> None:
    """Add to payloads the cells by which they are found in regions.

    Parameters
    ----------
    payloads : sequence of dict
        Rows as `~astro_paperclip.index.schema.to_payload` made them; changed in place.
    """
    positions = [position_of(payload) for payload in payloads]
    if not any(positions) and not any(_FOOTPRINT_COLUMN in payload for payload in payloads):
        return
    from astro_paperclip.sky import ancestors, known_footprint, many_footprint_cells

    placed = [row for row, position in enumerate(positions) if position]
    if placed:
        ra, dec = np.transpose([positions[row] for row in placed])
        for row, cells in zip(placed, ancestors(ra, dec, _POSITION_ORDER).tolist(), strict=True):
            payloads[row][CELLS_FIELD] = cells
            payloads[row][FOOTPRINT_FIELD] = [cell for cell in cells if cell < _DEEPER_CELLS]
    footprints = [known_footprint(payload.get(_FOOTPRINT_COLUMN)) for payload in payloads]
    outlined = [row for row, footprint in enumerate(footprints) if footprint is not None]
    cells = many_footprint_cells([footprints[row] for row in outlined], _FOOTPRINT_ORDER)
    for row, found in zip(outlined, cells, strict=True):
        payloads[row][FOOTPRINT_FIELD] = found
    for row in placed:
        if footprints[row] is None or footprints[row].contains(*positions[row]):
            payloads[row][CELLS_FIELD] = [_POSITION_IN_FOOTPRINT, *payloads[row][CELLS_FIELD]]


def located(where: Filter, engine: Engine, known: dict[Any, Filter] | None = None) -> Any:
    """Replace the regions of a tree by the cells and the points that they stand for.

    Parameters
    ----------
    where : Filter
        The tree.
    engine : Engine
        What is asked for the points whose cells do not decide.
    known : dict, optional
        What regions stood for before, where nothing changes; the last ones are kept in it.

    Returns
    -------
    Filter
        The same tree without `~astro_paperclip.criteria.Cone`,
        `~astro_paperclip.criteria.Within` and `~astro_paperclip.criteria.Overlaps`.
    """
    known = {} if known is None else known

    def locate(node: Filter) -> Any:
        if not isinstance(node, Cone | Within | Overlaps):
            return node
        if (found := known.get(node)) is None:
            found = _stands_for(node, engine)
            # Other threads may search, too.
            for former in list(known)[: 1 - _KEPT_REGIONS]:
                known.pop(former, None)
            known[node] = found
        return found

    return replaced(where, locate)


def _stands_for(node: Cone | Within | Overlaps, engine: Engine) -> Filter:
    if isinstance(node, Cone):
        return _within(_circle(node), engine)
    find = _within if isinstance(node, Within) else _overlapping
    return find(node.region, engine)


def _circle(cone: Cone) -> Any:
    from astro_paperclip.sky import Circle

    return Circle(cone.ra, cone.dec, cone.radius)


def _within(region: Any, engine: Engine) -> Filter:
    inside, boundary = _cover(region)
    doubtful = InCells(CELLS_FIELD, boundary)
    verified = [
        record.id
        for record in _fetched(doubtful, engine)
        if region.contains(*position_of(record.payload))
    ]
    return Or((InCells(CELLS_FIELD, inside), HasId(tuple(verified))))


def _overlapping(region: Any, engine: Engine) -> Filter:
    inside, _ = _cover(region)
    certain = And(
        (
            InCells(CELLS_FIELD, (_POSITION_IN_FOOTPRINT,)),
            InCells(CELLS_FIELD, inside),
        )
    )
    near = InCells(FOOTPRINT_FIELD, _footprint_cells(region))
    verified = [
        record.id
        for record in _fetched(And((near, Not(certain))), engine)
        if _overlaps(region, record.payload)
    ]
    return Or((certain, HasId(tuple(verified))))


@lru_cache(_KEPT_REGIONS)
def _cover(region: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the cells in a region, and those on its boundary."""
    from astro_paperclip.sky import cover

    inside, boundary = cover(region, _POSITION_ORDER)
    return tuple(inside.tolist()), tuple(boundary.tolist())


@lru_cache(_KEPT_REGIONS)
def _footprint_cells(region: Any) -> tuple[int, ...]:
    """Return the cells of which a footprint has one that overlaps a region."""
    from astro_paperclip.sky import query_cells

    return tuple(query_cells(region, _FOOTPRINT_ORDER))


def _fetched(where: Any, engine: Engine) -> list[Record]:
    """Return the points that fit, with what is needed to look at them one by one."""
    names = {name for pair in POSITION_COLUMNS for name in pair} | {_FOOTPRINT_COLUMN}
    columns = [json_path(name) for name in sorted(names)]
    return list(engine.scroll(translated(where, engine.dialect), columns, vector=None))


def _overlaps(region: Any, payload: Mapping[str, Any]) -> bool:
    from astro_paperclip.sky import observation_overlaps

    place = position_of(payload) or (None, None)
    return observation_overlaps(region, payload.get(_FOOTPRINT_COLUMN), *place)
