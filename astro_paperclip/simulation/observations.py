"""Proposals and observations of the simulated archive, with MAST's names for the columns."""

from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from astro_paperclip.simulation.abstracts import load_vocabulary, write_abstract, write_title
from astro_paperclip.simulation.instrument import INSTRUMENTS, Exposure
from astro_paperclip.simulation.kinds import KINDS, REGISTRY, draw_exposure

__all__ = ["OBSERVATION_COLUMNS", "Observation", "Proposal", "draw_proposals"]

# CAOM columns as MAST serves them, in its order; all but `srcDen` and the query's `distance`.
OBSERVATION_COLUMNS = (
    "intentType", "obs_collection", "provenance_name", "instrument_name", "project", "filters",
    "wavelength_region", "target_name", "target_classification", "obs_id", "s_ra", "s_dec",
    "dataproduct_type", "proposal_pi", "calib_level", "t_min", "t_max", "t_exptime", "em_min",
    "em_max", "obs_title", "t_obs_release", "proposal_id", "proposal_type", "sequence_number",
    "s_region", "jpegURL", "dataURL", "dataRights", "mtFlag", "obsid", "objID",
)  # fmt: skip

SIMULATED = "SIMULATED"

# Hubble's proposals end near 18 000; numbers above 90 000 can be taken for none of them.
FIRST_PROPOSAL = 90_001
FIRST_OBSID = 9_900_000_001

# Start of observing in each cycle [Julian year], rounded.
CYCLE_STARTS = {
    4: 1994.0, 5: 1995.5, 6: 1996.5, 7: 1997.5, 8: 1999.5, 9: 2000.5, 10: 2001.5, 11: 2002.5,
    12: 2003.5, 13: 2004.5, 14: 2005.5, 15: 2006.5, 16: 2007.5, 17: 2009.7,
    **{cycle: 1992.8 + cycle for cycle in range(18, 33)},
}  # fmt: skip

# Length of a cycle that is used [yr].
CYCLE_LENGTH = 0.9

# Share of the proposals with a second kind of target.
MIXED = 0.12

# Share of the observations that look at the previous target again.
REVISITS = 0.25


@dataclass(frozen=True)
class Observation:
    """One preview: what it shows, how it was exposed, and its row of CAOM columns."""

    kind: str
    exposure: Exposure
    sky_seed: tuple[int, ...]
    noise_seed: tuple[int, ...]
    file: str
    row: dict


@dataclass(frozen=True)
class Proposal:
    """A fictitious proposal and its observations."""

    proposal_id: str
    title: str
    abstract: str
    category: str
    pi: str
    cycle: int
    observations: tuple[Observation, ...]


@dataclass(frozen=True)
class _Target:
    kind: str
    name: str
    position: SkyCoord
    sky_seed: tuple[int, ...]


def draw_proposals(number, seed, images_per_proposal=(2, 5)) -> list[Proposal]:
    """
    Make up proposals with their observations.

    Parameters
    ----------
    number : int
        Of proposals; the kinds of object are spread evenly over them.
    seed : int
        The same seed gives the same proposals.
    images_per_proposal : tuple of int
        Fewest and most observations of a proposal.

    Returns
    -------
    list of `Proposal`
    """
    order = np.random.default_rng([seed, 0])
    rounds = -(-number // len(KINDS))
    kinds = np.concatenate([order.permutation(KINDS) for _ in range(rounds)])[:number]
    proposals, abstracts = [], set()
    obsid = FIRST_OBSID
    for index, kind in enumerate(kinds):
        proposal = _draw_proposal(index, str(kind), seed, images_per_proposal, obsid, abstracts)
        abstracts.add(proposal.abstract)
        obsid += len(proposal.observations)
        proposals.append(proposal)
    return proposals


def _draw_proposal(index, kind, seed, images_per_proposal, obsid, known_abstracts):
    rng = np.random.default_rng([seed, 1, index])
    vocabulary = load_vocabulary()
    count = int(rng.integers(images_per_proposal[0], images_per_proposal[1] + 1))
    instruments, cycle = _draw_instruments(kind, count, rng)
    kinds = [kind] * count
    partner = list(instruments)[1] if len(instruments) > 1 else None
    if partner:
        # The second kind gets the smaller part of the observations.
        kinds[count - count // 2 :] = [partner] * (count // 2)
    proposal_id = str(FIRST_PROPOSAL + index)
    title, pi = write_title(kind, rng), str(rng.choice(vocabulary["people"]["pis"]))
    common = {
        "proposal_id": proposal_id,
        "proposal_pi": pi,
        "proposal_type": str(rng.choice(["GO", "GO", "GO", "SNAP", "GTO"])),
        "obs_title": f"{title} [simulated]",
    }
    release_after = float(rng.choice([0.0, 182.6, 365.25]))
    targets = _draw_targets(kinds, seed, index, rng)
    observations = []
    for visit, target in enumerate(targets, start=1):
        exposure = draw_exposure(target.kind, rng, instruments[target.kind])
        row = _describe(target, exposure, cycle, visit, int(proposal_id), release_after, rng)
        number = str(obsid + visit - 1)
        row |= common | {"obsid": number, "objID": str(int(number) + 1_000_000)}
        observations.append(
            Observation(
                target.kind, exposure, target.sky_seed, (seed, 3, index, visit),
                row["jpegURL"].rsplit("/", 1)[1], row,
            )
        )  # fmt: skip
    first = observations[0].exposure
    abstract = None
    while abstract is None or abstract in known_abstracts:
        abstract = write_abstract(
            kind, rng, instrument=first.instrument.name, filters=first.filters,
            # The archive holds a part of what was proposed.
            targets=count + int(rng.integers(0, 6)), partner=partner,
        )  # fmt: skip
    return Proposal(
        proposal_id, title, abstract, vocabulary["kind"][kind]["category"], pi, cycle,
        tuple(observations),
    )  # fmt: skip


def _cycles(instrument):
    """Cycles through all of which an instrument was in use."""
    camera = INSTRUMENTS[instrument]
    first, last = camera.years[0], camera.years[1] + 1
    closed = camera.closed or (np.inf, np.inf)
    return {
        cycle
        for cycle, start in CYCLE_STARTS.items()
        if first <= start
        and start + CYCLE_LENGTH <= last
        and (start + CYCLE_LENGTH < closed[0] or start > closed[1])
    }


def _draw_instruments(kind, count, rng):
    """Choose one camera for each kind of target, and a cycle in which all were in use."""
    first = str(rng.choice(REGISTRY[kind].instruments))
    chosen, cycles = {kind: first}, _cycles(first)
    if count > 1 and rng.random() < MIXED:
        partner = load_vocabulary()["kind"][kind]["partner"]
        usable = [name for name in REGISTRY[partner].instruments if _cycles(name) & cycles]
        if usable:
            second = first if first in usable else str(rng.choice(usable))
            chosen[partner] = second
            cycles &= _cycles(second)
    return chosen, int(rng.choice(sorted(cycles)))


def _draw_targets(kinds, seed, index, rng):
    """One target for each observation; some are looked at twice."""
    targets = []
    for number, kind in enumerate(kinds):
        if targets and targets[-1].kind == kind and rng.random() < REVISITS:
            targets.append(targets[-1])
            continue
        traits = load_vocabulary()["kind"][kind]
        position = _draw_position(traits["sky"], rng)
        name = _name_target(str(rng.choice(traits["names"])), position, rng)
        targets.append(_Target(kind, name, position, (seed, 2, index, number)))
    return targets


def _draw_position(sky, rng):
    """
    Draw a place on the sky where targets of a sort are found.

    Parameters
    ----------
    sky : {"high", "halo", "plane", "bulge", "ecliptic"}
        Galactic latitudes over 25 deg, over 8 deg, within 4 deg, windows near the Galactic
        centre, ecliptic latitudes within 2 deg.
    rng : `numpy.random.Generator`
        Source of randomness.

    Returns
    -------
    `~astropy.coordinates.SkyCoord`
        ICRS.
    """
    frame = "barycentricmeanecliptic" if sky == "ecliptic" else "galactic"
    while True:
        longitude = rng.uniform(-12, 12) if sky == "bulge" else rng.uniform(0, 360)
        if sky in ("high", "halo"):
            lowest = np.sin(np.radians(25 if sky == "high" else 8))
            latitude = rng.choice([-1, 1]) * np.degrees(np.arcsin(rng.uniform(lowest, 1)))
        elif sky == "bulge":
            latitude = rng.choice([-1, 1]) * rng.uniform(2, 6)
        else:
            latitude = rng.normal(0, 1) if sky == "ecliptic" else rng.normal(0, 2)
        position = SkyCoord(longitude * u.deg, latitude * u.deg, frame=frame).icrs
        # Close to the poles one could not read a footprint as a polygon in ra and dec.
        if abs(position.dec.deg) < 80:
            return SkyCoord(position.ra, position.dec)


def _name_target(prefix, position, rng):
    """Name in a catalogue's style: by coordinates, or by numbers that the catalogue lacks."""
    if prefix.endswith("J"):
        ra = position.ra.to_string(u.hour, sep="", precision=0, pad=True)[:4]
        dec = position.dec.to_string(u.deg, sep="", precision=0, pad=True, alwayssign=True)[:5]
        return f"{prefix}{ra}{dec}"
    return f"{prefix}-{rng.integers(8001, 10_000)}"


def _base36(number, digits):
    alphabet = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = ""
    for _ in range(digits):
        number, rest = divmod(number, 36)
        text = alphabet[rest] + text
    return text


def _describe(target, exposure, cycle, visit, proposal, release_after, rng):
    """CAOM columns of one observation, except those that its proposal gives."""
    camera = exposure.instrument
    ra, dec = round(float(target.position.ra.deg), 8), round(float(target.position.dec.deg), 8)
    ranges = [camera.filters[name] for name in exposure.filters]
    em_min, em_max = min(r[0] for r in ranges), max(r[1] for r in ranges)
    year = rng.uniform(CYCLE_STARTS[cycle], CYCLE_STARTS[cycle] + CYCLE_LENGTH)
    t_min = round((year - 2000.0) * 365.25 + 51_544.5, 5)
    # A minute for each filter to read the detector out.
    t_max = round(t_min + (exposure.seconds + 60 * len(ranges)) / 86_400, 5)
    light = "total" if len(ranges) > 1 else exposure.filters[0].lower()
    root = f"{camera.letter}{_base36(proposal - FIRST_PROPOSAL + 20_000, 3)}{visit:02d}"
    obs_id = f"hst_{proposal}_{visit:02d}_{camera.product}_{light}_{root}"
    product = f"mast:HST/product/{obs_id}_{camera.suffix}"
    corners = exposure.footprint(ra, dec)
    # As in MAST's polygons, the first corner is repeated at the end.
    region = " ".join(f"{value:.8f}" for value in np.concatenate([corners, corners[:1]]).ravel())
    return {
        "intentType": "science",
        "obs_collection": "HST",
        "provenance_name": SIMULATED,
        "instrument_name": camera.name,
        "project": SIMULATED,
        "filters": ";".join(exposure.filters),
        "wavelength_region": _wavelength_region(em_min, em_max),
        "target_name": target.name,
        "target_classification": load_vocabulary()["kind"][target.kind]["classification"],
        "obs_id": obs_id,
        "s_ra": ra,
        "s_dec": dec,
        "dataproduct_type": "image",
        "calib_level": 3,
        "t_min": t_min,
        "t_max": t_max,
        "t_exptime": exposure.seconds,
        "em_min": em_min,
        "em_max": em_max,
        "t_obs_release": round(t_max + release_after, 5),
        "sequence_number": visit,
        "s_region": f"POLYGON ICRS {region}",
        "jpegURL": f"{product}.jpg",
        "dataURL": f"{product}.fits",
        "dataRights": "PUBLIC",
        "mtFlag": REGISTRY[target.kind].moving,
    }


def _wavelength_region(em_min, em_max):
    middle = (em_min + em_max) / 2
    if middle < 320:
        return "UV"
    return "OPTICAL" if middle < 1000 else "INFRARED"
