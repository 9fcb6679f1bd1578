"""Points for `index_search.py`: vectors, rows, filters and queries, made anew wherever they run.

Vectors lie in clusters, as embeddings do: the components are of unequal size, queries are set
off from what they look for as texts are from pictures, and what filters ask for (instrument, time,
proposal, position) goes with the clusters. ``real`` takes embeddings of the pictures of
`jwst_proposals` and `space_captions`, in four turns each, in place of cluster centres.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from astro_paperclip.criteria import And, Match, Range, Within
from astro_paperclip.index import point_id
from astro_paperclip.sky import Circle, Polygon

DIMENSION = 512
CLUSTERS = 2000
POINTS_PER_PROPOSAL = 50
INSTRUMENTS = np.array(["ACS/WFC", "WFC3/UVIS", "WFC3/IR", "WFPC2", "STIS", "FOC"])
SHARES = np.array([0.28, 0.24, 0.18, 0.16, 0.12, 0.02])
FIRST_OBSID = 24_000_000
AT_ONCE = 50_000


@dataclass
class Points:
    """Vectors of unit length, and what is known of each."""

    vectors: np.ndarray
    instrument: np.ndarray
    t_min: np.ndarray
    proposal: np.ndarray
    ra: np.ndarray
    dec: np.ndarray

    def __len__(self) -> int:
        return len(self.vectors)

    def ids(self, start: int, stop: int) -> list[str]:
        """Return the ids of some points."""
        return [point_id(f"{row}.jpg") for row in range(start, stop)]

    def rows(self, start: int, stop: int) -> list[dict]:
        """Return the columns of some points."""
        return [
            {
                "obsid": str(FIRST_OBSID + row),
                "instrument_name": str(INSTRUMENTS[self.instrument[row]]),
                "t_min": float(self.t_min[row]),
                "proposal_id": str(10_000 + self.proposal[row]),
                "target_name": f"TARGET-{self.proposal[row] % 997}",
                "obs_title": f"Observation {row % 50} of proposal {self.proposal[row]}",
                "s_ra": float(self.ra[row]),
                "s_dec": float(self.dec[row]),
            }
            for row in range(start, stop)
        ]


def make_points(folder: Path, kind: str, count: int) -> Points:
    """Make points; vectors are kept in a file, which is used again."""
    rng = np.random.default_rng(count)
    centres = _real_vectors(folder) if kind == "real" else _cluster_centres()
    # Clusters are of unequal size.
    weights = np.random.default_rng(2).pareto(1.5, len(centres)) + 0.1
    proposals = -(-count // POINTS_PER_PROPOSAL)
    proposal = np.repeat(np.arange(proposals), POINTS_PER_PROPOSAL)[:count]
    cluster = rng.choice(len(centres), proposals, p=weights / weights.sum())[proposal]
    usual = rng.choice(len(INSTRUMENTS), len(centres), p=SHARES)[cluster]
    is_usual = rng.random(count) < 0.8
    instrument = np.where(is_usual, usual, rng.choice(len(INSTRUMENTS), count, p=SHARES))
    begun = rng.uniform(48_000, 60_000, len(centres))[cluster]
    t_min = np.clip(begun + rng.normal(0, 1500, count), 47_900, 61_000)
    # Proposals of a cluster look at one part of the sky, each at a field of its own.
    ra = (rng.uniform(0, 360, len(centres))[cluster] + rng.normal(0, 8, proposals)[proposal]) % 360
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, len(centres))))[cluster]
    dec = np.clip(dec + rng.normal(0, 4, proposals)[proposal] + rng.normal(0, 0.02, count), -90, 90)
    path = folder / f"{kind}-{count}.npy"
    if not path.exists():
        _write_vectors(path, centres, cluster, rng)
    return Points(np.load(path, mmap_mode="r"), instrument, t_min, proposal, ra, dec)


def _spectrum() -> np.ndarray:
    return (np.arange(DIMENSION) + 1.0) ** -0.5


def _cluster_centres() -> np.ndarray:
    rng = np.random.default_rng(1)
    return _unit(rng.normal(size=(CLUSTERS, DIMENSION)) * _spectrum())


def _real_vectors(folder: Path) -> np.ndarray:
    """Return embeddings of real pictures; kept in a file, which is used again."""
    path = folder / "real.npy"
    if not path.exists():
        from PIL import Image

        from astro_paperclip import encoders

        shared = Path(os.environ.get("PAPERCLIP_SHARED", "../shared")).resolve() / "data"
        encoder, vectors = encoders.load("compact", "cpu"), []
        for name in ("jwst_proposals", "space_captions"):
            for file in sorted((shared / name / "images").iterdir()):
                image = Image.open(file).convert("RGB")
                vectors.append(encoder.encode_images([image.rotate(90 * k) for k in range(4)]))
        np.save(path, np.concatenate(vectors))
    vectors = np.load(path)
    # What all pictures share does not tell them apart.
    return _unit(vectors - 0.9 * vectors.mean(axis=0))


def _write_vectors(path: Path, centres: np.ndarray, cluster: np.ndarray, rng) -> None:
    partial = path.with_suffix(".partial")
    shape = (len(cluster), DIMENSION)
    file = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float32, shape=shape)
    scale = _spectrum() / np.linalg.norm(_spectrum())
    for start in range(0, len(cluster), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        noise = rng.normal(size=(len(cluster[part]), DIMENSION)) * scale
        file[part] = _unit(centres[cluster[part]] + 0.7 * noise)
    file.flush()
    partial.rename(path)


def make_queries(points: Points, count: int) -> np.ndarray:
    """Return unit vectors near some points, set off from all as texts are from pictures."""
    rng = np.random.default_rng(5)
    near = points.vectors[np.sort(rng.choice(len(points), count, replace=False))]
    scale = _spectrum() / np.linalg.norm(_spectrum())
    gap = rng.normal(size=DIMENSION) * scale
    return _unit(near + 0.4 * rng.normal(size=near.shape) * scale + 0.8 * gap).astype(np.float32)


def make_cases(points: Points) -> Iterator[tuple[str, object, np.ndarray | None]]:
    """Yield the name of each case, its filter, and which points fit, worked out by NumPy."""
    yield "plain", None, None
    common = points.instrument == np.bincount(points.instrument).argmax()
    name = str(INSTRUMENTS[np.bincount(points.instrument).argmax()])
    share = 0.05 / common.mean()
    low, high = np.quantile(points.t_min[common], [0.5 - share / 2, 0.5 + share / 2])
    where = And((Match("instrument_name", (name,)), Range("t_min", gte=low, lte=high)))
    yield "5 %", where, common & (points.t_min >= low) & (points.t_min <= high)
    wanted = np.unique(points.proposal)[::1000][: max(1, len(points) // 50_000)]
    values = tuple(str(10_000 + number) for number in wanted)
    yield "0.1 %", Match("proposal_id", values), np.isin(points.proposal, wanted)
    middle = len(points) // 2
    ra, dec = float(points.ra[middle]), float(np.clip(points.dec[middle], -60, 60))
    cone = Circle(ra, dec, 5.0)
    yield "cone", Within(cone), cone.contains(points.ra, points.dec)
    corners = ((ra - 6, dec - 4), (ra + 5, dec - 5), (ra + 7, dec + 4), (ra - 4, dec + 6))
    polygon = Polygon(tuple((a % 360, d) for a, d in corners))
    yield "polygon", Within(polygon), polygon.contains(points.ra, points.dec)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
