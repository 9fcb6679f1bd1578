"""Regions of the sky, positions and footprints that are hard to get right."""

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from astro_paperclip.sky import Box, Circle, Moc, Polygon, Union, overlaps, parse_footprint

REGIONS = {
    "arcseconds": Circle(150.1, 2.2, 3 / 3600),
    "round the pole": Circle(77, 89.9, 0.5),
    "more than half": Circle(200, -30, 100),
    "box over RA 0": Box(359, 1, -1, 1),
    "polar cap": Box(0, 360, 88, 90),
    "wedge at the pole": Box(350, 20, -90, -80),
    "ring": Box(0, 360, -45.5, -45),
    "polygon over RA 0": Polygon(((359.5, -0.5), (0.7, -0.6), (0.2, 0.8))),
    "polygon round the pole": Polygon(((0, 88), (120, 88.5), (240, 89))),
    "octant": Polygon(((0, 0), (90, 0), (0, 90))),
    "concave": Polygon(((10, 60), (14, 60), (14, 60.3), (10.6, 60.3), (14, 61), (10, 61))),
    "cells": Moc.from_text("0/4 3/0,1,700-720 5/12-14 9/3000000 14/77"),
    "union": Union((Circle(150, 2, 1), Box(179, 181, 40, 42), Moc(((3, 5),)))),
}


def positions(count, seed):
    """Return positions all over the sky, packed where arithmetic goes wrong, and on rims."""
    rng = np.random.default_rng(seed)
    ra = [rng.uniform(0, 360, count // 2)]
    dec = [np.degrees(np.arcsin(rng.uniform(-1, 1, count // 2)))]
    places = [(0, 90), (0, -90), (0, 0), (180, 41), (150.1, 2.2), (12, 60.3), (359.99, -45.2)]
    share = count // 2 // len(places)
    for place in places:
        offsets = 10 ** rng.uniform(-5, 0.7, share) * u.deg
        centre = SkyCoord(*place, unit="deg")
        around = centre.directional_offset_by(rng.uniform(0, 360, share) * u.deg, offsets)
        ra += [around.ra.deg, [place[0]]]
        dec += [around.dec.deg, [place[1]]]
    return np.concatenate(ra), np.concatenate(dec)


def rows_at(ra, dec):
    return [{"s_ra": a, "s_dec": d} for a, d in zip(ra.tolist(), dec.tolist(), strict=True)]


def footprint(rng, ra, dec, size):
    """Return a footprint at a position, in one of the forms that archives use."""
    centre = SkyCoord(ra, dec, unit="deg")
    turns = (np.arange(4) * 90 + rng.uniform(0, 90)) * u.deg
    corners = centre.directional_offset_by(turns, size * u.deg)
    pairs = " ".join(f"{c.ra.deg:.9f} {c.dec.deg:.9f}" for c in corners)
    kind = rng.integers(4)
    if kind == 0:
        return f"CIRCLE ICRS {ra:.9f} {dec:.9f} {size:.9f}"
    if kind == 1:
        return f"POLYGON GSC1 {pairs}"
    other = centre.directional_offset_by(40 * u.deg, 3 * size * u.deg)
    return (
        f"POLYGON J2000 {pairs} CIRCLE J2000 {other.ra.deg:.9f} {other.dec.deg:.9f} {size / 3:.9f}"
    )


def is_met(region, row):
    text = row.get("s_region", "")
    if text.startswith(("POLYGON", "CIRCLE")):
        return overlaps(region, parse_footprint(text))
    return "s_ra" in row and bool(region.contains(row["s_ra"], row["s_dec"]))
