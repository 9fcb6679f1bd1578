"""Galaxies: spiral, barred, elliptical, edge-on, interacting, irregular."""

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
    warped_noise,
)

__all__ = ["barred_spiral", "edge_on", "elliptical", "interacting", "irregular", "spiral"]

OLD = (1.25, 1.0, 0.62)
YOUNG = (0.72, 0.95, 1.3)
H_ALPHA = (1.6, 0.55, 0.75)

# Square of the softening length of the two point masses of an encounter.
SOFTENING = 0.04


def _surroundings(scene, stars=25, galaxies=25):
    background_galaxies(scene, galaxies)
    field_stars(scene, stars)


def _disc_plane(scene, inclination, angle):
    """Polar coordinates in the plane of an inclined disc, in frame units; and the minor axis."""
    major, minor = scene.offsets(angle=angle)
    minor = minor / np.float32(np.cos(inclination))
    return np.hypot(major, minor), np.arctan2(minor, major), minor


def _arm_pattern(scene, radius, azimuth, scale, arms, pitch, sharpness):
    """
    Logarithmic spiral arms: their density, and the dust along their inner edges.

    Both lie between 0 and 1. The phase of a logarithmic spiral is
    ``arms * (azimuth - ln(radius) / tan(pitch))``.
    """
    turbulence = power_noise(scene.rng, scene.size, 3.2, 0.25)
    phase = arms * (azimuth - np.log(radius / scale + 0.02) / np.float32(np.tan(pitch)))
    phase = phase + np.float32(0.45) * turbulence
    density = np.exp(sharpness * (np.cos(phase) - 1))
    dust = np.exp(2.2 * sharpness * (np.cos(phase + 0.75) - 1))
    return density, dust


def _disc_with_arms(scene, scale, inclination, angle, *, inner=0.0, arms=2):
    """Add an exponential disc, its arms with star-forming knots, and dust lanes."""
    rng = scene.rng
    radius, azimuth, minor = _disc_plane(scene, inclination, angle)
    winding = rng.choice([-1, 1])
    density, dust = _arm_pattern(
        scene, radius, winding * azimuth, scale, arms,
        pitch=np.radians(rng.uniform(13, 25)), sharpness=rng.uniform(1.6, 2.8),
    )  # fmt: skip
    edge = 1 - smoothstep(radius, 3.2 * scale, 4.6 * scale)
    exponential = np.exp(-radius / scale) * edge
    outside_bar = smoothstep(radius, 0.75 * inner, 1.1 * inner) if inner else 1.0
    scene.add(0.16 * exponential, OLD)
    clumps = np.exp(0.6 * power_noise(rng, scene.size, 2.2, 0.08))
    arm_light = density * outside_bar * np.exp(-radius / (1.5 * scale)) * edge
    scene.add(0.36 * arm_light * clumps, YOUNG)
    knots = smoothstep(power_noise(rng, scene.size, 1.6, 0.05), 1.5, 3.0)
    scene.add(1.6 * knots * arm_light * density, H_ALPHA)
    lanes = dust * outside_bar * edge * np.exp(0.5 * warped_noise(scene, 3.0, 0.15))
    # Dust in front of the bulge dims it on the near side only.
    near = smoothstep(minor, -0.6 * scale, 0.6 * scale)
    scene.absorb(rng.uniform(0.5, 0.9) * lanes * np.exp(-radius / (2.5 * scale)) * (0.4 + near))
    _star_clusters(scene, density * outside_bar * np.exp(-radius / (1.6 * scale)) * edge, 150)


def _star_clusters(scene, density, number, brightest=6.0):
    """Draw young clusters where ``density`` is high, on its pixels."""
    rng = scene.rng
    weights = np.cumsum((density**2).ravel(), dtype=np.float64)
    chosen = np.searchsorted(weights, rng.uniform(0, weights[-1], number))
    x = scene.x.ravel()[chosen] + rng.uniform(-0.5, 0.5, number) * 2 / scene.size
    y = scene.y.ravel()[chosen] + rng.uniform(-0.5, 0.5, number) * 2 / scene.size
    flux = star_fluxes(rng, number, 0.15, brightest, 1.0)
    scene.add_stars(x, y, flux, blackbody_colours(rng.uniform(8000, 25_000, number)))


def _bulge(scene, scale, amplitude, angle, ellipticity=0.1, index=2.0):
    scene.add_sersic(*scene.centre, amplitude, scale, index, ellipticity, angle, OLD)


def spiral(scene):
    """Spiral galaxy: bulge, exponential disc and two to five logarithmic arms."""
    rng = scene.rng
    _surroundings(scene)
    scale = scene.reach * rng.uniform(0.2, 0.29)
    inclination = np.arccos(rng.uniform(0.5, 1.0))
    angle = rng.uniform(0, np.pi)
    _bulge(scene, scale * rng.uniform(0.18, 0.35), rng.uniform(0.3, 0.6), angle)
    _disc_with_arms(scene, scale, inclination, angle, arms=int(rng.choice([2, 2, 2, 3, 4, 5])))


def barred_spiral(scene):
    """Barred spiral galaxy: two arms that start at the ends of a straight bar."""
    rng = scene.rng
    _surroundings(scene)
    scale = scene.reach * rng.uniform(0.21, 0.28)
    inclination = np.arccos(rng.uniform(0.6, 1.0))
    angle = rng.uniform(0, np.pi)
    length = scale * rng.uniform(1.0, 1.5)
    _disc_with_arms(scene, scale, inclination, angle, inner=length)
    radius, azimuth, _ = _disc_plane(scene, inclination, angle)
    turn = rng.uniform(0, np.pi)
    along, across = radius * np.cos(azimuth - turn), radius * np.sin(azimuth - turn)
    # A flat bar with rather sharp ends: a generalised ellipse (Athanassoula et al. 1990).
    shape = (np.abs(along / length) ** 2.6 + np.abs(across / (0.24 * length)) ** 2.0) ** (1 / 2.3)
    scene.add(rng.uniform(0.4, 0.6) * np.exp(-2.2 * shape**2.2), OLD)
    _bulge(scene, scale * rng.uniform(0.12, 0.2), rng.uniform(0.6, 1.0), angle)
    if rng.random() < 0.5:
        ring = np.exp(-(((radius - 1.05 * length) / (0.12 * length)) ** 2))
        scene.add(0.12 * ring * np.exp(0.4 * power_noise(rng, scene.size, 2.5, 0.1)), YOUNG)
    lane = ridges((across - 0.05 * length * np.sign(along)) / (0.06 * length), 0.5)
    scene.absorb(0.45 * lane * (1 - smoothstep(np.abs(along), 0.8 * length, length)))


def elliptical(scene):
    """Elliptical galaxy: a smooth Sersic profile with globular clusters around it."""
    rng = scene.rng
    _surroundings(scene, stars=15, galaxies=35)
    radius = scene.reach * rng.uniform(0.16, 0.34)
    ellipticity, angle = rng.uniform(0.0, 0.5), rng.uniform(0, np.pi)
    index = rng.uniform(3.5, 6)
    scene.add_sersic(*scene.centre, 0.22, radius, index, ellipticity, angle, OLD)
    number = int(rng.uniform(150, 500))
    distance = radius * rng.gamma(1.6, 0.9, number)
    around = rng.uniform(0, 2 * np.pi, number)
    major, minor = distance * np.cos(around), distance * np.sin(around) * (1 - ellipticity)
    x = scene.centre[0] + major * np.cos(angle) - minor * np.sin(angle)
    y = scene.centre[1] + major * np.sin(angle) + minor * np.cos(angle)
    scene.add_stars(
        x, y, 0.12 * rng.lognormal(0, 0.8, number),
        blackbody_colours(rng.choice([4500.0, 6000.0], number)),
    )  # fmt: skip


def edge_on(scene):
    """Disc galaxy seen from the side: a thin disc, a bulge and a ragged dust lane."""
    rng = scene.rng
    _surroundings(scene)
    angle = rng.uniform(0, np.pi)
    length = scene.reach * rng.uniform(0.27, 0.36)
    height = length * rng.uniform(0.1, 0.16)
    along, across = scene.offsets(angle=angle)
    across = across - rng.normal(0, 0.01) * height * (along / length) ** 3
    truncation = 1 - smoothstep(np.abs(along), 3.0 * length, 3.9 * length)
    profile = np.exp(-np.abs(along) / length) * truncation
    # Isothermal sheets (van der Kruit & Searle 1981): thin disc, and a thick one around it.
    for amplitude, thickness, colour in (
        (0.75, height, (1.1, 1.0, 0.85)),
        (0.12, 2.6 * height, OLD),
    ):
        sheet = np.cosh(np.clip(across / thickness, -15, 15)) ** -2
        scene.add(amplitude * profile * sheet, colour)
    scene.add_sersic(
        *scene.centre, rng.uniform(0.1, 0.4), length * rng.uniform(0.22, 0.5),
        rng.uniform(1.5, 3), rng.uniform(0.2, 0.5), angle, OLD,
    )  # fmt: skip
    turbulence = warped_noise(scene, 2.8, 0.12)
    plumes = height * (0.44 + 0.14 * np.abs(turbulence))
    offset = rng.choice([-1, 1]) * rng.uniform(0.05, 0.3) * height
    lane = np.exp(-(np.abs((across - offset) / plumes) ** 1.8)) * truncation
    clumps = np.exp(0.25 * power_noise(rng, scene.size, 2.8, 0.1))
    scene.absorb(rng.uniform(2.5, 4.5) * lane * clumps * np.exp(-np.abs(along) / (2.6 * length)))


def irregular(scene):
    """Irregular dwarf galaxy: patchy blue light, off-centre knots, bubbles, resolved stars."""
    rng = scene.rng
    _surroundings(scene, galaxies=35)
    size = scene.reach * rng.uniform(0.34, 0.5)
    angle = rng.uniform(0, np.pi)
    along, across = scene.offsets(angle=angle)
    ragged = 1 + 0.3 * power_noise(rng, scene.size, 3.5, 0.35)
    radius = np.hypot(along, across / rng.uniform(0.45, 0.8)) * np.clip(ragged, 0.3, 2)
    envelope = np.exp(-((radius / size) ** 1.4) * 1.6)
    scene.add(0.13 * envelope, (1.0, 1.0, 0.95))
    patches = smoothstep(warped_noise(scene, 3.0, 0.3), -0.2, 2.2)
    bubbles = 1 - 0.7 * smoothstep(power_noise(rng, scene.size, 4.0, 0.15), 0.8, 1.6)
    scene.add(0.5 * envelope * patches * bubbles, YOUNG)
    shells = ridges(power_noise(rng, scene.size, 4.0, 0.2, shortest=0.02), 0.1)
    scene.add(0.3 * envelope**1.5 * shells * patches, H_ALPHA)
    for _ in range(rng.integers(3, 8)):
        distance, around = size * rng.uniform(0.1, 0.8), rng.uniform(0, 2 * np.pi)
        x = scene.centre[0] + distance * np.cos(around)
        y = scene.centre[1] + distance * np.sin(around)
        glow = scene.offsets((x, y))
        width = size * rng.uniform(0.04, 0.12)
        cloud = np.exp(-((np.hypot(*glow) * ragged / width) ** 2) / 2)
        scene.add(rng.uniform(0.3, 1.1) * cloud, H_ALPHA)
        number = int(rng.integers(5, 25))
        scene.add_stars(
            *(np.array([[x], [y]]) + rng.normal(0, 0.5 * width, (2, number))),
            star_fluxes(rng, number, 0.4, 8.0), blackbody_colours(np.full(number, 20_000.0)),
        )  # fmt: skip
    _star_clusters(scene, envelope * (0.3 + patches), 700, 1.5)


def _passage(rng, particles, steps):
    """
    Two discs of test particles after a close, prograde passage.

    The restricted three-body experiment of Toomre & Toomre (1972, ApJ 178, 623): massless
    particles on circular orbits around two softened point masses that pass each other on a
    Kepler ellipse; leapfrog integration. Units: the first mass, the distance of closest approach
    and the gravitational constant are 1.

    Returns
    -------
    positions : `numpy.ndarray`, shape (2 particles, 3)
    centres : `numpy.ndarray`, shape (2, 3)
    """
    masses = np.array([1.0, rng.uniform(0.5, 1.0)])
    total = masses.sum()
    # A bound orbit, followed from a true anomaly well before the closest approach.
    eccentricity, anomaly = rng.uniform(0.45, 0.75), -2.0
    parameter = 1 + eccentricity
    distance = parameter / (1 + eccentricity * np.cos(anomaly))
    separation = distance * np.array([np.cos(anomaly), np.sin(anomaly), 0.0])
    velocity = np.array([-np.sin(anomaly), eccentricity + np.cos(anomaly), 0.0])
    velocity *= np.sqrt(total / parameter)
    shares = np.array([-masses[1], masses[0]])[:, None] / total
    centres, drifts = shares * separation, shares * velocity
    positions, speeds = [], []
    for centre, drift, mass in zip(centres, drifts, masses, strict=True):
        radius = rng.power(1.5, particles) * 0.7 + 0.03
        around = rng.uniform(0, 2 * np.pi, particles)
        disc = np.stack([np.cos(around), np.sin(around), np.zeros(particles)], axis=1)
        orbit = np.stack([-np.sin(around), np.cos(around), np.zeros(particles)], axis=1)
        tilt = rng.uniform(-0.7, 0.7)
        turn = np.array(
            [[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]]
        )
        circular = np.sqrt(mass * radius**2 / (radius**2 + SOFTENING) ** 1.5)[:, None]
        positions.append(centre + radius[:, None] * disc @ turn.T)
        speeds.append(drift + circular * orbit @ turn.T)
    positions = np.concatenate(positions).astype(np.float32)
    speeds = np.concatenate(speeds).astype(np.float32)
    step = rng.uniform(5.0, 7.5) / steps
    for _ in range(steps):
        positions += np.float32(step / 2) * speeds
        centres = centres + step / 2 * drifts
        for centre, mass in zip(centres, masses, strict=True):
            away = positions - centre.astype(np.float32)
            squared = np.einsum("ij,ij->i", away, away) + np.float32(SOFTENING)
            speeds -= (np.float32(step * mass) / (squared * np.sqrt(squared)))[:, None] * away
        apart = centres[1] - centres[0]
        pull = apart / (apart @ apart + SOFTENING) ** 1.5
        drifts = drifts + step * pull * np.array([[masses[1]], [-masses[0]]])
        positions += np.float32(step / 2) * speeds
        centres = centres + step / 2 * drifts
    return positions, centres


def interacting(scene):
    """Interacting galaxies: two discs drawn into tidal tails and a bridge by their passage."""
    rng = scene.rng
    _surroundings(scene)
    positions, centres = _passage(rng, particles=7000, steps=70)
    tilt, turn = rng.uniform(-0.9, 0.9), rng.uniform(0, 2 * np.pi)
    view = np.array(
        [
            [np.cos(turn), -np.sin(turn) * np.cos(tilt), 0],
            [np.sin(turn), np.cos(turn) * np.cos(tilt), 0],
        ]
    )
    # The vertical extent of the tilted discs shows by the sine of the tilt.
    view[:, 2] = np.sin(tilt) * np.array([np.sin(turn), -np.cos(turn)])
    middle = view @ np.median(positions, axis=0)
    flat = positions @ view.T - middle
    extent = np.percentile(np.hypot(*flat.T), 95)
    unit = scene.reach * rng.uniform(0.62, 0.85) / extent
    x, y = flat.T * unit + np.array(scene.centre)[:, None]
    density = _splat(scene, x, y)
    smooth = ndimage.gaussian_filter(density, 0.012 * scene.size)
    fine = ndimage.gaussian_filter(density, 0.0035 * scene.size)
    # Fine detail where there are particles enough to show it.
    trust = smooth / (smooth + 1.0)
    light = unit_peak(trust * fine + (1 - trust) * smooth, 99.0)
    scene.add(0.25 * np.minimum(light, 4), (0.8, 0.95, 1.25))
    scene.add(0.35 * unit_peak(smooth, 99.5), OLD)
    knots = smoothstep(power_noise(rng, scene.size, 1.8, 0.06), 1.0, 2.8)
    scene.add(1.2 * knots * np.minimum(light, 1), H_ALPHA)
    for centre in centres @ view.T - middle:
        where = centre * unit + np.array(scene.centre)
        scene.add_sersic(
            *where, rng.uniform(0.25, 0.5), scene.reach * rng.uniform(0.035, 0.06), 3.0,
            rng.uniform(0, 0.4), rng.uniform(0, np.pi), OLD,
        )  # fmt: skip
    lanes = ridges(warped_noise(scene, 3.2, 0.2), 0.16) * smoothstep(
        smooth / smooth.max(), 0.05, 0.3
    )
    scene.absorb(0.9 * lanes)
    _star_clusters(scene, np.minimum(light, 1.5), 120, 3.0)


def _splat(scene, x, y):
    """Count of particles in every pixel."""
    columns = np.floor((x + 1) * scene.size / 2).astype(int)
    rows = np.floor((1 - y) * scene.size / 2).astype(int)
    inside = (columns >= 0) & (columns < scene.size) & (rows >= 0) & (rows < scene.size)
    counts = np.bincount(
        rows[inside] * scene.size + columns[inside], minlength=scene.size * scene.size
    )
    return counts.reshape(scene.size, scene.size).astype(np.float32)
