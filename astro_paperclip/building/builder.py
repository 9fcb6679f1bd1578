"""Build a collection from an archive, stage by stage; stop at any moment and go on later."""

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from astro_paperclip.archive import SELECTION_RULES, Mast
from astro_paperclip.building.ledger import Ledger, fingerprint
from astro_paperclip.building.paths import local_path
from astro_paperclip.building.recipe import RECIPES, BuildRecipe
from astro_paperclip.building.report import BuildReport, StageReport
from astro_paperclip.building.stages import STAGES, Stage, Work, check
from astro_paperclip.collection import Collection
from astro_paperclip.exceptions import ArchiveError, CollectionError, InvalidQueryError
from astro_paperclip.index.locking import IndexLock

__all__ = ["build", "columns_added"]

_LOCK = ".build.lock"


def build(
    collection: str | Path,
    *,
    recipe: BuildRecipe | str | None = None,
    mast: Mast | str | None = None,
    stages: str | Sequence[str] | None = None,
    route: str = "auto",
    cloud: bool = False,
    offline: bool = False,
    device: str | None = None,
    progress: bool = True,
    **changes: Any,
) -> BuildReport:
    """Build a collection of observations from an archive, or go on with one.

    The stages are ``proposals``, ``observations``, ``previews``, ``pairs``, ``encoder`` and
    ``index``. Each writes files of the collection that the next one reads. A stage whose output
    is current is not run again; one that was interrupted goes on where it was.

    Parameters
    ----------
    collection : str or path
        The collection's directory. A new one has to be empty or absent.
    recipe : BuildRecipe or str, optional
        What the collection is to hold; or the name of one of
        `~astro_paperclip.building.RECIPES`, whose settings are changed. By default what it was
        asked to hold before.
    mast : `~astro_paperclip.archive.Mast` or str, optional
        The archive or its address. By default the one that was asked before, or MAST.
    stages : str or sequence of str, optional
        Run these only.
    route : {"auto", "portal", "tap"}
        How observations are asked for, see `~astro_paperclip.archive.query_observations`.
    cloud : bool
        Whether previews are fetched from MAST's public cloud bucket where they are there.
    offline : bool
        Whether to do without a network: stages that would need it are an error.
    device : str, optional
        Where the encoder runs.
    progress : bool
        Whether to show progress bars.
    **changes
        Settings of the recipe, see `BuildRecipe`, that are to be changed.

    Returns
    -------
    report : BuildReport
        What was found, kept and left out by each stage.

    Raises
    ------
    InvalidQueryError
        If a setting makes no sense, or nothing says which observations are wanted.
    CollectionError
        If the directory holds something else.
    CollectionLockedError
        If another process builds or searches the collection.
    ArchiveError
        If the archive failed for good; what was complete is kept.
    """
    chosen = _chosen(stages)
    path = local_path(collection)
    server = mast.server if isinstance(mast, Mast) else mast
    wanted = _wanted_recipe(path, recipe, {"server": server, **changes})
    mast = mast if isinstance(mast, Mast) else Mast(wanted.server or None)
    options = {"route": route, "cloud": cloud, "offline": offline, "device": device}
    work = Work(path, wanted, mast, options, progress)
    ledger = Ledger(path)
    check(
        work,
        encoder=any(
            stage.name == "encoder" and not _is_current(stage, work, ledger) for stage in chosen
        ),
    )
    before = _asked(mast)
    path.mkdir(parents=True, exist_ok=True)
    with _alone(path):
        _record(path, wanted)
        reports = [_bring_up_to_date(stage, work, ledger) for stage in chosen]
    requests, n_bytes, faults = _asked(mast)
    # Others may have asked through the same object before.
    return BuildReport(
        path, tuple(reports), requests - before[0], n_bytes - before[1], faults - before[2]
    )


@contextmanager
def columns_added(path: Path) -> Iterator[None]:
    """Keep a collection to oneself while its tables get columns that no stage reads.

    What was built from the tables before is as current afterwards as it was.

    Parameters
    ----------
    path : `~pathlib.Path`
        The collection's directory.

    Raises
    ------
    CollectionLockedError
        If another process builds the collection.
    """
    with _alone(path):
        ledger = Ledger(path)
        recipe = BuildRecipe().as_dict() | Collection.open(path).recipe
        current = [
            stage
            for stage in STAGES
            if ledger.entry(stage.name).get("key") == _key(stage, path, recipe, ledger)
        ]
        yield
        for stage in current:
            entry = ledger.entry(stage.name)
            ledger.write(stage.name, **entry | {"key": _key(stage, path, recipe, ledger)})


def _asked(mast: Mast) -> tuple[int, int, Counter]:
    """Return how much was asked of an archive so far."""
    return mast.traffic.requests, mast.traffic.n_bytes, Counter(mast.traffic.faults)


def _chosen(names: str | Sequence[str] | None) -> list[Stage]:
    """Return the stages to run, in their order."""
    known = [stage.name for stage in STAGES]
    names = [names] if isinstance(names, str) else names
    for name in names or ():
        if name not in known:
            raise InvalidQueryError(
                f"There is no stage {name!r} of a build: choose from {', '.join(known)}."
            )
    return [stage for stage in STAGES if not names or stage.name in names]


def _wanted_recipe(path: Path, recipe: BuildRecipe | str | None, changes: dict) -> BuildRecipe:
    """Return what the collection is to hold, checked before anything is written."""
    if isinstance(recipe, str) and recipe not in RECIPES:
        raise InvalidQueryError(f"There is no recipe {recipe!r}: choose from {', '.join(RECIPES)}.")
    named = {}
    if isinstance(recipe, str):
        named, recipe = RECIPES[recipe], None
    if Collection.exists(path):
        recorded = Collection.open(path).recipe
        if not recorded:
            raise CollectionError(
                f"{path} was indexed from pairs files, not built from an archive: add to it with "
                "'astro-paperclip index', or build in another directory."
            )
        recipe = recipe or _recorded_recipe(recorded, {**named, **changes}.get("previews"))
    elif path.is_file() or (path.is_dir() and _holds_something(path)):
        raise CollectionError(
            f"{path} holds something else than a collection: build in an empty directory."
        )
    wanted = (recipe or BuildRecipe()).changed(**named).changed(**changes)
    if not wanted.is_bounded:
        raise InvalidQueryError(
            "Say which observations the collection is to hold: give proposals, cycles, "
            "coordinates or a region."
        )
    return wanted


def _recorded_recipe(recorded: dict, rule: Any) -> BuildRecipe:
    """Return the recipe of a collection; a rule that is a function is recorded by name only."""
    name = recorded.get("previews", "")
    if name in SELECTION_RULES:
        return BuildRecipe.from_dict(recorded)
    if rule is None:
        raise InvalidQueryError(
            f"The previews of this collection were chosen by the function {name}: give it again, "
            "as previews=..., or choose one of the rules that have a name."
        )
    return BuildRecipe.from_dict({**recorded, "previews": rule})


def _holds_something(path: Path) -> bool:
    return any(child.name != _LOCK for child in path.iterdir())


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    lock = IndexLock(
        path,
        shared=False,
        name=_LOCK,
        refusal=f"The collection {path} is being built by another process: wait for it.",
    )
    try:
        yield
    finally:
        lock.release()


def _record(path: Path, wanted: BuildRecipe) -> None:
    """Write down what the collection is to hold."""
    values = wanted.as_dict()
    if not Collection.exists(path):
        Collection.create(path, recipe=values)
        return
    home = Collection.open(path)
    if home.recipe != values:
        replace(home, recipe=values).save()


def _bring_up_to_date(stage: Stage, work: Work, ledger: Ledger) -> StageReport:
    """Run a stage unless its output is current, and return what there is to report."""
    if _is_current(stage, work, ledger):
        return StageReport(stage.name, is_new=False, **ledger.entry(stage.name)["report"])
    for name in stage.inputs:
        if not (work.home / name).exists():
            raise CollectionError(
                f"The stage {stage.name!r} needs {work.home / name}, which is not there: run the "
                "stages before it."
            )
    if work.options["offline"] and stage.is_remote:
        raise ArchiveError(
            f"The stage {stage.name!r} has to ask the archive, which it may not when offline."
        )
    key = _key(stage, work.home, work.recipe.as_dict(), ledger)
    if ledger.entry(stage.name).get("key") != key:
        # What was made from something else must not be taken for a part of what comes now.
        ledger.write(stage.name, key="")
        _clear(stage, work)
        ledger.write(stage.name, key=key)
    report = stage.run(work)
    ledger.write(stage.name, key=key, report=report.as_dict())
    return report


def _is_current(stage: Stage, work: Work, ledger: Ledger) -> bool:
    """Say whether a stage has nothing to do."""
    entry = ledger.entry(stage.name)
    return (
        entry.get("key") == _key(stage, work.home, work.recipe.as_dict(), ledger)
        and "report" in entry
        and "failed" not in entry["report"]["left_out"]
        and stage.is_whole(work)
    )


def _key(stage: Stage, home: Path, values: dict[str, Any], ledger: Ledger) -> str:
    """Return what a stage's output depends on; ``values`` are those of the recipe."""
    settings = {name: values[name] for name in stage.settings}
    if stage.follows:
        settings["follows"] = ledger.entry(stage.follows).get("key")
    inputs = [] if stage.keeps else [home / name for name in stage.inputs]
    if settings.get("proposals"):
        inputs.append(Path(settings["proposals"]).expanduser())
    return fingerprint(settings, inputs)


def _clear(stage: Stage, work: Work) -> None:
    """Remove what a stage wrote for another recipe, where it would not be replaced anyway."""
    for name in stage.cleared:
        shutil.rmtree(work.home / name, ignore_errors=True)
    if stage.cleared:
        home = Collection.open(work.home)
        if home.is_indexed:
            unknown = {"encoder_name": "", "encoder_fingerprint": "", "dimension": 0, "views": ""}
            replace(home, **unknown, joined={}).save()
