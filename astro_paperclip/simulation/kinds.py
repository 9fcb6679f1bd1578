"""The kinds of object that the simulated archive holds, and their pictures."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from astro_paperclip.simulation import clusters, fields, galaxies, nebulae, solar_system
from astro_paperclip.simulation.camera import develop, observe
from astro_paperclip.simulation.instrument import INSTRUMENTS, Exposure
from astro_paperclip.simulation.scene import Scene

__all__ = ["KINDS", "REGISTRY", "Kind", "draw_exposure", "picture", "render"]

WIDE = ("ACS/WFC", "ACS/WFC", "WFC3/UVIS", "WFC3/IR", "WFPC2/WFC")
OPTICAL = ("ACS/WFC", "ACS/WFC", "WFC3/UVIS", "WFPC2/WFC")
NARROW = ("ACS/HRC", "WFC3/UVIS-SUB", "WFPC2/PC")


@dataclass(frozen=True)
class Kind:
    """
    One kind of object.

    Parameters
    ----------
    paint : callable
        Draws the kind on a `~astro_paperclip.simulation.scene.Scene`.
    instruments : tuple of str
        Cameras that observe it; a camera that is named twice does so twice as often.
    seconds : tuple of float
        Shortest and longest exposure [s].
    lines : bool
        Whether narrow filters are used, on the emission lines.
    colour : float
        Share of the previews that are colour composites.
    moving : bool
        Whether the target moves against the stars.
    softening : float, optional
        Of the stretch, see `~astro_paperclip.simulation.camera.develop`.
    """

    paint: Callable[[Scene], None]
    instruments: tuple[str, ...] = WIDE
    seconds: tuple[float, float] = (400.0, 6000.0)
    lines: bool = False
    colour: float = 0.25
    moving: bool = False
    softening: float | None = None


REGISTRY = {
    "spiral galaxy": Kind(galaxies.spiral),
    "barred spiral galaxy": Kind(galaxies.barred_spiral),
    "elliptical galaxy": Kind(galaxies.elliptical),
    "edge-on galaxy": Kind(galaxies.edge_on),
    "interacting galaxies": Kind(galaxies.interacting),
    "irregular galaxy": Kind(galaxies.irregular, OPTICAL),
    "galaxy cluster": Kind(clusters.galaxy_cluster, seconds=(2000.0, 12_000.0)),
    "globular cluster": Kind(clusters.globular_cluster, OPTICAL, (60.0, 2000.0)),
    "open cluster": Kind(clusters.open_cluster, OPTICAL, (30.0, 1500.0)),
    "planetary nebula": Kind(nebulae.planetary_nebula, OPTICAL, (300.0, 3000.0), lines=True),
    "supernova remnant": Kind(nebulae.supernova_remnant, OPTICAL, (1000.0, 5000.0), lines=True),
    "protoplanetary disk": Kind(nebulae.protoplanetary_disk, NARROW, (600.0, 4000.0), lines=True),
    "reflection nebula": Kind(nebulae.reflection_nebula, OPTICAL, (300.0, 3000.0)),
    "emission nebula": Kind(nebulae.emission_nebula, OPTICAL, (300.0, 3000.0), lines=True),
    "planet": Kind(solar_system.planet, NARROW, (2.0, 60.0), moving=True, softening=0.9),
    "comet": Kind(
        solar_system.comet, ("ACS/WFC", "WFC3/UVIS", "WFPC2/WFC"), (60.0, 800.0), moving=True
    ),
    "crowded field": Kind(fields.crowded_field, WIDE, (30.0, 1500.0)),
    "deep field": Kind(fields.deep_field, WIDE, (5000.0, 30_000.0)),
}

KINDS = tuple(REGISTRY)


def draw_exposure(kind, rng, instrument=None):
    """
    Choose camera, filters, orientation and exposure time for an observation of a kind.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    rng : `numpy.random.Generator`
        Source of randomness.
    instrument : str, optional
        Key of the camera, for a proposal that uses only one.

    Returns
    -------
    `~astro_paperclip.simulation.instrument.Exposure`
    """
    traits = REGISTRY[kind]
    camera = INSTRUMENTS[instrument or str(rng.choice(traits.instruments))]
    broad = [name for name in camera.filters if name.endswith(("W", "LP"))]
    narrow = [name for name in camera.filters if name.endswith("N")]
    colour = len(broad) > 2 and rng.random() < traits.colour
    if traits.lines and narrow and not colour and rng.random() < 0.5:
        filters = [str(rng.choice(narrow))]
    else:
        number = 3 if colour else int(rng.choice([1, 1, 2, 2, 3]))
        chosen = rng.choice(len(broad), min(number, len(broad)), replace=False)
        filters = sorted(
            (broad[index] for index in chosen), key=lambda name: sum(camera.filters[name])
        )
    shortest, longest = traits.seconds
    relative = rng.uniform()
    return Exposure(
        camera,
        tuple(filters),
        roll=float(rng.uniform(0, 2 * np.pi)),
        seconds=round(float(shortest * (longest / shortest) ** relative), 1),
        depth=float(2000.0 * 8.0**relative),
        colour=bool(colour),
        dithered=bool(rng.random() < 0.6),
    )


def picture(kind, exposure, sky, noise, size=256):
    """
    Make the preview of one observation.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    exposure : `~astro_paperclip.simulation.instrument.Exposure`
        How it is observed.
    sky, noise : `numpy.random.Generator`
        Sources of randomness for the object with its field, and for the detector. The same
        ``sky`` is the same object.
    size : int
        Side of the preview [pixel].

    Returns
    -------
    `numpy.ndarray`, shape (size, size) or (size, size, 3), uint8
    """
    scene = Scene(size, sky, exposure.target, exposure.reach)
    REGISTRY[kind].paint(scene)
    return develop(*observe(scene, exposure, noise), REGISTRY[kind].softening)


def render(kind, seed, size=256):
    """
    Make a simulated preview of a kind of object.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    seed : int
        The same seed gives the same picture.
    size : int
        Side [pixel], at least 32.

    Returns
    -------
    `numpy.ndarray`, shape (size, size) for grey or (size, size, 3) for colour, uint8
        White (255) outside of the rotated footprint, as in MAST's previews.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    if kind not in REGISTRY:
        raise ValueError(f"no kind of object is called {kind!r}; there are: {', '.join(KINDS)}")
    if size < 32:
        raise ValueError(f"size={size} is too small for a preview; use at least 32")
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    exposure = draw_exposure(kind, rng)
    return picture(kind, exposure, rng, rng, size)
