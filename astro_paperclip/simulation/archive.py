"""Write the simulated archive: previews, tables and pairs, as a collection's directory."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from tqdm import tqdm

from astro_paperclip.exceptions import CollectionError
from astro_paperclip.simulation.kinds import picture
from astro_paperclip.simulation.observations import OBSERVATION_COLUMNS, draw_proposals

__all__ = ["write_archive"]

# Says that a directory was written here and may be written again.
MARKER = "simulation.json"

# Where everything is written before it takes its place.
WORKSHOP = ".simulation-unfinished"

JPEG_QUALITY = 90

README = """\
SIMULATED DATA

Nothing in this directory was observed. The previews, the proposals with their titles,
abstracts and investigators, the targets and the metadata were all made up by
astro_paperclip's `write_archive` (seed {seed}, {proposals} proposals, {images} previews), to try,
test and document the package without a network. The columns carry MAST's names; `project`
and `provenance_name` are "SIMULATED", proposal numbers start at 90001 and exist nowhere else.

previews/             one preview an observation, one folder a proposal
proposals.parquet     one row a proposal
observations.parquet  one row an observation, MAST's CAOM columns
pairs.csv             image, text (the abstract), group_id (the proposal) and all of the above;
                      `kind` is what was drawn
"""


def write_archive(
    directory,
    *,
    proposals: int = 60,
    seed: int = 0,
    images_per_proposal: tuple[int, int] = (2, 5),
    size: int = 256,
    progress: bool = True,
) -> Path:
    """
    Write a small simulated archive of Hubble observations.

    The same arguments write the same archive. All of it is made aside before it takes its
    place, so that an interrupted call leaves the directory as it was. A simulated archive that
    is there already is replaced; other files beside it, an index for instance, stay.

    Parameters
    ----------
    directory : str or `~pathlib.Path`
        Where to; made if it is not there. It has to be empty, or hold a simulated archive.
    proposals : int
        Number of proposals. The kinds of object are spread evenly over them.
    seed : int
        Which archive.
    images_per_proposal : tuple of int
        Fewest and most previews of a proposal.
    size : int
        Side of the square previews [pixel], at least 32.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    `~pathlib.Path`
        The pairs file, ``pairs.csv``.

    Raises
    ------
    CollectionError
        If the directory holds anything else than a simulated archive.
    ValueError
        If an argument makes no sense.
    """
    _check_arguments(proposals, seed, images_per_proposal, size)
    directory = Path(directory)
    _check_directory(directory)
    directory.mkdir(parents=True, exist_ok=True)
    workshop = directory / WORKSHOP
    shutil.rmtree(workshop, ignore_errors=True)
    try:
        drawn = draw_proposals(proposals, seed, images_per_proposal)
        _write_previews(drawn, workshop / "previews", size, progress)
        _write_tables(drawn, workshop)
        images = sum(len(proposal.observations) for proposal in drawn)
        text = README.format(seed=seed, proposals=proposals, images=images)
        (workshop / "README.txt").write_text(text, encoding="utf-8")
        record = {
            "simulated": True,
            "proposals": proposals,
            "seed": seed,
            "images_per_proposal": list(images_per_proposal),
            "size": size,
        }
        (workshop / MARKER).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        _put_in_place(workshop, directory)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return directory / "pairs.csv"


def _check_arguments(proposals, seed, images_per_proposal, size):
    if not 1 <= proposals <= 20_000:
        raise ValueError(f"proposals={proposals} must be between 1 and 20000")
    if seed < 0:
        raise ValueError(f"seed={seed} must not be negative")
    fewest, most = images_per_proposal
    if not 1 <= fewest <= most <= 99:
        raise ValueError(
            f"images_per_proposal={images_per_proposal!r} must be a pair (fewest, most) "
            "with 1 <= fewest <= most <= 99"
        )
    if size < 32:
        raise ValueError(f"size={size} is too small for a preview; use at least 32")


def _check_directory(directory):
    """Refuse to write where something else lies."""
    if not directory.exists():
        return
    if not directory.is_dir():
        raise CollectionError(f"{directory} is a file; the archive needs a directory")
    names = {path.name for path in directory.iterdir()}
    if names - {WORKSHOP} and MARKER not in names:
        raise CollectionError(
            f"{directory} is not empty and holds no simulated archive (no {MARKER}); "
            "nothing was written. Choose an empty directory"
        )


def _write_previews(proposals, folder, size, progress):
    observations = [
        (proposal.proposal_id, observation)
        for proposal in proposals
        for observation in proposal.observations
    ]
    for proposal_id, observation in tqdm(
        observations, desc="simulating", unit="image", disable=not progress
    ):
        preview = picture(
            observation.kind,
            observation.exposure,
            np.random.default_rng(observation.sky_seed),
            np.random.default_rng(observation.noise_seed),
            size,
        )
        path = folder / proposal_id / observation.file
        path.parent.mkdir(parents=True, exist_ok=True)
        comment = _wcs_cards(observation, size)
        Image.fromarray(preview).save(path, quality=JPEG_QUALITY, comment=comment)


def _wcs_cards(observation, size):
    """World coordinates as FITS cards, one a line, as in MAST's previews."""
    row = observation.row
    wcs = observation.exposure.wcs(row["s_ra"], row["s_dec"], size)
    cards = [
        *(f"CTYPE{axis}  = '{name}'" for axis, name in enumerate(wcs.wcs.ctype, 1)),
        *(f"CRPIX{axis}  = {value!r}" for axis, value in enumerate(wcs.wcs.crpix.tolist(), 1)),
        *(f"CRVAL{axis}  = {value!r}" for axis, value in enumerate(wcs.wcs.crval.tolist(), 1)),
        *(f"CD{i}_{j}   = {wcs.wcs.cd[i - 1, j - 1].item()!r}" for i in (1, 2) for j in (1, 2)),
        "COMMENT Simulated by astro_paperclip; not an observation",
    ]
    return "\n".join(cards) + "\n"


def _write_tables(proposals, folder):
    proposal_rows, observation_rows, pairs = [], [], []
    for proposal in proposals:
        described = {
            "proposal_id": proposal.proposal_id,
            "title": proposal.title,
            "abstract": proposal.abstract,
            "category": proposal.category,
            "proposal_type": proposal.observations[0].row["proposal_type"],
            "proposal_pi": proposal.pi,
            "cycle": str(proposal.cycle),
        }
        proposal_rows.append(described)
        for observation in proposal.observations:
            row = {name: observation.row[name] for name in OBSERVATION_COLUMNS}
            observation_rows.append(row)
            pairs.append(
                {
                    "image": f"previews/{proposal.proposal_id}/{observation.file}",
                    "text": proposal.abstract,
                    "title": proposal.title,
                    "group_id": proposal.proposal_id,
                    "category": proposal.category,
                    "kind": observation.kind,
                    "cycle": proposal.cycle,
                    **row,
                }
            )
    pq.write_table(pa.Table.from_pylist(proposal_rows), folder / "proposals.parquet")
    pq.write_table(pa.Table.from_pylist(observation_rows), folder / "observations.parquet")
    with (folder / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(pairs[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(pairs)


def _put_in_place(workshop, directory):
    """Move what was written to where it belongs, the pairs file last."""
    # With the marker in place, an interrupted move can be repeated.
    (workshop / MARKER).replace(directory / MARKER)
    previews, former = directory / "previews", workshop / "former"
    if previews.exists():
        previews.replace(former)
    (workshop / "previews").replace(previews)
    for name in ("README.txt", "proposals.parquet", "observations.parquet", "pairs.csv"):
        (workshop / name).replace(directory / name)
