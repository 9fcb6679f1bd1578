"""Shapes where arithmetic on the sky goes wrong, and positions on their rims."""

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from astro_paperclip.sky import Box, Circle, Moc, Polygon, Union


def regular(ra, dec, radius, corners=5, start=0.0):
    """Return the vertices of a regular polygon, by astropy's own offsets."""
    around = np.arange(corners) * 360 / corners + start
    offsets = SkyCoord(ra, dec, unit="deg").directional_offset_by(around * u.deg, radius * u.deg)
    return tuple(zip(offsets.ra.deg.tolist(), offsets.dec.deg.tolist(), strict=True))


STAR = tuple(
    vertex
    for pair in zip(regular(0.2, 5, 2, 5), regular(0.2, 5, 0.7, 5, 36), strict=True)
    for vertex in pair
)
HOOK = ((10, 60), (12, 60), (12, 60.3), (10.6, 60.3), (10.6, 60.7), (12, 60.7), (12, 61), (10, 61))

CIRCLES = {
    "arcsecond": Circle(150.1, 2.2, 1 / 3600),
    "degree at RA 0": Circle(0.1, -5, 1),
    "round the pole": Circle(77, 89.9, 0.5),
    "hemisphere": Circle(200, -30, 90),
    "nearly all": Circle(180, -89, 178.5),
    "all": Circle(10, 10, 180),
}
BOXES = {
    "at RA 0": Box(359.5, 0.5, -1, 1),
    "at RA 180": Box(179, 181, 40, 42),
    "polar cap": Box(0, 360, 89, 90),
    "wedge at the pole": Box(350, 20, 85, 90),
    "ring": Box(-180, 180, -89.99, -89.9),
    "three quarters": Box(90, 0, -60, 70),
    "tiny": Box(10, 10.0001, 20, 20.0001),
    "meridian": Box(10, 10, -20, 20),
    "point": Box(10, 10, 20, 20),
    "pole": Box(0, 360, 90, 90),
    "sky": Box(0, 360, -90, 90),
}
CONVEX = {
    "footprint": ((23.1747, 60.6601), (23.1542, 60.6170), (23.0664, 60.6270), (23.0868, 60.6701)),
    "arcsecond": regular(150.1, 2.2, 0.5 / 3600, 4),
    "RA 0": regular(0, 0, 1, 7),
    "RA 180": regular(180, 30, 5, 4),
    "north pole": regular(40, 89.95, 0.3, 6),
    "south pole": regular(0, -90, 3, 5),
    "octant": ((0, 0), (90, 0), (0, 90)),
    "nearly a hemisphere": regular(33, 70, 89.9, 9),
    "thin": ((100, 10), (140, 10.001), (140, 10)),
    "uneven": ((0, 0), (0, 1e-3), (0, 2e-3), (0, 3e-3), (85, 80), (170, 0), (170, -1e-3)),
}
CONCAVE = {"star": STAR, "hook": HOOK, "bow tie": ((350, -5), (10, 5), (10, -5), (350, 5))}
POLYGONS = {name: Polygon(vertices) for name, vertices in (CONVEX | CONCAVE).items()}
MOCS = {"cells": Moc.from_text("0/4 3/0,1,700-720 5/12-14 9/3000000 14/77"), "one": Moc(((3, 5),))}
UNIONS = {
    "chips": Union((Polygon(regular(83, -5, 0.02, 4)), Polygon(regular(83.05, -5, 0.02, 4)))),
    "mixed": Union((CIRCLES["round the pole"], BOXES["at RA 0"], POLYGONS["star"], MOCS["one"])),
}
SHAPES = {
    f"{kind}: {name}": shape
    for kind, shapes in {
        "circle": CIRCLES,
        "box": BOXES,
        "polygon": POLYGONS,
        "moc": MOCS,
        "union": UNIONS,
    }.items()
    for name, shape in shapes.items()
}


def rim(shape, count, seed=5):
    """Return positions on the boundary of a shape and at 1e-12 to 10 deg from it."""
    rng = np.random.default_rng(seed)
    if isinstance(shape, Union):
        parts = [rim(part, count // len(shape.shapes) + 1, seed) for part in shape.shapes]
        return tuple(np.concatenate(axis)[:count] for axis in zip(*parts, strict=True))
    ra, dec = _on_boundary(shape, count, rng)
    away = 10 ** rng.uniform(-12, 1, count) * rng.choice([0, 1], count, p=[0.1, 0.9])
    turn = rng.uniform(0, 2 * np.pi, count)
    dec = np.clip(dec + away * np.sin(turn), -90, 90)
    return (ra + away * np.cos(turn)) % 360, dec


def _on_boundary(shape, count, rng):
    share = rng.uniform(0, 1, count)
    if isinstance(shape, Circle):
        center = SkyCoord(shape.ra, shape.dec, unit="deg")
        points = center.directional_offset_by(share * 360 * u.deg, shape.radius * u.deg)
        return points.ra.deg, points.dec.deg
    if isinstance(shape, Box):
        on_parallel = rng.choice([True, False], count)
        ra = np.where(on_parallel, shape.ra_min + share * shape.width, rng.choice([0, 1], count))
        ra = np.where(on_parallel, ra, np.where(ra == 0, shape.ra_min, shape.ra_max))
        height = shape.dec_max - shape.dec_min
        edge = rng.choice([shape.dec_min, shape.dec_max], count)
        return ra, np.where(on_parallel, edge, shape.dec_min + share * height)
    if isinstance(shape, Moc):
        circle = shape.bounding_circle()
        return circle.ra + rng.normal(0, circle.radius, count), np.full(count, circle.dec)
    vertices = SkyCoord(*np.array(shape.vertices).T, unit="deg")
    start = rng.integers(0, len(vertices), count)
    one, other = vertices[start], vertices[(start + 1) % len(vertices)]
    points = one.directional_offset_by(one.position_angle(other), share * one.separation(other))
    return points.ra.deg, points.dec.deg
