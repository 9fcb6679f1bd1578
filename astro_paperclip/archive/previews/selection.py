"""Choose the previews of observations, by named rules."""

import hashlib
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
from astropy.table import Column, Table

from astro_paperclip.archive.mast import Mast
from astro_paperclip.archive.products.lists import get_product_list
from astro_paperclip.columns import COLUMNS, text_array
from astro_paperclip.exceptions import InvalidQueryError, NoResultsWarning

__all__ = ["KEY_COLUMNS", "SELECTION_RULES", "select_previews"]

KEY_COLUMNS = ("obsid", "obs_id", "proposal_id", "obs_collection")
"""Columns that tell what an observation is, and where its previews lie."""

SELECTION_RULES = {
    "jpegURL": "The preview that the observation itself names, in its column jpegURL.",
    "paper": "Products of type PREVIEW with 'total' in their file name, which show all exposures "
    "of a visit together; without colour composites and thumbnails; some of each proposal, chosen "
    "at random without replacement.",
}
"""Named rules of `select_previews`."""

_PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".tif", ".tiff")

_COLUMNS = {
    **{name: COLUMNS[name].description for name in KEY_COLUMNS},
    "preview": "MAST URI or web address of the preview",
    "productFilename": "File name of the preview",
    "size": "Size of the preview as MAST has it; 0 where it is unknown",
}


class _Candidate(NamedTuple):
    obsid: str
    obs_id: str
    proposal_id: str
    obs_collection: str
    preview: str
    productFilename: str  # noqa: N815  as MAST spells it
    size: int


def select_previews(
    observations: Table,
    *,
    rule: str | Callable[[Table], Table] = "jpegURL",
    mast: Mast | None = None,
    per_proposal: int = 20,
    seed: int = 0,
    progress: bool = True,
) -> Table:
    """Choose which previews of observations are worth fetching.

    What is chosen, and in which order it is returned, does not depend on the order of the
    observations.

    Parameters
    ----------
    observations : `~astropy.table.Table`
        As `~astro_paperclip.archive.query_observations` returns them; with the columns
        ``obsid``, ``obs_id``, ``proposal_id``, ``obs_collection`` and, for the first rule,
        ``jpegURL``.
    rule : {"jpegURL", "paper"} or callable
        ``"jpegURL"``: the preview that the observation itself names; nothing is asked of MAST.
        ``"paper"``: products of type PREVIEW with ``total`` in their file name, without colour
        composites and thumbnails, at most ``per_proposal`` of a proposal, chosen at random
        without replacement; MAST is asked for lists of products. A callable takes the
        observations and returns a table with the columns ``obsid`` and ``preview`` (a MAST URI
        or a web address), and ``productFilename`` and ``size`` [byte] where it knows them; it
        may ask for products with `~astro_paperclip.archive.get_product_list` itself.
    mast : Mast, optional
        Where lists of products are asked for.
    per_proposal : int
        For the rule ``"paper"``: most previews of one proposal.
    seed : int
        For the rule ``"paper"``: which previews are chosen of a proposal that has more. Those of
        one proposal do not depend on which others there are.
    progress : bool
        Whether to show a progress bar while MAST is asked.

    Returns
    -------
    selected : `~astropy.table.Table`
        Columns ``obsid``, ``obs_id``, ``proposal_id``, ``obs_collection``, ``preview``,
        ``productFilename`` (str) and ``size`` (int, bytes; 0 where unknown), by proposal and
        observation. Each preview occurs once. ``meta["left_out"]`` says by reason how many were
        left out; an observation without any preview counts as one.

    Raises
    ------
    InvalidQueryError
        If there is no such rule, or what a rule needs is not there.
    ArchiveError
        If MAST failed for good.
    """
    if not callable(rule) and rule not in SELECTION_RULES:
        raise InvalidQueryError(
            f"There is no rule {rule!r} for previews: choose from {', '.join(SELECTION_RULES)}, or "
            "give a function."
        )
    if per_proposal < 1:
        raise InvalidQueryError(f"per_proposal={per_proposal!r} must be at least 1.")
    _check_columns(observations, KEY_COLUMNS, "The observations")
    left_out = Counter()
    if rule == "jpegURL":
        _check_columns(observations, ["jpegURL"], "The observations")
        rows = zip(_texts(observations, "obsid"), _texts(observations, "jpegURL"), strict=True)
        found = [(obsid, preview, "", 0) for obsid, preview in rows]
    elif rule == "paper":
        found = _listed_previews(observations, mast, progress, left_out)
    else:
        found = _found_by(rule, observations, left_out)
    candidates = _usable(_candidates(observations, found, left_out), left_out)
    if rule == "paper":
        candidates = _some_of_each_proposal(candidates, per_proposal, seed, left_out)
    name = rule if isinstance(rule, str) else getattr(rule, "__name__", "a function")
    return _selected(candidates, {"rule": name, "left_out": dict(left_out)})


def _listed_previews(
    observations: Table, mast: Mast | None, progress: bool, left_out: Counter
) -> list[tuple]:
    """Ask MAST for previews, and choose those of all exposures in shades of grey."""
    with warnings.catch_warnings():
        # Observations without a preview are counted.
        warnings.simplefilter("ignore", NoResultsWarning)
        products = get_product_list(
            observations, mast=mast, progress=progress, productType="PREVIEW"
        )
    found = _products(products, "parent_obsid", "dataURI")
    _count_without(observations, found, left_out)
    kept = []
    for product in found:
        name = (product[2] or product[1]).lower()
        if "total" not in name:
            left_out["without 'total' in the file name"] += 1
        elif "color" in name:
            left_out["colour composites"] += 1
        elif "thumb" in name:
            left_out["thumbnails"] += 1
        else:
            kept.append(product)
    return kept


def _found_by(
    rule: Callable[[Table], Table], observations: Table, left_out: Counter
) -> list[tuple]:
    """Let the user's function choose."""
    chosen = rule(observations)
    if not isinstance(chosen, Table):
        raise InvalidQueryError(f"The rule returned {chosen!r}: it must return a table.")
    _check_columns(chosen, ["obsid", "preview"], "What the rule returned")
    found = _products(chosen, "obsid", "preview")
    _count_without(observations, found, left_out)
    return found


def _products(table: Table, obsid: str, uri: str) -> list[tuple]:
    """Return obsid, URI, file name and size of each row."""
    names, sizes = [""] * len(table), [0] * len(table)
    if "productFilename" in table.colnames:
        names = _texts(table, "productFilename")
    if "size" in table.colnames:
        sizes = np.ma.filled(np.ma.asarray(table["size"]), 0).astype(np.int64).tolist()
    return list(zip(_texts(table, obsid), _texts(table, uri), names, sizes, strict=True))


def _count_without(observations: Table, found: list[tuple], left_out: Counter) -> None:
    without = set(_texts(observations, "obsid")) - {obsid for obsid, *_ in found}
    left_out["observations without a preview"] += len(without)


def _candidates(observations: Table, found: Iterable[tuple], left_out: Counter) -> list[_Candidate]:
    """Give each preview what is known of its observation."""
    known = {}
    names = ("obsid", "obs_id", "proposal_id", "obs_collection")
    for row in zip(*(_texts(observations, name) for name in names), strict=True):
        known.setdefault(row[0], row)
    candidates = []
    for obsid, preview, name, size in found:
        if obsid not in known:
            left_out["of no observation that was asked for"] += 1
            continue
        candidates.append(_Candidate(*known[obsid], preview, name, max(0, size)))
    return candidates


def _usable(candidates: list[_Candidate], left_out: Counter) -> list[_Candidate]:
    """Leave out what cannot be fetched or has no place, and what occurs again."""
    usable = {}
    for candidate in sorted(candidates, key=_place):
        if not candidate.preview:
            left_out["observations without a preview"] += 1
        elif not _can_be_fetched(candidate.preview):
            left_out["neither a MAST URI nor a web address"] += 1
        elif not candidate.proposal_id:
            left_out["of no proposal"] += 1
        elif candidate.preview in usable:
            left_out["the same as that of another observation"] += 1
        else:
            name = candidate.productFilename or _file_name(candidate)
            usable[candidate.preview] = candidate._replace(productFilename=name)
    return list(usable.values())


def _place(candidate: _Candidate) -> tuple:
    """Return what candidates are sorted by, numbers by their value."""
    return (
        len(candidate.proposal_id),
        candidate.proposal_id,
        candidate.obs_id,
        len(candidate.obsid),
        candidate,
    )


def _some_of_each_proposal(
    candidates: list[_Candidate], number: int, seed: int, left_out: Counter
) -> list[_Candidate]:
    """Choose at random, without replacement, by the ranks of seeded checksums."""

    def lot(candidate: _Candidate) -> bytes:
        return hashlib.sha256(f"{seed} {candidate.preview}".encode()).digest()

    proposals = defaultdict(list)
    for candidate in candidates:
        proposals[candidate.proposal_id].append(candidate)
    chosen = []
    for of_proposal in proposals.values():
        chosen += sorted(sorted(of_proposal, key=lot)[:number], key=_place)
        left_out[f"more than {number} of a proposal"] += max(0, len(of_proposal) - number)
    return chosen


def _selected(candidates: list[_Candidate], meta: dict) -> Table:
    meta["left_out"] = {reason: number for reason, number in meta["left_out"].items() if number}
    selected = Table(meta=meta)
    for index, name in enumerate(_Candidate._fields):
        values = [candidate[index] for candidate in candidates]
        values = np.array(values, dtype=np.int64) if name == "size" else text_array(values)
        selected[name] = Column(values, description=_COLUMNS[name])
    selected["size"].unit = "byte"
    return selected


def _file_name(candidate: _Candidate) -> str:
    """Return the name of a preview's file, or that of the observation where it has none."""
    name = PurePosixPath(urlsplit(candidate.preview).path).name
    return name if name.lower().endswith(_PICTURE_SUFFIXES) else f"{candidate.obs_id}.jpg"


def _can_be_fetched(preview: str) -> bool:
    try:
        parts = urlsplit(preview)
    except ValueError:
        return False
    return preview.startswith("mast:") or (parts.scheme in ("http", "https") and bool(parts.netloc))


def _check_columns(table: Table, names: Iterable[str], what: str) -> None:
    missing = [name for name in names if name not in table.colnames]
    if missing:
        raise InvalidQueryError(f"{what} lack the column {', '.join(missing)}.")


def _texts(table: Table, name: str) -> list[str]:
    """Return the values of a column as texts, empty where nothing is known."""
    values = np.ma.filled(np.ma.asarray(table[name], dtype=object), "")
    return ["" if value is None else str(value).strip() for value in values]
