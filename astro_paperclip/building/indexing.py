"""From pairs files and an encoder to an index that can be searched."""

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from astropy.table import Table

from astro_paperclip import encoders
from astro_paperclip.building.paths import local_path
from astro_paperclip.building.report import warn_of_skipped, with_skipped
from astro_paperclip.calibration.bank import write_text_bank
from astro_paperclip.collection import OWN_ENCODER, Collection
from astro_paperclip.encoders import Encoder
from astro_paperclip.encoders.views import check_views
from astro_paperclip.exceptions import (
    CollectionError,
    IndexMismatchError,
    PairsError,
    UntrainedEncoderWarning,
)
from astro_paperclip.files import written_whole_folder
from astro_paperclip.index import Store, open_store, point_id
from astro_paperclip.logger import log
from astro_paperclip.pairs import read_pairs

__all__ = ["IndexReport", "index_pairs"]

#: Columns whose value names an observation's preview for good, the best first.
_IDENTIFIERS = ("preview", "jpegURL")


@dataclass(frozen=True)
class IndexReport:
    """What indexing did; the numbers add up to the number of pairs.

    Parameters
    ----------
    collection : `~pathlib.Path`
        The collection's directory.
    n_pairs : int
        Rows in the pairs files.
    n_added : int
        Rows that were encoded and stored.
    n_present : int
        Rows that were in the index already and were left alone.
    n_points : int
        Points in the index now.
    skipped : list of tuple
        Image and reason of every row that was left out.
    """

    collection: Path
    n_pairs: int
    n_added: int
    n_present: int
    n_points: int
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def summary(self) -> str:
        """Return what was done, in a few lines."""
        done = (
            f"{self.n_pairs} pairs: {self.n_added} added, {self.n_present} already there, "
            f"{len(self.skipped)} skipped. {self.collection} holds {self.n_points} points."
        )
        return with_skipped(done, self.skipped)


def index_pairs(
    collection: str | Path,
    pairs: Table | str | Path | Sequence[str | Path],
    encoder: str | Encoder,
    *,
    device: str | None = None,
    views: str | None = None,
    batch_size: int | None = None,
    progress: bool = True,
) -> IndexReport:
    """Encode the pictures of pairs files and add them to a collection.

    What is in the index already is neither encoded nor touched again, so that an interrupted run
    goes on where it stopped, and a longer pairs file adds just its new rows.

    Parameters
    ----------
    collection : str or path
        The collection's directory; made where it does not exist.
    pairs : `~astropy.table.Table`, path or sequence of paths
        Pairs files, or a table that `astro_paperclip.pairs.read_pairs` returned. All columns
        go with a picture into the index.
    encoder : str or Encoder
        An encoder or its name. A folder is copied into the collection.
    device : str, optional
        Where the encoder runs.
    views : str, optional
        Views of a picture that are averaged: ``'whole'``, ``'rotations'`` or ``'dihedral'``.
        Default: those of the collection; ``'whole'`` for a new one.
    batch_size : int, optional
        Pictures that are encoded together.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    report : IndexReport
        What was added, what was there, what was skipped and why.

    Raises
    ------
    PairsError
        If the pairs have faults, or two of them the same preview.
    EncoderError
        If the encoder can't be loaded, or the views are unknown.
    IndexMismatchError
        If the collection was made with another encoder or other views.
    CollectionLockedError
        If another process has the collection open.
    DiskSpaceError
        If the disk is too full.

    Warns
    -----
    SkippedImageWarning
        If a picture can't be read; its row was left out.
    UntrainedEncoderWarning
        If no sentence will find anything with this encoder.
    """
    if views is not None:
        check_views(views)
    path = local_path(collection)
    table = pairs if isinstance(pairs, Table) else read_pairs(pairs)
    ids = _ids(table, path)
    if not isinstance(encoder, Encoder):
        encoder = encoders.load(encoder, device)
    if not encoder.trained:
        warnings.warn(
            f"The towers of {encoder.name!r} were never trained together: pictures will find like "
            "pictures, but words will find nothing. Train first: astro-paperclip train --help.",
            UntrainedEncoderWarning,
            stacklevel=2,
        )
    home = _open_or_create(path, encoder, views)
    with open_store(
        home.path, mode="w", dimension=encoder.dim, encoder=encoder.fingerprint
    ) as store:
        missing = set(store.missing(ids))
        rows = [row for row, id_ in enumerate(ids) if id_ in missing]
        skipped = _add(
            store, table, rows, ids, home, encoder, batch_size=batch_size, progress=progress
        )
        store.flush()
        n_points = store.count()
        # Another encoder may have joined since the record was read.
        home = Collection.open(home.path).save()
        _tell_of_joined(store, home, n_points)
    write_text_bank(home.path, encoder, progress=progress)
    report = IndexReport(
        collection=home.path,
        n_pairs=len(table),
        n_added=len(rows) - len(skipped),
        n_present=len(table) - len(rows),
        n_points=n_points,
        skipped=skipped,
    )
    warn_of_skipped(skipped, len(table))
    return report


def _open_or_create(path: Path, encoder: Encoder, views: str | None) -> Collection:
    """Return the collection, made where it is missing, or raise if it has another encoder."""
    home = Collection.open(path) if Collection.exists(path) else None
    if home is not None and home.is_indexed:
        if home.encoder_fingerprint != encoder.fingerprint:
            raise IndexMismatchError(
                f"{path} was indexed with the encoder {home.encoder_name!r} "
                f"({home.encoder_fingerprint[:12]}), not with {encoder.name!r} "
                f"({encoder.fingerprint[:12]}): use that one, or another directory."
            )
        if views not in (None, home.views):
            raise IndexMismatchError(
                f"{path} was indexed with the views {home.views!r}, not {views!r}: use those, or "
                "another directory."
            )
        return home
    own = path / OWN_ENCODER
    if encoder.folder is None or encoder.folder != own.resolve():
        if own.exists():
            raise CollectionError(
                f"{own} is where a collection keeps its encoder, and what is there is not "
                f"{encoder.name!r}: index with the encoder {own}, or into another directory."
            )
        if encoder.folder is not None:
            # The collection must not lose its encoder when the training run is tidied away.
            with written_whole_folder(own) as copied:
                encoders.write(encoder, copied)
    made = {
        "encoder_name": OWN_ENCODER if encoder.folder is not None else encoder.name,
        "encoder_fingerprint": encoder.fingerprint,
        "dimension": encoder.dim,
        "views": views or "whole",
    }
    return Collection.create(path, **made) if home is None else replace(home, **made).save()


def _ids(table: Table, home: Path) -> list[str]:
    """Return the id of each row's point, or raise if two rows would share one."""
    first: dict[str, int] = {}
    for row, identifier in enumerate(_identifiers(table, home)):
        if identifier in first:
            raise PairsError(
                f"{table['image'][first[identifier]]} and {table['image'][row]} have the same "
                f"preview, {identifier}: only one of them can be kept in an index."
            )
        first[identifier] = row
    return [point_id(identifier) for identifier in first]


def _identifiers(table: Table, home: Path) -> Iterator[str]:
    """Yield what each row is known by: its preview's URI, else its image file."""
    columns = [table[name] for name in _IDENTIFIERS if name in table.colnames]
    for row, image in enumerate(table["image"]):
        values = (column[row] for column in columns)
        known = (str(value) for value in values if value is not np.ma.masked and str(value).strip())
        yield next(known, None) or _within(home, str(image))


def _add(
    store: Store,
    table: Table,
    rows: Sequence[int],
    ids: Sequence[str],
    home: Collection,
    encoder: Encoder,
    **options,
) -> list[tuple[str, str]]:
    """Encode rows and store them; return the image and the fault of those that can't be read."""
    images = [str(table["image"][row]) for row in rows]
    skipped = []
    batches = encoder.encode_image_files(images, views=home.views, skip_broken=True, **options)
    for positions, vectors, broken in batches:
        skipped += [(images[position], message) for position, message in broken]
        if not len(positions):
            continue
        added = [rows[position] for position in positions]
        payloads = [_payload(table, row, home.path) for row in added]
        store.upsert([ids[row] for row in added], vectors, payloads)
    return skipped


def _tell_of_joined(store: Store, home: Collection, n_points: int) -> None:
    """Say where queries with an encoder that joined will not find all points."""
    vectors = store.info()["vectors"]
    for name in home.joined.keys() & vectors.keys():
        if (count := vectors[name]["count"]) < n_points:
            log.info(
                f"{n_points - count} of {n_points} points have no vector {name!r} of the encoder "
                f"{home.joined[name]['encoder']} that joined, whose queries will not find them "
                f"until: astro-paperclip index join {home.path} --encoder ENCODER"
            )


def _payload(table: Table, row: int, home: Path) -> dict:
    """Return a row as a dictionary, without the cells that hold nothing."""
    cells = ((name, table[name][row]) for name in table.colnames)
    payload = {name: cell for name, cell in cells if cell is not np.ma.masked}
    return payload | {"image": _within(home, payload["image"])}


def _within(home: Path, image: str) -> str:
    """Return a path relative to the collection it lies in, so that both can be moved together."""
    path, home = (Path(os.path.normpath(Path(name).absolute())) for name in (image, home))
    return path.relative_to(home).as_posix() if path.is_relative_to(home) else str(path)
