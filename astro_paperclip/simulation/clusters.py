"""Clusters: of galaxies, with gravitational arcs; of stars, globular and open."""

import numpy as np

from astro_paperclip.simulation.scene import blackbody_colours, power_noise
from astro_paperclip.simulation.surroundings import (
    background_galaxies,
    field_stars,
    star_fluxes,
    turbulent_cloud,
)

__all__ = ["galaxy_cluster", "globular_cluster", "king_radii", "open_cluster"]

CLUSTER_RED = (1.45, 1.0, 0.5)


def galaxy_cluster(scene):
    """Galaxy cluster: a giant elliptical, red galaxies around it, and lensed blue arcs."""
    rng = scene.rng
    background_galaxies(scene, 45, largest=0.02)
    field_stars(scene, 12)
    angle, ellipticity = rng.uniform(0, np.pi), rng.uniform(0.15, 0.5)
    centre, reach = scene.centre, scene.reach
    scene.add_sersic(
        *centre, 0.16, reach * rng.uniform(0.1, 0.16), rng.uniform(3, 5), ellipticity, angle,
        CLUSTER_RED,
    )  # fmt: skip
    members = _members(scene, int(rng.integers(45, 110)), angle)
    einstein = reach * rng.uniform(0.26, 0.4)
    brightest = members[np.argsort(members[:, 2])[-8:]]
    source_x, source_y = _source_plane(scene, einstein, angle, ellipticity, brightest)
    for _ in range(rng.integers(6, 12)):
        offset = einstein * rng.uniform(0.1, 1.1)
        around = rng.uniform(0, 2 * np.pi)
        x, y = offset * np.cos(around), offset * np.sin(around)
        size = reach * rng.uniform(0.008, 0.02)
        distance2 = ((source_x - x) ** 2 + (source_y - y) ** 2) / size**2
        blue = rng.uniform(1.1, 2.2)
        light = rng.uniform(0.15, 0.4) * np.exp(-1.7 * np.sqrt(distance2))
        scene.add(light, (0.6, 0.9, 0.9 * blue))


def _members(scene, number, angle):
    """Add cluster galaxies; returns x, y and relative mass of each, shape (number, 3)."""
    rng = scene.rng
    distance = scene.reach * np.minimum(0.9 * rng.gamma(1.5, 0.33, number) + 0.03, 1.3)
    around = rng.uniform(0, 2 * np.pi, number)
    major, minor = distance * np.cos(around), 0.65 * distance * np.sin(around)
    x = scene.centre[0] + major * np.cos(angle) - minor * np.sin(angle)
    y = scene.centre[1] + major * np.sin(angle) + minor * np.cos(angle)
    masses = np.minimum(rng.pareto(1.3, number) + 0.25, 6)
    for where_x, where_y, mass in zip(x, y, masses, strict=True):
        scene.add_sersic(
            where_x, where_y, 0.12 * mass**0.3, scene.reach * 0.011 * mass**0.6,
            rng.uniform(2, 4), rng.uniform(0, 0.5), rng.uniform(0, np.pi), CLUSTER_RED,
        )  # fmt: skip
    return np.stack([x, y, masses], axis=1)


def _source_plane(scene, einstein, angle, ellipticity, galaxies):
    """
    Where each line of sight meets the plane of the sources, relative to the lens.

    The lens is a softened isothermal ellipsoid (deflection of constant size beyond its core)
    and smaller isothermal spheres for the brightest members; thin-lens equation.
    """
    major, minor = scene.offsets(angle=angle)
    flattened = minor / np.float32(1 - 0.7 * ellipticity)
    core = 0.15 * einstein
    scale = einstein / np.sqrt(major**2 + flattened**2 + core**2)
    along, across = major * (1 - scale), minor - scale * flattened
    x = along * np.cos(angle) - across * np.sin(angle)
    y = along * np.sin(angle) + across * np.cos(angle)
    for where_x, where_y, mass in galaxies:
        dx, dy = scene.offsets((where_x, where_y))
        deflection = (
            0.05 * einstein * np.sqrt(mass) / np.sqrt(dx**2 + dy**2 + (0.01 * einstein) ** 2)
        )
        x, y = x - deflection * dx, y - deflection * dy
    return x, y


def king_radii(rng, number, core, tidal):
    """
    Projected radii of stars in a King profile.

    Surface density ``(1/sqrt(1 + (r/rc)^2) - 1/sqrt(1 + (rt/rc)^2))^2`` (King 1962, AJ 67,
    471, equation 14), drawn by inverting its cumulative distribution.

    Parameters
    ----------
    rng : `numpy.random.Generator`
        Source of randomness.
    number : int
        How many.
    core, tidal : float
        Core radius and tidal radius.

    Returns
    -------
    `numpy.ndarray`, shape (number,)
        In the unit of ``core``.
    """
    radius = np.linspace(0, tidal, 2000)
    density = (1 / np.hypot(1, radius / core) - 1 / np.hypot(1, tidal / core)) ** 2
    cumulative = np.cumsum(density * radius)
    return np.interp(rng.uniform(0, cumulative[-1], number), cumulative, radius)


def globular_cluster(scene):
    """Globular cluster: thousands of old stars, ever denser towards the centre."""
    rng = scene.rng
    background_galaxies(scene, 6)
    field_stars(scene, 30)
    core = scene.reach * rng.uniform(0.05, 0.15)
    number = int(rng.uniform(5000, 14_000))
    radius = king_radii(rng, number, core, scene.reach * rng.uniform(1.3, 2.4))
    around = rng.uniform(0, 2 * np.pi, number)
    flattening = rng.uniform(0.88, 1.0)
    x = scene.centre[0] + radius * np.cos(around)
    y = scene.centre[1] + flattening * radius * np.sin(around)
    flux = star_fluxes(rng, number, 0.06, 25.0, 0.95)
    temperature = np.where(flux > 2, rng.normal(4300, 250, number), rng.normal(6000, 500, number))
    horizontal_branch = (flux > 0.6) & (flux < 2.5) & (rng.random(number) < 0.35)
    temperature[horizontal_branch] = rng.uniform(9000, 15_000, horizontal_branch.sum())
    scene.add_stars(x, y, flux, blackbody_colours(temperature))


def open_cluster(scene):
    """Open cluster: some hundred bright stars, loosely grouped, sometimes in a faint haze."""
    rng = scene.rng
    background_galaxies(scene, 10)
    field_stars(scene, 150, faintest=0.15, brightest=20.0)
    if rng.random() < 0.35:
        dx, dy = scene.offsets()
        haze = np.exp(-(dx**2 + dy**2) / (0.6 * scene.reach) ** 2)
        scene.add(0.05 * haze * turbulent_cloud(scene, 0.6), (1.1, 0.8, 1.0))
    number = int(rng.integers(70, 260))
    clumps = rng.normal(0, 0.28 * scene.reach, (int(rng.integers(3, 7)), 2))
    member_of = rng.integers(0, len(clumps), number)
    spread = rng.uniform(0.08, 0.22, len(clumps)) * scene.reach
    places = clumps[member_of] + rng.standard_t(4, (number, 2)) * spread[member_of, None]
    flux = star_fluxes(rng, number, 0.8, 700.0, 0.62)
    temperature = np.clip(6500 * flux**0.22, 4500, 28_000)
    giants = (flux > 15) & (rng.random(number) < 0.2)
    temperature[giants] = rng.uniform(3400, 4500, giants.sum())
    x, y = places.T + np.array(scene.centre)[:, None]
    scene.add_stars(x, y, flux, blackbody_colours(temperature))
    dust = power_noise(rng, scene.size, 3.2, 0.6)
    scene.absorb(0.2 * np.clip(dust, 0, None))
