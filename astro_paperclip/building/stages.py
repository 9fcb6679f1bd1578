"""The stages of a build: each reads files of the collection and writes others."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Table

from astro_paperclip import archive, encoders
from astro_paperclip.building.indexing import index_pairs
from astro_paperclip.building.recipe import BuildRecipe
from astro_paperclip.building.report import StageReport
from astro_paperclip.exceptions import NoResultsWarning, UntrainedEncoderWarning
from astro_paperclip.pairs import make_pairs, read_pairs, write_pairs
from astro_paperclip.training import HeadRecipe, train

__all__ = ["STAGES", "Stage", "Work", "check"]

_FEWEST_GROUPS = 10
"""Groups without which an encoder is not trained unless it is asked for."""

_VIEWS_IN_ALL = 10_000
"""Views that are encoded for training, about: with many pictures, fewer of each will do."""


@dataclass(frozen=True)
class Work:
    """What a stage needs to know.

    Parameters
    ----------
    home : `~pathlib.Path`
        The collection's directory.
    recipe : BuildRecipe
        What it is asked to hold.
    mast : `astro_paperclip.archive.Mast`
        The way to the archive.
    options : dict
        What changes the way, not the outcome: ``route``, ``cloud``, ``offline``, ``device``.
    progress : bool
        Whether to show progress bars.
    """

    home: Path
    recipe: BuildRecipe
    mast: archive.Mast
    options: dict[str, Any]
    progress: bool


@dataclass(frozen=True)
class Stage:
    """One step of a build.

    Parameters
    ----------
    name : str
        Its name.
    run : callable
        Takes a `Work`, returns a `StageReport`.
    settings : tuple of str
        Fields of the recipe that decide what comes out.
    inputs, outputs : tuple of str
        Files of the collection that it reads and writes.
    keeps : bool
        Whether its output stays as it is when its inputs change.
    check : callable, optional
        Takes a `Work` and says whether all that the outputs promise is there.
    cleared : tuple of str
        Folders to remove before it is made from something else.
    follows : str
        Another stage whose settings and inputs count as its own.
    is_remote : bool
        Whether it may have to ask the archive. The previews' stage can do without where they
        are all there.
    """

    name: str
    run: Callable[[Work], StageReport]
    settings: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    keeps: bool = False
    check: Callable[[Work], bool] | None = None
    cleared: tuple[str, ...] = ()
    follows: str = ""
    is_remote: bool = False

    def is_whole(self, work: Work) -> bool:
        """Say whether all that the stage writes is there."""
        there = all((work.home / name).exists() for name in self.outputs)
        return there and (self.check is None or self.check(work))


def check(work: Work, *, encoder: bool) -> None:
    """Raise for whatever is wrong with a recipe, before anything is asked or written.

    Parameters
    ----------
    work : Work
        What is to be done.
    encoder : bool
        Whether to see if the encoder can be loaded.

    Raises
    ------
    InvalidQueryError
        If observations cannot be asked for like this.
    EncoderError
        If there is no such encoder.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoResultsWarning)
        # Of no proposals: the question is checked, but nothing is asked.
        archive.query_observations(
            proposal_id=[], route=work.options["route"], mast=work.mast, **_question(work.recipe)
        )
    if encoder:
        encoders.load(work.recipe.encoder, work.options["device"])


def _question(recipe: BuildRecipe) -> dict[str, Any]:
    """Return what is asked of the archive, apart from proposals."""
    cone = {"coordinates": recipe.coordinates, "radius": recipe.radius * u.deg}
    return {
        "mission": recipe.mission,
        **(cone if recipe.coordinates else {}),
        "region": recipe.region or None,
        **{name: value for name, value in recipe.criteria.items() if value is not None},
    }


def _find_proposals(work: Work) -> StageReport:
    recipe = work.recipe
    table = archive.read_proposals(
        recipe.proposals or None,
        mission=recipe.mission,
        proposal_id=recipe.proposal_id or None,
        cycle=recipe.cycle or None,
        mast=work.mast,
        # A server on one's own machine may hold something else than it did yesterday.
        refresh=work.mast.server != archive.MAST,
        progress=work.progress,
    )
    # The same catalogue makes the same file, whenever and from wherever it was fetched.
    source = table.meta.pop("source", "")
    for name in ("date", "age"):
        table.meta.pop(name, None)
    archive.write_table(table, work.home / "proposals.parquet")
    return StageReport("proposals", "proposals", **_counts(table), note=f"From {source}.")


def _find_observations(work: Work) -> StageReport:
    recipe = work.recipe
    proposals = archive.read_table(work.home / "proposals.parquet")
    wanted = list(proposals["proposal_id"]) if recipe.proposal_id or recipe.cycle else None
    table = archive.query_observations(
        proposal_id=wanted,
        route=work.options["route"],
        mast=work.mast,
        progress=work.progress,
        **_question(recipe),
    )
    archive.write_table(table, work.home / "observations.parquet")
    return StageReport("observations", "observations", **_counts(table))


def _fetch_previews(work: Work) -> StageReport:
    recipe = work.recipe
    selected = archive.select_previews(
        archive.read_table(work.home / "observations.parquet"),
        rule=recipe.previews,
        mast=work.mast,
        per_proposal=recipe.per_proposal,
        seed=recipe.seed,
        progress=work.progress,
    )
    table = archive.download_previews(
        selected,
        work.home,
        mast=work.mast,
        max_side=recipe.max_side,
        cloud=work.options["cloud"],
        offline=work.options["offline"],
        progress=work.progress,
    )
    left_out = dict(selected.meta.get("left_out", {}))
    for status in ("refused", "failed"):
        if number := int(np.sum(table["status"] == status)):
            left_out[status] = number
    kept = int(np.sum(table["status"] == "complete"))
    found = kept + sum(left_out.values())
    note = "Run the same again to retry those that failed." if "failed" in left_out else ""
    return StageReport("previews", "previews", found, kept, left_out, note)


def _has_all_previews(work: Work) -> bool:
    """Say whether each complete preview is still there, in its size."""
    table = archive.read_previews(work.home / "previews.parquet")
    table = table[table["status"] == "complete"]
    paths = (work.home / str(image) for image in table["image"])
    return all(
        path.is_file() and path.stat().st_size == size
        for path, size in zip(paths, table["n_bytes"], strict=True)
    )


def _make_pairs(work: Work) -> StageReport:
    home, recipe = work.home, work.recipe
    table = make_pairs(
        archive.read_table(home / "proposals.parquet"),
        archive.read_table(home / "observations.parquet"),
        archive.read_previews(home / "previews.parquet"),
        caption=recipe.caption,
        sky_radius=recipe.sky_radius * u.arcmin if recipe.sky_radius else None,
        directory=home,
    )
    write_pairs(table, home / "pairs.parquet")
    return StageReport("pairs", "pairs", **_counts(table))


def _make_encoder(work: Work) -> StageReport:
    home, recipe = work.home, work.recipe
    pairs = read_pairs(home / "pairs.parquet")
    encoder = encoders.load(recipe.encoder, work.options["device"])
    n_groups = len(set(pairs["group_id"]))
    enough = n_groups >= _FEWEST_GROUPS
    wanted = recipe.train == "yes" or (recipe.train == "auto" and not encoder.trained and enough)
    if not wanted:
        if not encoder.trained and not enough and recipe.train == "auto":
            warnings.warn(
                f"{n_groups} groups of pairs are too few to train {encoder.name!r} on: pictures "
                "will find like pictures, but words will find nothing.",
                UntrainedEncoderWarning,
                stacklevel=2,
            )
        note = f"{encoder.name} is used as it is."
        return StageReport("encoder", "pairs", len(pairs), len(pairs), note=note)
    settings = HeadRecipe(
        views=_training_views(len(pairs)),
        # The telescope's roll has nothing to do with what is seen: every angle is as good.
        whole=0.0,
        validation_fraction=recipe.validation_fraction,
        seed=recipe.seed,
    )
    report = train(pairs, encoder, home / "encoder", recipe=settings, progress=work.progress)
    training, validation = report.record["training"], report.record["validation"]
    left_out = {
        "kept back for evaluation": validation["pairs"],
        "unreadable": len(report.record["skipped"]),
    }
    return StageReport(
        "encoder",
        "pairs",
        len(pairs),
        training["pairs"],
        {reason: number for reason, number in left_out.items() if number},
        f"{encoder.name} was trained on them.",
    )


def _training_views(n_pictures: int) -> int:
    """Return the number of views of each picture: from two to those of a small collection."""
    return max(2, min(HeadRecipe().views, _VIEWS_IN_ALL // n_pictures))


def _make_index(work: Work) -> StageReport:
    home, recipe = work.home, work.recipe
    own = home / "encoder"
    encoder = str(own) if own.is_dir() else recipe.encoder
    with warnings.catch_warnings():
        # The stage before has said so.
        warnings.simplefilter("ignore", UntrainedEncoderWarning)
        report = index_pairs(
            home,
            home / "pairs.parquet",
            encoder,
            device=work.options["device"],
            views=recipe.views,
            progress=work.progress,
        )
    skipped = {"unreadable": len(report.skipped)} if report.skipped else {}
    kept = report.n_added + report.n_present
    note = f"{report.n_points} points can be searched."
    return StageReport("index", "pairs", report.n_pairs, kept, skipped, note)


def _counts(table: Table) -> dict[str, Any]:
    """Return what a table says of itself: how many rows it has, and what was left out and why."""
    left_out = {reason: n for reason, n in table.meta.get("left_out", {}).items() if n}
    return {
        "found": len(table) + sum(left_out.values()),
        "kept": len(table),
        "left_out": left_out,
    }


STAGES = (
    Stage(
        "proposals",
        _find_proposals,
        settings=("mission", "proposals", "proposal_id", "cycle"),
        inputs=(),
        outputs=("proposals.parquet",),
        is_remote=True,
    ),
    Stage(
        "observations",
        _find_observations,
        settings=("mission", "proposal_id", "cycle", "coordinates", "radius", "region", "criteria"),
        inputs=("proposals.parquet",),
        outputs=("observations.parquet",),
        is_remote=True,
    ),
    Stage(
        "previews",
        _fetch_previews,
        settings=("previews", "per_proposal", "max_side", "seed"),
        inputs=("observations.parquet",),
        outputs=("previews.parquet",),
        check=_has_all_previews,
    ),
    Stage(
        "pairs",
        _make_pairs,
        settings=("caption", "sky_radius"),
        inputs=("proposals.parquet", "observations.parquet", "previews.parquet"),
        outputs=("pairs.parquet",),
    ),
    # An encoder stays as it is when pairs are added: what it was trained on can be read in its
    # folder, and all vectors would have to be made again.
    Stage(
        "encoder",
        _make_encoder,
        settings=("encoder", "train", "validation_fraction", "seed"),
        inputs=("pairs.parquet",),
        keeps=True,
        cleared=("encoder", "index"),
    ),
    Stage(
        "index",
        _make_index,
        settings=("views",),
        inputs=("pairs.parquet",),
        outputs=("index",),
        cleared=("index",),
        follows="encoder",
    ),
)
"""The stages of a build, in their order."""
