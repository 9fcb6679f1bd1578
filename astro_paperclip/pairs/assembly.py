"""Make pairs: previews joined with their observations and with what their proposals say."""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import Column, Table

from astro_paperclip.columns import COLUMNS, text_array
from astro_paperclip.exceptions import PairsError
from astro_paperclip.pairs.sky import sky_groups

__all__ = ["CAPTIONS", "make_pairs"]


def _abstract(proposal: Mapping[str, str]) -> str:
    return proposal["abstract"]


def _title(proposal: Mapping[str, str]) -> str:
    return proposal["title"]


def _paper(proposal: Mapping[str, str]) -> str:
    """Return the caption of PAPERCLIP's models of raw abstracts (arXiv:2403.08851)."""
    category, abstract = proposal["category"], proposal["abstract"]
    return f"Category: {category}. {abstract}" if category and abstract else abstract


CAPTIONS: dict[str, Callable[[Mapping[str, str]], str]] = {
    "abstract": _abstract,
    "title": _title,
    "paper": _paper,
}
"""What a picture can be paired with, made from the row of its proposal."""

_PROPOSAL_COLUMNS = ("proposal_id", "title", "abstract", "category", "cycle")
_PREVIEW_COLUMNS = ("obsid", "proposal_id", "preview", "image", "status")


def make_pairs(
    proposals: Table,
    observations: Table,
    previews: Table,
    *,
    caption: str = "abstract",
    sky_radius: u.Quantity | None = None,
    directory: str | os.PathLike = ".",
) -> Table:
    """Join previews with their observations and the captions of their proposals.

    Parameters
    ----------
    proposals : `~astropy.table.Table`
        As `astro_paperclip.archive.read_proposals` returns it.
    observations : `~astropy.table.Table`
        As `astro_paperclip.archive.query_observations` returns it.
    previews : `~astropy.table.Table`
        As `astro_paperclip.archive.download_previews` returns it.
    caption : {"abstract", "title", "paper"}
        What a picture is paired with. ``"paper"`` puts the category before the abstract.
    sky_radius : `~astropy.units.Quantity`, optional
        Proposals that looked at places no further apart than this become one group, so that
        no object is in training under one proposal and in validation under another. By
        default each proposal is a group.
    directory : str or path-like
        What the paths of the previews are relative to.

    Returns
    -------
    pairs : `~astropy.table.Table`
        One row a complete preview, in their order: ``image`` (absolute path), ``text``,
        ``title``, ``category``, ``group_id``, ``cycle``, ``preview``, ``summary`` where the
        proposals have one, and all columns of the observations. ``meta["left_out"]`` says by
        reason how many previews became no pair.

    Raises
    ------
    PairsError
        If a column is missing, or an argument makes no sense.
    """
    if caption not in CAPTIONS:
        raise PairsError(f"There is no caption {caption!r}: give one of {', '.join(CAPTIONS)}.")
    _check_columns("proposals", proposals, _PROPOSAL_COLUMNS)
    _check_columns("observations", observations, ("obsid", "s_ra", "s_dec"))
    _check_columns("previews", previews, _PREVIEW_COLUMNS)
    described = _described(proposals, CAPTIONS[caption])
    row_of = {obsid: row for row, obsid in enumerate(_texts(observations["obsid"]))}
    usable, left_out = _usable(previews, row_of, described)
    of_row = [described[_plain(preview["proposal_id"])] for preview in usable]
    observed = observations[[row_of[preview["obsid"]] for preview in usable]]
    home = Path(directory).absolute()
    values = {
        "image": [os.path.normpath(home / preview["image"]) for preview in usable],
        "text": [proposal["text"] for proposal in of_row],
        "title": [proposal["title"] for proposal in of_row],
        "category": [proposal["category"] for proposal in of_row],
        "group_id": _groups(of_row, observed, sky_radius),
        "cycle": [proposal["cycle"] for proposal in of_row],
        "preview": [preview["preview"] for preview in usable],
    }
    if "summary" in proposals.colnames:
        values["summary"] = [proposal["summary"] for proposal in of_row]
    pairs = Table(meta={"caption": caption, "left_out": left_out})
    for name, texts in values.items():
        pairs[name] = Column(text_array(texts), description=COLUMNS[name].description)
    for name in observed.colnames:
        if name not in values:
            pairs[name] = observed[name]
    return pairs


def _check_columns(what: str, table: Table, names: tuple[str, ...]) -> None:
    missing = [name for name in names if name not in table.colnames]
    if missing:
        raise PairsError(f"The {what} have no column {', '.join(missing)}.")


def _described(proposals: Table, caption: Callable[[Mapping[str, str]], str]) -> dict[str, dict]:
    """Return each proposal with its caption, by its plain number."""
    names = [name for name in (*_PROPOSAL_COLUMNS, "summary") if name in proposals.colnames]
    columns = [_texts(proposals[name]) for name in names]
    described = {}
    for values in zip(*columns, strict=True):
        proposal = dict(zip(names, values, strict=True))
        described[_plain(proposal["proposal_id"])] = proposal | {"text": caption(proposal)}
    return described


def _usable(
    previews: Table, row_of: dict[str, int], described: dict[str, dict]
) -> tuple[list[dict[str, str]], dict[str, int]]:
    """Return the previews that become pairs, and how many do not, by reason."""
    columns = [_texts(previews[name]) for name in _PREVIEW_COLUMNS]
    usable, left_out, seen = [], Counter(), set()
    for values in zip(*columns, strict=True):
        preview = dict(zip(_PREVIEW_COLUMNS, values, strict=True))
        known = {preview["preview"], preview["image"]}
        proposal = described.get(_plain(preview["proposal_id"]))
        if preview["status"] != "complete":
            reason = "not complete"
        elif known & seen:
            reason = "listed twice"
        elif preview["obsid"] not in row_of:
            reason = "observation unknown"
        elif proposal is None:
            reason = "proposal unknown"
        elif not proposal["text"].strip():
            reason = "without caption"
        else:
            usable.append(preview)
            seen |= known
            continue
        left_out[reason] += 1
    return usable, dict(left_out)


def _groups(proposals: list[dict], observed: Table, radius: u.Quantity | None) -> list[str]:
    group_id = [proposal["proposal_id"] for proposal in proposals]
    if radius is None:
        return group_id
    from astropy.coordinates import SkyCoord

    angles = [
        u.Quantity(np.ma.filled(np.ma.asarray(observed[name].data, float), np.nan), u.deg)
        for name in ("s_ra", "s_dec")
    ]
    return sky_groups(group_id, SkyCoord(*angles), radius).tolist()


def _texts(column: Column) -> list[str]:
    return ["" if value is None else str(value) for value in column.tolist()]


def _plain(proposal_id: str) -> str:
    """Return a number as it is compared: some archives fill it up with zeros."""
    return proposal_id.strip().lstrip("0")
