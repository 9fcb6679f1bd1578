"""MAST's value grammar for criteria, and the neutral filter tree that it is read into.

A tree is made of frozen dataclasses and knows of no database: `astro_paperclip.index`
translates it for the engine that a collection is stored with.

Examples
--------
>>> from astro_paperclip import criteria
>>> criteria.parse(instrument_name="ACS/WFC")
Match(field='instrument_name', values=('ACS/WFC',))
>>> criteria.parse(t_min=[50000, 51000])
Range(field='t_min', gte=50000.0, lte=51000.0, gt=None, lt=None)
>>> criteria.parse(t_min="2005-03-01..2005-03-31")
Range(field='t_min', gte=53430.0, lte=None, gt=None, lt=53461.0)
>>> criteria.parse(filters="!F814W")
Not(term=Match(field='filters', values=('F814W',)))
>>> criteria.Overlaps("POLYGON ICRS 10 -1 12 -1 11 1")
Overlaps(region=Polygon(vertices=((10.0, -1.0), (12.0, -1.0), (11.0, 1.0))))
"""

from astro_paperclip.criteria.grammar import parse
from astro_paperclip.criteria.tree import (
    And,
    Cone,
    Filter,
    Match,
    Not,
    Or,
    Overlaps,
    Range,
    Wildcard,
    Within,
    fields_of,
    replaced,
)

__all__ = [
    "And",
    "Cone",
    "Filter",
    "Match",
    "Not",
    "Or",
    "Overlaps",
    "Range",
    "Wildcard",
    "Within",
    "fields_of",
    "parse",
    "replaced",
]
