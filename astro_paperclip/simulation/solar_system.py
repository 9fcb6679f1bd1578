"""Solar system: banded and ringed planets, comets."""

import numpy as np

from astro_paperclip.simulation.scene import blackbody_colours, power_noise, smoothstep
from astro_paperclip.simulation.surroundings import field_stars, star_fluxes

__all__ = ["comet", "planet"]

# Colours of the disks: like Jupiter, Saturn, Uranus or Neptune, Mars.
PLANETS = {
    "banded": (1.15, 1.0, 0.78),
    "ringed": (1.2, 1.0, 0.68),
    "icy": (0.6, 1.0, 1.3),
    "rocky": (1.6, 0.85, 0.45),
}


def _markings(scene, form, latitude, longitude):
    """Albedo over the planet's face, about 1."""
    rng = scene.rng
    size = scene.size
    profile = power_noise(rng, size, 2.0, 0.25)[0]
    profile = profile / profile.std()
    eddies = power_noise(rng, size, 3.0, 0.15)
    shear = 0.04 * eddies if form in ("banded", "ringed") else 0.02 * eddies
    positions = np.linspace(-1.7, 1.7, size)
    bands = np.interp(latitude + shear, positions, profile).astype(np.float32)
    strength = {"banded": 0.16, "ringed": 0.1, "icy": 0.05, "rocky": 0.05}[form]
    albedo = 1 + strength * bands
    if form == "rocky":
        albedo = albedo - 0.35 * smoothstep(power_noise(rng, size, 3.4, 0.3), 0.1, 1.2)
        cap = rng.uniform(1.05, 1.25) * rng.choice([-1, 1])
        albedo = albedo + 0.9 * smoothstep(
            np.sign(cap) * latitude, abs(cap) - 0.05, abs(cap) + 0.05
        )
    elif form != "ringed":
        spot = ((latitude - rng.uniform(-0.5, 0.5)) / 0.09) ** 2
        spot = spot + ((longitude - rng.uniform(-0.7, 0.7)) / 0.2) ** 2
        albedo = albedo + rng.choice([-0.3, 0.35]) * np.exp(-spot)
    return np.clip(albedo + 0.03 * eddies, 0.2, 2)


def planet(scene):
    """Planet: a disk with limb darkening and bands, at times with rings, polar caps, moons."""
    rng = scene.rng
    form = rng.choice(["banded", "banded", "ringed", "icy", "rocky"])
    radius = scene.reach * (rng.uniform(0.28, 0.4) if form == "ringed" else rng.uniform(0.4, 0.72))
    pole = rng.uniform(0, 2 * np.pi)
    tilt = rng.choice([-1, 1]) * rng.uniform(0.12, 0.45)
    flattening = {"banded": 0.065, "ringed": 0.1, "icy": 0.02, "rocky": 0.006}[form]
    x, y = scene.offsets(angle=pole)
    x, y = x / radius, y / (radius * (1 - flattening))
    squared = x**2 + y**2
    facing = np.sqrt(np.clip(1 - squared, 0, None))
    latitude = np.arcsin(np.clip(y * np.cos(tilt) + facing * np.sin(tilt), -1, 1))
    longitude = np.arctan2(x, facing * np.cos(tilt) - y * np.sin(tilt))
    # Minnaert's law with the Sun a few degrees from the observer.
    sun = rng.normal(0, 0.06 if form != "rocky" else 0.3)
    lit = np.clip(facing * np.cos(sun) + x * np.sin(sun), 0, None)
    exponent = 0.85
    disk = lit**exponent * np.clip(facing, 1e-3, None) ** (exponent - 1)
    disk = disk * _markings(scene, form, latitude, longitude)
    edge = np.float32(2 / (scene.size * radius))
    on_disk = smoothstep(1 - np.sqrt(squared), -edge, edge)
    brightness = 1.1
    scene.add(brightness * disk * on_disk, PLANETS[form])
    if form == "ringed":
        _rings(scene, x, y * (1 - flattening), tilt, on_disk, brightness)
    _moons(scene, radius, pole, tilt, int(rng.integers(0, 5)))


def _rings(scene, x, y, tilt, on_disk, brightness):
    """Add rings with gaps in the planet's equator, in front of it and behind it."""
    rng = scene.rng
    distance = np.hypot(x, y / np.sin(abs(tilt)))
    # The radii of Saturn's C, B and A rings and of the Cassini division, in planetary radii.
    edges = [1.24, 1.53, 1.95, 2.03, 2.27]
    opacity = np.zeros_like(distance)
    soft = 0.03
    for inner, outer, depth in (
        (edges[0], edges[1], 0.15),
        (edges[1], edges[2], 0.95),
        (edges[3], edges[4], 0.6),
    ):
        band = smoothstep(distance, inner - soft, inner + soft)
        opacity += depth * band * (1 - smoothstep(distance, outer - soft, outer + soft))
    grooves = power_noise(rng, scene.size, 1.5, 0.1)[0]
    radii = np.linspace(1, 2.5, scene.size)
    opacity *= np.interp(distance, radii, 1 + 0.12 * grooves).astype(np.float32)
    in_front = (y * np.sign(tilt) < 0) | (on_disk == 0)
    ring = opacity * in_front
    # The shadow of the rings on the disk lies just beside them.
    shadow = np.roll(ring, int(0.012 * scene.size), axis=0) * on_disk
    scene.diffuse *= (1 - 0.4 * shadow) * (1 - 0.85 * np.clip(ring, 0, 1))
    scene.add(0.85 * brightness * ring, PLANETS["ringed"])


def _moons(scene, radius, pole, tilt, number):
    """Add moons near the plane of the planet's equator."""
    rng = scene.rng
    along = rng.choice([-1, 1], number) * radius * rng.uniform(1.4, 3.2, number)
    across = rng.normal(0, 0.25, number) * radius * abs(tilt)
    x = scene.centre[0] + along * np.cos(pole) - across * np.sin(pole)
    y = scene.centre[1] + along * np.sin(pole) + across * np.cos(pole)
    scene.add_stars(x, y, rng.uniform(3, 15, number), blackbody_colours(np.full(number, 5500.0)))


def comet(scene):
    """Comet: a coma, a straight ion tail and a curved dust tail, before trailed stars."""
    rng = scene.rng
    _trailed_stars(scene)
    anti_sun = rng.uniform(0, 2 * np.pi)
    # The head stands back from the centre, so that the tails cross the field.
    head = (
        scene.centre[0] - 0.35 * scene.reach * np.cos(anti_sun),
        scene.centre[1] - 0.35 * scene.reach * np.sin(anti_sun),
    )
    along, across = scene.offsets(head, anti_sun)
    along, across = along / scene.reach, across / scene.reach
    distance = np.hypot(along, across) + np.float32(0.008)
    # Steady outflow gives a column density falling as 1/distance.
    coma = 0.035 / distance * np.exp(-distance / 0.25)
    scene.add(coma, (0.85, 1.0, 0.95))
    behind = np.clip(along, 0, None)
    growing = smoothstep(along, -0.02, 0.08)
    streamers = power_noise(rng, scene.size, 2.4, 0.5)[0]
    fan = np.interp(across / (0.03 + 0.16 * behind), np.linspace(-3, 3, scene.size), streamers)
    width = 0.025 + 0.06 * behind
    ion = np.exp(-((across / width) ** 2)) * growing * np.exp(-behind / 1.3)
    scene.add(0.2 * ion * np.clip(1 + 0.5 * fan, 0.1, None), (0.5, 0.7, 1.5))
    bend = rng.choice([-1, 1]) * rng.uniform(0.3, 0.7)
    off = across - bend * behind**1.6
    spread = np.where(off * np.sign(bend) > 0, 0.05 + 0.35 * behind, 0.04 + 0.14 * behind)
    dust = np.exp(-((off / spread) ** 2)) * growing * np.exp(-behind / 0.8)
    striae = 1 + 0.12 * np.interp(off / spread, np.linspace(-4, 4, scene.size), streamers[::-1])
    scene.add(0.3 * dust * striae / (1 + 2 * behind), (1.2, 1.0, 0.7))
    scene.add_stars(*head, rng.uniform(10, 40), blackbody_colours(5800.0))


def _trailed_stars(scene):
    """Stars drawn out by the telescope's following of the comet."""
    rng = scene.rng
    number = int(rng.integers(10, 40))
    direction = rng.uniform(0, np.pi)
    length = rng.uniform(0.03, 0.12)
    steps = np.linspace(-0.5, 0.5, int(length * scene.size) + 2) * length
    x = rng.uniform(-1.1, 1.1, (number, 1)) + steps * np.cos(direction)
    y = rng.uniform(-1.1, 1.1, (number, 1)) + steps * np.sin(direction)
    flux = star_fluxes(rng, number, 1.0, 60.0, 0.8)[:, None] / len(steps)
    flux = np.broadcast_to(flux, x.shape)
    colours = np.repeat(blackbody_colours(rng.uniform(3800, 8000, number)), len(steps), axis=1)
    scene.add_stars(x.ravel(), y.ravel(), flux.ravel(), colours)
    if rng.random() < 0.3:
        field_stars(scene, 2)
