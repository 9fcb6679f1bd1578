"""Random filters of every kind, and which rows fit them, worked out in NumPy."""

import functools
import re

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.time import Time

from astro_paperclip.criteria import (
    And,
    Cone,
    Match,
    Not,
    Or,
    Overlaps,
    Range,
    Wildcard,
    Within,
    parse,
)
from astro_paperclip.sky import Box, Circle, Polygon

from .conftest import make_points
from .sky import REGIONS, footprint, is_met, positions

TEXTS = {
    "instrument_name": (["ACS/WFC", "WFC3/UVIS", "WFC3/IR", "COS"], ["WFC3*", "*ir", "%f%", "*"]),
    "filters": (["F814W", "F606W", "f814w"], ["f8%", "F*6*W", "F814W"]),
    "observer": (["Abell", "abell", "Baade"], ["AB*", "*a*", "nobody*"]),
    "proposal_id": (["10001", "10002", "9"], ["1000*", "*3"]),
}
NUMBERS = {
    "t_min": [50002.0, 50005.5],
    "calib_level": [0, 2, 3],
    "size (pix)": [0.5, 1, 1.5, 2.0],
    "seeing": [1, 2, 9],
}
CRITERIA = {
    "t_min": [
        *(
            "1995-10-12",
            ">=1995-10-15",
            "!1995-10-13",
            "1995-10-11..1995-10-17",
            "<1995-10-12T18:00",
        ),
        *([50002, 50006.25], [Time("1995-10-12"), None], "50003..", ["1995-10-11", "1995-10-19"]),
    ],
    "instrument_name": [["WFC3*", "!WFC3/IR"], "!acs*", ["ACS/WFC", "WFPC2"], "!*"],
    "filters": ["f*", ["!F814W", "!F606W"], "!F555W", "F160W"],
    "observer": ["ab*", ["!Abell", "a*", "b*"], "!nobody"],
    "proposal_id": [10001, ["10001", 10002, "!10002"], "1000*"],
    "calib_level": [1, [1, 2], [0, 2, 3], "!3", ">=2", "<1"],
    "mtFlag": [True, False, "!true"],
}


def make_rows(count):
    """Return points with columns of every type, some of them missing, all over the sky."""
    rows = make_points(count)
    rng = np.random.default_rng(6)
    ra, dec = positions(count, seed=5)
    for row, number in zip(rows.payloads, rng.permutation(len(ra))[:count].tolist(), strict=False):
        if rng.random() < 0.85:
            row.update(s_ra=float(ra[number]), s_dec=float(dec[number]))
            if rng.random() < 0.7:
                size = 10 ** rng.uniform(-3.5, 0.5)
                row["s_region"] = footprint(rng, row["s_ra"], row["s_dec"], size)
    return rows


@functools.cache
def regions():
    """Return regions to ask for: hard ones, and random ones of every size."""
    rng = np.random.default_rng(7)
    chosen = list(REGIONS.values())
    for _ in range(6):
        ra, dec = rng.uniform(0, 360), np.degrees(np.arcsin(rng.uniform(-1, 1)))
        size = 10 ** rng.uniform(-1, 1.6)
        centre = SkyCoord(ra, dec, unit="deg")
        corners = centre.directional_offset_by([20, 130, 260] * u.deg, size * u.deg)
        chosen += [
            Circle(ra, dec, size),
            Box(ra, (ra + size) % 360, max(-90, dec - size), min(90, dec + size)),
            Polygon(tuple(zip(corners.ra.deg.tolist(), corners.dec.deg.tolist(), strict=True))),
        ]
    return chosen


class Truth:
    """Which rows of some points fit a filter.

    Parameters
    ----------
    points : Points
        The points.
    """

    def __init__(self, points):
        self._ids = np.array(points.ids)
        self._rows = points.payloads
        self._ra, self._dec = (
            np.array([row.get(name, np.nan) for row in self._rows]) for name in ("s_ra", "s_dec")
        )
        self._leaves = {}

    def ids(self, where):
        """Return the ids of the points that fit, in order."""
        return sorted(self._ids[self._mask(where)].tolist())

    def _mask(self, where):
        if isinstance(where, And | Or):
            combine = np.logical_and if isinstance(where, And) else np.logical_or
            masks = [self._mask(term) for term in where.terms]
            return combine.reduce(masks) if masks else self._all(isinstance(where, And))
        if isinstance(where, Not):
            return ~self._mask(where.term)
        if where not in self._leaves:
            self._leaves[where] = self._leaf(where)
        return self._leaves[where]

    def _all(self, value):
        return np.full(len(self._rows), value)

    def _leaf(self, where):
        if isinstance(where, Cone):
            return self._cone(where)
        if isinstance(where, Within):
            placed = np.isfinite(self._ra)
            return placed & where.region.contains(self._ra, self._dec)
        if isinstance(where, Overlaps):
            return np.array([is_met(where.region, row) for row in self._rows])
        return np.array([self._has(where, row) for row in self._rows])

    def _cone(self, cone):
        placed, found = np.isfinite(self._ra), self._all(False)
        stored = SkyCoord(self._ra[placed], self._dec[placed], unit="deg")
        separations = SkyCoord(cone.ra, cone.dec, unit="deg").separation(stored).deg
        found[placed] = separations < cone.radius
        return found

    @staticmethod
    def _has(where, row):
        values = row.get(where.field, [])
        values = values if isinstance(values, list) else [values]
        return any(_fits(where, value) for value in values)


def _fits(where, value):
    if isinstance(where, Match):
        return any(
            value == wanted and isinstance(value, bool) == isinstance(wanted, bool)
            for wanted in where.values
        )
    if isinstance(where, Wildcard):
        pattern = re.escape(where.pattern).replace(r"\*", ".*").replace("%", ".*")
        return isinstance(value, str) and bool(re.fullmatch(pattern, value, re.IGNORECASE))
    if isinstance(value, bool | str):
        return False
    return (
        (where.gte is None or value >= where.gte)
        and (where.lte is None or value <= where.lte)
        and (where.gt is None or value > where.gt)
        and (where.lt is None or value < where.lt)
    )


def random_tree(rng, payloads, depth=0):
    """Return a random tree over the columns of the rows, their positions and footprints."""
    kind = rng.integers(0, 9 if depth < 3 else 6)
    if kind < len(_LEAVES):
        return _LEAVES[kind](rng, payloads)
    if kind == len(_LEAVES):
        return Not(random_tree(rng, payloads, depth + 1))
    terms = tuple(random_tree(rng, payloads, depth + 1) for _ in range(rng.integers(0, 4)))
    return And(terms) if kind == len(_LEAVES) + 1 else Or(terms)


def _texts(rng, payloads):
    field = str(rng.choice(list(TEXTS)))
    values = rng.choice(TEXTS[field][0], size=rng.integers(0, 3), replace=False)
    return Match(field, tuple(map(str, values)))


def _wildcard(rng, payloads):
    field = str(rng.choice(list(TEXTS)))
    return Wildcard(field, str(rng.choice(TEXTS[field][1])))


def _value(rng, payloads):
    field = str(rng.choice([*NUMBERS, "mtFlag"]))
    if field == "mtFlag":
        return Match(field, (bool(rng.integers(2)),))
    stored = [row[field] for row in payloads if field in row and field != "seeing"]
    value = rng.choice(NUMBERS[field] + stored[:3]).item()
    return Match(field, (int(value) if value == int(value) and rng.integers(2) else value,))


def _range(rng, payloads):
    field = str(rng.choice(list(NUMBERS)))
    low, high = sorted(rng.choice(NUMBERS[field], size=2).tolist())
    bounds = {str(rng.choice(["gte", "gt"])): low, str(rng.choice(["lte", "lt"])): high}
    del bounds[str(rng.choice(list(bounds)))]
    return Range(field, **bounds) if rng.integers(2) else Range(field, gte=low, lte=high)


def _criteria(rng, payloads):
    """Return criteria as users write them, of one or two columns."""
    fields = rng.choice(list(CRITERIA), size=rng.integers(1, 3), replace=False)
    return parse(**{str(field): _one_of(rng, CRITERIA[field]) for field in fields})


def _region(rng, payloads):
    kind = rng.integers(3)
    if kind == 0:
        centre = _one_of(rng, [(0, 90), (0.2, 0), (180, 41), (83.6, 22), (300, -89)])
        return Cone(*centre, 10 ** rng.uniform(-4, 2.25))
    return (Within if kind == 1 else Overlaps)(_one_of(rng, regions()))


def _one_of(rng, values):
    return values[rng.integers(len(values))]


_LEAVES = [_texts, _wildcard, _value, _range, _criteria, _region]
