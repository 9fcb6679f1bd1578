"""Nebulae: planetary nebula, supernova remnant, protoplanetary disk, clouds that shine."""

import numpy as np
from scipy import ndimage

from astro_paperclip.simulation.scene import (
    blackbody_colours,
    power_noise,
    ridges,
    smoothstep,
    unit_peak,
)
from astro_paperclip.simulation.surroundings import (
    background_galaxies,
    field_stars,
    star_fluxes,
    turbulent_cloud,
    warped_noise,
)

__all__ = [
    "emission_nebula",
    "planetary_nebula",
    "protoplanetary_disk",
    "reflection_nebula",
    "supernova_remnant",
]

H_ALPHA = (1.55, 0.5, 0.36)
OXYGEN = (0.25, 0.9, 1.15)


def _projected_shell(scene, radius_at, density_at, thickness, angle, inclination):
    """
    Brightness of a hollow, axisymmetric shell, integrated along the line of sight.

    Parameters
    ----------
    scene : `~astro_paperclip.simulation.scene.Scene`
        Its grid; the shell is around its target.
    radius_at, density_at : callable
        The shell's radius and emissivity as functions of the cosine of the angle to its axis.
    thickness : float
        Of the shell, relative to its radius.
    angle, inclination : float
        Of the axis on the sky and against it [rad].

    Returns
    -------
    `numpy.ndarray`, shape (size, size), float32
        Peak about 1.
    """
    coarse = slice(None, None, 2)
    along, across = scene.offsets(angle=angle)
    along, across = along[coarse, coarse], across[coarse, coarse]
    reach = 1.25 * max(radius_at(np.array([0.0, 0.5, 1.0])))
    depths = np.linspace(-reach, reach, 31, dtype=np.float32)
    total = np.zeros_like(along)
    cos, sin = np.float32(np.cos(inclination)), np.float32(np.sin(inclination))
    for depth in depths:
        radius = np.sqrt(along**2 + across**2 + depth**2) + np.float32(1e-6)
        cosine = np.abs(along * cos + depth * sin) / radius
        layer = (radius / radius_at(cosine) - 1) / thickness
        total += density_at(cosine) * np.exp(-(layer**2))
    total = ndimage.zoom(total, scene.size / len(total), order=1)
    return total[: scene.size, : scene.size] / np.percentile(total, 99.7)


def _texture(scene, strength, slope=3.0, longest=0.25):
    return np.exp(strength * warped_noise(scene, slope, longest)).astype(np.float32)


def _nebula_form(rng, size):
    """Radius and emissivity of a planetary nebula's shell, and the inclination of its axis."""
    form = rng.choice(["ring", "oval", "bipolar", "butterfly"])
    if form == "ring":
        # Seen almost along the axis: the dense equator is a ring.
        stretch, contrast = rng.uniform(0.0, 0.25), rng.uniform(0.8, 0.95)
        inclination = rng.choice([-1, 1]) * rng.uniform(0.95, 1.45)
    elif form == "oval":
        stretch, contrast = rng.uniform(0.25, 0.55), rng.uniform(0.3, 0.8)
        inclination = rng.uniform(-0.6, 0.6)
    else:
        waist = rng.uniform(0.1, 0.2) if form == "butterfly" else rng.uniform(0.22, 0.38)
        power = rng.uniform(4, 9) if form == "butterfly" else rng.uniform(2.0, 3.5)
        return (
            lambda cosine: 1.8 * size * (waist + (1 - waist) * cosine**power),
            lambda cosine: 0.1 + 0.9 * np.exp(-3 * cosine),
            rng.uniform(-0.45, 0.45),
        )
    return (
        lambda cosine: size * (1 - stretch * (1 - cosine**2)),
        lambda cosine: 1 - contrast * cosine**2,
        inclination,
    )


def planetary_nebula(scene):
    """Planetary nebula: hollow shells, a ring, oval or bipolar, around a hot central star."""
    rng = scene.rng
    background_galaxies(scene, 8)
    field_stars(scene, 50)
    size = scene.reach * rng.uniform(0.34, 0.55)
    angle = rng.uniform(0, np.pi)
    radius_at, density_at, inclination = _nebula_form(rng, size)
    outer = _projected_shell(
        scene, radius_at, density_at, rng.uniform(0.07, 0.13), angle, inclination
    )
    core = float(rng.uniform(0.55, 0.8) * radius_at(0.3))
    inner = _projected_shell(
        scene, lambda cosine: core * (1 + 0.3 * cosine**2), density_at, rng.uniform(0.15, 0.3),
        angle, inclination,
    )  # fmt: skip
    knots = 1 + 1.3 * ridges(warped_noise(scene, 3.2, 0.2), 0.15)
    scene.add(0.7 * outer * knots * _texture(scene, 0.35), H_ALPHA)
    scene.add(0.4 * inner * _texture(scene, 0.2), OXYGEN)
    dx, dy = scene.offsets()
    distance, around = np.hypot(dx, dy) / size, np.arctan2(dy, dx)
    # Rays and faint outer rings, as the light of the star and older winds make them.
    rays = power_noise(rng, scene.size, 2.0, 0.3)[0]
    rays = np.interp(around, np.linspace(-np.pi, np.pi, scene.size), rays)
    rings = 1 + 0.35 * np.cos(rng.uniform(14, 30) * distance)
    halo = np.exp(-distance / 0.7) * rings * np.exp(0.3 * rays)
    scene.add(0.06 * halo, (1.0, 0.8, 0.8))
    scene.add_stars(*scene.centre, rng.uniform(8, 50), blackbody_colours(40_000.0))


def _smooth_warp(scene, longest):
    """Random field without fine grain, whose zero lines are long and curved."""
    size = scene.size
    field = power_noise(scene.rng, size, 4.5, longest, shortest=0.02)
    return field + 0.25 * power_noise(scene.rng, size, 3.5, 0.1, shortest=0.01)


def supernova_remnant(scene):
    """Supernova remnant: a broken shell of thin, tangled filaments."""
    rng = scene.rng
    field_stars(scene, rng.uniform(90, 250))
    size = scene.reach * rng.uniform(0.55, 0.85)
    angle = rng.uniform(0, np.pi)
    flattening = rng.uniform(0.65, 1.0)
    along, across = scene.offsets(angle=angle)
    ragged = 1 + 0.07 * warped_noise(scene, 3.6, 0.4, 0.1)
    radius = np.hypot(along, across / flattening) * ragged / size
    depth = np.sqrt(np.clip(1.02 - radius**2, 0.0, None))
    filled = rng.random() < 0.4
    if filled:
        shell = smoothstep(depth, 0.0, 0.5)
    else:
        # Limb brightening of a thin shell: the path through it grows as 1/depth.
        shell = np.minimum(0.28 / (depth + 0.12), 1.4) * smoothstep(depth, 0.02, 0.15)
    breaks = smoothstep(power_noise(rng, scene.size, 3.5, 0.6), -1.2, 0.8)
    for colour, weight, longest in (
        (H_ALPHA, 0.75, 0.35),
        (H_ALPHA, 0.5, 0.14),
        (OXYGEN, 0.7, 0.3),
    ):
        # Filaments follow the shell: noise is read on the projected sphere.
        web = ridges(_smooth_warp(scene, longest), 0.06 if longest > 0.2 else 0.09)
        patchy = smoothstep(power_noise(rng, scene.size, 3.0, 0.3), -0.8, 1.6)
        scene.add(weight * shell * breaks * web * (0.3 + patchy), colour)
    scene.add(0.06 * shell * breaks * _texture(scene, 0.5), (1.0, 0.8, 0.8))
    if filled:
        core = np.exp(-2.5 * radius**2) * _texture(scene, 0.25)
        scene.add(0.16 * core, (0.75, 0.95, 1.35))
        scene.add_stars(*scene.centre, 4.0)


def protoplanetary_disk(scene):
    """Protoplanetary disk, edge-on: a dark lane between two lit bowls, jets along the axis."""
    rng = scene.rng
    field_stars(scene, 22)
    background_galaxies(scene, 5)
    size = scene.reach * rng.uniform(0.2, 0.36)
    axis = rng.uniform(0, np.pi)
    along, across = scene.offsets(angle=axis)
    width = np.abs(across) / size
    height = along / size
    # Scattered light lines the flared surface z = h r^1.25 of the disk, fading outwards.
    surface = 0.08 + 0.26 * width**1.25
    above = (np.abs(height) - surface) / (0.16 + 0.1 * width)
    bowl = np.where(above < 0, np.exp(-(above**2) * 3), np.exp(-(np.abs(above) ** 1.3) * 1.1))
    bowl *= np.exp(-((width / 0.9) ** 2.4)) * np.exp(-np.abs(height) / 0.7)
    bowl *= np.where(height > 0, 1.0, rng.uniform(0.25, 0.7))
    scene.add(1.3 * bowl * _texture(scene, 0.12), (1.2, 1.0, 0.75))
    envelope = np.exp(-np.hypot(along, across) / (1.1 * size))
    scene.add(0.06 * envelope * np.exp(0.3 * power_noise(rng, scene.size, 3.8)), (1.2, 0.95, 0.7))
    lane = np.exp(-((height / (0.07 + 0.1 * width)) ** 2)) * (1 - smoothstep(width, 1.0, 1.6))
    scene.absorb(5.0 * lane)
    _jets(scene, along, across, size)


def _jets(scene, along, across, size):
    """Add two narrow, knotty, slightly wiggling jets that end in bow shocks."""
    rng = scene.rng
    length = scene.reach * rng.uniform(0.65, 0.95)
    phase = rng.uniform(0, 2 * np.pi, 2)
    for side, strength in ((1, 1.0), (-1, rng.uniform(0.4, 1.0))):
        distance = side * along
        wiggle = 0.035 * size * np.sin(7 * distance / length + phase[0]) * distance / length
        width = size * (0.018 + 0.05 * np.clip(distance, 0, None) / length)
        beam = np.exp(-(((across - wiggle) / width) ** 2))
        knots = np.zeros_like(beam)
        for place in np.cumsum(rng.uniform(0.06, 0.17, 9)):
            knots += rng.uniform(0.4, 1.2) * np.exp(-(((distance / length - place) / 0.022) ** 2))
        within = smoothstep(distance, 0.0, 0.08 * length) * (
            1 - smoothstep(distance, 0.9 * length, length)
        )
        scene.add(strength * beam * (0.3 + knots) * within, (1.5, 0.6, 0.35))
        # A bow shock opens like a paraboloid behind its head.
        head = 0.92 * length - distance
        behind = np.clip(head, 0, None)
        opening = np.sqrt(behind * 0.18 * size)
        bow = np.exp(-(((np.abs(across - wiggle) - opening) / (0.05 * size)) ** 2))
        bow *= smoothstep(head, -0.02 * size, 0.02 * size) * np.exp(-behind / (0.11 * size))
        scene.add(0.4 * strength * bow * _texture(scene, 0.4), (1.5, 0.65, 0.4))


def reflection_nebula(scene):
    """Reflection nebula: smooth, wispy dust, lit by the stars inside it."""
    rng = scene.rng
    background_galaxies(scene, 6)
    field_stars(scene, 60)
    density = turbulent_cloud(scene, 0.5, wisps=0.8)
    striations = warped_noise(scene, 3.0, 0.2, 0.12)
    stars = int(rng.integers(1, 5))
    spread = 0.35 * scene.reach if stars > 1 else 0.05
    places = np.array(scene.centre) + rng.normal(0, spread, (stars, 2))
    glow = np.zeros_like(density)
    for place in places:
        distance2 = np.sum(np.square(scene.offsets(place)), axis=0)
        softening = (0.16 * scene.reach) ** 2
        glow += rng.uniform(0.4, 1.0) * softening / (distance2 + softening)
    scene.add(0.3 * glow * density * (1 + 0.15 * striations), (0.55, 0.85, 1.35))
    dark = np.exp(0.9 * warped_noise(scene, 3.4, 0.5))
    scene.absorb(0.6 * smoothstep(dark, 1.2, 4.0) * dark)
    scene.add_stars(
        *places.T, rng.uniform(80, 500, stars), blackbody_colours(rng.uniform(9000, 20_000, stars))
    )


def emission_nebula(scene):
    """H II region: glowing gas, with dark pillars that point at the stars that light it."""
    rng = scene.rng
    field_stars(scene, 80)
    towards = rng.uniform(0, 2 * np.pi)
    source = (
        scene.centre[0] + 0.75 * scene.reach * np.cos(towards),
        scene.centre[1] + 0.75 * scene.reach * np.sin(towards),
    )
    dx, dy = scene.offsets(source)
    distance, around = np.hypot(dx, dy) / scene.reach, np.arctan2(dy, dx)
    gas = turbulent_cloud(scene, 0.5, wisps=0.25)
    glow = 1 / (1 + (distance / 0.8) ** 2)
    scene.add(0.26 * gas * glow, (1.5, 0.5, 0.42))
    scene.add(0.22 * glow**2 * _texture(scene, 0.4, longest=0.5), OXYGEN)
    column = _pillars(scene, distance, around, towards)
    scene.absorb(2.6 * column)
    # Light falls on the pillars' heads: bright where the column rises away from the source.
    gradient_y, gradient_x = np.gradient(ndimage.gaussian_filter(column, 0.006 * scene.size))
    rising = gradient_x * np.cos(around) - gradient_y * np.sin(around)
    rim = unit_peak(np.clip(rising, 0, None), 99.0)
    scene.add(0.5 * np.minimum(rim, 1.5) * glow, (1.4, 0.8, 0.5))
    number = int(rng.integers(12, 40))
    places = np.array(source)[:, None] + rng.normal(0, 0.12 * scene.reach, (2, number))
    scene.add_stars(
        *places,
        star_fluxes(rng, number, 1.5, 200.0, 0.6),
        blackbody_colours(np.full(number, 30_000.0)),
    )


def _pillars(scene, distance, around, towards):
    """Column density of a dusty wall with pillars that stand out of it towards the source."""
    rng = scene.rng
    opposite = np.angle(np.exp(1j * (around - towards - np.pi))).astype(np.float32)
    lumps = power_noise(rng, scene.size, 4.0, 0.2, shortest=0.01)
    sway = power_noise(rng, scene.size, 4.5, 0.35, shortest=0.03)
    wall = rng.uniform(1.2, 1.45) + 0.14 * power_noise(rng, scene.size, 4.5, 0.4)
    column = 1.3 * smoothstep(distance, wall - 0.06, wall + 0.2)
    directions = np.linspace(-0.55, 0.55, int(rng.integers(3, 6)))
    for direction in directions + rng.normal(0, 0.09, len(directions)):
        head = rng.uniform(0.4, 0.95)
        width = rng.uniform(0.03, 0.07)
        along = np.clip(distance - head, 0, None)
        middle = direction + rng.normal(0, 0.15) * along + 0.035 * sway
        # A rounded head that widens into a root.
        half = width * np.minimum(np.sqrt(along / 0.05), 1) * (1 + along)
        half = half * (1 + 0.2 * lumps)
        across = np.abs(opposite - middle) * distance
        column = np.maximum(column, 1.2 * smoothstep(half - across, -0.008, 0.025) * (along > 0))
    return np.clip(column * (1 + 0.12 * lumps), 0, None).astype(np.float32)
