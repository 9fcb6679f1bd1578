"""The pictures of ranked observations, best first."""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astro_paperclip.archive.obsids import as_table
from astro_paperclip.archive.previews.download import download_previews
from astro_paperclip.archive.previews.selection import KEY_COLUMNS, select_previews
from astro_paperclip.columns import COLUMNS, text_array
from astro_paperclip.exceptions import NoResultsWarning

__all__ = ["get_previews"]

# They need an archive: docs/test_docstrings.py has one, ``server``, and runs them.
__doctest_skip__ = ["get_previews"]

_ADDRESSES = ("mast:", "https://", "http://")


def get_previews(
    observations: Any,
    download_dir: str | os.PathLike = ".",
    *,
    progress: bool = True,
    **options: Any,
) -> Table:
    """Fetch the pictures that observations were found by.

    What is there and whole costs no request, so to go on after an interruption, call the same
    again.

    Parameters
    ----------
    observations : PaperclipResult, `~astropy.table.Table` or `~astropy.table.Row`
        Observations with the columns ``obsid``, ``obs_id``, ``proposal_id`` and
        ``obs_collection``, or some of their rows. Their picture is what ``preview`` names, or
        ``jpegURL`` where that is no MAST URI or web address.
    download_dir : str or path-like
        Folder of the pictures: they lie in ``previews/<proposal_id>/`` below it.
    progress : bool
        Whether to show a progress bar.
    **options
        ``mast``, ``max_side``, ``cloud``, ``max_conn``, ``retry_failed`` and ``offline``, as
        `~astro_paperclip.archive.download_previews` takes them.

    Returns
    -------
    previews : `~astropy.table.Table`
        As of `~astro_paperclip.archive.download_previews`, by rank where the observations are
        ranked; ``rank`` and ``score`` come first, and ``image`` is the path of the file. Each
        picture occurs once. It is empty, with a `~astroquery.exceptions.NoResultsWarning`, if
        there is nothing.

    Raises
    ------
    InvalidQueryError
        If a column is missing or another argument makes no sense; nothing was asked then.
    ArchiveError
        If the cloud was asked for and cannot be used. What goes wrong with a picture is in the
        table.

    Examples
    --------
    >>> from astro_paperclip import PaperclipMast
    >>> result = PaperclipMast.query_text("a comet", collection="hubble", limit=3)
    >>> from astro_paperclip.archive import Mast  # ``server`` is a simulated archive
    >>> mast = Mast(server)
    >>> previews = PaperclipMast.get_previews(result, "comets", mast=mast, progress=False)
    >>> previews["rank"].tolist(), set(previews["status"].tolist())
    ([1, 2, 3], {'complete'})
    """
    table = as_table(observations)
    if not len(table):
        reason = "There are no observations to fetch the pictures of."
        warnings.warn(reason, NoResultsWarning, stacklevel=2)
        # An empty result has none of the columns that only rows bring.
        table = table.copy()
        for name in KEY_COLUMNS:
            table[name] = text_array([])
    selected = select_previews(table, rule=_shown, progress=progress)
    if left_out := selected.meta["left_out"]:
        reasons = ", ".join(f"{number} {reason}" for reason, number in left_out.items())
        warnings.warn(f"Some pictures are not fetched: {reasons}.", NoResultsWarning, stacklevel=2)
    root = Path(download_dir).expanduser()
    previews = download_previews(selected, root, progress=progress, **options)
    images = [str(root / image) if image else "" for image in previews["image"].tolist()]
    previews["image"] = text_array(images)
    return _ranked(previews, table)


def _shown(observations: Table) -> Table:
    """Choose what an observation was found by, or else the preview that MAST names."""
    columns = [
        observations[name].tolist() if name in observations.colnames else [None] * len(observations)
        for name in ("preview", "jpegURL")
    ]
    uris = [
        next((str(uri) for uri in row if uri and str(uri).startswith(_ADDRESSES)), "")
        for row in zip(*columns, strict=True)
    ]
    return Table({"obsid": observations["obsid"], "preview": text_array(uris)})


def _ranked(previews: Table, observations: Table) -> Table:
    """Give pictures the ranks and scores of their observations, the best one first."""
    rows = {}
    for row, obsid in enumerate(observations["obsid"].tolist()):
        rows.setdefault(str(obsid), row)
    of = np.array([rows[obsid] for obsid in previews["obsid"].tolist()], dtype=np.int64)
    for place, name in enumerate(("rank", "score")):
        if name in observations.colnames:
            values = observations[name][of]
            previews.add_column(values, index=place, name=name)
            previews[name].description = COLUMNS[name].description
    if "rank" in previews.colnames:
        previews = previews[np.argsort(previews["rank"], kind="stable")]
    return previews
