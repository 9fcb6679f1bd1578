"""Regions of the sky: which positions lie in them, and which footprints overlap them.

`as_shape` takes regions in any form, `parse_footprint` the footprints of archives. Shapes say
which positions they contain, `overlaps` says which of them share a point, and `cover`,
`ancestors`, `query_cells` and `footprint_cells` give the HEALPix cells by which a database
can preselect what has to be looked at. `regions_of`, `moc_of`, `stcs_of` and `write_ds9` hand
shapes on to other libraries and programs.
"""

from astro_paperclip.sky.cells import (
    ancestors,
    cover,
    footprint_cells,
    many_footprint_cells,
    query_cells,
)
from astro_paperclip.sky.export import moc_of, regions_of, stcs_of, write_ds9
from astro_paperclip.sky.moc import Moc
from astro_paperclip.sky.observations import known_footprint, observation_overlaps
from astro_paperclip.sky.overlap import overlaps
from astro_paperclip.sky.polygon import Polygon
from astro_paperclip.sky.regions import as_shape
from astro_paperclip.sky.shapes import Box, Circle, Outlined, Shape, Union
from astro_paperclip.sky.stcs import parse_footprint

__all__ = [
    "Box",
    "Circle",
    "Moc",
    "Outlined",
    "Polygon",
    "Shape",
    "Union",
    "ancestors",
    "as_shape",
    "cover",
    "footprint_cells",
    "known_footprint",
    "many_footprint_cells",
    "moc_of",
    "observation_overlaps",
    "overlaps",
    "parse_footprint",
    "query_cells",
    "regions_of",
    "stcs_of",
    "write_ds9",
]
